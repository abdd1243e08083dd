/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that run inside the kernel, on the real machine: boot with the option `selftest`.
 *
 *     SELFTEST(pool_freed_object_is_reused)
 *     {
 *         ...
 *         SELFTEST_EXPECT(again == first);
 *     }
 *
 * A test is found by the linker, wherever it stands in the kernel's sources. It runs in a thread, may sleep, and leaves
 * the machine as it found it. `selftest=PREFIX` runs only those whose name begins so. Tests that end in a panic are
 * defined with SELFTEST_PANIC and only run when they are named in full.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "types.h"

struct selftest {
    const char *name;
    void (*run)(void);
    bool panics;
};

#define SELFTEST(test_name)       SELFTEST_DEFINE(test_name, false)
#define SELFTEST_PANIC(test_name) SELFTEST_DEFINE(test_name, true)

#define SELFTEST_DEFINE(test_name, test_panics)                                                                        \
    static void test_name(void);                                                                                       \
    static const struct selftest selftest_##test_name                                                                  \
        __attribute__((used, section(".selftests"))) = {#test_name, test_name, test_panics};                           \
    static void test_name(void)

/* Note a failure and go on. */
#define SELFTEST_EXPECT(condition) selftest_expect((condition), __FILE__, __LINE__, #condition)
void selftest_expect(bool holds, const char *file, int line, const char *condition);

/* The running test has started something that keeps `count` frames for good, as a device does: they are not missed. */
void selftest_keep_frames(uint32_t count);

/* Run the tests, print `ok NAME` or `FAILED NAME` for each and a summary to the log, and end the machine. */
_Noreturn void selftest_run(void);

#endif
