/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what the parts of the terminal share.
 */
#ifndef TERMINAL_CONSOLE_H
#define TERMINAL_CONSOLE_H

#include "error.h"
#include "record.h"
#include "terminal_object.h"
#include "thread.h"

#define TERMINAL_MESSAGE_MAX 256u /* bytes of a message with its zero byte */

static inline struct terminal *terminal_object(uint32_t terminal)
{
    return record_at(RECORD_TERMINAL, terminal);
}

/* Collects what a change asks for. Empty whenever anything can sleep. */
extern struct terminal_effects terminal_pending;

/* Do what a change of the object asked for. Does not sleep. */
void terminal_carry_out(uint32_t terminal);

/* Paint the whole screen and show it. */
void terminal_show(const struct terminal *terminal);

/* Show earlier (or later) lines, half a screen for each page. The next change ends that. */
void terminal_scroll(const struct terminal *terminal, int32_t pages);

/* Where the console thread sleeps; woken from interrupts as well, and when the object may have room for input. */
extern struct wait_queue console_work;

/* Sleep until readers are woken. ERROR_TIMED_OUT, ERROR_INTERRUPTED. */
MUST_CHECK enum error terminal_sleep(uint64_t deadline_boot_ns);

#endif
