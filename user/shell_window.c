/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `window`: the window of a program, region by region: what is in memory, what is on the disk, what was never touched.
 *
 * A region is a strip of cells, each a page or as many as it takes. A cell shows the most active state that a page of
 * it is in, and in capitals if all of them are.
 */
#include "eidolon/memory.h"
#include "shell.h"
#include "shell_picture.h"
#include <ctype.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STRIP_CELLS 44u

/* In order of activity. */
static const struct {
    struct picture_look look;
    const char *name;
} states[EIDOLON_PAGE_STATES] = {
    [EIDOLON_PAGE_NOTHING] = {{' ', PICTURE_BLACK}, "nothing"},
    [EIDOLON_PAGE_UNTOUCHED] = {{'.', PICTURE_BLACK}, "untouched"},
    [EIDOLON_PAGE_OUT] = {{'O', PICTURE_BLUE}, "on disk"},
    [EIDOLON_PAGE_SHARED] = {{'S', PICTURE_CYAN}, "shared"},
    [EIDOLON_PAGE_CLEAN] = {{'C', PICTURE_GREEN}, "clean"},
    [EIDOLON_PAGE_DIRTY] = {{'D', PICTURE_RED}, "dirty"},
};

static uint64_t totals[EIDOLON_PAGE_STATES];

static unsigned state_of(uint8_t page)
{
    unsigned state = page & EIDOLON_PAGE_STATE;

    return state < EIDOLON_PAGE_STATES ? state : EIDOLON_PAGE_NOTHING;
}

/* A strip as it is being made: how many pages of each state each cell has. */
struct strip {
    uint32_t pages_per_cell;
    uint32_t counts[STRIP_CELLS][EIDOLON_PAGE_STATES];
};

static void draw_cell(const uint32_t counts[EIDOLON_PAGE_STATES])
{
    unsigned state = EIDOLON_PAGE_STATES;
    unsigned others = 0;

    while (state > 0 && counts[state - 1] == 0) {
        state--;
    }
    if (state == 0) {
        return; /* behind the region's end */
    }
    state--;
    for (unsigned other = 0; other < state; other++) {
        others += counts[other];
    }
    struct picture_look look = states[state].look;
    if (others > 0) {
        look.character = (char)tolower((unsigned char)look.character);
    }
    picture_cell(look);
}

/* Ask for the pages of a region and count them into cells. */
static bool fill_strip(struct strip *strip, uint32_t program, const struct eidolon_region *region)
{
    static uint8_t pages[EIDOLON_PAGES_MAX];

    memset(strip, 0, sizeof(*strip));
    strip->pages_per_cell = (region->page_count + STRIP_CELLS - 1) / STRIP_CELLS;
    for (uint32_t done = 0; done < region->page_count;) {
        uint32_t count = region->page_count - done;
        if (count > EIDOLON_PAGES_MAX) {
            count = EIDOLON_PAGES_MAX;
        }
        if (syscall(EIDOLON_CALL_PAGES, program, region->first_page + done, count, pages) < 0) {
            return false;
        }
        for (uint32_t i = 0; i < count; i++) {
            strip->counts[(done + i) / strip->pages_per_cell][state_of(pages[i])]++;
            totals[state_of(pages[i])]++;
        }
        done += count;
    }
    return true;
}

static const char *kind_of(const struct eidolon_region *region)
{
    if ((region->flags & 1) != 0) {
        return "stack";
    }
    if ((region->flags & 2) != 0) {
        return "heap";
    }
    if (region->backing == EIDOLON_BACKING_NONE) {
        return "guard";
    }
    if (region->backing == EIDOLON_BACKING_SHARED) {
        return "shared";
    }
    return region->backing == EIDOLON_BACKING_COPY ? "copy" : "";
}

static bool draw_region(uint32_t program, const struct eidolon_region *region)
{
    struct strip strip;

    picture_text("%08lx %10s %c%c%c %-5s ", (unsigned long)region->first_page << 12, picture_size(region->page_count),
                 region->protection & 1 ? 'r' : '-', region->protection & 2 ? 'w' : '-',
                 region->protection & 4 ? 'x' : '-', kind_of(region));
    if (region->backing != EIDOLON_BACKING_NONE) {
        if (!fill_strip(&strip, program, region)) {
            return false;
        }
        for (unsigned cell = 0; cell < STRIP_CELLS; cell++) {
            draw_cell(strip.counts[cell]);
        }
    }
    picture_line_end();
    return true;
}

static bool draw_regions(uint32_t program)
{
    struct eidolon_region regions[EIDOLON_REGIONS_MAX];
    uint32_t page = 0;
    long count;

    do {
        count = syscall(EIDOLON_CALL_REGIONS, program, page, regions, EIDOLON_REGIONS_MAX);
        for (long i = 0; i < count; i++) {
            if (!draw_region(program, &regions[i])) {
                return false;
            }
            page = regions[i].first_page + regions[i].page_count;
        }
    } while (count == (long)EIDOLON_REGIONS_MAX);
    return count >= 0;
}

static void draw_legend(void)
{
    for (unsigned state = EIDOLON_PAGE_UNTOUCHED; state < EIDOLON_PAGE_STATES; state++) {
        if (totals[state] > 0 || state != EIDOLON_PAGE_SHARED) {
            picture_cell(states[state].look);
            picture_text(" %s %s   ", states[state].name, picture_size(totals[state]));
        }
    }
    picture_line_end();
    picture_text("small letters: some pages of the cell, the others are in a state further left");
    picture_line_end();
}

bool window_draw(const struct eidolon_account *program, bool is_alone)
{
    memset(totals, 0, sizeof(totals));
    picture_begin(is_alone);
    picture_text("program %u, %s; up to %u cells a region, each a page or more", (unsigned)program->program,
                 program->name, STRIP_CELLS);
    picture_line_end();
    bool drawn = draw_regions(program->program);
    draw_legend();
    picture_end();
    return drawn;
}
