/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot-time setting of the clock, and the calendar chip behind it.
 */
#ifndef I386_CLOCK_INTERNAL_H
#define I386_CLOCK_INTERNAL_H

#include "types.h"

/* Measures the rate of the processor's time stamps; takes a few milliseconds. */
void clock_initialise(void);

/* Seconds of UTC since 1970 from the calendar chip; waits out an update in progress (up to 2 ms). */
uint64_t calendar_seconds(void);

/* Ticks since clock_start(). */
uint32_t clock_ticks(void);

/* Nanoseconds from one tick to the next, as the timer is set at present. */
uint32_t clock_tick_ns(void);

/*
 * Call `second` once, in interrupt context, when the calendar's next second begins, with that second.
 */
void calendar_watch(void (*second)(uint64_t seconds));

#endif
