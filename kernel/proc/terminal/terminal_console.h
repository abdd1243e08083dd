/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what the parts of the terminal share: terminal.c, terminal_effects.c, console.c.
 */
#ifndef TERMINAL_CONSOLE_H
#define TERMINAL_CONSOLE_H

#include "error.h"
#include "terminal_object.h"

#define TERMINAL_MESSAGE_MAX 256u /* bytes of a message with its zero byte */

struct terminal *terminal_object(uint32_t terminal);

/* Collects what a change asks for. Empty whenever anything can sleep. */
extern struct terminal_effects terminal_pending;

/* Do what a change of the object asked for. Does not sleep. */
void terminal_carry_out(uint32_t terminal);

/* Paint the whole screen and show it. */
void terminal_show(const struct terminal *terminal);

/* Show earlier (or later) lines, half a screen for each page. The next change ends that. */
void terminal_scroll(const struct terminal *terminal, int32_t pages);

/* Let the console thread look again: the object may have room for input. Callable from interrupts. */
void console_wake(void);

#endif
