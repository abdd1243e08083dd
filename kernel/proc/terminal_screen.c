/*
 * The screen of a terminal: cells, cursor, scrollback, and the escape sequences that programs use.
 *
 * Lines lie in a ring; the screen is a window of it that moves down as lines scroll off its top, so scrolling the whole
 * screen moves nothing. Of ECMA-48 and the VT100 it knows: cursor movement, erasing, inserting and deleting characters
 * and lines, a scroll region, 16 colours, saving the cursor, hiding it. Text is UTF-8; what code page 437 has is shown.
 *
 * Any byte is good at any time: parameters are clipped to the screen, unknown sequences are skipped.
 */
#include "terminal_object.h"
#include <string.h>

#define TAB_COLUMNS    8u
#define PARAMETER_MAX  9999u
#define UNKNOWN_SYMBOL 0xFEu /* a small block */
#define COLOUR_NORMAL  7u
#define COLOUR_BLACK   0u

static uint16_t *line_at(struct terminal *terminal, uint32_t row)
{
    return terminal->lines[(terminal->first_line + row) % TERMINAL_LINES];
}

const uint16_t *terminal_screen_row(const struct terminal *terminal, uint32_t row)
{
    return terminal->lines[(terminal->first_line + row) % TERMINAL_LINES];
}

static void touch(struct terminal_effects *effects, uint32_t row)
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

static void clear_cells(struct terminal *terminal, struct terminal_effects *effects, uint32_t row, uint32_t from,
                        uint32_t to)
{
    uint16_t *line = line_at(terminal, row);

    for (uint32_t column = from; column < to; column++) {
        line[column] = blank_cell(terminal);
    }
    touch(effects, row);
}

static void clear_rows(struct terminal *terminal, struct terminal_effects *effects, uint32_t from, uint32_t to)
{
    for (uint32_t row = from; row < to; row++) {
        clear_cells(terminal, effects, row, 0, TERMINAL_COLUMNS);
    }
}

static void reset_attributes(struct terminal_cursor *cursor)
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
    reset_attributes(&terminal->cursor);
    terminal->saved_cursor = terminal->cursor;
    terminal->region_top = 0;
    terminal->region_bottom = TERMINAL_ROWS;
    terminal->cursor_hidden = 0;
    terminal->escape = ESCAPE_NONE;
    terminal->code_bytes_left = 0;
    clear_rows(terminal, &ignored, 0, TERMINAL_ROWS);
}

static bool cursor_is_sound(const struct terminal_cursor *cursor)
{
    return cursor->row < TERMINAL_ROWS && cursor->column < TERMINAL_COLUMNS;
}

bool terminal_screen_is_sound(const struct terminal *terminal)
{
    return cursor_is_sound(&terminal->cursor) && cursor_is_sound(&terminal->saved_cursor) &&
           terminal->region_top < terminal->region_bottom && terminal->region_bottom <= TERMINAL_ROWS &&
           terminal->first_line < TERMINAL_LINES && terminal->history <= TERMINAL_LINES - TERMINAL_ROWS &&
           terminal->escape < ESCAPE_STATES && terminal->parameter_count <= TERMINAL_PARAMETERS &&
           terminal->code_bytes_left <= 3;
}

/* Scrolling ---------------------------------------------------------------------------------------------------------
 */

static void touch_rows(struct terminal_effects *effects, uint32_t from, uint32_t to)
{
    for (uint32_t row = from; row < to; row++) {
        touch(effects, row);
    }
}

/* The whole screen moves up by one: the window moves down in the ring. */
static void scroll_screen(struct terminal *terminal, struct terminal_effects *effects)
{
    terminal->first_line = (terminal->first_line + 1) % TERMINAL_LINES;
    if (terminal->history < TERMINAL_LINES - TERMINAL_ROWS) {
        terminal->history++;
    }
    clear_rows(terminal, effects, TERMINAL_ROWS - 1, TERMINAL_ROWS);
    effects->rows_changed = TERMINAL_ALL_ROWS;
}

