/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `picture`: an image as a drawing: what each block of the disk is for, and what each program has of its window.
 *
 * What the blocks are comes from the check, which reaches everything that any kept generation needs; which of the pages
 * belong to the generation drawn, from that one's map. It takes two bytes of memory a block. What is damaged is left
 * out, and said.
 */
#include "picture.h"
#include "picture_svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TITLE_HEIGHT 96u
#define SECTION_GAP  26u
#define KEY_HEIGHT   64u
#define RESERVED     4u /* blocks: the label, the roots, and the label once more */

/* What is where ---------------------------------------------------------------------------------------------------- */

static const enum picture_block kinds[] = {
    [STORE_BLOCK_RECORD] = PICTURE_RECORD,   [STORE_BLOCK_MAP_NODE] = PICTURE_MAP,
    [STORE_BLOCK_PAGE] = PICTURE_HISTORY,    [STORE_BLOCK_FREE_MAP] = PICTURE_FREEMAP,
    [STORE_BLOCK_RETIRED] = PICTURE_RETIRED,
};

static void note_block(void *context, enum store_block_kind kind, struct block block, struct page_key page)
{
    struct picture *picture = context;

    (void)page;
    picture->blocks[block.number] = PICTURE_BLOCK(kinds[kind], 0);
}

/* What the pages of a space are: of a program that is drawn, of one that is not, shared, the kernel's. */
static uint16_t owners[SPACES_MAX]; /* as picture->blocks */

static enum error list_programs(struct picture *picture)
{
    for (uint32_t space = 0; space < SPACES_MAX; space++) {
        owners[space] = PICTURE_BLOCK(PICTURE_CONTENT, space == SPACE_SYSTEM.number ? SVG_KERNEL : 0);
    }
    for (uint32_t index = 1; index <= PROGRAMS_MAX; index++) {
        struct program_record record;
        struct space_record space;
        enum error error = image_record_read(&picture->image, RECORD_PROGRAM, index, &record);
        if (error == OK) {
            error = image_space_read(&picture->image, record.space, &space);
        }
        if (error != OK) {
            return error;
        }
        if (record.state == PROGRAM_FREE || space.memory.number == 0 || space.memory.number >= SPACE_SYSTEM.number) {
            continue;
        }
        bool is_drawn = picture->program_count < PICTURE_PROGRAMS_MAX;
        owners[space.memory.number] =
            is_drawn ? PICTURE_BLOCK(PICTURE_CONTENT, index) : PICTURE_BLOCK(PICTURE_OTHERS, 0);
        if (is_drawn) {
            picture->programs[picture->program_count++] =
                (struct picture_program){.index = index, .record = record, .space = space};
        } else {
            picture->programs_left_out++;
        }
    }
    return OK;
}

/* The pages of the generation drawn. */
static enum error note_content(struct picture *picture)
{
    struct page_key page = {0};
    struct store_entry entry;
    enum error error;

