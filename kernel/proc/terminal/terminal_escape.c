/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Escape sequences: what programs write to a terminal beside text.
 *
 * Of ECMA-48 and the VT100 it knows: cursor movement, erasing, inserting and deleting characters and lines, a scroll
 * region, 16 colours, saving the cursor, hiding it. Any byte is good at any time: parameters are clipped to the screen,
 * unknown sequences are skipped.
 */
#include "terminal_object.h"
#include "terminal_screen.h"
#include <string.h>


/* Parameter `index`, or `fallback` where it was left out or zero. */
static uint32_t parameter(const struct terminal *terminal, uint32_t index, uint32_t fallback)
{
    if (index >= terminal->parameter_count || terminal->parameters[index] == 0) {
        return fallback;
    }
    return terminal->parameters[index];
}

static void erase_display(struct terminal *terminal, struct terminal_effects *effects)
{
    const struct terminal_cursor *cursor = &terminal->cursor;

    switch (parameter(terminal, 0, 0)) {
    case 0:
        screen_clear_cells(terminal, effects, cursor->row, cursor->column, TERMINAL_COLUMNS);
        screen_clear_rows(terminal, effects, cursor->row + 1, TERMINAL_ROWS);
        break;
    case 1:
        screen_clear_rows(terminal, effects, 0, cursor->row);
        screen_clear_cells(terminal, effects, cursor->row, 0, cursor->column + 1);
        break;
    default:
        screen_clear_rows(terminal, effects, 0, TERMINAL_ROWS);
        break;
    }
}

static void erase_line(struct terminal *terminal, struct terminal_effects *effects)
{
    const struct terminal_cursor *cursor = &terminal->cursor;

    switch (parameter(terminal, 0, 0)) {
    case 0:
        screen_clear_cells(terminal, effects, cursor->row, cursor->column, TERMINAL_COLUMNS);
        break;
    case 1:
        screen_clear_cells(terminal, effects, cursor->row, 0, cursor->column + 1);
        break;
    default:
        screen_clear_cells(terminal, effects, cursor->row, 0, TERMINAL_COLUMNS);
        break;
    }
}

static void insert_characters(struct terminal *terminal, struct terminal_effects *effects, uint32_t count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint32_t room = TERMINAL_COLUMNS - cursor->column;
    uint16_t *line = screen_line(terminal, cursor->row) + cursor->column;

    count = count < room ? count : room;
    memmove(line + count, line, (room - count) * sizeof(*line));
    screen_clear_cells(terminal, effects, cursor->row, cursor->column, cursor->column + count);
}

static void delete_characters(struct terminal *terminal, struct terminal_effects *effects, uint32_t count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint32_t room = TERMINAL_COLUMNS - cursor->column;
    uint16_t *line = screen_line(terminal, cursor->row) + cursor->column;

    count = count < room ? count : room;
    memmove(line, line + count, (room - count) * sizeof(*line));
    screen_clear_cells(terminal, effects, cursor->row, TERMINAL_COLUMNS - count, TERMINAL_COLUMNS);
}

static bool in_region(const struct terminal *terminal)
{
    return terminal->cursor.row >= terminal->region_top && terminal->cursor.row < terminal->region_bottom;
}

/* ANSI numbers colours red, green, blue from the lowest bit; the screen from the highest. */
static uint8_t screen_colour(uint32_t ansi)
{
    return (uint8_t)((ansi & 1u) << 2 | (ansi & 2u) | (ansi & 4u) >> 2);
}

static void set_rendition(struct terminal_cursor *cursor, uint32_t code)
{
    if (code == 0) {
        screen_reset_attributes(cursor);
    } else if (code == 1) {
        cursor->bold = 1;
    } else if (code == 22) {
        cursor->bold = 0;
    } else if (code == 7 || code == 27) {
        cursor->inverse = code == 7;
    } else if (code >= 30 && code <= 37) {
        cursor->foreground = screen_colour(code - 30);
    } else if (code >= 90 && code <= 97) {
        cursor->foreground = screen_colour(code - 90) | 8u;
    } else if (code == 39) {
        cursor->foreground = COLOUR_NORMAL;
    } else if (code >= 40 && code <= 47) {
        cursor->background = screen_colour(code - 40);
    } else if (code >= 100 && code <= 107) {
        cursor->background = screen_colour(code - 100);
    } else if (code == 49) {
        cursor->background = COLOUR_BLACK;
    }
}

