/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What moves lines about: another size of the screen, and a line that comes in between.
 *
 * For another size the ring is turned so that its oldest line is the first of all; then lines are cut or filled up
 * where they lie, without memory beside. What a smaller screen cannot show goes into the scrollback if it is above the
 * cursor's line, and is cut below it. The other screen, if it is shown, stays below the main one.
 */
#include "log.h"
#include "terminal_object.h"
#include "terminal_screen.h"
#include <string.h>

#define CELL_BLANK (CELL_PLAIN | ' ')

static void swap_ends(terminal_cell_t *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        terminal_cell_t cell = cells[i];
        cells[i] = cells[count - 1 - i];
        cells[count - 1 - i] = cell;
    }
}

/* Turn the ring until its oldest line lies at its beginning. */
static void straighten(struct terminal *terminal)
{
    uint32_t lines = screen_lines(terminal);
    uint32_t oldest = (terminal->first_line + lines - terminal->history) % lines * terminal->columns;
    uint32_t count = lines * terminal->columns;

    if (oldest != 0) {
        swap_ends(terminal->cells, oldest);
        swap_ends(terminal->cells + oldest, count - oldest);
        swap_ends(terminal->cells, count);
    }
    terminal->first_line = terminal->history;
}

static terminal_cell_t *line_at(struct terminal *terminal, uint32_t line)
{
    return terminal->cells + line * terminal->columns;
}

static void move_lines(struct terminal *terminal, uint32_t to, uint32_t from, uint32_t count)
{
    memmove(line_at(terminal, to), line_at(terminal, from), count * terminal->columns * sizeof(terminal_cell_t));
}

static void blank_lines(struct terminal *terminal, uint32_t from, uint32_t to)
{
    for (uint32_t i = from * terminal->columns; i < to * terminal->columns; i++) {
        terminal->cells[i] = CELL_BLANK;
    }
}

/* Forget the oldest lines, so that `count` are left at most. */
static void keep_lines(struct terminal *terminal, uint32_t count)
{
    uint32_t total = terminal->history + terminal->rows;
    uint32_t dropped = total > count ? total - count : 0;

    move_lines(terminal, 0, dropped, total - dropped);
    terminal->history -= dropped;
    terminal->first_line = terminal->history;
}

static void change_columns(struct terminal *terminal, uint32_t columns)
{
    uint32_t before = terminal->columns;

    keep_lines(terminal, TERMINAL_CELLS / columns);
    uint32_t total = terminal->history + terminal->rows;
    terminal->columns = columns;
    for (uint32_t i = 0; columns < before && i < total; i++) {
        terminal_cell_t *line = line_at(terminal, i);
        bool is_cut_wide = (terminal->cells[i * before + columns] & CELL_CHARACTER_MASK) == 0;
        memmove(line, terminal->cells + i * before, columns * sizeof(*line));
        line[columns - 1] = is_cut_wide ? CELL_BLANK : line[columns - 1];
    }
    for (uint32_t i = total; columns > before && i-- > 0;) {
        terminal_cell_t *line = line_at(terminal, i);
        memmove(line, terminal->cells + i * before, before * sizeof(*line));
        for (uint32_t j = before; j < columns; j++) {
            line[j] = CELL_BLANK;
        }
    }
}

/* How many lines go off the top for a cursor to stay on a screen of so many rows. */
static uint32_t lines_above(const struct terminal_cursor *cursor, uint32_t rows)
{
    return cursor->row >= rows ? cursor->row - rows + 1 : 0;
}

static void fewer_rows(struct terminal *terminal, uint32_t rows)
{
    bool is_alternate = terminal->alternate != 0;
    uint32_t main = terminal->history - (is_alternate ? terminal->rows : 0);
    uint32_t above = lines_above(is_alternate ? &terminal->main_cursor : &terminal->cursor, rows);

    if (is_alternate) {
        uint32_t gone = lines_above(&terminal->cursor, rows);
        terminal->main_cursor.row -= above;
        terminal->cursor.row -= gone;
        move_lines(terminal, main + above + rows, main + terminal->rows + gone, rows);
    } else {
        terminal->cursor.row -= above;
    }
    terminal->history = main + above + (is_alternate ? rows : 0);
    terminal->rows = rows;
    terminal->first_line = terminal->history;
}

static void more_rows(struct terminal *terminal, uint32_t rows)
{
    bool is_alternate = terminal->alternate != 0;
    uint32_t before = terminal->rows;

    keep_lines(terminal, screen_lines(terminal) - (rows - before) * (is_alternate ? 2 : 1));
    if (is_alternate) {
        move_lines(terminal, terminal->history + rows - before, terminal->history, before);
        blank_lines(terminal, terminal->history, terminal->history + rows - before);
        terminal->history += rows - before;
    }
    terminal->first_line = terminal->history;
    terminal->rows = rows;
    blank_lines(terminal, terminal->first_line + before, terminal->first_line + rows);
}

