/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As store_mutation_test, for the mistake that no order of events shows: blocks of what a commit replaces are free
 * before its root is durable. It is made by taking the place of two functions of the store at link time.
 */
#include <stdio.h>
#include <string.h>

#include "store_crash.h"
#include "store_record.h"

#define STATES_MAX 200000u

enum error __real_store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item);
enum error __wrap_store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item);
void __wrap_store_space_drop(struct space *space, struct extent extent);

enum error __wrap_store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item)
{
    if (type == DISK_ITEM_FREED || type == DISK_ITEM_DEAD) {
        struct disk_extent freed;
        memcpy(&freed, item, sizeof(freed)); /* both kinds begin like this */
        enum error error = store_space_mark(&writer->store->space, (struct extent){{freed.first}, freed.count}, false);
        if (error != OK) {
            return error;
        }
    }
    return __real_store_record_append(writer, type, item);
}

void __wrap_store_space_drop(struct space *space, struct extent extent)
{
    (void)space; /* they are free already, or used again */
    (void)extent;
}

static void store_that_reuses_blocks_too_early_is_found(void **state)
{
    (void)state;
    struct crash_run run = {.is_quiet = true};
    uint64_t seed = 1;
    while (run.states < STATES_MAX && crash_scenario(&run, seed)) {
        seed++;
    }
    printf("found in scenario %llu after %llu states\n", (unsigned long long)seed, (unsigned long long)run.states);
    assert_true(run.states < STATES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_that_reuses_blocks_too_early_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
