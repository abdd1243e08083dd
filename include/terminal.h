/*
 * The console as a terminal object in the object space: line discipline, screen contents, scrollback, cursor.
 *
 * The object persists; the screen is painted from it after a boot. Its other mouth, the serial line, is a stream: bytes
 * that programs write go there once, as they are written, and nothing is replayed.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "error.h"
#include "thread.h"
#include "types.h"

/* Make the terminal's records and attach keyboard, screen and serial line. `resumed`: the records persisted. */
MUST_CHECK enum error terminal_start(bool resumed);

/*
 * Write bytes for a program: into the object, onto the screen and the serial line.
 * - returns how many were taken (0 .. length) without sleeping: as many as the serial line has room for.
 */
uint32_t terminal_write(uint32_t terminal, const uint8_t *bytes, uint32_t length);

/* Sleep until terminal_write() would take something. Interruptible. */
MUST_CHECK enum error terminal_wait_writable(uint32_t terminal);

/*
 * Take what a program may read: a line (canonical mode) or what has been typed.
 * - returns ERROR_BUSY when there is nothing yet; *length becomes the bytes taken, 0 at end of file.
 * - does not sleep.
 */
MUST_CHECK enum error terminal_read(uint32_t terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length);

/* Sleep until terminal_read() would not answer ERROR_BUSY, or deadline. Interruptible. */
MUST_CHECK enum error terminal_wait_readable(uint32_t terminal, uint64_t deadline_boot_ns);

/* ioctl requests of terminals (TCGETS, TCSETS*, TIOCGWINSZ, FIONREAD, ...): returns 0 or a negative Linux errno. */
int32_t terminal_ioctl(uint32_t terminal, uint32_t request, uint32_t argument);

/* A line from the kernel to the people at the console, on screen and serial line, not part of the object. */
void console_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
