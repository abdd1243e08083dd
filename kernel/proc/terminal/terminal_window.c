/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal at the end of the serial line: how large it is, and what it shows after a boot.
 *
 * Who attaches it says its size on the kernel's command line (window=), and later ones on the line itself, as telnet
 * has it: IAC SB NAWS, columns and rows in 16 bits each, IAC SE (RFC 855, RFC 1073); a byte of 255 among those typed,
 * or in a size, is sent twice. Without window= every byte is one that was typed.
 */
#include "arch/interrupt.h"
#include "console_stream.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "signal/signal.h"
#include "terminal.h"
#include "terminal_console.h"
#include "terminal_use.h"

#define IAC  255u /* interpret as command */
#define SB   250u
#define SE   240u
#define NAWS 31u

#define SIZE_BYTES 4u

static struct terminal_window attached; /* as it was said first; zeroes: no terminal */
static bool tells_programs;             /* the size has changed, and they have not been told */

/* What has come of a size; changed with interrupts disabled. */
static struct {
    enum { TYPED, COMMAND, SIZE, SIZE_COMMAND, SKIPPED, SKIPPED_COMMAND } state;
    uint32_t count;
    uint8_t bytes[SIZE_BYTES];
    bool has_wish;
    struct terminal_window wish;
} line;

void window_start(struct terminal_window window)
{
    attached = window;
}

bool window_is_terminal(void)
{
    return attached.rows != 0;
}

/* Reading sizes ---------------------------------------------------------------------------------------------------- */

static void take_size_byte(uint8_t byte)
{
    if (line.count < SIZE_BYTES) {
        line.bytes[line.count] = byte;
    }
    line.count++;
    line.state = SIZE;
}

static void end_size(uint8_t byte)
{
    uint32_t columns = (uint32_t)line.bytes[0] << 8 | line.bytes[1];
    uint32_t rows = (uint32_t)line.bytes[2] << 8 | line.bytes[3];

    line.state = TYPED;
    if (byte == SE && line.count == SIZE_BYTES && columns != 0 && rows != 0) {
        line.wish = (struct terminal_window){.rows = rows, .columns = columns};
        line.has_wish = true;
    }
}

bool window_take(uint8_t byte)
{
    if (!window_is_terminal()) {
        return true;
    }
    switch (line.state) {
    case TYPED:
        line.state = byte == IAC ? COMMAND : TYPED;
        return byte != IAC;
    case COMMAND:
        line.state = byte == SB ? SKIPPED : TYPED;
        line.count = 0;
        return byte == IAC;
    case SKIPPED: /* the first byte says what of */
        line.state = byte == IAC ? SKIPPED_COMMAND : byte == NAWS && line.count == 0 ? SIZE : SKIPPED;
        line.count += line.state == SKIPPED;
        return false;
    case SKIPPED_COMMAND:
        line.state = byte == SE ? TYPED : SKIPPED;
        line.count = 1;
        return false;
    case SIZE:
        if (byte == IAC) {
            line.state = SIZE_COMMAND;
        } else {
            take_size_byte(byte);
        }
        return false;
    default:
        if (byte == IAC) {
            take_size_byte(byte);
        } else {
            end_size(byte);
        }
        return false;
    }
}

bool window_has_wish(void)
{
    return line.has_wish;
}

bool window_wish(struct terminal_window *out)
{
    bool enabled = interrupt_disable();
    bool had_wish = line.has_wish;

    *out = line.wish;
    line.has_wish = false;
    interrupt_restore(enabled);
    return had_wish;
}

/* Sizes ------------------------------------------------------------------------------------------------------------ */

static bool resize(struct terminal_window window)
{
    terminal_clip_size(&window.rows, &window.columns);
    return terminal_resize(terminal_object(CONSOLE), &terminal_pending, window.rows, window.columns);
}

static void tell_programs(void)
{
    struct group_id group = terminal_foreground(CONSOLE);

    if (group.number != 0 && signal_send_group(group, SIGWINCH) != OK) {
        log_line("terminal: nobody is there to be told of its size");
    }
}

/* Terminals have ideas of their own about what to show in another size: this is that of the object. */
void window_apply(struct terminal_window window)
{
    if (resize(window)) {
        if (!stream_is_held()) {
            terminal_repaint(terminal_object(CONSOLE), false, stream_send_at_once);
        }
        terminal_carry_out(CONSOLE);
        tell_programs();
    }
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

/* What has been written is in the object, and so durable: none of it is shown a second time. */
static void show_on_line(void)
{
    struct terminal *terminal = terminal_object(CONSOLE);

    terminal_repaint(terminal, true, stream_send_at_once);
    terminal->outbox.released = terminal->outbox.written;
}

/* A PC's screen has the news among its cells, too: somebody may sit before it, whatever is at the end of the line. */
void terminal_show_again(const char *news)
{
    const struct terminal_window screen = {.rows = TERMINAL_ROWS, .columns = TERMINAL_COLUMNS};

    tells_programs = resize(window_is_terminal() ? attached : screen);
    bool has_place = terminal_insert_line(terminal_object(CONSOLE), &terminal_pending, news);
    if (window_is_terminal() && has_place) {
        log_line("%s", news);
    } else {
        console_say("%s", news);
    }
    if (window_is_terminal()) {
        show_on_line();
    }
    terminal_carry_out(CONSOLE);
}

void terminal_tell_size(void)
{
    if (tells_programs) {
        tells_programs = false;
        tell_programs();
    }
}
