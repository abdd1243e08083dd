/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `memory`: physical memory, frame by frame: who has it.
 *
 * The frames are as many cells as fit the screen, each as many frames as that takes. A cell shows what most of its
 * frames are; free memory gives way to anything else, so that what little is in use is seen.
 */
#include "eidolon/memory.h"
#include "shell.h"
#include "shell_picture.h"
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COLUMNS      72u
#define ROWS         12u
#define ROW_LABEL    "%5llu "
#define PROGRAMS_MAX 4096u
#define PROGRAM      'n' /* in its place: the sign of the program */

static const struct {
    struct picture_look look;
    const char *name;
} kinds[EIDOLON_FRAME_KINDS] = {
    [EIDOLON_FRAME_FREE] = {{'.', PICTURE_BLACK}, "free"},
    [EIDOLON_FRAME_FIRMWARE] = {{'-', PICTURE_BLACK}, "firmware"},
    [EIDOLON_FRAME_KERNEL] = {{'K', PICTURE_BLUE}, "kernel"},
    [EIDOLON_FRAME_PAGE_TABLE] = {{'T', PICTURE_BLUE}, "page tables"},
    [EIDOLON_FRAME_RECORDS] = {{'R', PICTURE_MAGENTA}, "page records"},
    [EIDOLON_FRAME_TABLE] = {{'M', PICTURE_MAGENTA}, "page map"},
    [EIDOLON_FRAME_STORE] = {{'S', PICTURE_BLUE}, "disk metadata"},
    [EIDOLON_FRAME_CLEAN] = {{PROGRAM, PICTURE_GREEN}, "clean"},
    [EIDOLON_FRAME_DIRTY] = {{PROGRAM, PICTURE_RED}, "dirty"},
    [EIDOLON_FRAME_WRITING] = {{PROGRAM, PICTURE_YELLOW}, "being written"},
    [EIDOLON_FRAME_WIRED] = {{PROGRAM, PICTURE_WHITE}, "wired"},
    [EIDOLON_FRAME_COPY] = {{PROGRAM, PICTURE_CYAN}, "snapshot copy"},
    [EIDOLON_FRAME_ARRIVING] = {{'>', PICTURE_BLACK}, "arriving"},
};

static uint16_t *frames; /* as the kernel described them */
static size_t frame_count;

static bool is_page(enum eidolon_frame_kind kind)
{
    return kind >= EIDOLON_FRAME_CLEAN && kind <= EIDOLON_FRAME_COPY;
}

/* All frames, asked for a piece at a time. False: this is not Eidolon, or there is no memory for the picture. */
static bool ask_for_frames(void)
{
    long got;

    frame_count = 0;
    do {
        uint16_t *larger = realloc(frames, (frame_count + EIDOLON_FRAMES_MAX) * sizeof(*frames));
        if (larger == NULL) {
            return false;
        }
        frames = larger;
        got = syscall(EIDOLON_CALL_FRAMES, frame_count, EIDOLON_FRAMES_MAX, frames + frame_count);
        if (got < 0) {
            return false;
        }
        frame_count += (size_t)got;
    } while (got == (long)EIDOLON_FRAMES_MAX);
    return true;
}

/* One character for a program: 1 to 9, then letters, again and again; 0: shared; *: the kernel's own records. */
static char sign_of(unsigned program)
{
    static const char signs[] = "0123456789abcdefghijklmnopqrstuvwxyz";

    return program == EIDOLON_PROGRAM_KERNEL ? '*' : signs[program % (sizeof(signs) - 1)];
}

static struct picture_look look_of(uint16_t frame)
{
    struct picture_look look = kinds[EIDOLON_FRAME_KIND_OF(frame)].look;

    if (look.character == PROGRAM) {
        look.character = sign_of(EIDOLON_FRAME_PROGRAM_OF(frame));
    }
    return look;
}

static bool is_known(uint16_t frame)
{
    return EIDOLON_FRAME_KIND_OF(frame) < EIDOLON_FRAME_KINDS;
}

/* One frame for a cell: of those that are not free, one of the most frequent kind. */
static uint16_t pick_frame(size_t first, size_t end)
{
    size_t counts[EIDOLON_FRAME_KINDS] = {0};
    uint16_t picked = EIDOLON_FRAME(EIDOLON_FRAME_FREE, 0);
    size_t most = 0;

    for (size_t i = first; i < end; i++) {
        enum eidolon_frame_kind kind = EIDOLON_FRAME_KIND_OF(frames[i]);
        if (is_known(frames[i]) && kind != EIDOLON_FRAME_FREE && ++counts[kind] > most) {
            most = counts[kind];
            picked = frames[i];
        }
    }
    return picked;
}

