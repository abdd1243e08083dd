/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line discipline of a terminal: what becomes of bytes that are typed.
 *
 * A byte is obeyed (it edits the line, ends it, or raises a signal) or queued (terminal_queue.c), and it is echoed the
 * way output goes.
 */
#include "terminal_line.h"
#include "linux/linux_abi.h"
#include "linux/linux_terminal.h"
#include "log.h"
#include "terminal_object.h"

#define ERASE_ECHO_MAX 1024u /* columns: a longer line is abandoned with a newline instead of wiped out */

/* Whether a byte is the control character of a function; 0 in the settings switches a function off. */
static bool is_character(const struct terminal *terminal, enum termios_character function, uint8_t byte)
{
    return byte != 0 && terminal->settings.characters[function] == byte;
}

/* Echo ------------------------------------------------------------------------------------------------------------- */

static bool echoes_as_two(const struct terminal *terminal, uint8_t byte)
{
    return has(terminal->settings.local_flags, ECHOCTL) && is_control(byte) && byte != '\t' && byte != '\n';
}

static void echo(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    bool wanted = has(terminal->settings.local_flags, ECHO) ||
                  (byte == '\n' && is_canonical(terminal) && has(terminal->settings.local_flags, ECHONL));

    if (!wanted) {
        return;
    }
    if (echoes_as_two(terminal, byte)) {
        terminal_output(terminal, effects, '^');
        terminal_output(terminal, effects, byte ^ 0x40u);
    } else {
        terminal_output(terminal, effects, byte);
    }
}

static void echo_backwards(struct terminal *terminal, struct terminal_effects *effects, uint32_t columns)
{
    while (columns-- > 0) {
        terminal_output(terminal, effects, '\b');
        terminal_emit(terminal, effects, ' ');
        terminal_emit(terminal, effects, '\b');
    }
}

/* The output column behind the first `count` bytes of the line being typed. */
static uint32_t column_behind(struct terminal *terminal, uint32_t count)
{
    uint32_t first = terminal->input_length - terminal->line_length;
    uint32_t column = terminal->line_column;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)*terminal_cell(terminal, first + i);
        if (byte == '\t') {
            column += TAB_COLUMNS - column % TAB_COLUMNS;
        } else if (echoes_as_two(terminal, byte)) {
            column += 2;
        } else {
            column += !is_control(byte) && !is_continuation(byte);
        }
    }
    return column;
}

/* Editing the line ------------------------------------------------------------------------------------------------- */

/* Shorten the line to its first `keep` bytes, on the screen too. */
static void shorten_line(struct terminal *terminal, struct terminal_effects *effects, uint32_t keep)
{
    uint32_t before = column_behind(terminal, terminal->line_length);
    uint32_t after = column_behind(terminal, keep);

    terminal->input_length -= terminal->line_length - keep;
    terminal->line_length = keep;
    if (has(terminal->settings.local_flags, ECHO) && has(terminal->settings.local_flags, ECHOE)) {
        echo_backwards(terminal, effects, before - after);
    }
}

static void erase_character(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t keep = terminal->line_length;
    uint32_t first = terminal->input_length - terminal->line_length;

    if (keep == 0) {
        return;
    }
    do {
        keep--;
    } while (keep > 0 && has(terminal->settings.input_flags, IUTF8) &&
             is_continuation((uint8_t)*terminal_cell(terminal, first + keep)));
    shorten_line(terminal, effects, keep);
}

static void erase_word(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t keep = terminal->line_length;
    uint32_t first = terminal->input_length - terminal->line_length;

    while (keep > 0 && (uint8_t)*terminal_cell(terminal, first + keep - 1) <= ' ') {
        keep--;
    }
    while (keep > 0 && (uint8_t)*terminal_cell(terminal, first + keep - 1) > ' ') {
        keep--;
    }
    shorten_line(terminal, effects, keep);
}

static void kill_line(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t flags = terminal->settings.local_flags;
    uint32_t width = column_behind(terminal, terminal->line_length) - terminal->line_column;

    if (has(flags, ECHOKE) && has(flags, ECHOE) && width <= ERASE_ECHO_MAX) {
        shorten_line(terminal, effects, 0);
        return;
    }
    terminal->input_length -= terminal->line_length;
    terminal->line_length = 0;
    if (has(flags, ECHO) && has(flags, ECHOK)) {
        terminal_output(terminal, effects, '\n');
    }
}

