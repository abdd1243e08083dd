/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The window of a program: its regions in order of address, each a strip of cells. A cell is a page, or as many as it
 * takes to get the region on the page; it has the program's colour, the stronger the more of it has content.
 */
#include "picture.h"
#include "picture_svg.h"

#include <string.h>

#define HEAD           30u
#define ROW            20u
#define FOOT           18u
#define REGIONS_MAX    400u /* that are drawn; of more it is said how many are left out */
#define CELLS          120u
#define CELL           7u
#define CELL_HEIGHT    12u
#define OBJECT_CELLS   30u /* what a strip leaves for words behind it, or there are none */
#define STRIP_X        (SVG_MARGIN + 250u)
#define HEADING_WIDTH  150u /* without the program's name, whose letters are at most so wide: */
#define HEADING_LETTER 12u
#define ZERO           "url(#zero)"
#define GUARD          "url(#guard)"

/* A drawing under way. */
struct drawing {
    const struct picture *picture;
    const struct picture_program *program;
    FILE *file;
    uint32_t y;
    uint32_t depth;   /* of the space's memory */
    uint32_t regions; /* drawn so far, or left out */
    uint64_t pages;
};

static enum error count_region(const struct vm_region *region, void *context)
{
    struct drawing *drawing = context;

    drawing->regions++;
    drawing->pages += region->page_count;
    return OK;
}

/* Pages of a cell, by what the map says of them. */
struct cell_counts {
    uint32_t content, shared, zero;
};

/* Whether a place of it may show what is not the memory's own. */
static bool shows_sources(const struct drawing *drawing, const struct vm_region *region)
{
    return vm_backing_has_object(&region->backing) ||
           (region->backing.kind == VM_BACKING_MEMORY && region->backing.depth < drawing->depth);
}

/* A page that a clone has not written since, and that its source may have. */
static enum error count_shared(const struct drawing *drawing, struct page_key page, struct cell_counts *cell)
{
    struct store_entry entry;
    enum error error = image_page_find(&drawing->picture->image, &drawing->program->space, &page, &entry);

    cell->shared += error == OK && !block_is_none(entry.block);
    return error == ERROR_NOT_FOUND ? OK : error;
}

/* The pages [from, to) of a region, of which the space itself has nothing. */
static enum error count_gap(const struct drawing *drawing, const struct vm_region *region, struct page_key from,
                            struct page_key to, uint32_t pages_per_cell, struct cell_counts cells[CELLS])
{
    uint32_t first = drawing->program->space.memory.number << 20 | region->first_page;
    enum error error = OK;

    if (!shows_sources(drawing, region)) {
        return OK;
    }
    for (; error == OK && from.number != to.number; from.number++) {
        error = count_shared(drawing, from, &cells[(from.number - first) / pages_per_cell]);
    }
    return error;
}

static enum error count_cells(const struct drawing *drawing, const struct vm_region *region, uint32_t pages_per_cell,
                              struct cell_counts cells[CELLS])
{
    struct page_key first = {drawing->program->space.memory.number << 20 | region->first_page};
    struct page_key end = {first.number + region->page_count}, at = first, found = first;
    enum error error = OK;

    while (error == OK && at.number != end.number) {
        struct store_entry entry;
        error = store_next(drawing->picture->image.store, at, &found, &entry);
        bool is_here = error == OK && found.number - first.number < region->page_count;
        if (error != OK && error != ERROR_NOT_FOUND) {
            return error;
        }
        error = count_gap(drawing, region, at, is_here ? found : end, pages_per_cell, cells);
        at = end;
        if (is_here) {
            struct cell_counts *cell = &cells[(found.number - first.number) / pages_per_cell];
            cell->zero += block_is_none(entry.block);
            cell->content += !block_is_none(entry.block);
            at.number = found.number + 1;
        }
    }
    return error;
}

static void draw_cell(const struct drawing *drawing, struct svg_box box, struct cell_counts cell, uint32_t pages)
{
    const char *colour = svg_program_colour(cell.content > 0 ? drawing->program->index : 0);

    if (cell.content + cell.shared > 0) {
        svg_box(drawing->file, box, colour, 35 + 65 * (cell.content + cell.shared) / pages, NULL);
    } else if (cell.zero > 0) {
        svg_box(drawing->file, box, ZERO, 100, NULL);
    }
}

static enum error draw_strip(const struct drawing *drawing, const struct vm_region *region)
{
    struct cell_counts cells[CELLS] = {{0}};
    uint32_t per_cell = (region->page_count + CELLS - 1) / CELLS;
    uint32_t count = (region->page_count + per_cell - 1) / per_cell;
    enum error error = count_cells(drawing, region, per_cell, cells);

