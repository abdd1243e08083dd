/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen of a terminal: cells, cursor, scrollback, characters. (Escape sequences are in terminal_escape.c.)
 *
 * Lines lie in a ring; the screen is a window of it that moves down as lines scroll off its top, so scrolling the whole
 * screen moves nothing. Text is UTF-8; what code page 437 has is shown.
 */
#include "terminal_screen.h"
#include "terminal_line.h"
#include "terminal_object.h"
#include <string.h>

#define TAB_COLUMNS    8u
#define UNKNOWN_SYMBOL 0xFEu /* a small block */

uint16_t *screen_line(struct terminal *terminal, uint32_t row)
{
    return terminal->lines[(terminal->first_line + row) % TERMINAL_LINES];
}

const uint16_t *terminal_screen_row(const struct terminal *terminal, uint32_t row)
{
    return terminal->lines[(terminal->first_line + row) % TERMINAL_LINES];
}

const uint16_t *terminal_history_row(const struct terminal *terminal, uint32_t row, uint32_t lines)
{
    return terminal->lines[(terminal->first_line + TERMINAL_LINES + row - lines) % TERMINAL_LINES];
}

void screen_touch(struct terminal_effects *effects, uint32_t row)
{
    effects->rows_changed |= 1u << row;
}

static uint8_t attribute(const struct terminal_cursor *cursor)
{
    uint8_t foreground = cursor->foreground | (cursor->bold != 0 ? 8u : 0u);

    if (cursor->inverse != 0) {
        return (uint8_t)((cursor->background & 7u) | (cursor->foreground & 7u) << 4);
    }
    return (uint8_t)(foreground | (cursor->background & 7u) << 4);
}

static uint16_t blank_cell(const struct terminal *terminal)
{
    return TERMINAL_CELL(' ', COLOUR_NORMAL | (terminal->cursor.background & 7u) << 4);
}

void screen_clear_cells(struct terminal *terminal, struct terminal_effects *effects, uint32_t row, uint32_t from,
                        uint32_t to)
{
    uint16_t *line = screen_line(terminal, row);

    for (uint32_t column = from; column < to; column++) {
        line[column] = blank_cell(terminal);
    }
    screen_touch(effects, row);
}

void screen_clear_rows(struct terminal *terminal, struct terminal_effects *effects, uint32_t from, uint32_t to)
{
    for (uint32_t row = from; row < to; row++) {
        screen_clear_cells(terminal, effects, row, 0, TERMINAL_COLUMNS);
    }
}

void screen_reset_attributes(struct terminal_cursor *cursor)
{
    cursor->foreground = COLOUR_NORMAL;
    cursor->background = COLOUR_BLACK;
    cursor->bold = 0;
    cursor->inverse = 0;
}

void terminal_screen_create(struct terminal *terminal)
{
    struct terminal_effects ignored = {0};

    memset(&terminal->cursor, 0, sizeof(terminal->cursor));
    screen_reset_attributes(&terminal->cursor);
    terminal->saved_cursor = terminal->cursor;
    terminal->region_top = 0;
    terminal->region_bottom = TERMINAL_ROWS;
    terminal->cursor_hidden = 0;
    terminal->escape = ESCAPE_NONE;
    terminal->code_bytes_left = 0;
    screen_clear_rows(terminal, &ignored, 0, TERMINAL_ROWS);
}

static bool cursor_is_sound(const struct terminal_cursor *cursor)
{
    return cursor->row < TERMINAL_ROWS && cursor->column < TERMINAL_COLUMNS;
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
    return cursor_is_sound(&terminal->cursor) && cursor_is_sound(&terminal->saved_cursor) &&
           terminal->region_top < terminal->region_bottom && terminal->region_bottom <= TERMINAL_ROWS &&
           terminal->first_line < TERMINAL_LINES && terminal->history <= TERMINAL_LINES - TERMINAL_ROWS &&
           terminal->escape < ESCAPE_STATES && parameters_are_sound(terminal) &&
           terminal->code_bytes_left <= 3;
}

/* Scrolling -------------------------------------------------------------------------------------------------------- */

static void touch_rows(struct terminal_effects *effects, uint32_t from, uint32_t to)
{
    for (uint32_t row = from; row < to; row++) {
        screen_touch(effects, row);
    }
}

/* The whole screen moves up by one: the window moves down in the ring. */
static void scroll_screen(struct terminal *terminal, struct terminal_effects *effects)
{
    terminal->first_line = (terminal->first_line + 1) % TERMINAL_LINES;
    if (terminal->history < TERMINAL_LINES - TERMINAL_ROWS) {
        terminal->history++;
    }
    screen_clear_rows(terminal, effects, TERMINAL_ROWS - 1, TERMINAL_ROWS);
    effects->rows_changed = TERMINAL_ALL_ROWS;
}

/* Rows [top, bottom) move up by `count`, blank ones come in below. */
void screen_scroll_up(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                      uint32_t count)
{
    count = count < bottom - top ? count : bottom - top;
    for (uint32_t row = top; row + count < bottom; row++) {
        memcpy(screen_line(terminal, row), screen_line(terminal, row + count), sizeof(terminal->lines[0]));
    }
    screen_clear_rows(terminal, effects, bottom - count, bottom);
    touch_rows(effects, top, bottom);
}

void screen_scroll_down(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                        uint32_t count)
{
    count = count < bottom - top ? count : bottom - top;
    for (uint32_t row = bottom; row-- > top + count;) {
        memcpy(screen_line(terminal, row), screen_line(terminal, row - count), sizeof(terminal->lines[0]));
    }
    screen_clear_rows(terminal, effects, top, top + count);
    touch_rows(effects, top, bottom);
}