    while ((error = store_next(picture->image.store, page, &page, &entry)) == OK) {
        if (entry.block.number >= RESERVED && entry.block.number < picture->block_count) {
            uint32_t object = page_key_object(page).number;
            picture->blocks[entry.block.number] =
                object < SPACES_MAX ? owners[object] : PICTURE_BLOCK(PICTURE_CONTENT, 0);
        }
        page.number++;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

/* Returns STATUS_SOUND; STATUS_FOUND: something is damaged, and left out; STATUS_NOT_RUN after a message. */
static int gather(struct picture *picture)
{
    struct store_check_options options = {.context = picture, .block = note_block};
    struct store_check_result result;
    struct store_statistics statistics;

    store_statistics(picture->image.store, &statistics);
    picture->block_count = statistics.blocks;
    picture->blocks = calloc(statistics.blocks, sizeof(*picture->blocks));
    if (picture->blocks == NULL) {
        complain("%s: no memory for %u blocks", picture->path, statistics.blocks);
        return STATUS_NOT_RUN;
    }
    for (uint32_t i = 0; i < RESERVED; i++) {
        picture->blocks[i] = PICTURE_BLOCK(PICTURE_ROOT, 0);
    }
    enum error error = store_check(picture->image.store, &options, &result);
    if (error != OK) {
        complain("%s: %s", picture->path, error_text(error));
        return STATUS_NOT_RUN;
    }
    error = list_programs(picture);
    picture_note_viewers(picture);
    enum error of_content = note_content(picture);
    picture->block_end = picture->block_count;
    while (picture->block_end > RESERVED && picture_kind_of(picture->blocks[picture->block_end - 1]) == PICTURE_FREE) {
        picture->block_end--;
    }
    return error == OK && of_content == OK && result.findings == 0 ? STATUS_SOUND : STATUS_FOUND;
}

/* Drawing ---------------------------------------------------------------------------------------------------------- */

static void draw_title(const struct picture *picture, FILE *file)
{
    const char *slash = strrchr(picture->path, '/');
    const struct store_report *report = &picture->image.report;

    svg_text(file, SVG_MARGIN, 46, "title", "%s", slash != NULL ? slash + 1 : picture->path);
    svg_text(file, SVG_MARGIN, 70, "text", "an Eidolon image: generation %llu, committed %s, shutdown %s",
             (unsigned long long)report->generation.number, time_text(report->wall_time_ns),
             report->clean ? "clean" : "not clean");
}

static void draw_key_item(FILE *file, uint32_t x, uint32_t y, const char *fill, const char *text)
{
    svg_box(file, (struct svg_box){x, y - 11, 13, 13}, fill, 100, NULL);
    svg_text(file, x + 20, y, "text", "%s", text);
}

/* What the cells of windows mean. */
static void draw_key(const struct picture *picture, FILE *file, uint32_t y)
{
    svg_text(file, SVG_MARGIN, y + 16, "heading", "The windows");
    draw_key_item(file, SVG_MARGIN, y + 40, "#8a8578", "content; the stronger, the more of the cell");
    draw_key_item(file, SVG_MARGIN + 310, y + 40, svg_program_colour(0), "the same, shared");
    draw_key_item(file, SVG_MARGIN + 520, y + 40, "url(#zero)", "written, and zeroes again");
    draw_key_item(file, SVG_MARGIN + 740, y + 40, SVG_UNTOUCHED, "untouched");
    draw_key_item(file, SVG_MARGIN + 860, y + 40, "url(#guard)", "guard");
    if (picture->programs_left_out > 0) {
        svg_text(file, SVG_MARGIN + 1030, y + 40, "small", "%u more programs", picture->programs_left_out);
    }
}

static uint32_t measure(const struct picture *picture)
{
    uint32_t total = TITLE_HEIGHT + picture_disk_height(picture) + SECTION_GAP + KEY_HEIGHT + SVG_MARGIN;

    for (uint32_t i = 0; i < picture->program_count; i++) {
        total += picture_window_height(picture, &picture->programs[i]);
    }
    return total;
}

/* Returns STATUS_SOUND or STATUS_FOUND. */
static int draw(const struct picture *picture, FILE *file)
{
    uint32_t y = TITLE_HEIGHT;
    int status = STATUS_SOUND;

    svg_begin(file, measure(picture), picture->path);
    draw_title(picture, file);
    picture_disk_draw(picture, file, y);
    y += picture_disk_height(picture) + SECTION_GAP;
    draw_key(picture, file, y);
    y += KEY_HEIGHT;
    for (uint32_t i = 0; i < picture->program_count; i++) {
        if (picture_window_draw(picture, &picture->programs[i], file, y) != OK) {
            status = STATUS_FOUND;
        }
        y += picture_window_height(picture, &picture->programs[i]);
    }
    svg_end(file);
    return status;
}

/* Returns STATUS_SOUND or STATUS_FOUND; STATUS_NOT_RUN after a message. */
static int write_out(const struct picture *picture, const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        complain("%s: %s", path, strerror(errno));
        return STATUS_NOT_RUN;
    }
    int status = draw(picture, file);
    bool written = !ferror(file);
    if (fclose(file) != 0 || !written) {
        complain("%s: %s", path, strerror(errno));
        return STATUS_NOT_RUN;
    }
    return status;
}

/* Returns STATUS_SOUND, or another after a message. */
static int picture_image(struct picture *picture, const char *path)
{
    int status = gather(picture);

    if (status != STATUS_NOT_RUN) {
        int drawn = write_out(picture, path);
        status = drawn != STATUS_SOUND ? drawn : status;
    }
    if (status == STATUS_FOUND) {
        complain("%s: not sound; what is damaged is left out, and image verify says more", picture->path);
    }
    free(picture->blocks);
    return status;
}

/* The command ------------------------------------------------------------------------------------------------------ */

/* The picture must not take the image's place. */
static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int command_picture(int argc, char **argv)
{
    static struct picture picture;

    if (argc != 3 && argc != 4) {
        complain("usage: picture FILE OUT.svg [GENERATION]");
        return STATUS_NOT_RUN;
    }
    if (is_same_file(argv[1], argv[2])) {
        complain("%s is the image itself; name another file for the picture", argv[2]);
        return STATUS_NOT_RUN;
    }
    picture.path = argv[1];
    int status = image_open(&picture.image, argv[1], FILE_DISK_READ, argc == 4 ? argv[3] : NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = records_check(&picture.image);
    status = status == STATUS_SOUND ? picture_image(&picture, argv[2]) : status;
    int closed = image_close(&picture.image);
    return status != STATUS_SOUND ? status : closed;
}
