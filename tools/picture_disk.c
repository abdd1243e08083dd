/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk as a field of cells, in order of block number, up to the last block that is in use: of a large disk most is
 * free, and a picture of all of it would show little of what there is. A cell is as many blocks as it takes to get all
 * on the page; it has the colour of what most of its blocks in use are, the stronger the more of them are in use.
 * Neighbours that look the same are one box; a grid laid over all makes them cells again.
 */
#include "picture.h"
#include "picture_svg.h"

#include <string.h>

#define CELL       7u
#define COLUMNS    160u
#define CELLS_MAX  (COLUMNS * 90u)
#define HEAD       54u /* above the field: heading and a line of text */
#define LEGEND_ROW 22u
#define LEGEND_TOP 26u
#define SHADES     4u
#define ITEM_WIDTH 373u
#define ITEMS_ROW  3u

static const struct {
    const char *colour, *name;
} looks[PICTURE_BLOCKS] = {
    [PICTURE_FREE] = {SVG_UNTOUCHED, "free"},
    [PICTURE_ROOT] = {"#111111", "label and roots"},
    [PICTURE_RECORD] = {"#7b4fa3", "commit records"},
    [PICTURE_MAP] = {"#2f6db5", "map of pages"},
    [PICTURE_FREEMAP] = {"#74b3e0", "map of free blocks"},
    [PICTURE_OTHERS] = {"#454a52", "pages of programs not drawn"},
    [PICTURE_HISTORY] = {"#b3ac9f", "pages only other generations have"},
    [PICTURE_RETIRED] = {"#ff0033", "retired: writing there failed"},
};

/* What a cell, or a run of cells, shows. */
struct cell {
    uint16_t block; /* as in picture->blocks */
    uint32_t shade; /* 1 .. SHADES; 0: all free */
};

static uint32_t blocks_per_cell(const struct picture *picture)
{
    return picture->block_end / CELLS_MAX + (picture->block_end % CELLS_MAX != 0 || picture->block_end == 0 ? 1 : 0);
}