static void reprint_line(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t first = terminal->input_length - terminal->line_length;

    echo(terminal, effects, terminal->settings.characters[VREPRINT]);
    terminal_output(terminal, effects, '\n');
    terminal->line_column = terminal->output_column;
    for (uint32_t i = 0; i < terminal->line_length && i < ERASE_ECHO_MAX; i++) {
        echo(terminal, effects, (uint8_t)*terminal_cell(terminal, first + i));
    }
}

/* Input ------------------------------------------------------------------------------------------------------------ */

/* An ordinary byte. The last cell of the queue is kept for the end of a line. */
static void queue_byte(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if (terminal->input_length >= TERMINAL_INPUT_MAX - 1) {
        terminal_output(terminal, effects, '\a');
        return;
    }
    if (terminal->line_length == 0) {
        terminal->line_column = terminal->output_column;
    }
    terminal_push(terminal, byte, 0);
    echo(terminal, effects, byte);
    effects->readable |= !is_canonical(terminal);
}

static void end_line(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte, uint16_t marks)
{
    if (terminal->input_length >= TERMINAL_INPUT_MAX) {
        terminal_output(terminal, effects, '\a');
        return;
    }
    terminal_push(terminal, byte, marks);
    effects->readable = true;
    if ((marks & TERMINAL_INPUT_EOF) == 0) {
        echo(terminal, effects, byte);
    }
}

static uint32_t signal_of(const struct terminal *terminal, uint8_t byte)
{
    if (!has(terminal->settings.local_flags, ISIG)) {
        return 0;
    }
    if (is_character(terminal, VINTR, byte)) {
        return SIGINT;
    }
    if (is_character(terminal, VQUIT, byte)) {
        return SIGQUIT;
    }
    return is_character(terminal, VSUSP, byte) ? SIGTSTP : 0;
}

bool terminal_accepts(const struct terminal *terminal, uint8_t byte)
{
    bool has_room = terminal->input_length < TERMINAL_INPUT_MAX - 1;

    return has_room || signal_of(terminal, byte) != 0 || (is_canonical(terminal) && terminal->line_ends == 0);
}

static void raise_signal(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte, uint32_t signal)
{
    if (!has(terminal->settings.local_flags, NOFLSH)) {
        terminal_flush_input(terminal);
    }
    echo(terminal, effects, byte);
    effects->signal = signal;
}

static void input_canonical(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    bool extended = has(terminal->settings.local_flags, IEXTEN);

    if (byte == '\n' || is_character(terminal, VEOL, byte) || (extended && is_character(terminal, VEOL2, byte))) {
        end_line(terminal, effects, byte, TERMINAL_INPUT_END);
    } else if (is_character(terminal, VEOF, byte)) {
        end_line(terminal, effects, byte, TERMINAL_INPUT_END | TERMINAL_INPUT_EOF);
    } else if (is_character(terminal, VERASE, byte)) {
        erase_character(terminal, effects);
    } else if (is_character(terminal, VKILL, byte)) {
        kill_line(terminal, effects);
    } else if (extended && is_character(terminal, VWERASE, byte)) {
        erase_word(terminal, effects);
    } else if (extended && is_character(terminal, VREPRINT, byte)) {
        reprint_line(terminal, effects);
    } else if (extended && is_character(terminal, VLNEXT, byte)) {
        terminal->literal_next = 1;
    } else {
        queue_byte(terminal, effects, byte);
    }
}

void terminal_input(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    uint32_t flags = terminal->settings.input_flags;

    if (has(flags, ISTRIP)) {
        byte &= 0x7Fu;
    }
    if (terminal->literal_next != 0) {
        terminal->literal_next = 0;
        queue_byte(terminal, effects, byte);
        return;
    }
    if (byte == '\r' && has(flags, IGNCR)) {
        return;
    }
    if (byte == '\r' && has(flags, ICRNL)) {
        byte = '\n';
    } else if (byte == '\n' && has(flags, INLCR)) {
        byte = '\r';
    }
    uint32_t signal = signal_of(terminal, byte);
    if (signal != 0) {
        raise_signal(terminal, effects, byte, signal);
    } else if (is_canonical(terminal)) {
        input_canonical(terminal, effects, byte);
    } else {
        queue_byte(terminal, effects, byte);
    }
}