static void clip_cursor(const struct terminal *terminal, struct terminal_cursor *cursor)
{
    cursor->row = cursor->row < terminal->rows ? cursor->row : terminal->rows - 1;
    cursor->column = cursor->column < terminal->columns ? cursor->column : terminal->columns - 1;
    cursor->wrap_pending = 0;
}

bool terminal_resize(struct terminal *terminal, struct terminal_effects *effects, uint32_t rows, uint32_t columns)
{
    if (rows == terminal->rows && columns == terminal->columns) {
        return false;
    }
    straighten(terminal);
    /* In this order the lines of both screens have room all the time. */
    if (rows < terminal->rows) {
        fewer_rows(terminal, rows);
    }
    if (columns != terminal->columns) {
        change_columns(terminal, columns);
    }
    if (rows > terminal->rows) {
        more_rows(terminal, rows);
    }
    clip_cursor(terminal, &terminal->cursor);
    clip_cursor(terminal, &terminal->saved_cursor);
    clip_cursor(terminal, &terminal->main_cursor);
    terminal->region_top = 0;
    terminal->region_bottom = rows;
    screen_touch_all(terminal, effects);
    return true;
}

/* A line in between ------------------------------------------------------------------------------------------------ */

static terminal_cell_t *main_line(struct terminal *terminal, uint32_t row)
{
    return (terminal_cell_t *)terminal_main_row(terminal, row);
}

static void copy_row(struct terminal *terminal, uint32_t to, uint32_t from)
{
    memcpy(main_line(terminal, to), main_line(terminal, from), terminal->columns * sizeof(terminal_cell_t));
}

static bool row_is_blank(const struct terminal *terminal, uint32_t row)
{
    const terminal_cell_t *line = terminal_main_row(terminal, row);

    for (uint32_t i = 0; i < terminal->columns; i++) {
        if (line[i] != CELL_BLANK) {
            return false;
        }
    }
    return true;
}

/* The row in which a line that fills several begins. */
static uint32_t line_start(const struct terminal *terminal, uint32_t row)
{
    while (row > 0 && terminal_main_row(terminal, row - 1)[terminal->columns - 1] != CELL_BLANK) {
        row--;
    }
    return row;
}

/* Rows from `start` on move down by one. */
static void open_row(struct terminal *terminal, uint32_t start)
{
    for (uint32_t row = terminal->rows - 1; row > start; row--) {
        copy_row(terminal, row, row - 1);
    }
}

/* Rows above `start` move up by one; the first of all becomes history, as far as that has a place for it. */
static void open_row_above(struct terminal *terminal, struct terminal_effects *effects, uint32_t start)
{
    if (terminal->alternate != 0) {
        for (uint32_t row = 0; row + 1 < start; row++) {
            copy_row(terminal, row, row + 1);
        }
        return;
    }
    uint32_t most = screen_lines(terminal) - terminal->rows;
    terminal->first_line = (terminal->first_line + 1) % screen_lines(terminal);
    terminal->history += terminal->history < most ? 1 : 0;
    open_row(terminal, start - 1);
    screen_touch_all(terminal, effects);
}

static void write_row(struct terminal *terminal, uint32_t row, const char *text)
{
    terminal_cell_t *line = main_line(terminal, row);

    for (uint32_t i = 0; i < terminal->columns; i++) {
        line[i] = CELL_PLAIN | (*text != 0 ? (uint8_t)*text++ : ' ');
    }
}

bool terminal_insert_line(struct terminal *terminal, struct terminal_effects *effects, const char *text)
{
    bool is_alternate = terminal->alternate != 0;
    struct terminal_cursor *cursor = is_alternate ? &terminal->main_cursor : &terminal->cursor;
    uint32_t start = line_start(terminal, cursor->row);

    if (!is_alternate && screen_has_mode(terminal, MODE_CURSOR_HIDDEN)) {
        return false; /* a program that draws everything itself */
    }
    if (cursor->row + 1 < terminal->rows && row_is_blank(terminal, terminal->rows - 1)) {
        open_row(terminal, start);
        cursor->row++;
        write_row(terminal, start, text);
    } else if (start > 0) {
        open_row_above(terminal, effects, start);
        write_row(terminal, start - 1, text);
    } else {
        return false;
    }
    screen_touch_all(terminal, effects);
    return true;
}
