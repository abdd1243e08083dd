/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change of a terminal object asks for outside: bytes for the serial line, rows for the screen, readers to wake;
 * and messages of the kernel, which are such changes.
 */
#include "atomic.h"
#include "console_stream.h"
#include "log.h"
#include "serial.h"
#include "terminal_console.h"
#include "terminal_use.h"
#include "vga.h"
#include <string.h>

struct terminal_effects terminal_pending = {.send = stream_send};

static uint32_t scrolled_back; /* lines of history the screen shows above the present */
static uint32_t top_row;       /* of the object: the first that the screen shows, if it has too few for all */

static void paint_row(uint32_t row, const terminal_cell_t *cells, uint32_t columns)
{
    for (uint32_t column = 0; column < VGA_COLUMNS; column++) {
        /* cppcheck-suppress nullPointer */
        terminal_cell_t cell = column < columns ? cells[column] : CELL_PLAIN | ' ';
        vga_put(VGA_TERMINAL, row, column, terminal_symbol(cell & CELL_CHARACTER_MASK), terminal_attribute(cell));
    }
}

/* Paint rows [from, to) of the object as they are now, or all as they were `scrolled_back` lines ago. */
static void paint(const struct terminal *terminal, uint32_t from, uint32_t to)
{
    bool no_cursor = (terminal->modes >> MODE_CURSOR_HIDDEN & 1u) != 0 || scrolled_back > 0;
    uint32_t top = terminal->cursor.row >= VGA_ROWS ? terminal->cursor.row - VGA_ROWS + 1 : 0;

    if (scrolled_back > 0 || top != top_row) {
        from = 0;
        to = terminal->rows;
    }
    top_row = top;
    for (uint32_t row = 0; row < VGA_ROWS; row++) {
        if (row + top >= terminal->rows) {
            paint_row(row, NULL, 0);
        } else if (row + top >= from && row + top < to) {
            paint_row(row, terminal_history_row(terminal, row + top, scrolled_back), terminal->columns);
        }
    }
    vga_cursor(VGA_TERMINAL, no_cursor ? VGA_ROWS : terminal->cursor.row - top, terminal->cursor.column);
}

/* What is shown follows what is written: a change ends scrolling back. */
static void paint_change(const struct terminal *terminal, uint32_t from, uint32_t to)
{
    bool is_all = scrolled_back > 0;

    scrolled_back = 0;
    paint(terminal, is_all ? 0 : from, is_all ? terminal->rows : to);
}

void terminal_carry_out(struct terminal_id terminal)
{
    DOES_NOT_SLEEP();
    terminal_flush(&terminal_pending);
    if (terminal_pending.changed_to != 0) {
        paint_change(terminal_object(terminal), terminal_pending.changed_from, terminal_pending.changed_to);
        terminal_pending.changed_from = terminal_pending.changed_to = 0;
    }
    if (terminal_pending.readable) {
        terminal_pending.readable = false;
        terminal_wake_readers();
    }
}

void terminal_scroll(const struct terminal *terminal, int32_t pages)
{
    int32_t lines = (int32_t)scrolled_back + pages * (int32_t)(VGA_ROWS / 2);

    if (lines < 0) {
        lines = 0;
    }
    scrolled_back = (uint32_t)lines < terminal->history ? (uint32_t)lines : terminal->history;
    paint(terminal, 0, terminal->rows);
}

void terminal_show(const struct terminal *terminal)
{
    paint(terminal, 0, terminal->rows);
    vga_show(VGA_TERMINAL);
}

/* Messages about programs ------------------------------------------------------------------------------------------ */

static void output_text(struct terminal_id terminal, const char *text)
{
    for (; *text != 0; text++) {
        terminal_output(terminal_object(terminal), &terminal_pending, (uint8_t)*text);
    }
}

void terminal_say(struct terminal_id terminal, const char *format, ...)
{
    DOES_NOT_SLEEP();
    char line[TERMINAL_MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)kernel_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log_line("%s", line);
    output_text(terminal, terminal_object(terminal)->output_column > 0 ? "\n" : "");
    output_text(terminal, line);
    output_text(terminal, "\n");
    terminal_carry_out(terminal);
}
