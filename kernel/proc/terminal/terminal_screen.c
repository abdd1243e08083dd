/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen of a terminal: cells, cursor, scrollback, characters. (Escape sequences are in terminal_escape.c.)
 *
 * Lines lie in a ring; the screen is a window of it that moves down as lines scroll off its top, so scrolling the whole
 * screen moves nothing. Text is UTF-8. What is kept of a character is its code point, its colours out of 16, and
 * whether it is bold, faint, italic, inverse or underlined; accents that join the character before are not.
 */
#include "terminal_screen.h"
#include "terminal_line.h"
#include "terminal_object.h"
#include <string.h>

static terminal_cell_t *ring_line(const struct terminal *terminal, uint32_t line)
{
    return (terminal_cell_t *)terminal->cells + line % screen_lines(terminal) * terminal->columns;
}

terminal_cell_t *screen_line(struct terminal *terminal, uint32_t row)
{
    return ring_line(terminal, terminal->first_line + row);
}

const terminal_cell_t *terminal_screen_row(const struct terminal *terminal, uint32_t row)
{
    return ring_line(terminal, terminal->first_line + row);
}

const terminal_cell_t *terminal_history_row(const struct terminal *terminal, uint32_t row, uint32_t lines)
{
    return ring_line(terminal, terminal->first_line + screen_lines(terminal) + row - lines);
}

const terminal_cell_t *terminal_main_row(const struct terminal *terminal, uint32_t row)
{
    return terminal_history_row(terminal, row, terminal->alternate != 0 ? terminal->rows : 0);
}

void screen_touch(struct terminal_effects *effects, uint32_t row)
{
    bool is_first = effects->changed_from == effects->changed_to;

    effects->changed_from = is_first || row < effects->changed_from ? row : effects->changed_from;
    effects->changed_to = is_first || row >= effects->changed_to ? row + 1 : effects->changed_to;
}

void screen_touch_all(struct terminal *terminal, struct terminal_effects *effects)
{
    effects->changed_from = 0;
    effects->changed_to = terminal->rows;
}

/* As terminals have it: erased cells have the background that was chosen last, and nothing else of it. */
static terminal_cell_t blank_cell(const struct terminal *terminal)
{
    return CELL_MAKE(0u, COLOUR_DEFAULT, cell_background(terminal->cursor.shown)) | ' ';
}

/* Half of a wide character is nothing. */
/* Blank the halves of wide characters in a row whose other halves have gone. */
static void mend_wide(struct terminal *terminal, uint32_t row)
{
    terminal_cell_t *line = screen_line(terminal, row);
    bool is_after_wide = false;

    for (uint32_t column = 0; column < terminal->columns; column++) {
        bool is_half = (line[column] & CELL_CHARACTER_MASK) == 0;
        if (is_after_wide != is_half) {
            terminal_cell_t *lone = is_half ? &line[column] : &line[column - 1];
            *lone = (*lone & CELL_SHOWN_MASK) | ' ';
        }
        is_after_wide = terminal_width(line[column] & CELL_CHARACTER_MASK) == 2;
    }
    if (is_after_wide) {
        line[terminal->columns - 1] = (line[terminal->columns - 1] & CELL_SHOWN_MASK) | ' ';
    }
}

void screen_clear_cells(struct terminal *terminal, struct terminal_effects *effects, uint32_t row, uint32_t from,
                        uint32_t to)
{
    terminal_cell_t *line = screen_line(terminal, row);

    for (uint32_t column = from; column < to; column++) {
        line[column] = blank_cell(terminal);
    }
    if (from > 0 || to < terminal->columns) {
        mend_wide(terminal, row);
    }
    screen_touch(effects, row);
}

void screen_clear_rows(struct terminal *terminal, struct terminal_effects *effects, uint32_t from, uint32_t to)
{
    for (uint32_t row = from; row < to; row++) {
        screen_clear_cells(terminal, effects, row, 0, terminal->columns);
    }
}

void terminal_screen_create(struct terminal *terminal, uint32_t rows, uint32_t columns)
{
    struct terminal_effects ignored = {0};

    terminal->rows = rows;
    terminal->columns = columns;
    terminal->cursor = (struct terminal_cursor){.shown = CELL_PLAIN};
    terminal->saved_cursor = terminal->main_cursor = terminal->cursor;
    terminal->region_top = 0;
    terminal->region_bottom = rows;
    terminal->alternate = 0;
    terminal->modes = 0;
    screen_tabs_create(terminal);
    terminal->escape = ESCAPE_NONE;
    terminal->code_bytes_left = 0;
    terminal->first_line %= screen_lines(terminal);
    screen_clear_rows(terminal, &ignored, 0, rows);
}

void terminal_clip_size(uint32_t *rows, uint32_t *columns)
{
    *columns = *columns < TERMINAL_COLUMNS_MIN ? TERMINAL_COLUMNS_MIN : *columns;
    *columns = *columns > TERMINAL_COLUMNS_MAX ? TERMINAL_COLUMNS_MAX : *columns;
    uint32_t most = TERMINAL_CELLS / *columns / 2;
    *rows = *rows < TERMINAL_ROWS_MIN ? TERMINAL_ROWS_MIN : *rows;
    *rows = *rows > most ? most : *rows;
}

