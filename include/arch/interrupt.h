/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: interrupts of the one processor.
 *
 * The kernel is not preempted inside itself: an interrupt handler runs to its end, may wake threads, and never
 * sleeps; another thread runs only when the current one sleeps, yields or returns to its program.
 */
#ifndef ARCH_INTERRUPT_H
#define ARCH_INTERRUPT_H

#include "types.h"

/* Disable interrupts and say whether they were enabled; restore what that returned. Pairs may nest. */
bool interrupt_disable(void);
void interrupt_restore(bool were_enabled);

/* For assertions: what interrupt handlers change is changed with interrupts disabled. */
bool interrupt_is_enabled(void);

/* A line's handler runs with interrupts disabled. Several handlers may share one line; all are called. */
typedef void interrupt_handler(void *context);

/*
 * Attach a handler to a line and enable the line.
 * - line: 0 .. 15 as the firmware numbers them. At most 4 handlers a line; more is a program error.
 */
void interrupt_attach(uint32_t line, interrupt_handler *handler, void *context);

/* Enable interrupts and stop the processor until one has been handled. Returns with interrupts enabled. */
void interrupt_wait(void);

#endif