/* Rows [top, bottom) move up by `count`, blank ones come in below. */
static void scroll_up(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                      uint32_t count)
{
    count = count < bottom - top ? count : bottom - top;
    for (uint32_t row = top; row + count < bottom; row++) {
        memcpy(line_at(terminal, row), line_at(terminal, row + count), sizeof(terminal->lines[0]));
    }
    clear_rows(terminal, effects, bottom - count, bottom);
    touch_rows(effects, top, bottom);
}

static void scroll_down(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                        uint32_t count)
{
    count = count < bottom - top ? count : bottom - top;
    for (uint32_t row = bottom; row-- > top + count;) {
        memcpy(line_at(terminal, row), line_at(terminal, row - count), sizeof(terminal->lines[0]));
    }
    clear_rows(terminal, effects, top, top + count);
    touch_rows(effects, top, bottom);
}

/* Movement ----------------------------------------------------------------------------------------------------------
 */

static void move_to(struct terminal *terminal, uint32_t row, uint32_t column)
{
    terminal->cursor.row = row < TERMINAL_ROWS ? row : TERMINAL_ROWS - 1;
    terminal->cursor.column = column < TERMINAL_COLUMNS ? column : TERMINAL_COLUMNS - 1;
    terminal->cursor.wrap_pending = 0;
}

static uint32_t minus(uint32_t value, uint32_t amount)
{
    return value > amount ? value - amount : 0;
}

static void line_feed(struct terminal *terminal, struct terminal_effects *effects)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    cursor->wrap_pending = 0;
    if (cursor->row + 1 != terminal->region_bottom) {
        move_to(terminal, cursor->row + 1, cursor->column);
    } else if (terminal->region_top == 0 && terminal->region_bottom == TERMINAL_ROWS) {
        scroll_screen(terminal, effects);
    } else {
        scroll_up(terminal, effects, terminal->region_top, terminal->region_bottom, 1);
    }
}

static void reverse_line_feed(struct terminal *terminal, struct terminal_effects *effects)
{
    if (terminal->cursor.row == terminal->region_top) {
        scroll_down(terminal, effects, terminal->region_top, terminal->region_bottom, 1);
    } else {
        move_to(terminal, minus(terminal->cursor.row, 1), terminal->cursor.column);
    }
}

/* Characters --------------------------------------------------------------------------------------------------------
 */

static void put_symbol(struct terminal *terminal, struct terminal_effects *effects, uint8_t symbol)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    if (cursor->wrap_pending != 0) {
        cursor->column = 0;
        line_feed(terminal, effects);
    }
    line_at(terminal, cursor->row)[cursor->column] = TERMINAL_CELL(symbol, attribute(cursor));
    touch(effects, cursor->row);
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
static void put_high_byte(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if ((byte & 0xC0) == 0x80 && terminal->code_bytes_left > 0) {
        terminal->code_point = terminal->code_point << 6 | (byte & 0x3Fu);
        terminal->code_bytes_left--;
        if (terminal->code_bytes_left == 0) {
            put_symbol(terminal, effects, symbol_of(terminal->code_point));
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
        put_symbol(terminal, effects, UNKNOWN_SYMBOL);
    }
}

static void put_control(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    switch (byte) {
    case '\b':
        move_to(terminal, cursor->row, minus(cursor->column, 1));
        break;
    case '\t':
        move_to(terminal, cursor->row, (cursor->column / TAB_COLUMNS + 1) * TAB_COLUMNS);
        break;
    case '\n':
    case '\v':
    case '\f':
        line_feed(terminal, effects);
        break;
    case '\r':
        move_to(terminal, cursor->row, 0);
        break;
    case 0x1B:
        terminal->escape = ESCAPE_STARTED;
        break;
    default:
        break;
    }
    touch(effects, cursor->row);
}

/* Sequences ---------------------------------------------------------------------------------------------------------
 */

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
        clear_cells(terminal, effects, cursor->row, cursor->column, TERMINAL_COLUMNS);
        clear_rows(terminal, effects, cursor->row + 1, TERMINAL_ROWS);
        break;
    case 1:
        clear_rows(terminal, effects, 0, cursor->row);
        clear_cells(terminal, effects, cursor->row, 0, cursor->column + 1);
        break;
    default:
        clear_rows(terminal, effects, 0, TERMINAL_ROWS);
        break;
    }
}

