/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change of a terminal object asks for outside: bytes for the serial line, rows for the screen, readers to wake; and
 * messages of the kernel, which are such changes.
 */
#include "console_stream.h"
#include "log.h"
#include "serial.h"
#include "terminal.h"
#include "terminal_console.h"
#include "vga.h"
#include <string.h>

_Static_assert(TERMINAL_ROWS == VGA_ROWS && TERMINAL_COLUMNS == VGA_COLUMNS, "the object is as large as the screen");

struct terminal_effects terminal_pending = {.send = stream_send};

static uint32_t scrolled_back; /* lines of history the screen shows above the present */

static void paint_row(uint32_t row, const uint16_t *cells)
{
    for (uint32_t column = 0; column < TERMINAL_COLUMNS; column++) {
        vga_put(VGA_TERMINAL, row, column, (uint8_t)cells[column], (uint8_t)(cells[column] >> 8));
    }
}

/* Paint rows as they are now, or all of them as they were `scrolled_back` lines ago. */
static void paint(const struct terminal *terminal, uint32_t rows)
{
    bool no_cursor = terminal->cursor_hidden != 0 || scrolled_back > 0;

    rows = scrolled_back > 0 ? TERMINAL_ALL_ROWS : rows;
    for (uint32_t row = 0; row < TERMINAL_ROWS; row++) {
        if ((rows >> row & 1u) != 0) {
            paint_row(row, terminal_history_row(terminal, row, scrolled_back));
        }
    }
    vga_cursor(VGA_TERMINAL, no_cursor ? VGA_ROWS : terminal->cursor.row, terminal->cursor.column);
}

/* What is shown follows what is written: a change ends scrolling back. */
static void paint_change(const struct terminal *terminal, uint32_t rows)
{
    rows = scrolled_back > 0 ? TERMINAL_ALL_ROWS : rows;
    scrolled_back = 0;
    paint(terminal, rows);
}

void terminal_carry_out(uint32_t terminal)
{
    terminal_flush(&terminal_pending);
    if (terminal_pending.rows_changed != 0) {
        paint_change(terminal_object(terminal), terminal_pending.rows_changed);
        terminal_pending.rows_changed = 0;
    }
    if (terminal_pending.readable) {
        terminal_pending.readable = false;
        terminal_wake_readers();
    }
}

void terminal_scroll(const struct terminal *terminal, int32_t pages)
{
    int32_t lines = (int32_t)scrolled_back + pages * (int32_t)(TERMINAL_ROWS / 2);

    if (lines < 0) {
        lines = 0;
    }
    scrolled_back = (uint32_t)lines < terminal->history ? (uint32_t)lines : terminal->history;
    paint(terminal, TERMINAL_ALL_ROWS);
}

void terminal_show(const struct terminal *terminal)
{
    paint(terminal, TERMINAL_ALL_ROWS);
    vga_show(VGA_TERMINAL);
}

/* Messages about programs ------------------------------------------------------------------------------------------ */

static void output_text(uint32_t terminal, const char *text)
{
    for (; *text != 0; text++) {
        terminal_output(terminal_object(terminal), &terminal_pending, (uint8_t)*text);
    }
}

void terminal_say(uint32_t terminal, const char *format, ...)
{
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
