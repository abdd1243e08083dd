/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the tests that the linker collected, one after the other.
 *
 * The machine ends with status 0x10 when all passed and 0x11 otherwise; the log has a line for each test.
 */
#include "selftest.h"
#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/frame.h"
#include "log.h"
#include "thread.h"

#include <string.h>

#define STATUS_PASSED 0x10u
#define STATUS_FAILED 0x11u

extern const struct selftest selftests_start[], selftests_end[];

static uint32_t failures; /* of the running test */
static uint32_t kept;     /* frames, by what it started */

void selftest_expect(bool holds, const char *file, int line, const char *condition)
{
    if (!holds) {
        failures++;
        log_line("selftest: %s:%d: expected %s", file, line, condition);
    }
}

void selftest_keep_frames(uint32_t count)
{
    kept += count;
}

static bool run_one(const struct selftest *test)
{
    uint32_t free_before = frame_count(FRAME_FREE);
    failures = 0;
    kept = 0;
    test->run();
    uint32_t free_after = frame_count(FRAME_FREE);
    if (free_after + kept != free_before) {
        failures++;
        log_line("selftest: %u frames were free before, %u are after", free_before, free_after);
    }
    log_line("selftest: %s %s", failures == 0 ? "ok" : "FAILED", test->name);
    return failures == 0;
}

static bool is_wanted(const struct selftest *test, const char *prefix)
{
    if (test->panics) {
        return strcmp(test->name, prefix) == 0;
    }
    return strncmp(test->name, prefix, strlen(prefix)) == 0;
}

void selftest_run(void)
{
    char prefix[64] = "";
    (void)boot_option("selftest", prefix, sizeof(prefix));
    uint32_t passed = 0, failed = 0;
    for (const struct selftest *test = selftests_start; test < selftests_end; test++) {
        if (!is_wanted(test, prefix)) {
            continue;
        }
        if (run_one(test)) {
            passed++;
        } else {
            failed++;
        }
    }
    thread_log_stacks();
    if (!thread_stacks_suffice()) {
        log_line("selftest: FAILED: a kernel stack is used deeper than %u bytes", STACK_USE_MAX);
        failed++;
    }
    log_line("selftest: %u passed, %u failed", passed, failed);
    cpu_power_off(failed == 0 && passed > 0 ? STATUS_PASSED : STATUS_FAILED);
}
