/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal's record as bytes for another terminal that shows it: what was there goes up and out of the screen, then
 * come the cells of the main screen and of the other one, the modes, the region, both cursors, and the beginning of a
 * sequence or of a character that was not complete. Of colours the 16 are sent that cells keep (terminal_escape.c).
 */
#include "log.h"
#include "terminal_line.h"
#include "terminal_object.h"
#include <string.h>

#define PIECE_BYTES 256u
#define WORD_BYTES  64u /* the longest sequence made at a time */

struct painter {
    void (*send)(const uint8_t *bytes, uint32_t length);
    terminal_cell_t shown; /* as the next character would be shown */
    uint32_t length;
    uint8_t bytes[PIECE_BYTES];
};

static void flush(struct painter *painter)
{
    painter->send(painter->bytes, painter->length);
    painter->length = 0;
}

static void put_bytes(struct painter *painter, const void *bytes, uint32_t length)
{
    if (painter->length + length > PIECE_BYTES) {
        flush(painter);
    }
    memcpy(painter->bytes + painter->length, bytes, length);
    painter->length += length;
}

static void put(struct painter *painter, const char *format, ...)
{
    char word[WORD_BYTES];
    va_list arguments;

    va_start(arguments, format);
    int length = kernel_vsnprintf(word, sizeof(word), format, arguments);
    va_end(arguments);
    ASSERT(length >= 0 && (uint32_t)length < sizeof(word));
    put_bytes(painter, word, (uint32_t)length);
}

static void put_colour(struct painter *painter, uint32_t colour, uint32_t base)
{
    if (colour < 8) {
        put(painter, ";%u", base + colour);
    } else if (colour < 16) {
        put(painter, ";%u", base + 60 + colour - 8);
    }
}

static void put_shown(struct painter *painter, terminal_cell_t shown)
{
    static const struct {
        uint32_t look;
        const char *code;
    } looks[] = {{LOOK_BOLD, ";1"},      {LOOK_FAINT, ";2"}, {LOOK_ITALIC, ";3"},
                 {LOOK_UNDERLINE, ";4"}, {LOOK_BLINK, ";5"}, {LOOK_INVERSE, ";7"}};

    shown &= CELL_SHOWN_MASK;
    if (shown == painter->shown) {
        return;
    }
    painter->shown = shown;
    put(painter, "\033[0");
    for (uint32_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        put(painter, "%s", (cell_look(shown) & looks[i].look) != 0 ? looks[i].code : "");
    }
    put_colour(painter, cell_foreground(shown), 30);
    put_colour(painter, cell_background(shown), 40);
    put(painter, "m");
}

/* A record from an image may hold any character; what a terminal would obey is none. */
static uint32_t printable(terminal_cell_t cell)
{
    uint32_t character = cell & CELL_CHARACTER_MASK;
    bool is_control = character < 0x20 || (character >= 0x7F && character < 0xA0);

    return is_control || (character >= 0xD800 && character < 0xE000) ? ' ' : character;
}

static void put_cell(struct painter *painter, terminal_cell_t cell, bool has_room)
{
    uint8_t bytes[4];
    uint32_t character = printable(cell);

    character = terminal_width(character) == (has_room ? 2u : 1u) || terminal_width(character) == 1 ? character : ' ';
    put_shown(painter, cell);
    put_bytes(painter, bytes, terminal_encode(character, bytes));
}

static bool is_right_half(const terminal_cell_t *cells, uint32_t column)
{
    return column > 0 && (cells[column] & CELL_CHARACTER_MASK) == 0 &&
           terminal_width(printable(cells[column - 1])) == 2;
}

static void put_row(struct painter *painter, const terminal_cell_t *cells, uint32_t row, uint32_t columns)
{
    uint32_t end = columns;

    while (end > 0 && cells[end - 1] == (CELL_PLAIN | ' ')) {
        end--;
    }
    put(painter, "\033[%u;1H", row + 1);
    for (uint32_t column = 0; column < end; column++) {
        if (!is_right_half(cells, column)) {
            bool has_room = column + 1 < columns && (cells[column + 1] & CELL_CHARACTER_MASK) == 0;
            put_cell(painter, cells[column], has_room);
        }
    }
}

/* The cursor, and how the next character is shown. */
static void put_cursor(struct painter *painter, const struct terminal *terminal, const struct terminal_cursor *cursor,
                       const terminal_cell_t *cells)
{
    put(painter, "\033[%u;%uH", cursor->row + 1, cursor->column + 1);
    if (cursor->wrap_pending != 0) { /* only a character brings a cursor behind the last column */
        bool is_wide = is_right_half(cells, terminal->columns - 1);
        put(painter, "%s", is_wide ? "\b" : "");
        put_cell(painter, cells[terminal->columns - (is_wide ? 2 : 1)], is_wide);
    }
    put_shown(painter, cursor->shown);
}

