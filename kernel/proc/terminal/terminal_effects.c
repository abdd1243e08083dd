/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change of a terminal object asks for outside: bytes for the serial line, rows for the screen, readers to wake,
 * signals; and messages of the kernel that are not part of the object.
 */
#include "console_stream.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "serial.h"
#include "signal/signal.h"
#include "terminal.h"
#include "terminal_console.h"
#include "vga.h"
#include <string.h>

_Static_assert(TERMINAL_ROWS == VGA_ROWS && TERMINAL_COLUMNS == VGA_COLUMNS, "the object is as large as the screen");

static void send_of_object(const uint8_t *bytes, uint32_t length);

struct terminal_effects terminal_pending = {.send = send_of_object};

static uint32_t scrolled_back; /* lines of history the screen shows above the present */
static bool mid_line;          /* the stream's last byte ended no line */

static void send_of_object(const uint8_t *bytes, uint32_t length)
{
    mid_line = length > 0 ? bytes[length - 1] != '\n' : mid_line;
    stream_send(bytes, length);
}

/* What is not part of the object waits for nothing. */
static void send_message(const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    uint32_t sent = serial_write((const uint8_t *)text, length);

    if (sent < length) {
        serial_drain();
        (void)serial_write((const uint8_t *)text + sent, length - sent);
    }
}

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
    if (terminal_pending.signal != 0) {
        uint32_t signal = terminal_pending.signal;
        terminal_pending.signal = 0;
        bool is_switch = signal == SIGTSTP && terminal_switch(terminal);
        if (!is_switch && signal_send_group(terminal_foreground(terminal), signal) != OK) {
            log_line("terminal: nobody is there for signal %u", signal);
        }
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

void console_say(const char *format, ...)
{
    char line[TERMINAL_MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)kernel_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log_line("%s", line);
    if (mid_line) {
        send_message("\r\n");
        mid_line = false;
    }
    send_message(line);
    send_message("\r\n");
}
