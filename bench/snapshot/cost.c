/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a snapshot costs beside its stop: instructions a page from stop to commit, and the faults of a program that
 * writes while it runs.
 *
 * A thread that does nothing but count its own cycles fills the time in which nobody else runs, so that what is left is
 * the work of the snapshot, interrupts included.
 */
#include "arch/clock.h"
#include "rig.h"
#include "selftest.h"
#include "snap.h"
#include "store.h"
#include "thread.h"
#include "vm_snapshot.h"
#include <string.h>

#define SPACE         1u
#define FAULT_PAGES   32768u
#define WRITES_A_TICK 32u
#define SAMPLES_MAX   65536u
#define FAULT_CYCLES  400u /* what takes less was no fault */
#define NS_A_TICK     (1000000000u / CLOCK_TICK_HZ)

/* Idle time -------------------------------------------------------------------------------------------------------- */

static uint64_t idle_cycles;
static bool spinning;

static void spin(void *unused)
{
    (void)unused;
    while (spinning) {
        uint64_t begun = rig_cycles();
        while (!thread_should_yield() && spinning) {
        }
        idle_cycles += rig_cycles() - begun;
        thread_yield();
    }
}

/* Cycles spent on a snapshot of what is dirty. */
static uint64_t snapshot_cycles(void)
{
    uint64_t idle_before = idle_cycles;
    uint64_t begun = rig_cycles();

    RIG_OK(snap_sync());
    return rig_cycles() - begun - (idle_cycles - idle_before);
}

static uint32_t next_random(void)
{
    static uint32_t state = 1;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void measure_pages(uint32_t pages)
{
    ASSERT(pages > 0);
    for (uint32_t i = 0; i < pages; i++) {
        rig_write(i, next_random() | 1);
    }
    uint64_t cycles = snapshot_cycles();
    rig_say("cost=pages n=%u cycles=%llu each=%llu", pages, (unsigned long long)cycles,
            (unsigned long long)(cycles / pages));
}

/* The parts of that which can be called alone, each with a page of pages that are not zeroes at their beginning. */
static void measure_parts(void)
{
    static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
    static uint8_t copy[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

    page[0] = 1;
    uint64_t begun = rig_cycles();
    (void)store_checksum(rig_store(), page_key_make((struct object_id){SPACE}, 0), (struct generation){1}, page);
    uint64_t checksummed = rig_cycles();
    memcpy(copy, page, PAGE_SIZE);
    uint64_t copied = rig_cycles();
    rig_say("cost=parts checksum=%llu copy=%llu", (unsigned long long)(checksummed - begun),
            (unsigned long long)(copied - checksummed));
}

static void start_spinning(void)
{
    struct thread *thread;

    spinning = true;
    RIG_OK(thread_create("spinner", spin, NULL, &thread));
}

SELFTEST_PANIC(bench_cost)
{
    rig_begin(false);
    rig_enter_space(SPACE);
    start_spinning();
    measure_parts();
    for (uint32_t pages = 1; pages <= 32768; pages *= 8) {
        measure_pages(pages); /* the first time they are new to the store */
        measure_pages(pages);
    }
    rig_end();
}

/* Faults ----------------------------------------------------------------------------------------------------------- */

static uint32_t samples[SAMPLES_MAX];
static uint32_t sample_count;

static void sort_samples(void)
{
    for (uint32_t gap = sample_count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < sample_count; i++) {
            uint32_t sample = samples[i];
            uint32_t at = i;
            for (; at >= gap && samples[at - gap] > sample; at -= gap) {
                samples[at] = samples[at - gap];
            }
            samples[at] = sample;
        }
    }
}

static void write_measured(uint32_t page)
{
    uint64_t begun = rig_cycles();
    rig_write(page, next_random() | 1);
    uint64_t cycles = rig_cycles() - begun;

    if (cycles >= FAULT_CYCLES && sample_count < SAMPLES_MAX) {
        samples[sample_count++] = (uint32_t)cycles;
    }
}

static void say_samples(const char *name)
{
    sort_samples();
    if (sample_count == 0) {
        return;
    }
    rig_say("faults=%s n=%u p50=%u p99=%u p999=%u max=%u", name, sample_count, samples[sample_count / 2],
            samples[(uint64_t)sample_count * 99 / 100], samples[(uint64_t)sample_count * 999 / 1000],
            samples[sample_count - 1]);
}

static bool is_durable;

static void wait_for_snapshot(void *unused)
{
    (void)unused;
    RIG_OK(snap_sync());
    is_durable = true;
}

/* Writes at random places, some at each tick, while a snapshot of all of them runs. */
static void measure_faults(uint32_t pages, const char *name)
{
    struct thread *thread;

    ASSERT(pages > 0);
    for (uint32_t i = 0; i < pages; i++) {
        rig_write(i, next_random() | 1);
    }
    sample_count = 0;
    is_durable = false;
    uint64_t copies = vm_copies();
    RIG_OK(thread_create("waiter", wait_for_snapshot, NULL, &thread));
    while (!is_durable) {
        RIG_OK(thread_sleep_until(clock_boot_ns() + NS_A_TICK));
        for (uint32_t i = 0; i < WRITES_A_TICK; i++) {
            write_measured(next_random() % pages);
        }
    }
    say_samples(name);
    rig_say("copies=%s n=%llu", name, (unsigned long long)(vm_copies() - copies));
}

/* In the steady state nothing may fault. */
static void measure_quiet(uint32_t pages)
{
    RIG_OK(snap_sync());
    sample_count = 0;
    for (uint32_t i = 0; i < pages; i++) {
        write_measured(i);
    }
    rig_say("faults=quiet n=%u", sample_count);
}

SELFTEST_PANIC(bench_faults)
{
    rig_begin(false);
    rig_enter_space(SPACE);
    measure_faults(FAULT_PAGES, "first");
    measure_faults(FAULT_PAGES, "again");
    measure_quiet(FAULT_PAGES);
    rig_end();
}
