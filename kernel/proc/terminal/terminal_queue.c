/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of a terminal's input, and its readers.
 *
 * It is one ring of cells, each a byte and marks. In canonical mode the bytes behind the last mark are the line being
 * typed, which can still be edited; a mark makes everything up to it readable. In the other modes every byte is
 * readable at once.
 */
#include "linux/linux_terminal.h"
#include "log.h"
#include "terminal_line.h"
#include "terminal_object.h"
#include <string.h>

void terminal_create(struct terminal *terminal, uint32_t rows, uint32_t columns)
{
    memset(terminal, 0, sizeof(*terminal));
    terminal->settings = (struct linux_termios){
        .input_flags = ICRNL | IUTF8,
        .output_flags = OPOST | ONLCR,
        .control_flags = B38400 | CS8 | CREAD | CLOCAL,
        .local_flags = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .characters = {[VINTR] = 3,
                       [VQUIT] = 28,
                       [VERASE] = 127,
                       [VKILL] = 21,
                       [VEOF] = 4,
                       [VMIN] = 1,
                       [VSTART] = 17,
                       [VSTOP] = 19,
                       [VSUSP] = 26,
                       [VREPRINT] = 18,
                       [VDISCARD] = 15,
                       [VWERASE] = 23,
                       [VLNEXT] = 22},
    };
    terminal_screen_create(terminal, rows, columns);
}

uint16_t *terminal_cell(struct terminal *terminal, uint32_t index)
{
    return &terminal->input[(terminal->input_start + index) % TERMINAL_INPUT_MAX];
}

static bool input_is_sound(const struct terminal *terminal)
{
    uint32_t ends = 0;

    if (terminal->input_start >= TERMINAL_INPUT_MAX || terminal->input_length > TERMINAL_INPUT_MAX ||
        terminal->line_length > terminal->input_length) {
        return false;
    }
    for (uint32_t i = 0; i < terminal->input_length; i++) {
        bool marked = has(terminal->input[(terminal->input_start + i) % TERMINAL_INPUT_MAX], TERMINAL_INPUT_END);
        if (marked && i >= terminal->input_length - terminal->line_length) {
            return false;
        }
        ends += marked;
    }
    return ends == terminal->line_ends;
}

static bool outbox_is_sound(const struct terminal_outbox *outbox)
{
    return outbox->written <= UINT64_MAX / 2 && outbox->released <= outbox->written &&
           outbox->written - outbox->released <= TERMINAL_OUTBOX_BYTES;
}

enum error terminal_validate(const struct terminal *terminal)
{
    bool is_sound =
        input_is_sound(terminal) && terminal_screen_is_sound(terminal) && outbox_is_sound(&terminal->outbox);

    return is_sound ? OK : ERROR_FORMAT_DAMAGED;
}

/* The queue -------------------------------------------------------------------------------------------------------- */

void terminal_push(struct terminal *terminal, uint8_t byte, uint16_t marks)
{
    *terminal_cell(terminal, terminal->input_length) = byte | marks;
    terminal->input_length++;
    if (marks != 0) {
        terminal->line_ends++;
        terminal->line_length = 0;
    } else if (is_canonical(terminal)) {
        terminal->line_length++;
    }
}

/* Take the oldest cell off the queue, which is not empty. */
static uint16_t pop(struct terminal *terminal)
{
    uint16_t cell = *terminal_cell(terminal, 0);

    terminal->input_start = (terminal->input_start + 1) % TERMINAL_INPUT_MAX;
    terminal->input_length--;
    terminal->line_ends -= has(cell, TERMINAL_INPUT_END);
    if (terminal->line_length > terminal->input_length) {
        terminal->line_length = terminal->input_length;
    }
    return cell;
}

void terminal_flush_input(struct terminal *terminal)
{
    terminal->input_start = 0;
    terminal->input_length = 0;
    terminal->line_length = 0;
    terminal->line_ends = 0;
    terminal->literal_next = 0;
}

/* Readers ---------------------------------------------------------------------------------------------------------- */

static void take_line(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length)
{
    while (*length < capacity) {
        uint16_t cell = pop(terminal);
        if (has(cell, TERMINAL_INPUT_EOF)) {
            return;
        }
        bytes[(*length)++] = (uint8_t)cell;
        if (has(cell, TERMINAL_INPUT_END)) {
            return;
        }
    }
    /* An end of file right behind the last byte ended this line; it must not look like one of its own. */
    if (*length > 0 && terminal->input_length > 0 && has(*terminal_cell(terminal, 0), TERMINAL_INPUT_EOF)) {
        (void)pop(terminal);
    }
}

static void take_bytes(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length)
{
    while (*length < capacity && terminal->input_length > 0) {
        uint16_t cell = pop(terminal);
        if (!has(cell, TERMINAL_INPUT_EOF)) {
            bytes[(*length)++] = (uint8_t)cell;
        }
    }
}

/* Bytes that must have been typed before a reader of raw input gets any. With both VMIN and VTIME set, one will do. */
static uint32_t bytes_wanted(const struct terminal *terminal, uint32_t capacity)
{
    uint32_t least = terminal->settings.characters[VMIN];
    uint32_t time = terminal->settings.characters[VTIME];

    if (time > 0) {
        return 1;
    }
    return least < capacity ? least : capacity;
}

enum error terminal_take(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length)
{
    bool ready =
        is_canonical(terminal) ? terminal->line_ends > 0 : terminal->input_length >= bytes_wanted(terminal, capacity);

    if (!ready) {
        return ERROR_BUSY;
    }
    *length = 0;
    if (is_canonical(terminal)) {
        take_line(terminal, bytes, capacity, length);
    } else {
        take_bytes(terminal, bytes, capacity, length);
    }
    return OK;
}

bool terminal_has_input(const struct terminal *terminal)
{
    if (is_canonical(terminal)) {
        return terminal->line_ends > 0;
    }
    uint32_t wanted = bytes_wanted(terminal, TERMINAL_INPUT_MAX);
    return terminal->input_length >= (wanted > 0 ? wanted : 1);
}

uint32_t terminal_input_ready(const struct terminal *terminal)
{
    return terminal->input_length - (is_canonical(terminal) ? terminal->line_length : 0);
}

void terminal_set_settings(struct terminal *terminal, const struct linux_termios *settings)
{
    bool was_canonical = is_canonical(terminal);

    terminal->settings = *settings;
    if (was_canonical == is_canonical(terminal)) {
        return;
    }
    terminal->line_length = 0;
    if (!was_canonical && terminal->input_length > 0 &&
        !has(*terminal_cell(terminal, terminal->input_length - 1), TERMINAL_INPUT_END)) {
        *terminal_cell(terminal, terminal->input_length - 1) |= TERMINAL_INPUT_END;
        terminal->line_ends++;
    }
}
