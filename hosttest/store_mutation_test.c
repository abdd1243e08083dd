/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do the crash tests notice what they are there for? Each mistake that a commit could make in its order is made here,
 * in the record of what the disk was asked to do, and must be found within a few thousand states.
 */
#include <stdio.h>

#include "store_crash.h"

#define STATES_MAX 200000u

static void expect_found(enum fake_disk_mutation mutation)
{
    struct crash_run run = {.mutation = mutation, .is_quiet = true};
    uint64_t seed = 1;
    while (run.states < STATES_MAX && crash_scenario(&run, seed)) {
        seed++;
    }
    printf("found in scenario %llu after %llu states\n", (unsigned long long)seed, (unsigned long long)run.states);
    assert_true(run.states < STATES_MAX);
}

static void store_without_flush_before_the_root_is_found(void **state)
{
    (void)state;
    expect_found(FAKE_DISK_NO_FLUSH_BEFORE_ROOT);
}

static void store_without_flush_after_the_root_is_found(void **state)
{
    (void)state;
    expect_found(FAKE_DISK_NO_FLUSH_AFTER_ROOT);
}

static void store_with_root_before_record_is_found(void **state)
{
    (void)state;
    expect_found(FAKE_DISK_ROOT_BEFORE_RECORD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_without_flush_before_the_root_is_found),
        cmocka_unit_test(store_without_flush_after_the_root_is_found),
        cmocka_unit_test(store_with_root_before_record_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