static void draw_frames(void)
{
    size_t frames_per_cell = (frame_count + COLUMNS * ROWS - 1) / (COLUMNS * ROWS);

    picture_text("memory: %s; ", picture_size(frame_count));
    picture_text("a cell is %s, the numbers are MiB", picture_size(frames_per_cell));
    picture_line_end();
    for (size_t row = 0; row * COLUMNS * frames_per_cell < frame_count; row++) {
        picture_text(ROW_LABEL, (unsigned long long)(row * COLUMNS * frames_per_cell) / 256);
        for (size_t column = 0; column < COLUMNS; column++) {
            size_t first = (row * COLUMNS + column) * frames_per_cell;
            size_t end = first + frames_per_cell < frame_count ? first + frames_per_cell : frame_count;
            if (first < end) {
                picture_cell(look_of(pick_frame(first, end)));
            }
        }
        picture_line_end();
    }
}

/* What each look means, and how much there is of it; three to a line. */
static void draw_legend(void)
{
    size_t counts[EIDOLON_FRAME_KINDS] = {0};
    unsigned shown = 0;

    for (size_t i = 0; i < frame_count; i++) {
        if (is_known(frames[i])) { /* a newer kernel may know more kinds */
            counts[EIDOLON_FRAME_KIND_OF(frames[i])]++;
        }
    }
    for (unsigned kind = 0; kind < EIDOLON_FRAME_KINDS; kind++) {
        if (counts[kind] > 0) {
            picture_cell(kinds[kind].look);
            picture_text(" %-13s %9s", kinds[kind].name, picture_size(counts[kind]));
            shown++;
            if (shown % 3 == 0) {
                picture_line_end();
            } else {
                picture_text("%s", " ");
            }
        }
    }
    if (shown % 3 != 0) {
        picture_line_end();
    }
}

/* The pages of one program: how many of it are clean, dirty and so on. */
static void draw_program(unsigned program, const char *name, const size_t counts[EIDOLON_FRAME_KINDS])
{
    picture_text("%c  %4u %-14.14s", sign_of(program), program, name);
    for (unsigned kind = EIDOLON_FRAME_CLEAN; kind <= EIDOLON_FRAME_COPY; kind++) {
        if (counts[kind] > 0) {
            picture_text("%s", "  ");
            picture_cell((struct picture_look){sign_of(program), kinds[kind].look.ground});
            picture_text(" %s", picture_size(counts[kind]));
        }
    }
    picture_line_end();
}

#define PROGRAMS_SHOWN 3u
#define PROGRAM_NONE   0u /* in its place: what programs share */

static size_t sum_up(const size_t counts[EIDOLON_FRAME_KINDS])
{
    size_t sum = 0;

    for (unsigned kind = 0; kind < EIDOLON_FRAME_KINDS; kind++) {
        sum += counts[kind];
    }
    return sum;
}

static void draw_programs(void)
{
    static size_t counts[PROGRAMS_MAX][EIDOLON_FRAME_KINDS];
    unsigned shown = 0;

    memset(counts, 0, sizeof(counts));
    for (size_t i = 0; i < frame_count; i++) {
        enum eidolon_frame_kind kind = EIDOLON_FRAME_KIND_OF(frames[i]);
        if (is_page(kind)) {
            counts[EIDOLON_FRAME_PROGRAM_OF(frames[i])][kind]++;
        }
    }
    struct eidolon_account account = {.next = 0};
    for (bool more = shell_account(0, &account) && account.next != 0; more && shown < PROGRAMS_SHOWN;
         more = account.next != 0) {
        unsigned program = (unsigned)account.next;
        if (!shell_account(program, &account)) {
            break;
        }
        draw_program(program, account.name, counts[program]);
        shown++;
    }
    if (account.next != 0) {
        picture_text("         and more programs: accounts lists them");
        picture_line_end();
    }
    if (sum_up(counts[PROGRAM_NONE]) > 0) {
        draw_program(PROGRAM_NONE, "shared", counts[PROGRAM_NONE]);
    }
    draw_program(EIDOLON_PROGRAM_KERNEL, "the kernel's", counts[EIDOLON_PROGRAM_KERNEL]);
}

bool memory_draw(bool is_alone)
{
    if (!ask_for_frames()) {
        return false;
    }
    picture_begin(is_alone);
    draw_frames();
    draw_legend();
    draw_programs();
    picture_end();
    return true;
}
