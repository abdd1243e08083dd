/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal as programs meet it: output and input. (Who gets the input:
 * terminal_foreground.c.)
 *
 * Whatever changes the object collects what is to be done outside, and has it done before anything can sleep
 * (terminal_effects.c). What is typed comes from console.c.
 */
#include "terminal.h"
#include "atomic.h"
#include "console_stream.h"
#include "linux/linux_terminal.h"
#include "log.h"
#include "task/task.h"
#include "terminal_console.h"
#include "terminal_use.h"
#include "watch.h"

#define STREAM_PER_BYTE   8u /* most bytes of stream that one byte of output makes */
#define NS_PER_DECISECOND 100000000u

_Static_assert(sizeof(struct terminal) <= TERMINAL_RECORD_BYTES, "a terminal fits its record");

/* Output ----------------------------------------------------------------------------------------------------------- */

bool terminal_is_writable(struct terminal_id terminal)
{
    (void)terminal;
    return stream_room() >= STREAM_PER_BYTE;
}

uint32_t terminal_write(struct terminal_id terminal, const uint8_t *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    uint32_t taken = 0;
    uint32_t piece;

    do {
        piece = stream_room() / STREAM_PER_BYTE;
        piece = piece < length - taken ? piece : length - taken;
        if (piece > 0) {
            program_call_commit();
        }
        for (uint32_t i = 0; i < piece; i++) {
            terminal_output(terminal_object(terminal), &terminal_pending, bytes[taken + i]);
        }
        taken += piece;
        terminal_flush(&terminal_pending);
    } while (piece > 0 && taken < length);
    terminal_carry_out(terminal);
    return taken;
}

enum error terminal_wait_writable(struct terminal_id terminal)
{
    (void)terminal;
    return stream_wait_for_room(STREAM_PER_BYTE, true);
}

/* Input ------------------------------------------------------------------------------------------------------------ */

bool terminal_is_foreground(struct terminal_id terminal, struct program_id program)
{
    return terminal_foreground(terminal).number == program_at(program)->process_group.number;
}

bool terminal_stops_writers(struct terminal_id terminal)
{
    return (terminal_object(terminal)->settings.local_flags & TOSTOP) != 0;
}

enum error terminal_read(struct terminal_id terminal, struct program_id program, uint8_t *bytes, uint32_t capacity,
                         uint32_t *length)
{
    DOES_NOT_SLEEP();
    if (!terminal_is_foreground(terminal, program)) {
        return ERROR_BUSY;
    }
    enum error error = terminal_take(terminal_object(terminal), bytes, capacity, length);
    if (error == OK) {
        program_call_commit();
        terminal_wake_readers();
    }
    return error;
}

bool terminal_is_readable(struct terminal_id terminal, struct program_id program)
{
    return terminal_is_foreground(terminal, program) && terminal_has_input(terminal_object(terminal));
}

enum error terminal_wait_readable(struct terminal_id terminal, struct program_id program, uint64_t deadline_boot_ns)
{
    enum error error = OK;

    while (error == OK && !terminal_is_readable(terminal, program)) {
        error = terminal_sleep(deadline_boot_ns);
    }
    return error;
}

uint64_t terminal_read_limit_ns(struct terminal_id terminal)
{
    const struct linux_termios *settings = &terminal_object(terminal)->settings;
    bool limited = (settings->local_flags & ICANON) == 0 && settings->characters[VMIN] == 0;

    return limited ? (uint64_t)settings->characters[VTIME] * NS_PER_DECISECOND : 0;
}
