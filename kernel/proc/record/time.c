/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks of programs: the monotonic clock of the object space over the machine's clock of this boot.
 */
#include "arch/clock.h"
#include "atomic.h"
#include "program_time.h"
#include "system_state.h"

/* What to add to the machine's clock of this boot; wraps below zero where the space is younger than the boot. Volatile.
 */
static uint64_t monotonic_base_ns;

void time_resume(void)
{
    monotonic_base_ns = system_state.monotonic_ns - clock_boot_ns();
}

void time_capture(void)
{
    DOES_NOT_SLEEP();
    system_state.monotonic_ns = time_monotonic_ns();
}

uint64_t time_monotonic_ns(void)
{
    return monotonic_base_ns + clock_boot_ns();
}

uint64_t time_boot_deadline_ns(uint64_t monotonic_ns)
{
    uint64_t now_monotonic = time_monotonic_ns();

    if (monotonic_ns <= now_monotonic) {
        return 0;
    }
    uint64_t ahead = monotonic_ns - now_monotonic;
    uint64_t now = clock_boot_ns();
    return ahead < UINT64_MAX - now ? now + ahead : UINT64_MAX;
}
