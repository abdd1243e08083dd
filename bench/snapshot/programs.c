/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The length of a stop against the number of programs: 1 to 64 of them, real ones, that write to pages of theirs and
 * sleep, over and over, while snapshots are taken. The program is the boot loader's module.
 */
#include "arch/boot.h"
#include "arch/clock.h"
#include "program.h"
#include "rig.h"
#include "selftest.h"
#include "snap.h"
#include "thread.h"

#define PROGRAMS_TO 64u
#define SNAPSHOTS   8u
#define PAUSE_NS    20000000u

static void start_one(void)
{
    static const char *const words[] = {"guest", "churn"};
    const struct boot_module *module = boot_module(0);
    struct program_image image = {
        .bytes = module->start,
        .size = module->size,
        .arguments = words,
        .argument_count = sizeof(words) / sizeof(words[0]),
        .environment = words,
    };
    struct program_id id;

    RIG_OK(program_start(&image, &id));
}

static void measure(uint32_t programs)
{
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        RIG_OK(thread_sleep_until(clock_boot_ns() + PAUSE_NS));
        RIG_OK(snap_sync());
        rig_say("sweep=programs n=%u eidolon=%llu", programs, (unsigned long long)rig_stop_ns());
    }
}

SELFTEST_PANIC(bench_programs)
{
    uint32_t programs = 0;

    rig_begin(true);
    ASSERT(boot_module_count() == 1);
    for (uint32_t wanted = 1; wanted <= PROGRAMS_TO; wanted *= 2) {
        for (; programs < wanted; programs++) {
            start_one();
        }
        measure(programs);
    }
    rig_end();
}
