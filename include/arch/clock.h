/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: time of this boot. What programs see as time is made of it in kernel/proc.
 */
#ifndef ARCH_CLOCK_H
#define ARCH_CLOCK_H

#include "types.h"

#define CLOCK_TICK_HZ 1000u

/* Nanoseconds since boot; never goes back; finer than a tick. */
uint64_t clock_boot_ns(void);

/* What the processor counts, at a rate of its own: the cheapest clock, for differences. Never goes back. */
uint64_t clock_cycles(void);
uint64_t clock_cycles_ns(uint64_t cycles);

/* Nanoseconds of UTC since 1970, from the machine's calendar clock and clock_boot_ns(). */
uint64_t clock_wall_ns(void);

/* `tick` is called CLOCK_TICK_HZ times a second, in interrupt context, while the processor is busy. */
void clock_start(void (*tick)(void));

/*
 * The processor is about to wait for an interrupt, and nobody needs a tick before `deadline_ns` of clock_boot_ns().
 * Once it has been idle for some ticks the next one may come as late as then, or as late as the timer can.
 * - interrupts disabled.
 */
void clock_idle(uint64_t deadline_ns);

/* It has work again: ticks come regularly. Interrupts disabled. */
void clock_busy(void);

/* Bits nobody can predict, from the processor's generator if it has one, from timing jitter otherwise. */
uint64_t clock_entropy(void);

#endif
