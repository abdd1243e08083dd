/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the next character is shown, as programs say it (SGR): 16 colours, of others the nearest; bold or faint, italic,
 * underlined, blinking, inverse.
 */
#include "terminal_object.h"
#include "terminal_screen.h"

#define CODE_EXTENDED_FOREGROUND 38u
#define CODE_EXTENDED_BACKGROUND 48u

static void set_foreground(struct terminal_cursor *cursor, uint32_t colour)
{
    cursor->shown = CELL_MAKE(cell_look(cursor->shown), colour, cell_background(cursor->shown));
}

static void set_background(struct terminal_cursor *cursor, uint32_t colour)
{
    cursor->shown = CELL_MAKE(cell_look(cursor->shown), cell_foreground(cursor->shown), colour);
}

static void set_look(struct terminal_cursor *cursor, uint32_t bits, uint32_t value)
{
    uint32_t look = (cell_look(cursor->shown) & ~bits) | value;

    cursor->shown = CELL_MAKE(look, cell_foreground(cursor->shown), cell_background(cursor->shown));
}

/* The nearest of the 16 colours: which of the primary ones are there, and whether it is bright. */
static uint32_t colour_of(uint32_t red, uint32_t green, uint32_t blue)
{
    uint32_t most = red > green ? red : green;

    most = most > blue ? most : blue;
    if (most < 64) {
        return 0;
    }
    uint32_t half = most / 2;
    uint32_t colour = (red > half ? 1u : 0u) | (green > half ? 2u : 0u) | (blue > half ? 4u : 0u);
    return most > 208 ? colour | 8u : colour;
}

/* One of 256: 16 named ones, a cube of 6 x 6 x 6, 24 greys. */
static uint32_t colour_of_table(uint32_t index)
{
    if (index < 16) {
        return index;
    }
    if (index >= 232) {
        uint32_t grey = (index < 256 ? index - 232 : 23) * 10 + 8;
        return colour_of(grey, grey, grey);
    }
    index -= 16;
    return colour_of(index / 36 * 51, index / 6 % 6 * 51, index % 6 * 51);
}

/* 38 ; 5 ; N or 38 ; 2 ; R ; G ; B. Returns how many parameters that were. */
static uint32_t set_extended_colour(struct terminal *terminal, uint32_t index)
{
    void (*set)(struct terminal_cursor *, uint32_t) =
        screen_parameter(terminal, index, 0) == CODE_EXTENDED_FOREGROUND ? set_foreground : set_background;

    if (screen_parameter(terminal, index + 1, 0) == 5) {
        set(&terminal->cursor, colour_of_table(screen_parameter(terminal, index + 2, 0)));
        return 3;
    }
    if (screen_parameter(terminal, index + 1, 0) == 2) {
        set(&terminal->cursor,
            colour_of(screen_parameter(terminal, index + 2, 0), screen_parameter(terminal, index + 3, 0),
                      screen_parameter(terminal, index + 4, 0)));
        return 5;
    }
    return 1;
}

static void set_rendition(struct terminal_cursor *cursor, uint32_t code)
{
    if (code == 0) {
        cursor->shown = CELL_PLAIN;
    } else if (code == 1 || code == 2) {
        set_look(cursor, LOOK_BOLD | LOOK_FAINT, code == 1 ? LOOK_BOLD : LOOK_FAINT);
    } else if (code == 22) {
        set_look(cursor, LOOK_BOLD | LOOK_FAINT, 0);
    } else if (code == 3 || code == 23) {
        set_look(cursor, LOOK_ITALIC, code == 3 ? LOOK_ITALIC : 0);
    } else if (code == 4 || code == 24) {
        set_look(cursor, LOOK_UNDERLINE, code == 4 ? LOOK_UNDERLINE : 0);
    } else if (code == 5 || code == 6 || code == 25) { /* slowly, fast, not at all */
        set_look(cursor, LOOK_BLINK, code != 25 ? LOOK_BLINK : 0);
    } else if (code == 7 || code == 27) {
        set_look(cursor, LOOK_INVERSE, code == 7 ? LOOK_INVERSE : 0);
    } else if (code >= 30 && code <= 37) {
        set_foreground(cursor, code - 30);
    } else if (code >= 90 && code <= 97) {
        set_foreground(cursor, (code - 90) | 8u);
    } else if (code == 39) {
        set_foreground(cursor, COLOUR_DEFAULT);
    } else if (code >= 40 && code <= 47) {
        set_background(cursor, code - 40);
    } else if (code >= 100 && code <= 107) {
        set_background(cursor, (code - 100) | 8u);
    } else if (code == 49) {
        set_background(cursor, COLOUR_DEFAULT);
    }
}

void screen_set_renditions(struct terminal *terminal)
{
    uint32_t count = terminal->parameter_count > 0 ? terminal->parameter_count : 1;

    for (uint32_t i = 0; i < count;) {
        uint32_t code = screen_parameter(terminal, i, 0);
        if (code == CODE_EXTENDED_FOREGROUND || code == CODE_EXTENDED_BACKGROUND) {
            i += set_extended_colour(terminal, i);
        } else {
            set_rendition(&terminal->cursor, code);
            i++;
        }
    }
}
