/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console as a terminal object in the object space: line discipline, screen contents, scrollback, cursor.
 *
 * The object persists; the screen is painted from it after a boot. Its other mouth, the serial line, is a stream: bytes
 * that programs write go there once, as they are written. If a terminal is at its end, that is painted after a boot,
 * too, and the object has its size; otherwise nothing is replayed. Input comes from both.
 *
 * Here is what the life of a boot does with it. (The object itself: kernel/proc/terminal/terminal_object.h.)
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "error.h"
#include "types.h"

/* Room for one terminal in its record table: a multiple of PAGE_SIZE. */
#define TERMINAL_RECORD_BYTES (160u * 1024u)

/* What is at the end of the serial line: a terminal of some size, or, with zeroes, something unknown. */
struct terminal_window {
    uint32_t rows, columns;
};

/*
 * Make the first terminal's record, of the size of the window or of a PC's screen. May sleep.
 * - resumed: the record persisted, and its size with it; ERROR_FORMAT_DAMAGED: it is not sound.
 */
MUST_CHECK enum error terminal_start(bool resumed, struct terminal_window window);

/*
 * After a boot that has resumed: show the terminal as it was, in the size that the window has now, with a line of news
 * in it or, where there is no place for that, before it. No program runs yet.
 */
void terminal_show_again(const char *news);

/* Attach keyboard and serial line; programs are told if the size is another one than it was. */
void terminal_attach(void);

/*
 * A line from the kernel to the people at the console: on the serial line and in the log. Not part of the object; works
 * before terminal_start().
 */
void console_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