static void set_renditions(struct terminal *terminal)
{
    uint32_t count = terminal->parameter_count > 0 ? terminal->parameter_count : 1;

    for (uint32_t i = 0; i < count; i++) {
        set_rendition(&terminal->cursor, parameter(terminal, i, 0));
    }
}

static void set_region(struct terminal *terminal)
{
    uint32_t top = parameter(terminal, 0, 1) - 1;
    uint32_t bottom = parameter(terminal, 1, TERMINAL_ROWS);

    bottom = bottom < TERMINAL_ROWS ? bottom : TERMINAL_ROWS;
    if (top + 1 < bottom) {
        terminal->region_top = top;
        terminal->region_bottom = bottom;
        screen_move_to(terminal, 0, 0);
    }
}

static void set_mode(struct terminal *terminal, bool on)
{
    if (terminal->parameters_private != 0 && parameter(terminal, 0, 0) == 25) {
        terminal->cursor_hidden = on ? 0 : 1;
    }
}

static void move_by_sequence(struct terminal *terminal, uint8_t final)
{
    uint32_t row = terminal->cursor.row, column = terminal->cursor.column;
    uint32_t count = parameter(terminal, 0, 1);

    switch (final) {
    case 'A':
        screen_move_to(terminal, screen_minus(row, count), column);
        break;
    case 'B':
        screen_move_to(terminal, row + count, column);
        break;
    case 'C':
        screen_move_to(terminal, row, column + count);
        break;
    case 'D':
        screen_move_to(terminal, row, screen_minus(column, count));
        break;
    case 'E':
        screen_move_to(terminal, row + count, 0);
        break;
    case 'F':
        screen_move_to(terminal, screen_minus(row, count), 0);
        break;
    case 'G':
        screen_move_to(terminal, row, count - 1);
        break;
    case 'd':
        screen_move_to(terminal, count - 1, column);
        break;
    default:
        screen_move_to(terminal, count - 1, parameter(terminal, 1, 1) - 1);
        break;
    }
}

static void edit_by_sequence(struct terminal *terminal, struct terminal_effects *effects, uint8_t final)
{
    uint32_t row = terminal->cursor.row, column = terminal->cursor.column;
    uint32_t count = parameter(terminal, 0, 1);

    switch (final) {
    case '@':
        insert_characters(terminal, effects, count);
        break;
    case 'P':
        delete_characters(terminal, effects, count);
        break;
    case 'X':
        count = count < TERMINAL_COLUMNS - column ? count : TERMINAL_COLUMNS - column;
        screen_clear_cells(terminal, effects, row, column, column + count);
        break;
    case 'L':
        if (in_region(terminal)) {
            screen_scroll_down(terminal, effects, row, terminal->region_bottom, count);
        }
        break;
    case 'M':
        if (in_region(terminal)) {
            screen_scroll_up(terminal, effects, row, terminal->region_bottom, count);
        }
        break;
    case 'S':
        screen_scroll_up(terminal, effects, terminal->region_top, terminal->region_bottom, count);
        break;
    default:
        screen_scroll_down(terminal, effects, terminal->region_top, terminal->region_bottom, count);
        break;
    }
}

static void run_sequence(struct terminal *terminal, struct terminal_effects *effects, uint8_t final)
{
    switch (final) {
    case 'A':
    case 'B':
    case 'C':
    case 'D':
    case 'E':
    case 'F':
    case 'G':
    case 'd':
    case 'H':
    case 'f':
        move_by_sequence(terminal, final);
        break;
    case '@':
    case 'P':
    case 'X':
    case 'L':
    case 'M':
    case 'S':
    case 'T':
        edit_by_sequence(terminal, effects, final);
        break;
    case 'J':
        erase_display(terminal, effects);
        break;
    case 'K':
        erase_line(terminal, effects);
        break;
    case 'm':
        set_renditions(terminal);
        break;
    case 'r':
        set_region(terminal);
        break;
    case 's':
        terminal->saved_cursor = terminal->cursor;
        break;
    case 'u':
        terminal->cursor = terminal->saved_cursor;
        break;
    case 'h':
    case 'l':
        set_mode(terminal, final == 'h');
        break;
    default:
        break;
    }
}