    if (error != OK) {
        return error;
    }
    bool is_guard = region->backing.kind == VM_BACKING_NONE;
    struct svg_box whole = {STRIP_X, drawing->y + 3, count * CELL - 1, CELL_HEIGHT};
    svg_box(drawing->file, whole, is_guard ? GUARD : SVG_UNTOUCHED, 100, NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pages = i + 1 < count ? per_cell : region->page_count - i * per_cell;
        struct svg_box box = {STRIP_X + i * CELL, drawing->y + 3, CELL - 1, CELL_HEIGHT};
        draw_cell(drawing, box, cells[i], pages);
    }
    return OK;
}

/* Behind the strip: what the region shows, and who sees that, too. */
static void draw_object(const struct drawing *drawing, const struct vm_region *region)
{
    uint32_t per_cell = (region->page_count + CELLS - 1) / CELLS;
    uint32_t count = (region->page_count + per_cell - 1) / per_cell;
    char text[PROGRAM_NAME_MAX + 48];

    if (vm_backing_has_object(&region->backing) && count <= CELLS - OBJECT_CELLS) {
        picture_object_text(drawing->picture, region->backing.object, drawing->program->index, text, sizeof(text));
        svg_text(drawing->file, STRIP_X + count * CELL + CELL, drawing->y + 13, "small", "%s", text);
    }
}

static const char *kind_text(const struct drawing *drawing, const struct vm_region *region)
{
    if ((region->flags & VM_REGION_GROWS_DOWN) != 0) {
        return "stack";
    }
    if ((region->flags & VM_REGION_HEAP) != 0) {
        return "heap";
    }
    if (region->backing.kind == VM_BACKING_NONE) {
        return "guard";
    }
    if (region->backing.kind == VM_BACKING_OBJECT) {
        return "shared";
    }
    return shows_sources(drawing, region) ? "copy" : "";
}

static enum error draw_region(const struct vm_region *region, void *context)
{
    struct drawing *drawing = context;
    char size[32];

    drawing->regions++;
    if (drawing->regions > REGIONS_MAX) {
        return OK;
    }
    snprintf(size, sizeof(size), "%s", bytes_text((uint64_t)region->page_count * PAGE_SIZE));
    svg_text(drawing->file, SVG_MARGIN, drawing->y + 13, "code", "%08x  %c%c%c  %10s  %s",
             region->first_page << PAGE_SHIFT, region->protection & VM_READ ? 'r' : '-',
             region->protection & VM_WRITE ? 'w' : '-', region->protection & VM_EXECUTE ? 'x' : '-', size,
             kind_text(drawing, region));
    enum error error = draw_strip(drawing, region);
    draw_object(drawing, region);
    drawing->y += ROW;
    return error;
}

/* What the regions amount to, as far as they can be read. */
static enum error sum_up(const struct picture *picture, const struct picture_program *program, struct drawing *out)
{
    *out = (struct drawing){.picture = picture, .program = program};
    return regions_walk(&picture->image, &program->space, count_region, out);
}

uint32_t picture_window_height(const struct picture *picture, const struct picture_program *program)
{
    struct drawing sum;
    enum error error = sum_up(picture, program, &sum);
    uint32_t rows = sum.regions < REGIONS_MAX ? sum.regions : REGIONS_MAX;

    rows += sum.regions > REGIONS_MAX || error != OK;
    return HEAD + rows * ROW + FOOT;
}

static void draw_heading(const struct drawing *sum, FILE *file, uint32_t y)
{
    const struct picture_program *program = sum->program;
    uint32_t name_length = (uint32_t)strnlen(program->record.name, PROGRAM_NAME_MAX);
    uint32_t beside = SVG_MARGIN + HEADING_WIDTH + name_length * HEADING_LETTER;
    char mapped[32];

    snprintf(mapped, sizeof(mapped), "%s", bytes_text(sum->pages * PAGE_SIZE));
    svg_box(file, (struct svg_box){SVG_MARGIN, y + 4, 13, 13}, svg_program_colour(program->index), 100, NULL);
    svg_text(file, SVG_MARGIN + 20, y + 16, "heading", "Program %u: %.*s", program->index, (int)PROGRAM_NAME_MAX,
             program->record.name);
    svg_text(file, beside > STRIP_X ? beside : STRIP_X, y + 16, "text", "%s in %u regions", mapped, sum->regions);
}

enum error picture_window_draw(const struct picture *picture, const struct picture_program *program, FILE *file,
                               uint32_t y)
{
    struct drawing sum;
    struct drawing drawing = {.picture = picture, .program = program, .file = file, .y = y + HEAD};

    (void)sum_up(picture, program, &sum); /* what is wrong with it shows again below */
    draw_heading(&sum, file, y);
    enum error error = image_memory_depth(&picture->image, program->space.memory, &drawing.depth);
    if (error == OK) {
        error = regions_walk(&picture->image, &program->space, draw_region, &drawing);
    }
    if (error != OK) {
        svg_text(file, SVG_MARGIN, drawing.y + 13, "small", "here it cannot be read: %s", error_text(error));
    } else if (drawing.regions > REGIONS_MAX) {
        svg_text(file, SVG_MARGIN, drawing.y + 13, "small", "and %u more regions", drawing.regions - REGIONS_MAX);
    }
    return error;
}
