/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tab stops: at every eighth column until a program sets others. They are kept for as many columns as a terminal can
 * have, so another size changes none. Line editing goes by eight, whatever the stops are.
 */
#include "terminal_line.h"
#include "terminal_object.h"
#include "terminal_screen.h"
#include <string.h>

static bool is_stop(const struct terminal *terminal, uint32_t column)
{
    return (terminal->tab_stops[column / 32] >> column % 32 & 1u) != 0;
}

void screen_tabs_create(struct terminal *terminal)
{
    memset(terminal->tab_stops, 0, sizeof(terminal->tab_stops));
    for (uint32_t column = 0; column < TERMINAL_COLUMNS_MAX; column += TAB_COLUMNS) {
        terminal->tab_stops[column / 32] |= 1u << column % 32;
    }
}

void screen_tab_set(struct terminal *terminal)
{
    terminal->tab_stops[terminal->cursor.column / 32] |= 1u << terminal->cursor.column % 32;
}

void screen_tab_clear(struct terminal *terminal, bool all)
{
    if (all) {
        memset(terminal->tab_stops, 0, sizeof(terminal->tab_stops));
    } else {
        terminal->tab_stops[terminal->cursor.column / 32] &= ~(1u << terminal->cursor.column % 32);
    }
}

uint32_t screen_tab_after(const struct terminal *terminal, uint32_t count)
{
    uint32_t column = terminal->cursor.column;

    for (; count > 0 && column + 1 < terminal->columns; count--) {
        do {
            column++;
        } while (column + 1 < terminal->columns && !is_stop(terminal, column));
    }
    return column;
}

uint32_t screen_tab_before(const struct terminal *terminal, uint32_t count)
{
    uint32_t column = terminal->cursor.column;

    for (; count > 0 && column > 0; count--) {
        do {
            column--;
        } while (column > 0 && !is_stop(terminal, column));
    }
    return column;
}

bool terminal_tabs_are_usual(const struct terminal *terminal)
{
    for (uint32_t column = 0; column < TERMINAL_COLUMNS_MAX; column++) {
        if (is_stop(terminal, column) != (column % TAB_COLUMNS == 0)) {
            return false;
        }
    }
    return true;
}

bool terminal_tab_is_at(const struct terminal *terminal, uint32_t column)
{
    return is_stop(terminal, column);
}
