/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: a terminal as programs meet it, by its index: bytes in and out, who gets the input, messages.
 *
 * What is typed goes to the programs of the foreground process group. When they are gone, another one takes their place
 * (terminal_foreground.c).
 */
#ifndef TERMINAL_USE_H
#define TERMINAL_USE_H

#include "error.h"
#include "types.h"
#include "watch.h"

/* Give the terminal to a process group: what is typed from now on is for it. */
void terminal_set_foreground(struct terminal_id terminal, struct group_id process_group);

/*
 * A program that the kernel has started has the terminal from now on; if it takes it from another one, a line says so.
 */
void terminal_begin_session(struct terminal_id terminal, struct program_id program);

/*
 * The suspend character was typed. If the program in front was started by the kernel, so that nobody could take it up
 * again, and there is another such one, that has the terminal now: true, and a line says so.
 */
bool terminal_switch(struct terminal_id terminal);

/* The process group that gets the input: the one it was given to, or its heir's once that is gone; 0: none. */
struct group_id terminal_foreground(struct terminal_id terminal);

/* Let all waiters for input look again: the settings changed, a program ended. Does not sleep. */
void terminal_wake_readers(void);

/*
 * Write bytes for a program: into the object, onto the screen and the serial line.
 * - returns how many were taken (0 .. length) without sleeping: as many as the serial line has room for.
 */
uint32_t terminal_write(struct terminal_id terminal, const uint8_t *bytes, uint32_t length);
bool terminal_is_writable(struct terminal_id terminal);

/* Sleep until terminal_write() would take something. Interruptible. */
MUST_CHECK enum error terminal_wait_writable(struct terminal_id terminal);

/*
 * Take what a program may read: a line (canonical mode) or what has been typed.
 * - returns ERROR_BUSY when there is nothing yet, or the program is not in the foreground; *length becomes the bytes
 *   taken, 0 at end of file.
 * - does not sleep.
 */
MUST_CHECK enum error terminal_read(struct terminal_id terminal, struct program_id program, uint8_t *bytes,
                                    uint32_t capacity, uint32_t *length);

/* Whether a program's group is the one in front. */
bool terminal_is_foreground(struct terminal_id terminal, struct program_id program);

/* Whether programs whose group is not in front may not write to it either (TOSTOP). */
bool terminal_stops_writers(struct terminal_id terminal);

bool terminal_is_readable(struct terminal_id terminal, struct program_id program);

/* Sleep until terminal_read() would not answer ERROR_BUSY, or deadline. Interruptible. */
MUST_CHECK enum error terminal_wait_readable(struct terminal_id terminal, struct program_id program,
                                             uint64_t deadline_boot_ns);

/* Watch for what terminal_wait_readable() waits for (watch.h). The caller ends it. */
void terminal_watch(struct terminal_id terminal, struct watch *watch, struct watcher *watcher);

/* How long a read may wait at most before it returns nothing (VMIN 0, VTIME set); 0: without limit. */
uint64_t terminal_read_limit_ns(struct terminal_id terminal);

/* ioctl requests of terminals (TCGETS, TCSETS*, TIOCGWINSZ, FIONREAD, ...): returns 0 or a negative Linux errno. */
int32_t terminal_ioctl(struct terminal_id terminal, uint32_t request, uint32_t argument);

/* A line from the kernel about a program, as part of the terminal's contents, and on the serial line. Does not sleep.
 */
void terminal_say(struct terminal_id terminal, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
