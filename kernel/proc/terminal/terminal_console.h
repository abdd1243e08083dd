/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what the parts of the terminal share.
 */
#ifndef TERMINAL_CONSOLE_H
#define TERMINAL_CONSOLE_H

#include "error.h"
#include "record.h"
#include "terminal.h"
#include "terminal_object.h"
#include "thread.h"

#define TERMINAL_MESSAGE_MAX 256u /* bytes of a message with its zero byte */

static inline struct terminal *terminal_object(struct terminal_id terminal)
{
    return record_at(RECORD_TERMINAL, terminal.number);
}

/* Collects what a change asks for. Empty whenever anything can sleep. */
extern struct terminal_effects terminal_pending;

/* Do what a change of the object asked for. Does not sleep. */
void terminal_carry_out(struct terminal_id terminal);

/* Paint the whole screen and show it. */
void terminal_show(const struct terminal *terminal);

/* Show earlier (or later) lines, half a screen for each page. The next change ends that. */
void terminal_scroll(const struct terminal *terminal, int32_t pages);

/* Where the console thread sleeps; woken from interrupts as well, and when the object may have room for input. */
extern struct wait_queue console_work;

/* Sleep until readers are woken. ERROR_TIMED_OUT, ERROR_INTERRUPTED. */
MUST_CHECK enum error terminal_sleep(uint64_t deadline_boot_ns);

/*
 * The serial line's end (terminal_window.c). window_take(): whether a byte that came is one that was typed; the others
 * tell of another size. In interrupt context. window_wish(): such a size, once. window_apply(): make the object that
 * large, and show it again.
 */
void window_start(struct terminal_window window);
bool window_is_terminal(void);
bool window_take(uint8_t byte);
bool window_has_wish(void);
bool window_wish(struct terminal_window *out);
void window_apply(struct terminal_window window);

/* Tell programs of a size that terminal_show_again() has found to be another one. */
void terminal_tell_size(void);

#endif
