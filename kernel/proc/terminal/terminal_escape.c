/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Escape sequences: what programs write to a terminal beside text.
 *
 * Of ECMA-48 and the VT100 it knows: cursor movement, erasing, inserting and deleting characters and lines, a scroll
 * region, tab stops, letters to draw lines with, 16 colours (others become the nearest of them), saving the cursor, hiding
 * it, the other screen, and the modes of enum terminal_mode. Any byte is good at any time: parameters are clipped to the screen, unknown sequences are
 * skipped.
 */
#include "terminal_object.h"
#include "terminal_screen.h"
#include <string.h>

static void erase_display(struct terminal *terminal, struct terminal_effects *effects)
{
    const struct terminal_cursor *cursor = &terminal->cursor;

    switch (screen_parameter(terminal, 0, 0)) {
    case 0:
        screen_clear_cells(terminal, effects, cursor->row, cursor->column, terminal->columns);
        screen_clear_rows(terminal, effects, cursor->row + 1, terminal->rows);
        break;
    case 1:
        screen_clear_rows(terminal, effects, 0, cursor->row);
        screen_clear_cells(terminal, effects, cursor->row, 0, cursor->column + 1);
        break;
    default:
        screen_clear_rows(terminal, effects, 0, terminal->rows);
        break;
    }
}

static void erase_line(struct terminal *terminal, struct terminal_effects *effects)
{
    const struct terminal_cursor *cursor = &terminal->cursor;

    switch (screen_parameter(terminal, 0, 0)) {
    case 0:
        screen_clear_cells(terminal, effects, cursor->row, cursor->column, terminal->columns);
        break;
    case 1:
        screen_clear_cells(terminal, effects, cursor->row, 0, cursor->column + 1);
        break;
    default:
        screen_clear_cells(terminal, effects, cursor->row, 0, terminal->columns);
        break;
    }
}

static void insert_characters(struct terminal *terminal, struct terminal_effects *effects, uint32_t count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint32_t room = terminal->columns - cursor->column;
    terminal_cell_t *line = screen_line(terminal, cursor->row) + cursor->column;

    count = count < room ? count : room;
    memmove(line + count, line, (room - count) * sizeof(*line));
    screen_clear_cells(terminal, effects, cursor->row, cursor->column, cursor->column + count);
}

static void delete_characters(struct terminal *terminal, struct terminal_effects *effects, uint32_t count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint32_t room = terminal->columns - cursor->column;
    terminal_cell_t *line = screen_line(terminal, cursor->row) + cursor->column;

    count = count < room ? count : room;
    memmove(line, line + count, (room - count) * sizeof(*line));
    screen_clear_cells(terminal, effects, cursor->row, terminal->columns - count, terminal->columns);
}

static bool in_region(const struct terminal *terminal)
{
    return terminal->cursor.row >= terminal->region_top && terminal->cursor.row < terminal->region_bottom;
}

static void set_region(struct terminal *terminal)
{
    uint32_t top = screen_parameter(terminal, 0, 1) - 1;
    uint32_t bottom = screen_parameter(terminal, 1, terminal->rows);

    bottom = bottom < terminal->rows ? bottom : terminal->rows;
    if (top < bottom && top + 1 < bottom) {
        terminal->region_top = top;
        terminal->region_bottom = bottom;
        screen_move_to(terminal, 0, 0);
    }
}

static void set_mode_bit(struct terminal *terminal, enum terminal_mode mode, bool on)
{
    terminal->modes = on ? terminal->modes | 1u << mode : terminal->modes & ~(1u << mode);
}

static void set_private_mode(struct terminal *terminal, struct terminal_effects *effects, uint32_t number, bool on)
{
    static const struct {
        uint32_t number;
        enum terminal_mode mode;
    } kept[] = {{1, MODE_CURSOR_KEYS},  {1000, MODE_MOUSE},      {1002, MODE_MOUSE_DRAG},
                {1003, MODE_MOUSE_ALL}, {1006, MODE_MOUSE_LONG}, {2004, MODE_BRACKETED_PASTE}};

    if (number == 7 || number == 25) {
        set_mode_bit(terminal, number == 7 ? MODE_NO_WRAP : MODE_CURSOR_HIDDEN, !on);
    } else if ((number == 47 || number == 1047 || number == 1049) && on) {
        screen_enter_alternate(terminal, effects);
    } else if (number == 47 || number == 1047 || number == 1049) {
        screen_leave_alternate(terminal, effects);
    }
    for (uint32_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (kept[i].number == number) {
            set_mode_bit(terminal, kept[i].mode, on);
        }
    }
}