static bool size_is_sound(const struct terminal *terminal)
{
    uint32_t rows = terminal->rows, columns = terminal->columns;

    terminal_clip_size(&rows, &columns);
    return rows == terminal->rows && columns == terminal->columns;
}

static bool cursor_is_sound(const struct terminal *terminal, const struct terminal_cursor *cursor)
{
    return cursor->row < terminal->rows && cursor->column < terminal->columns &&
           (cursor->shown & CELL_CHARACTER_MASK) == 0;
}

static bool parameters_are_sound(const struct terminal *terminal)
{
    for (uint32_t i = 0; i < TERMINAL_PARAMETERS; i++) {
        if (terminal->parameters[i] >= (PARAMETER_MAX + 1) * 10) {
            return false; /* they say how often something is done */
        }
    }
    return terminal->parameter_count <= TERMINAL_PARAMETERS;
}

bool terminal_screen_is_sound(const struct terminal *terminal)
{
    return size_is_sound(terminal) && cursor_is_sound(terminal, &terminal->cursor) &&
           cursor_is_sound(terminal, &terminal->saved_cursor) && cursor_is_sound(terminal, &terminal->main_cursor) &&
           terminal->region_top < terminal->region_bottom && terminal->region_bottom <= terminal->rows &&
           terminal->first_line < screen_lines(terminal) &&
           terminal->history <= screen_lines(terminal) - terminal->rows &&
           (terminal->alternate == 0 || terminal->history >= terminal->rows) && terminal->escape < ESCAPE_STATES &&
           parameters_are_sound(terminal) && terminal->code_bytes_left <= 3;
}

/* Scrolling -------------------------------------------------------------------------------------------------------- */

static void touch_rows(struct terminal_effects *effects, uint32_t from, uint32_t to)
{
    for (uint32_t row = from; row < to; row++) {
        screen_touch(effects, row);
    }
}

/* The whole main screen moves up by one: the window moves down in the ring. */
static void scroll_screen(struct terminal *terminal, struct terminal_effects *effects)
{
    terminal->first_line = (terminal->first_line + 1) % screen_lines(terminal);
    if (terminal->history < screen_lines(terminal) - terminal->rows) {
        terminal->history++;
    }
    screen_clear_rows(terminal, effects, terminal->rows - 1, terminal->rows);
    screen_touch_all(terminal, effects);
}

/* Rows [top, bottom) move up by `count`, blank ones come in below. */
void screen_scroll_up(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                      uint32_t count)
{
    count = count < bottom - top ? count : bottom - top;
    for (uint32_t row = top; row + count < bottom; row++) {
        memcpy(screen_line(terminal, row), screen_line(terminal, row + count),
               terminal->columns * sizeof(terminal_cell_t));
    }
    screen_clear_rows(terminal, effects, bottom - count, bottom);
    touch_rows(effects, top, bottom);
}

void screen_scroll_down(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                        uint32_t count)
{
    count = count < bottom - top ? count : bottom - top;
    for (uint32_t row = bottom; row-- > top + count;) {
        memcpy(screen_line(terminal, row), screen_line(terminal, row - count),
               terminal->columns * sizeof(terminal_cell_t));
    }
    screen_clear_rows(terminal, effects, top, top + count);
    touch_rows(effects, top, bottom);
}

/* Movement --------------------------------------------------------------------------------------------------------- */

void screen_move_to(struct terminal *terminal, uint32_t row, uint32_t column)
{
    terminal->cursor.row = row < terminal->rows ? row : terminal->rows - 1;
    terminal->cursor.column = column < terminal->columns ? column : terminal->columns - 1;
    terminal->cursor.wrap_pending = 0;
}

void screen_line_feed(struct terminal *terminal, struct terminal_effects *effects)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    cursor->wrap_pending = 0;
    if (cursor->row + 1 != terminal->region_bottom) {
        screen_move_to(terminal, cursor->row + 1, cursor->column);
    } else if (terminal->region_top == 0 && terminal->region_bottom == terminal->rows && terminal->alternate == 0) {
        scroll_screen(terminal, effects);
    } else {
        screen_scroll_up(terminal, effects, terminal->region_top, terminal->region_bottom, 1);
    }
}

void screen_reverse_line_feed(struct terminal *terminal, struct terminal_effects *effects)
{
    if (terminal->cursor.row == terminal->region_top) {
        screen_scroll_down(terminal, effects, terminal->region_top, terminal->region_bottom, 1);
    } else {
        screen_move_to(terminal, screen_minus(terminal->cursor.row, 1), terminal->cursor.column);
    }
}

/* The other screen ------------------------------------------------------------------------------------------------- */

/*
 * It lies in the ring below the main one, which is part of the history meanwhile. It does not move, and nothing of it
 * is kept.
 */
