/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks of programs: those of the object space over the machine's clocks of this boot.
 */
#include "arch/clock.h"
#include "atomic.h"
#include "program_time.h"
#include "system_state.h"

/* What to add to the machine's clock of this boot; wraps below zero where the space is younger than the boot. Volatile.
 */
static uint64_t monotonic_base_ns;

/* What the clocks showed at the stop that this boot goes on from; wall_ns 0: the whole clock is the monotonic one. */
static struct {
    uint64_t monotonic_ns, wall_ns, whole_ns;
} at_stop;

#define NS_PER_SECOND 1000000000u

void time_resume(void)
{
    monotonic_base_ns = system_state.monotonic_ns - clock_boot_ns();
    at_stop.monotonic_ns = system_state.monotonic_ns;
    at_stop.wall_ns = system_state.wall_ns;
    at_stop.whole_ns = system_state.wall_ns != 0 ? system_state.whole_ns : system_state.monotonic_ns;
}

/* The whole clock when the others show this. */
static uint64_t whole_at(uint64_t monotonic_ns, uint64_t wall_ns)
{
    uint64_t passed = monotonic_ns - at_stop.monotonic_ns;

    if (at_stop.wall_ns != 0 && wall_ns > at_stop.wall_ns && wall_ns - at_stop.wall_ns > passed) {
        passed = wall_ns - at_stop.wall_ns;
    }
    return at_stop.whole_ns + passed;
}

void time_capture(void)
{
    DOES_NOT_SLEEP();
    system_state.monotonic_ns = time_monotonic_ns();
    system_state.wall_ns = clock_wall_ns();
    system_state.whole_ns = whole_at(system_state.monotonic_ns, system_state.wall_ns);
}

uint64_t time_monotonic_ns(void)
{
    return monotonic_base_ns + clock_boot_ns();
}

uint64_t time_whole_ns(void)
{
    return whole_at(time_monotonic_ns(), clock_wall_ns());
}

uint64_t time_of_base_ns(enum time_base base)
{
    return base == TIME_WALL ? clock_wall_ns() : base == TIME_WHOLE ? time_whole_ns() : time_monotonic_ns();
}

uint64_t time_to_look_ns(enum time_base base, uint64_t moment_ns)
{
    uint64_t now = time_monotonic_ns(), now_of_base = time_of_base_ns(base);
    uint64_t left = moment_ns > now_of_base ? moment_ns - now_of_base : 0;

    if (base == TIME_MONOTONIC) {
        return moment_ns > now ? moment_ns : now;
    }
    return now + (left < NS_PER_SECOND ? left : NS_PER_SECOND);
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