static void erase_line(struct terminal *terminal, struct terminal_effects *effects)
{
    const struct terminal_cursor *cursor = &terminal->cursor;

    switch (parameter(terminal, 0, 0)) {
    case 0:
        clear_cells(terminal, effects, cursor->row, cursor->column, TERMINAL_COLUMNS);
        break;
    case 1:
        clear_cells(terminal, effects, cursor->row, 0, cursor->column + 1);
        break;
    default:
        clear_cells(terminal, effects, cursor->row, 0, TERMINAL_COLUMNS);
        break;
    }
}

static void insert_characters(struct terminal *terminal, struct terminal_effects *effects, uint32_t count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint32_t room = TERMINAL_COLUMNS - cursor->column;
    uint16_t *line = line_at(terminal, cursor->row) + cursor->column;

    count = count < room ? count : room;
    memmove(line + count, line, (room - count) * sizeof(*line));
    clear_cells(terminal, effects, cursor->row, cursor->column, cursor->column + count);
}

static void delete_characters(struct terminal *terminal, struct terminal_effects *effects, uint32_t count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint32_t room = TERMINAL_COLUMNS - cursor->column;
    uint16_t *line = line_at(terminal, cursor->row) + cursor->column;

    count = count < room ? count : room;
    memmove(line, line + count, (room - count) * sizeof(*line));
    clear_cells(terminal, effects, cursor->row, TERMINAL_COLUMNS - count, TERMINAL_COLUMNS);
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
        reset_attributes(cursor);
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
        move_to(terminal, 0, 0);
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
        move_to(terminal, minus(row, count), column);
        break;
    case 'B':
        move_to(terminal, row + count, column);
        break;
    case 'C':
        move_to(terminal, row, column + count);
        break;
    case 'D':
        move_to(terminal, row, minus(column, count));
        break;
    case 'E':
        move_to(terminal, row + count, 0);
        break;
    case 'F':
        move_to(terminal, minus(row, count), 0);
        break;
    case 'G':
        move_to(terminal, row, count - 1);
        break;
    case 'd':
        move_to(terminal, count - 1, column);
        break;
    default:
        move_to(terminal, count - 1, parameter(terminal, 1, 1) - 1);
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
        clear_cells(terminal, effects, row, column, column + count);
        break;
    case 'L':
        if (in_region(terminal)) {
            scroll_down(terminal, effects, row, terminal->region_bottom, count);
        }
        break;
    case 'M':
        if (in_region(terminal)) {
            scroll_up(terminal, effects, row, terminal->region_bottom, count);
        }
        break;
    case 'S':
        scroll_up(terminal, effects, terminal->region_top, terminal->region_bottom, count);
        break;
    default:
        scroll_down(terminal, effects, terminal->region_top, terminal->region_bottom, count);
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
        line_feed(terminal, effects);
        break;
    case 'E':
        terminal->cursor.column = 0;
        line_feed(terminal, effects);
        break;
    case 'M':
        reverse_line_feed(terminal, effects);
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
    touch(effects, terminal->cursor.row);
}

void terminal_screen_put(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    touch(effects, terminal->cursor.row);
    if (terminal->escape != ESCAPE_NONE && (byte == 0x18 || byte == 0x1A)) {
        terminal->escape = ESCAPE_NONE;
    } else if (terminal->escape == ESCAPE_PARAMETERS && byte < 0x20) {
        put_control(terminal, effects, byte);
    } else if (terminal->escape != ESCAPE_NONE) {
        put_within_escape(terminal, effects, byte);
    } else if (byte >= 0x80) {
        put_high_byte(terminal, effects, byte);
    } else if (byte < 0x20 || byte == 0x7F) {
        terminal->code_bytes_left = 0;
        put_control(terminal, effects, byte);
    } else {
        terminal->code_bytes_left = 0;
        put_symbol(terminal, effects, byte);
    }
}
