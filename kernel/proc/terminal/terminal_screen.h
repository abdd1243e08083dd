/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the operations on a screen that escape sequences are made of.
 *
 * Rows and columns are counted from 0. Ranges are half open and must lie on the screen; screen_move_to() alone clips.
 * Each operation notes the rows it changed in `effects`.
 */
#ifndef TERMINAL_SCREEN_H
#define TERMINAL_SCREEN_H

#include "terminal_object.h"

#define PARAMETER_MAX 9999u /* a parameter of an escape sequence takes no more digits from here on */

/* Lines that the ring has. */
static inline uint32_t screen_lines(const struct terminal *terminal)
{
    return TERMINAL_CELLS / terminal->columns;
}

static inline bool screen_has_mode(const struct terminal *terminal, enum terminal_mode mode)
{
    return (terminal->modes >> mode & 1u) != 0;
}

/* Parameter `index` of the sequence that has come, or `fallback` where it was left out or zero. */
static inline uint32_t screen_parameter(const struct terminal *terminal, uint32_t index, uint32_t fallback)
{
    if (index >= terminal->parameter_count || terminal->parameters[index] == 0) {
        return fallback;
    }
    return terminal->parameters[index];
}

/* How the next character is shown, from the parameters (terminal_rendition.c). */
void screen_set_renditions(struct terminal *terminal);

/* The cells of a row. */
terminal_cell_t *screen_line(struct terminal *terminal, uint32_t row);
void screen_touch(struct terminal_effects *effects, uint32_t row);

/* Blank cells in the present background. */
void screen_clear_cells(struct terminal *terminal, struct terminal_effects *effects, uint32_t row, uint32_t from,
                        uint32_t to);
void screen_clear_rows(struct terminal *terminal, struct terminal_effects *effects, uint32_t from, uint32_t to);

/* Rows [top, bottom) move by `count` or less; blank ones come in. */
void screen_scroll_up(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                      uint32_t count);
void screen_scroll_down(struct terminal *terminal, struct terminal_effects *effects, uint32_t top, uint32_t bottom,
                        uint32_t count);

/* Show the other screen, blank, or the main one as it was. Nothing changes if it is shown already. */
void screen_enter_alternate(struct terminal *terminal, struct terminal_effects *effects);
void screen_leave_alternate(struct terminal *terminal, struct terminal_effects *effects);

/* Tab stops: the usual ones; one at the cursor; none there, or none at all; the column of the next, or of the one before. */
void screen_tabs_create(struct terminal *terminal);
void screen_tab_set(struct terminal *terminal);
void screen_tab_clear(struct terminal *terminal, bool all);
uint32_t screen_tab_after(const struct terminal *terminal, uint32_t count);
uint32_t screen_tab_before(const struct terminal *terminal, uint32_t count);

void screen_touch_all(struct terminal *terminal, struct terminal_effects *effects);
void screen_move_to(struct terminal *terminal, uint32_t row, uint32_t column);
void screen_line_feed(struct terminal *terminal, struct terminal_effects *effects);
void screen_reverse_line_feed(struct terminal *terminal, struct terminal_effects *effects);

/* A character of Unicode; a byte of a longer character of UTF-8; a control character. */
void screen_put_character(struct terminal *terminal, struct terminal_effects *effects, uint32_t character);
void screen_put_high_byte(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);
void screen_put_control(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);

static inline uint32_t screen_minus(uint32_t value, uint32_t amount)
{
    return value > amount ? value - amount : 0;
}

#endif
