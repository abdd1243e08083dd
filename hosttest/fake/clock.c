/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A clock that stands still until a test advances it, and unpredictable bits that are the same in every run.
 */
#include "arch/clock.h"
#include "arch/interrupt.h"
#include "internal.h"

#define WALL_START_NS 1700000000000000000u

uint64_t fake_wall_ahead_ns;
static uint64_t now_ns;
static uint64_t entropy;

void fake_clock_start(void)
{
    now_ns = 0;
    entropy = 0;
}

void fake_clock_advance(uint64_t ns)
{
    now_ns += ns;
    fake_threads_expire(now_ns);
}

uint64_t clock_cycles(void)
{
    return clock_boot_ns();
}

uint64_t clock_cycles_ns(uint64_t cycles)
{
    return cycles;
}

uint64_t clock_boot_ns(void)
{
    return now_ns;
}

uint64_t clock_wall_ns(void)
{
    return WALL_START_NS + fake_wall_ahead_ns + now_ns;
}

uint64_t clock_entropy(void)
{
    return ++entropy * 0x9E3779B97F4A7C15u;
}

/* There are no interrupts to disable. */
bool interrupt_disable(void)
{
    return true;
}

bool interrupt_is_enabled(void)
{
    return false;
}

void interrupt_restore(bool were_enabled)
{
    (void)were_enabled;
}