/* Movement --------------------------------------------------------------------------------------------------------- */

void screen_move_to(struct terminal *terminal, uint32_t row, uint32_t column)
{
    terminal->cursor.row = row < TERMINAL_ROWS ? row : TERMINAL_ROWS - 1;
    terminal->cursor.column = column < TERMINAL_COLUMNS ? column : TERMINAL_COLUMNS - 1;
    terminal->cursor.wrap_pending = 0;
}

void screen_line_feed(struct terminal *terminal, struct terminal_effects *effects)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    cursor->wrap_pending = 0;
    if (cursor->row + 1 != terminal->region_bottom) {
        screen_move_to(terminal, cursor->row + 1, cursor->column);
    } else if (terminal->region_top == 0 && terminal->region_bottom == TERMINAL_ROWS) {
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

/* Characters ------------------------------------------------------------------------------------------------------- */

void screen_put_symbol(struct terminal *terminal, struct terminal_effects *effects, uint8_t symbol)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    if (cursor->wrap_pending != 0) {
        cursor->column = 0;
        screen_line_feed(terminal, effects);
    }
    screen_line(terminal, cursor->row)[cursor->column] = TERMINAL_CELL(symbol, attribute(cursor));
    screen_touch(effects, cursor->row);
    if (cursor->column + 1 < TERMINAL_COLUMNS) {
        cursor->column++;
    } else {
        cursor->wrap_pending = 1;
    }
}

/* Code page 437 from Unicode, for what programs like to draw and western names need. */
static uint8_t symbol_of(uint32_t code_point)
{
    static const struct {
        uint16_t code_point;
        uint8_t symbol;
    } known[] = {
        {0x00A0, 0x20}, {0x00A7, 0x15}, {0x00B0, 0xF8}, {0x00B1, 0xF1}, {0x00B2, 0xFD}, {0x00B5, 0xE6}, {0x00B7, 0xFA},
        {0x00BC, 0xAC}, {0x00BD, 0xAB}, {0x00C4, 0x8E}, {0x00C5, 0x8F}, {0x00C6, 0x92}, {0x00C7, 0x80}, {0x00C9, 0x90},
        {0x00D1, 0xA5}, {0x00D6, 0x99}, {0x00DC, 0x9A}, {0x00DF, 0xE1}, {0x00E0, 0x85}, {0x00E1, 0xA0}, {0x00E2, 0x83},
        {0x00E4, 0x84}, {0x00E5, 0x86}, {0x00E6, 0x91}, {0x00E7, 0x87}, {0x00E8, 0x8A}, {0x00E9, 0x82}, {0x00EA, 0x88},
        {0x00EB, 0x89}, {0x00EC, 0x8D}, {0x00ED, 0xA1}, {0x00EE, 0x8C}, {0x00EF, 0x8B}, {0x00F1, 0xA4}, {0x00F2, 0x95},
        {0x00F3, 0xA2}, {0x00F4, 0x93}, {0x00F6, 0x94}, {0x00F9, 0x97}, {0x00FA, 0xA3}, {0x00FB, 0x96}, {0x00FC, 0x81},
        {0x00FF, 0x98}, {0x2013, 0x2D}, {0x2014, 0x2D}, {0x2018, 0x27}, {0x2019, 0x27}, {0x201C, 0x22}, {0x201D, 0x22},
        {0x2022, 0x07}, {0x2190, 0x1B}, {0x2191, 0x18}, {0x2192, 0x1A}, {0x2193, 0x19}, {0x221A, 0xFB}, {0x221E, 0xEC},
        {0x2264, 0xF3}, {0x2265, 0xF2}, {0x2500, 0xC4}, {0x2502, 0xB3}, {0x250C, 0xDA}, {0x2510, 0xBF}, {0x2514, 0xC0},
        {0x2518, 0xD9}, {0x251C, 0xC3}, {0x2524, 0xB4}, {0x252C, 0xC2}, {0x2534, 0xC1}, {0x253C, 0xC5}, {0x2550, 0xCD},
        {0x2551, 0xBA}, {0x2554, 0xC9}, {0x2557, 0xBB}, {0x255A, 0xC8}, {0x255D, 0xBC}, {0x2580, 0xDF}, {0x2584, 0xDC},
        {0x2588, 0xDB}, {0x258C, 0xDD}, {0x2590, 0xDE}, {0x2591, 0xB0}, {0x2592, 0xB1}, {0x2593, 0xB2}, {0x25A0, 0xFE},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].code_point == code_point) {
            return known[i].symbol;
        }
    }
    return UNKNOWN_SYMBOL;
}

/* A byte of a character above 0x7F. Bytes that do not belong together are shown as unknown. */
void screen_put_high_byte(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if ((byte & 0xC0) == 0x80 && terminal->code_bytes_left > 0) {
        terminal->code_point = terminal->code_point << 6 | (byte & 0x3Fu);
        terminal->code_bytes_left--;
        if (terminal->code_bytes_left == 0) {
            screen_put_symbol(terminal, effects, symbol_of(terminal->code_point));
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
        screen_put_symbol(terminal, effects, UNKNOWN_SYMBOL);
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
        screen_move_to(terminal, cursor->row, (cursor->column / TAB_COLUMNS + 1) * TAB_COLUMNS);
        break;
    case '\n':
    case '\v':
    case '\f':
        screen_line_feed(terminal, effects);
        break;
    case '\r':
        screen_move_to(terminal, cursor->row, 0);
        break;
    case 0x1B:
        terminal->escape = ESCAPE_STARTED;
        break;
    default:
        break;
    }
    screen_touch(effects, cursor->row);
}