void screen_enter_alternate(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t most = screen_lines(terminal) - terminal->rows;

    if (terminal->alternate == 0) {
        terminal->alternate = 1;
        terminal->main_cursor = terminal->cursor;
        terminal->first_line = (terminal->first_line + terminal->rows) % screen_lines(terminal);
        terminal->history = terminal->history + terminal->rows < most ? terminal->history + terminal->rows : most;
        screen_clear_rows(terminal, effects, 0, terminal->rows);
    }
}

void screen_leave_alternate(struct terminal *terminal, struct terminal_effects *effects)
{
    if (terminal->alternate != 0) {
        terminal->alternate = 0;
        terminal->cursor = terminal->main_cursor;
        terminal->first_line =
            (terminal->first_line + screen_lines(terminal) - terminal->rows) % screen_lines(terminal);
        terminal->history -= terminal->rows;
        screen_touch_all(terminal, effects);
    }
}

/* Characters ------------------------------------------------------------------------------------------------------- */

static void wrap(struct terminal *terminal, struct terminal_effects *effects)
{
    terminal->cursor.column = 0;
    screen_line_feed(terminal, effects);
}

static void make_room(struct terminal *terminal, terminal_cell_t *line, uint32_t column, uint32_t width)
{
    if (screen_has_mode(terminal, MODE_INSERT)) {
        memmove(line + column + width, line + column, (terminal->columns - column - width) * sizeof(*line));
    }
}

void screen_put_character(struct terminal *terminal, struct terminal_effects *effects, uint32_t character)
{
    struct terminal_cursor *cursor = &terminal->cursor;
    uint32_t width = terminal_width(character);
    bool is_wrapping = !screen_has_mode(terminal, MODE_NO_WRAP);

    if (width == 0) {
        return; /* what joins the character before is not kept */
    }
    if (is_wrapping && (cursor->wrap_pending != 0 || cursor->column + width > terminal->columns)) {
        wrap(terminal, effects);
    }
    if (cursor->column + width > terminal->columns) {
        cursor->column = terminal->columns - width;
    }
    terminal_cell_t *line = screen_line(terminal, cursor->row);
    make_room(terminal, line, cursor->column, width);
    uint32_t end = cursor->column + width;
    bool is_torn = screen_has_mode(terminal, MODE_INSERT) || (line[cursor->column] & CELL_CHARACTER_MASK) == 0 ||
                   (end < terminal->columns && (line[end] & CELL_CHARACTER_MASK) == 0);
    for (uint32_t i = 0; i < width; i++) {
        line[cursor->column + i] = cursor->shown | (i == 0 ? character & CELL_CHARACTER_MASK : 0);
    }
    if (is_torn) {
        mend_wide(terminal, cursor->row);
    }
    screen_touch(effects, cursor->row);
    cursor->wrap_pending = cursor->column + width == terminal->columns && is_wrapping;
    cursor->column += cursor->column + width < terminal->columns ? width : terminal->columns - 1 - cursor->column;
}

/* What is none of Unicode's, or beyond what a cell can hold, is shown as unknown. */
static void put_decoded(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t character = terminal->code_point;
    bool is_unknown =
        character < 0x80 || character > CELL_CHARACTER_MASK || (character >= 0xD800 && character < 0xE000);

    if (character >= 0xA0 || is_unknown) {
        screen_put_character(terminal, effects, is_unknown ? CHARACTER_UNKNOWN : character);
    }
}

/* A byte of a character above 0x7F. Bytes that do not belong together are shown as unknown. */
void screen_put_high_byte(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if ((byte & 0xC0) == 0x80 && terminal->code_bytes_left > 0) {
        terminal->code_point = terminal->code_point << 6 | (byte & 0x3Fu);
        terminal->code_bytes_left--;
        if (terminal->code_bytes_left == 0) {
            put_decoded(terminal, effects);
        }
    } else if ((byte & 0xE0) == 0xC0) {
        terminal->code_point = byte & 0x1Fu;
        terminal->code_bytes_left = 1;
    } else if ((byte & 0xF0) == 0xE0) {
        terminal->code_point = byte & 0x0Fu;
        terminal->code_bytes_left = 2;
    } else if ((byte & 0xF8) == 0xF0) {
        terminal->code_point = byte & 0x07u;
        terminal->code_bytes_left = 3;
    } else {
        terminal->code_bytes_left = 0;
        screen_put_character(terminal, effects, CHARACTER_UNKNOWN);
    }
}

void screen_put_control(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    switch (byte) {
    case '\b':
        screen_move_to(terminal, cursor->row, screen_minus(cursor->column, 1));
        break;
    case '\t':
        screen_move_to(terminal, cursor->row, screen_tab_after(terminal, 1));
        break;
    case '\n':
    case '\v':
    case '\f':
        screen_line_feed(terminal, effects);
        break;
    case '\r':
        screen_move_to(terminal, cursor->row, 0);
        break;
    case 0x0E:
        terminal->modes |= 1u << MODE_SHIFTED_OUT;
        break;
    case 0x0F:
        terminal->modes &= ~(1u << MODE_SHIFTED_OUT);
        break;
    case 0x1B:
        terminal->escape = ESCAPE_STARTED;
        break;
    default:
        break;
    }
    screen_touch(effects, cursor->row);
}
