/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal object: what persists of a console, and the portable code that changes it.
 *
 *     programs --> terminal_output()  --+--> terminal_screen_put()   cells, cursor, scrollback
 *     keyboard --> terminal_input() ----+--> the stream              bytes for the serial line
 *                    |  queue of typed bytes, edited line by line
 *     programs <-- terminal_take()
 *
 * The object is plain data in the system window, linked by index. It is changed by threads only, never by interrupts,
 * and nothing here sleeps, so each function is atomic towards snapshots. What must be done outside (paint rows, send
 * bytes, wake readers, send signals) is noted in a struct terminal_effects by the functions and done by their caller.
 *
 *     TERMINAL-1  The cursor and the scroll region lie on the screen.
 *     TERMINAL-2  input_length counts what is queued; line_length of it, at the end, is a line that is still being
 * typed, and holds no mark; line_ends is the number of marks in the queue. TERMINAL-3  Every field is sound as
 * terminal_validate() says, whatever bytes went through.
 */
#ifndef TERMINAL_OBJECT_H
#define TERMINAL_OBJECT_H

#include "error.h"
#include "linux/linux_terminal.h"
#include "types.h"

#define TERMINAL_ROWS       25u
#define TERMINAL_COLUMNS    80u
#define TERMINAL_LINES      512u  /* screen and scrollback */
#define TERMINAL_INPUT_MAX  4096u /* bytes typed and not yet read; a line has at most one less */
#define TERMINAL_PARAMETERS 8u

#define TERMINAL_OUTBOX_BYTES 16384u /* written and not yet allowed out, see console_stream.h */

/* A cell is a character of code page 437 below its attribute (foreground in bits 0-3, background in 4-6). */
#define TERMINAL_CELL(character, attribute) ((uint16_t)((uint8_t)(character) | (uint16_t)(attribute) << 8))

/* Marks of queued bytes beside the byte itself. */
#define TERMINAL_INPUT_END 0x100u /* a line ends with this byte */
#define TERMINAL_INPUT_EOF 0x200u /* and the byte is not part of it: end of file */

enum terminal_escape {
    ESCAPE_NONE,
    ESCAPE_STARTED,    /* ESC */
    ESCAPE_PARAMETERS, /* ESC [ */
    ESCAPE_STRING,     /* ESC ] and relatives: skipped up to their end */
    ESCAPE_STRING_END, /* the same, after another ESC */
    ESCAPE_CHARSET,    /* ESC ( and relatives: one more byte */
    ESCAPE_STATES
};

struct terminal_cursor {
    uint32_t row, column;
    uint32_t wrap_pending; /* the last column was written: the next character goes to the next line first */
    uint8_t foreground, background, bold, inverse;
};

/* A ring. Positions count all bytes that ever went through; [released, written) are in it. */
struct terminal_outbox {
    uint64_t written, released;
    uint8_t bytes[TERMINAL_OUTBOX_BYTES];
};

struct terminal {
    /* the line discipline */
    struct linux_termios settings;
    uint32_t foreground; /* process group that gets the input */
    uint32_t input_start, input_length, line_length, line_ends;
    uint32_t line_column;  /* output column at which the line being typed began */
    uint32_t literal_next; /* the next byte typed has no special meaning */
    uint32_t output_column;
    uint16_t input[TERMINAL_INPUT_MAX];

    /* the screen */
    struct terminal_cursor cursor, saved_cursor;
    uint32_t region_top, region_bottom; /* rows that scroll: [top, bottom) */
    uint32_t first_line;                /* index in lines[] of the first row of the screen */
    uint32_t history;                   /* lines above it that hold something */
    uint32_t escape;                    /* enum terminal_escape */
    uint32_t parameter_count, parameters_private;
    uint32_t parameters[TERMINAL_PARAMETERS];
    uint32_t cursor_hidden;
    uint32_t code_point, code_bytes_left; /* a character of several bytes (UTF-8) that is not complete */
    uint16_t lines[TERMINAL_LINES][TERMINAL_COLUMNS];

    struct terminal_outbox outbox;
};

#define TERMINAL_ALL_ROWS     ((1u << TERMINAL_ROWS) - 1u)
#define TERMINAL_STREAM_BYTES 512u

/* What the functions below ask their caller to do. Volatile. */
struct terminal_effects {
    uint32_t rows_changed; /* a bit for each row of the screen */
    bool readable;         /* readers may look again */
    uint32_t signal;       /* to the foreground; 0: none */
    uint32_t stream_length;
    uint8_t stream[TERMINAL_STREAM_BYTES];
    void (*send)(const uint8_t *bytes, uint32_t length); /* the stream, when it is full and at terminal_flush() */
};

/* A blank screen, default settings, an empty queue. */
void terminal_create(struct terminal *terminal);

/* TERMINAL-1 to TERMINAL-3 of an object that came from an image. ERROR_FORMAT_DAMAGED. */
MUST_CHECK enum error terminal_validate(const struct terminal *terminal);

/* One byte that a program writes, with output processing: to the screen and the stream. At most 8 bytes of stream. */
void terminal_output(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);
void terminal_flush(struct terminal_effects *effects);

/*
 * One byte typed: queued, echoed, or obeyed.
 * - terminal_accepts(): whether it would be kept; if not, it waits outside, or is dropped with a bell by this function.
 */
bool terminal_accepts(const struct terminal *terminal, uint8_t byte);
void terminal_input(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);

/*
 * Take up to `capacity` bytes for a reader: at most one line in canonical mode.
 * - ERROR_BUSY: there is nothing yet. *length 0 after OK: end of file, or VMIN is 0.
 */
MUST_CHECK enum error terminal_take(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length);
bool terminal_has_input(const struct terminal *terminal);

/* Bytes a reader could take now (FIONREAD). */
uint32_t terminal_input_ready(const struct terminal *terminal);

/* Forget all input. */
void terminal_flush_input(struct terminal *terminal);

/* Change the settings; input that was typed under the old ones is kept. */
void terminal_set_settings(struct terminal *terminal, const struct linux_termios *settings);

/* The screen alone (terminal_screen.c). */
void terminal_screen_create(struct terminal *terminal);
bool terminal_screen_is_sound(const struct terminal *terminal);
void terminal_screen_put(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);
const uint16_t *terminal_screen_row(const struct terminal *terminal, uint32_t row);

/* A row of the screen as it would be scrolled back by `lines`, 0 .. history. */
const uint16_t *terminal_history_row(const struct terminal *terminal, uint32_t row, uint32_t lines);

#endif