static void put_modes(struct painter *painter, const struct terminal *terminal)
{
    static const char *const sequences[TERMINAL_MODES] = {
        [MODE_CURSOR_KEYS] = "\033[?1h",
        [MODE_NO_WRAP] = "\033[?7l",
        [MODE_CURSOR_HIDDEN] = "\033[?25l",
        [MODE_MOUSE] = "\033[?1000h",
        [MODE_MOUSE_DRAG] = "\033[?1002h",
        [MODE_MOUSE_ALL] = "\033[?1003h",
        [MODE_MOUSE_LONG] = "\033[?1006h",
        [MODE_BRACKETED_PASTE] = "\033[?2004h",
        [MODE_KEYPAD] = "\033=",
        [MODE_INSERT] = "\033[4h",
        [MODE_DRAWING] = "\033(0",
        [MODE_DRAWING_SHIFTED] = "\033)0",
        [MODE_SHIFTED_OUT] = "\016",
    };

    for (uint32_t i = 0; i < TERMINAL_MODES; i++) {
        if ((terminal->modes >> i & 1u) != 0) {
            put(painter, "%s", sequences[i]);
        }
    }
}

/* Tab stops that are not those which any terminal has to begin with. */
static void put_tabs(struct painter *painter, const struct terminal *terminal)
{
    if (!terminal_tabs_are_usual(terminal)) {
        put(painter, "\033[3g");
        for (uint32_t column = 0; column < terminal->columns; column++) {
            if (terminal_tab_is_at(terminal, column)) {
                put(painter, "\033[1;%uH\033H", column + 1);
            }
        }
    }
}

/* What of a sequence, or of a character of several bytes, has come so far. */
static void put_beginning(struct painter *painter, const struct terminal *terminal)
{
    if (terminal->escape == ESCAPE_STARTED) {
        put(painter, "\033");
    } else if (terminal->escape == ESCAPE_PARAMETERS) {
        put(painter, "\033[%s", terminal->parameters_private != 0 ? "?" : "");
        for (uint32_t i = 0; i < terminal->parameter_count; i++) {
            put(painter, "%s%u", i > 0 ? ";" : "", terminal->parameters[i]);
        }
    } else if (terminal->escape == ESCAPE_CHARSET || terminal->escape == ESCAPE_CHARSET_SHIFTED) {
        put(painter, "%s", terminal->escape == ESCAPE_CHARSET ? "\033(" : "\033)");
    } else if (terminal->escape == ESCAPE_OTHER) {
        put(painter, "\033*"); /* of the kinds there are, one that does nothing */
    } else if (terminal->escape != ESCAPE_NONE) {
        put(painter, "\033_%s", terminal->escape == ESCAPE_STRING_END ? "\033" : "");
    } else if (terminal->code_bytes_left > 0) {
        uint8_t bytes[4];
        uint32_t missing = terminal->code_bytes_left;
        uint32_t count = terminal_encode(terminal->code_point << 6 * missing, bytes);
        put_bytes(painter, bytes, count > missing ? count - missing : 0);
    }
}

static void put_screens(struct painter *painter, const struct terminal *terminal)
{
    for (uint32_t row = 0; row < terminal->rows; row++) {
        put_row(painter, terminal_main_row(terminal, row), row, terminal->columns);
    }
    if (terminal->alternate != 0) {
        const struct terminal_cursor *cursor = &terminal->main_cursor;
        put_cursor(painter, terminal, cursor, terminal_main_row(terminal, cursor->row));
        put(painter, "\033[?1049h"); /* which keeps that cursor for later */
        put_shown(painter, CELL_PLAIN);
        put(painter, "\033[2J");
        for (uint32_t row = 0; row < terminal->rows; row++) {
            put_row(painter, terminal_screen_row(terminal, row), row, terminal->columns);
        }
    }
}

void terminal_repaint(const struct terminal *terminal, bool keeps_above,
                      void (*send)(const uint8_t *bytes, uint32_t length))
{
    struct painter painter = {.send = send, .shown = CELL_PLAIN};
    const struct terminal_cursor *saved = &terminal->saved_cursor;
    const struct terminal_cursor *cursor = &terminal->cursor;

    put(&painter, "\033[r\033[0m\033[4l\033[?7h\033(B\033)B\017\033[%u;1H", terminal->rows);
    for (uint32_t row = 0; keeps_above && row < terminal->rows; row++) {
        put(&painter, "\n");
    }
    put(&painter, "%s\033[H\033[2J", keeps_above ? "" : "\033[?1049l\033[r\033[0m");
    put_screens(&painter, terminal);
    put_tabs(&painter, terminal);
    if (terminal->region_top != 0 || terminal->region_bottom != terminal->rows) {
        put(&painter, "\033[%u;%ur", terminal->region_top + 1, terminal->region_bottom);
    }
    put_cursor(&painter, terminal, saved, terminal_screen_row(terminal, saved->row));
    put(&painter, "\0337");
    put_cursor(&painter, terminal, cursor, terminal_screen_row(terminal, cursor->row));
    put_modes(&painter, terminal);
    put_beginning(&painter, terminal);
    flush(&painter);
}
