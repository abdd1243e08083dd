/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of the kernel, assertions and panic.
 *
 * The log goes to the screen and to the emulator's debug console, not to the serial line: that belongs to the
 * programs. A panic goes everywhere.
 */
#ifndef LOG_H
#define LOG_H

#include "types.h"
#include "error.h"
#include <stdarg.h>

/*
 * One line of the log, without a newline at the end.
 * - format: as printf, with %s %c %d %i %u %x %X %p %llu %lld %llx %zu, width, zero fill and '-' only.
 * - may be called from interrupts; never sleeps; lines over 256 bytes are cut.
 */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Send the log to one more place, from its history on.
 * - sink: takes text, whole lines or pieces of them; called with interrupts disabled, must not sleep or log.
 * - more than 4 sinks are a program error.
 */
typedef void log_sink(const char *text, size_t length);
void log_add_sink(log_sink *sink);

/* As snprintf of C99, with the conversions of log_line(). Provided by the C library in host builds. */
int kernel_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments);
int kernel_snprintf(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * Stop the machine with a report: subsystem, what was expected, what was seen, and a symbolised backtrace.
 * - subsystem: the module's name; format: what was expected and what was seen.
 * - never returns, never sleeps, may be called anywhere; nothing is written to the image but what the keeper writes.
 */
_Noreturn void panic(const char *subsystem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Have something done after the report of a panic, before the machine ends.
 * - keeper: is given what the panic said, "subsystem: text"; returns a line for people, or NULL. Called with interrupts
 *   disabled, in a kernel that nothing is known of: it must not sleep. A panic in it ends the machine.
 */
typedef const char *panic_keeper(const char *text);
void panic_set_keeper(panic_keeper *keeper);

/*
 * End the machine because what it was given cannot be used (too little memory, no such disk, a damaged image): the
 * message on the log, the screen and the serial line, no backtrace, and the emulator told.
 * - format: what is wrong and what the user can do about it.
 */
_Noreturn void log_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* States a program error only, and stays on in release builds. Input of any kind is validated, not asserted. */
#define ASSERT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            panic(__FILE__, "line %d: expected %s", __LINE__, #condition);                                             \
        }                                                                                                              \
    } while (0)

#endif