static void set_modes(struct terminal *terminal, struct terminal_effects *effects, bool on)
{
    for (uint32_t i = 0; i < terminal->parameter_count; i++) {
        uint32_t number = screen_parameter(terminal, i, 0);
        if (terminal->parameters_private != 0) {
            set_private_mode(terminal, effects, number, on);
        } else if (number == 4) {
            set_mode_bit(terminal, MODE_INSERT, on);
        }
    }
}

static void move_by_sequence(struct terminal *terminal, uint8_t final)
{
    uint32_t row = terminal->cursor.row, column = terminal->cursor.column;
    uint32_t count = screen_parameter(terminal, 0, 1);

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
    case 'I':
        screen_move_to(terminal, row, screen_tab_after(terminal, count));
        break;
    case 'Z':
        screen_move_to(terminal, row, screen_tab_before(terminal, count));
        break;
    default:
        screen_move_to(terminal, count - 1, screen_parameter(terminal, 1, 1) - 1);
        break;
    }
}

static void edit_by_sequence(struct terminal *terminal, struct terminal_effects *effects, uint8_t final)
{
    uint32_t row = terminal->cursor.row, column = terminal->cursor.column;
    uint32_t count = screen_parameter(terminal, 0, 1);

    switch (final) {
    case '@':
        insert_characters(terminal, effects, count);
        break;
    case 'P':
        delete_characters(terminal, effects, count);
        break;
    case 'X':
        count = count < terminal->columns - column ? count : terminal->columns - column;
        screen_clear_cells(terminal, effects, row, column, column + count);
        break;
    case 'L':
        if (in_region(terminal)) {
            screen_scroll_down(terminal, effects, row, terminal->region_bottom, count);
            screen_move_to(terminal, row, 0);
        }
        break;
    case 'M':
        if (in_region(terminal)) {
            screen_scroll_up(terminal, effects, row, terminal->region_bottom, count);
            screen_move_to(terminal, row, 0);
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
    if (terminal->parameters_private != 0 && final != 'h' && final != 'l') {
        return; /* something else than without the private mark */
    }
    switch (final) {
    case 'A':
    case 'B':
    case 'C':
    case 'D':
    case 'E':
    case 'F':
    case 'G':
    case 'I':
    case 'Z':
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
        screen_set_renditions(terminal);
        break;
    case 'g':
        if (screen_parameter(terminal, 0, 0) == 0 || screen_parameter(terminal, 0, 0) == 3) {
            screen_tab_clear(terminal, screen_parameter(terminal, 0, 0) == 3);
        }
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
        set_modes(terminal, effects, final == 'h');
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
        terminal->escape = ESCAPE_CHARSET;
        break;
    case ')':
        terminal->escape = ESCAPE_CHARSET_SHIFTED;
        break;
    case '*':
    case '+':
    case '#':
        terminal->escape = ESCAPE_OTHER;
        break;
    case 'H':
        screen_tab_set(terminal);
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
        screen_leave_alternate(terminal, effects);
        terminal_screen_create(terminal, terminal->rows, terminal->columns);
        screen_touch_all(terminal, effects);
        break;
    case '=':
    case '>':
        set_mode_bit(terminal, MODE_KEYPAD, byte == '=');
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
    case ESCAPE_CHARSET:
    case ESCAPE_CHARSET_SHIFTED:
        set_mode_bit(terminal, terminal->escape == ESCAPE_CHARSET ? MODE_DRAWING : MODE_DRAWING_SHIFTED, byte == '0');
        terminal->escape = ESCAPE_NONE;
        break;
    default:
        terminal->escape = ESCAPE_NONE;
        break;
    }
    screen_touch(effects, terminal->cursor.row);
}

static bool is_drawing(const struct terminal *terminal)
{
    return screen_has_mode(terminal, screen_has_mode(terminal, MODE_SHIFTED_OUT) ? MODE_DRAWING_SHIFTED : MODE_DRAWING);
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
        screen_put_character(terminal, effects, is_drawing(terminal) ? terminal_drawing(byte) : byte);
    }
}