static void take_parameter_byte(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        if (terminal->parameter_count == 0) {
            terminal->parameter_count = 1;
            terminal->parameters[0] = 0;
        }
        uint32_t *last = &terminal->parameters[terminal->parameter_count - 1];
        *last = *last < PARAMETER_MAX ? *last * 10 + (byte - '0') : *last;
    } else if (byte == ';' || byte == ':') {
        if (terminal->parameter_count == 0) {
            terminal->parameters[terminal->parameter_count++] = 0;
        }
        if (terminal->parameter_count < TERMINAL_PARAMETERS) {
            terminal->parameters[terminal->parameter_count++] = 0;
        }
    } else if (byte >= '<' && byte <= '?') {
        terminal->parameters_private = 1;
    } else if (byte >= 0x40 && byte <= 0x7E) {
        terminal->escape = ESCAPE_NONE;
        run_sequence(terminal, effects, byte);
    }
}

static void begin_escape(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    terminal->escape = ESCAPE_NONE;
    switch (byte) {
    case '[':
        terminal->escape = ESCAPE_PARAMETERS;
        terminal->parameter_count = 0;
        terminal->parameters_private = 0;
        break;
    case ']':
    case 'P':
    case '^':
    case '_':
        terminal->escape = ESCAPE_STRING;
        break;
    case '(':
    case ')':
    case '*':
    case '+':
    case '#':
        terminal->escape = ESCAPE_CHARSET;
        break;
    case '7':
        terminal->saved_cursor = terminal->cursor;
        break;
    case '8':
        terminal->cursor = terminal->saved_cursor;
        break;
    case 'D':
        screen_line_feed(terminal, effects);
        break;
    case 'E':
        terminal->cursor.column = 0;
        screen_line_feed(terminal, effects);
        break;
    case 'M':
        screen_reverse_line_feed(terminal, effects);
        break;
    case 'c':
        terminal_screen_create(terminal);
        effects->rows_changed = TERMINAL_ALL_ROWS;
        break;
    default:
        break;
    }
}

static void put_within_escape(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    switch (terminal->escape) {
    case ESCAPE_STARTED:
        begin_escape(terminal, effects, byte);
        break;
    case ESCAPE_PARAMETERS:
        take_parameter_byte(terminal, effects, byte);
        break;
    case ESCAPE_STRING:
        if (byte == '\a') {
            terminal->escape = ESCAPE_NONE;
        } else if (byte == 0x1B) {
            terminal->escape = ESCAPE_STRING_END;
        }
        break;
    case ESCAPE_STRING_END:
        terminal->escape = byte == '\\' ? ESCAPE_NONE : ESCAPE_STRING;
        break;
    default:
        terminal->escape = ESCAPE_NONE;
        break;
    }
    screen_touch(effects, terminal->cursor.row);
}

void terminal_screen_put(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    screen_touch(effects, terminal->cursor.row);
    if (terminal->escape != ESCAPE_NONE && (byte == 0x18 || byte == 0x1A)) {
        terminal->escape = ESCAPE_NONE;
    } else if (terminal->escape == ESCAPE_PARAMETERS && byte < 0x20) {
        screen_put_control(terminal, effects, byte);
    } else if (terminal->escape != ESCAPE_NONE) {
        put_within_escape(terminal, effects, byte);
    } else if (byte >= 0x80) {
        screen_put_high_byte(terminal, effects, byte);
    } else if (byte < 0x20 || byte == 0x7F) {
        terminal->code_bytes_left = 0;
        screen_put_control(terminal, effects, byte);
    } else {
        terminal->code_bytes_left = 0;
        screen_put_symbol(terminal, effects, byte);
    }
}