static uint32_t row_count(const struct picture *picture)
{
    uint32_t per_row = blocks_per_cell(picture) * COLUMNS;

    return (picture->block_end + per_row - 1) / per_row;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

static struct cell look_at(const struct picture *picture, uint32_t first, uint32_t end)
{
    uint32_t counts[PICTURE_BLOCKS] = {0};
    struct cell cell = {PICTURE_BLOCK(PICTURE_FREE, 0), 0};
    uint32_t used = 0, most = 0;

    for (uint32_t i = first; i < end; i++) {
        enum picture_block kind = picture_kind_of(picture->blocks[i]);
        used += kind != PICTURE_FREE;
        if (kind != PICTURE_FREE && ++counts[kind] > most) {
            most = counts[kind];
            cell.block = picture->blocks[i];
        }
    }
    cell.shade = (used * SHADES + end - first - 1) / (end - first);
    return cell;
}

static bool is_same(struct cell a, struct cell b)
{
    return a.block == b.block && a.shade == b.shade;
}

static const char *colour_of(uint16_t block)
{
    return picture_kind_of(block) == PICTURE_CONTENT ? svg_program_colour(picture_program_of(block))
                                                     : looks[picture_kind_of(block)].colour;
}

static void describe(const struct picture *picture, uint16_t block, char *text, size_t room)
{
    uint32_t program = picture_program_of(block);

    if (picture_kind_of(block) != PICTURE_CONTENT) {
        snprintf(text, room, "%s", looks[picture_kind_of(block)].name);
        return;
    }
    snprintf(text, room, "%s", program == 0 ? "pages that programs share" : "the kernel's records");
    for (uint32_t i = 0; i < picture->program_count; i++) {
        if (picture->programs[i].index == program) {
            snprintf(text, room, "program %u, %.*s", program, (int)PROGRAM_NAME_MAX, picture->programs[i].record.name);
        }
    }
}

/* Where the cells of blocks [from, to) are, in a row that begins with block `first`. */
static struct svg_box cells_box(const struct picture *picture, uint32_t first, uint32_t from, uint32_t to, uint32_t y)
{
    uint32_t per_cell = blocks_per_cell(picture);

    return (struct svg_box){SVG_MARGIN + (from - first) / per_cell * CELL, y,
                            (to - from + per_cell - 1) / per_cell * CELL, CELL};
}

/* A run of cells that look the same. */
static void draw_run(const struct picture *picture, FILE *file, struct cell cell, struct svg_box box, uint32_t first,
                     uint32_t end)
{
    char what[64], hint[128];

    if (cell.shade == 0) {
        return;
    }
    describe(picture, cell.block, what, sizeof(what));
    snprintf(hint, sizeof(hint), "blocks %u-%u: %s", first, end - 1, what);
    svg_box(file, box, colour_of(cell.block), 40 + 60 * cell.shade / SHADES, hint);
}

static void draw_row(const struct picture *picture, FILE *file, uint32_t row, uint32_t y)
{
    uint32_t per_cell = blocks_per_cell(picture);
    uint32_t first = row * COLUMNS * per_cell;
    uint32_t end = at_most(first + COLUMNS * per_cell, picture->block_end);

    svg_box(file, cells_box(picture, first, first, end, y), SVG_UNTOUCHED, 100, NULL);
    for (uint32_t run = first, run_end; run < end; run = run_end) {
        struct cell cell = look_at(picture, run, at_most(run + per_cell, end));
        run_end = at_most(run + per_cell, end);
        while (run_end < end && is_same(cell, look_at(picture, run_end, at_most(run_end + per_cell, end)))) {
            run_end = at_most(run_end + per_cell, end);
        }
        draw_run(picture, file, cell, cells_box(picture, first, run, run_end, y), run, run_end);
    }
}

/* Light lines that make cells of boxes. */
static void draw_grid(FILE *file, uint32_t y, uint32_t rows)
{
    fprintf(file,
            "<defs><pattern id=\"grid\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" patternUnits=\"userSpaceOnUse\">"
            "<path d=\"M%u 0V%uM0 %uH%u\" stroke=\"#fbfaf6\" stroke-width=\"2\"/></pattern></defs>\n",
            SVG_MARGIN, y, CELL, CELL, CELL, CELL, CELL, CELL);
    fprintf(file, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"url(#grid)\" pointer-events=\"none\"/>\n",
            SVG_MARGIN, y, COLUMNS * CELL, rows * CELL);
}

/* The legend ------------------------------------------------------------------------------------------------------- */

/* One kind of block, or one program's, as the legend names it. */
struct item {
    uint16_t block;
    uint64_t count;
};

#define ITEMS_MAX (PICTURE_BLOCKS + PICTURE_PROGRAMS_MAX + 2u)

static void count_blocks(const struct picture *picture, uint64_t by_kind[PICTURE_BLOCKS],
                         uint64_t by_program[SVG_KERNEL + 1])
{
    for (uint32_t i = 0; i < picture->block_count; i++) {
        enum picture_block kind = picture_kind_of(picture->blocks[i]);
        by_kind[kind]++;
        by_program[picture_program_of(picture->blocks[i])] += kind == PICTURE_CONTENT;
    }
}

/* Everything there is some of: programs, what they share, the kernel's records; then the other kinds. */
static uint32_t list_items(const struct picture *picture, struct item items[ITEMS_MAX])
{
    static uint64_t by_program[SVG_KERNEL + 1];
    uint64_t by_kind[PICTURE_BLOCKS] = {0};
    uint32_t count = 0;

    memset(by_program, 0, sizeof(by_program));
    count_blocks(picture, by_kind, by_program);
    for (uint32_t i = 0; i < picture->program_count + 2; i++) {
        uint32_t program =
            i < picture->program_count ? picture->programs[i].index : (i - picture->program_count) * SVG_KERNEL;
        if (by_program[program] > 0) {
            items[count++] = (struct item){PICTURE_BLOCK(PICTURE_CONTENT, program), by_program[program]};
        }
    }
    for (uint32_t kind = PICTURE_FREE; kind < PICTURE_BLOCKS; kind++) {
        if (kind != PICTURE_CONTENT && by_kind[kind] > 0) {
            items[count++] = (struct item){PICTURE_BLOCK(kind, 0), by_kind[kind]};
        }
    }
    return count;
}

static void draw_legend(const struct picture *picture, FILE *file, uint32_t y)
{
    struct item items[ITEMS_MAX];
    uint32_t count = list_items(picture, items);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t x = SVG_MARGIN + i % ITEMS_ROW * ITEM_WIDTH;
        uint32_t at = y + i / ITEMS_ROW * LEGEND_ROW;
        char what[64];
        describe(picture, items[i].block, what, sizeof(what));
        svg_box(file, (struct svg_box){x, at - 11, 13, 13}, colour_of(items[i].block), 100, NULL);
        svg_text(file, x + 20, at, "text", "%s: %s", what, bytes_text(items[i].count * PAGE_SIZE));
    }
}

static uint32_t legend_rows(const struct picture *picture)
{
    struct item items[ITEMS_MAX];

    return (list_items(picture, items) + ITEMS_ROW - 1) / ITEMS_ROW;
}

/* The whole -------------------------------------------------------------------------------------------------------- */

uint32_t picture_disk_height(const struct picture *picture)
{
    return HEAD + row_count(picture) * CELL + LEGEND_TOP + legend_rows(picture) * LEGEND_ROW;
}

void picture_disk_draw(const struct picture *picture, FILE *file, uint32_t y)
{
    char cell[32], drawn[32], whole[32];

    snprintf(cell, sizeof(cell), "%s", bytes_text((uint64_t)blocks_per_cell(picture) * PAGE_SIZE));
    snprintf(drawn, sizeof(drawn), "%s", bytes_text((uint64_t)picture->block_end * PAGE_SIZE));
    snprintf(whole, sizeof(whole), "%s", bytes_text((uint64_t)picture->block_count * PAGE_SIZE));
    svg_text(file, SVG_MARGIN, y + 16, "heading", "The disk");
    svg_text(file, SVG_MARGIN, y + 38, "text",
             "%u blocks, %s; drawn are the first %s, all behind them is free; a cell is %s, the paler the less of it "
             "is in use",
             picture->block_count, whole, drawn, cell);
    for (uint32_t row = 0; row < row_count(picture); row++) {
        draw_row(picture, file, row, y + HEAD + row * CELL);
    }
    draw_grid(file, y + HEAD, row_count(picture));
    draw_legend(picture, file, y + HEAD + row_count(picture) * CELL + LEGEND_TOP);
}
