/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks that refuse or are full, and memory that is short, case by case: each was found to go wrong once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "space_case.h"

#include "snap.h"
#include "store.h"
#include "vm_fault.h"
#include "vm_growth.h"
#include "vm_map.h"
#include "vm_reclaim.h"

#define EATER ((struct space_id){SPACE_CASE_PROGRAM + 100}) /* a space that the model knows nothing of */

/* A snapshot that can neither be written nor given up for lack of memory: the next ones fail too until there is some.
 */
static void sync_without_memory(void)
{
    struct fake_disk_fault *fault = &space_world.slow.disk->fault;
    uint32_t page = space_first_page();

    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 0, 1) && space_store(SPACE_CASE_PROGRAM, page + 1, 0, 2) &&
                space_sync());
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 0, 3));
    space_discard(page + 1, 1);
    space_world.has_faults = true;
    *fault = (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = UINT64_MAX, .error = ERROR_IO};
    fake_fail_allocations(0, UINT64_MAX);
    SPACE_CHECK(!space_sync() && !space_sync());
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page, 0) && space_store(SPACE_CASE_PROGRAM, page, 1, 4));
    fault->armed = false;
    SPACE_CHECK(!space_sync());
    fake_fail_allocations(0, 0);
    SPACE_CHECK(space_sync());
    space_reboot();
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page, 1) && space_load(SPACE_CASE_PROGRAM, page + 1, 0));
}

SPACE_CASE(space_sync_without_memory_fails_until_there_is_some, sync_without_memory)

/* Blocks that were allocated for pages which are then not put. */
static void fail_puts(void)
{
    struct snap_statistics statistics;

    for (uint32_t round = 0; round < SPACE_DISK_BLOCKS / 40; round++) {
        space_store_pages(40, round + 1);
        space_world.has_faults = true;
        space_begin_snapshot();
        fake_fail_allocations(0, 1);
        space_world.slow.holds_writes = false;
        (void)space_sync();
        space_world.has_faults = false;
    }
    SPACE_CHECK(space_sync());
    snap_statistics(&statistics);
    SPACE_CHECK(statistics.failures == SPACE_DISK_BLOCKS / 40);
}

SPACE_CASE(space_failed_put_returns_its_blocks, fail_puts)

static void write_to_bad_blocks(void)
{
    for (uint32_t block = 200; block < SPACE_DISK_BLOCKS; block += 7) {
        space_world.slow.disk->bad[block] = 2;
    }
    for (uint32_t round = 1; round < 60; round++) {
        space_store_pages(40, round);
        SPACE_CHECK(space_sync());
    }
}

SPACE_CASE(space_pages_whose_blocks_are_bad_go_to_others, write_to_bad_blocks)

/* A name that is forgotten makes the next commit draw the free-space map anew, the retired blocks in it too. */
static void forget_name_beside_bad_blocks(void)
{
    for (uint32_t block = 200; block < 240; block += 7) {
        space_world.slow.disk->bad[block] = 2;
    }
    for (uint32_t round = 1; round < 12; round++) {
        space_store_pages(40, round);
        SPACE_CHECK(space_sync());
    }
    SPACE_CHECK(store_pin(space_world.store, store_committed(space_world.store), "name") == OK);
    SPACE_CHECK(store_unpin(space_world.store, "name") == OK);
    for (uint32_t round = 12; round < 24; round++) {
        space_store_pages(40, round);
        SPACE_CHECK(space_sync());
    }
}

SPACE_CASE(space_retired_blocks_named_again_are_sound, forget_name_beside_bad_blocks,
           .tuning = {.history = 4, .log_records = 4, .log_entries = 60, .cache_nodes = 8})

/* A disk that refuses everything for a while has no bad blocks. */
static void write_to_no_blocks(void)
{
    struct store_statistics before, after;

    space_store_pages(40, 1);
    SPACE_CHECK(space_sync());
    store_statistics(space_world.store, &before);
    space_world.has_faults = true;
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = UINT64_MAX, .error = ERROR_IO};
    for (uint32_t round = 2; round < 10; round++) {
        space_store_pages(40, round);
        SPACE_CHECK(!space_sync());
    }
    space_world.slow.disk->fault.armed = false;
    SPACE_CHECK(space_sync());
    store_statistics(space_world.store, &after);
    SPACE_CHECK(after.blocks_used < before.blocks_used + 100 && after.blocks_held <= before.blocks_held);
}

SPACE_CASE(space_disk_that_refuses_writes_keeps_its_blocks, write_to_no_blocks)

/* A snapshot that needs more blocks than history has left free: history goes first. */
static void fill_history(void)
{
    const struct space_model *model = &space_world.model;

    for (uint32_t round = 1; space_world.slow.disk->writes < 2 * STORE_BLOCKS_MIN; round++) {
        space_store_pages(72, round);
        SPACE_CHECK(space_sync());
    }
    for (uint32_t i = 0; i < model->record_first; i++) {
        uint32_t space = page_key_window(model->keys[i]).number;
        SPACE_CHECK(space_store(space, i, 1, i + 1));
    }
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_full_disk_gives_up_history_first, fill_history, .blocks = STORE_BLOCKS_MIN)

static void store_everywhere(void *unused)
{
    const struct space_model *model = &space_world.model;

    (void)unused;
    for (uint32_t i = 0; i < model->record_first; i++) {
        uint32_t space = page_key_window(model->keys[i]).number;
        SPACE_CHECK(space_store(space, i, 1, i + 1));
    }
    space_world.programs--;
}

static void pin_until_full(void)
{
    char name[] = "a";

    for (; space_sync(); name[0]++) {
        SPACE_CHECK(store_pin(space_world.store, store_committed(space_world.store), name) == OK);
        space_store_pages(72, (uint32_t)name[0]);
        space_world.has_faults = true;
    }
    space_world.has_faults = false;
}

static void unpin_all(void)
{
    char name[] = "a";

    for (; store_unpin(space_world.store, name) == OK; name[0]++) {
    }
}

/* A program that needs memory waits while one that has taken more is to make room, and goes on once there is some. */
static void wait_for_who_took_more(void)
{
    space_store_pages(72, 1);
    pin_until_full();
    for (uint32_t i = 0; i < 1000; i++) {
        vm_growth_count(EATER);
    }
    space_start(store_everywhere);
    for (uint32_t i = 0; i < 300; i++) {
        fake_clock_advance(10000000);
        thread_yield();
    }
    SPACE_CHECK(space_world.programs == 1 && space_world.told_to_end == EATER.number);
    unpin_all();
    vm_growth_inherit(EATER, SPACE_NONE); /* it has ended */
    space_wait_programs();
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_full_disk_and_memory_make_others_wait_for_who_took_most, wait_for_who_took_more, .frames = 100,
           .blocks = STORE_BLOCKS_MIN)

static uint32_t stored;

static void store_until_refused(void *unused)
{
    const struct space_model *model = &space_world.model;

    (void)unused;
    for (stored = 0; stored < model->record_first; stored++) {
        uint32_t space = page_key_window(model->keys[stored]).number;
        if (!space_store(space, stored, 1, stored + 1)) {
            break;
        }
    }
    space_world.programs--;
}

/*
 * The program that has taken most is told to end. It does not, so in the end whoever asks is refused; what there is can
 * be used, and nothing of it is lost.
 */
static void tell_who_took_most(void)
{
    space_store_pages(72, 1);
    pin_until_full();
    space_world.has_faults = true;
    space_start(store_until_refused);
    while (space_world.programs > 0) {
        fake_clock_advance(10000000);
        thread_yield();
    }
    space_world.has_faults = false;
    SPACE_CHECK(space_world.told_to_end == SPACE_CASE_PROGRAM && stored < space_world.model.record_first);
    for (uint32_t i = 0; i < 72; i++) {
        SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, space_first_page() + i, 0));
    }
    unpin_all();
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_full_disk_and_memory_end_who_took_most, tell_who_took_most, .frames = 100, .blocks = STORE_BLOCKS_MIN)

/* A full disk promises nothing to the program that has taken most, and something to all others. */
static void promise_while_full(void)
{
    struct space_id other = {EATER.number + 1};

    tell_who_took_most();
    SPACE_CHECK(vm_may_promise(EATER, 1) == OK);
    pin_until_full();
    for (uint32_t i = 0; i < 1000; i++) {
        vm_growth_count(EATER);
    }
    SPACE_CHECK(vm_may_promise(EATER, VM_PROMISE_PAGES_MAX) == ERROR_NO_MEMORY && vm_may_promise(other, 1) == OK);
    unpin_all();
    SPACE_CHECK(vm_may_promise(EATER, VM_PROMISE_PAGES_MAX) == OK); /* the snapshot that it asks for finds room */
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_full_disk_promises_nothing_to_who_took_most, promise_while_full, .frames = 100,
           .blocks = STORE_BLOCKS_MIN)

static void take(struct space_id space, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        vm_growth_count(space);
    }
}

/* The account: what was taken since the last snapshot decides if it is much, else all that was ever taken. */
static void settle_by_account(void)
{
    struct space_id first = {1}, copy = {2}, small = {3};

    SPACE_CHECK(vm_growth_decide(first) == ERROR_NO_MEMORY); /* nobody has taken anything */
    take(first, 500);
    take(small, 20);
    SPACE_CHECK(vm_growth_decide(first) == ERROR_NO_MEMORY && space_world.told_to_end == 0);
    vm_growth_note_snapshot(OK);
    take(small, 40);
    SPACE_CHECK(vm_growth_decide(first) == ERROR_NO_MEMORY); /* 40 are not many: 500 are more than 60 */
    take(small, 40);
    vm_growth_note_snapshot(ERROR_IO);
    SPACE_CHECK(vm_growth_decide(small) == ERROR_NO_MEMORY); /* 80 are, and nobody else has any of late */
    vm_growth_inherit(copy, small);
    take(copy, 1);
    SPACE_CHECK(vm_growth_decide(small) == ERROR_NO_MEMORY); /* 81 are about as much */
    SPACE_CHECK(vm_growth_decide(first) == OK && space_world.told_to_end == copy.number);
    space_world.told_to_end = 0;
    SPACE_CHECK(vm_growth_decide(first) == OK && space_world.told_to_end == 0); /* wait for it */
    SPACE_CHECK(vm_growth_decide(copy) == ERROR_NO_MEMORY && space_world.told_to_end == 0);
    vm_growth_inherit(copy, SPACE_NONE);
    /* it has ended: the next one */
    SPACE_CHECK(vm_growth_decide(first) == OK && space_world.told_to_end == small.number);
    vm_growth_inherit(small, SPACE_NONE);
    SPACE_CHECK(vm_growth_decide(first) == ERROR_NO_MEMORY);
}

SPACE_CASE(space_who_took_most_of_late_pays, settle_by_account)

static void sync_once(void *unused)
{
    (void)unused;
    (void)space_sync();
    space_world.programs--;
}

/* A waiter whose snapshot succeeded is not affected by the next one. */
static void fail_after_success(void)
{
    uint32_t page = space_first_page();

    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 0, 1));
    space_world.slow.holds_writes = true;
    space_start(sync_once);
    space_wait_until(space_is_writing);
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 0, 2));
    (void)snap_request();
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_FLUSH, .first = 2, .count = 1, .error = ERROR_IO};
    space_world.slow.holds_writes = false;
    space_wait_programs();
    SPACE_CHECK(space_world.counters.syncs == 1 && space_world.slow.disk->fault.count == 0);
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_sync_that_was_served_succeeds_whatever_comes_after, fail_after_success)

/* Frames come back with the next snapshot but one, if the next one fails. */
static void wait_for_memory(void)
{
    uint32_t page = space_first_page();
    uint32_t count = 0;

    while (frame_count(FRAME_FREE) > vm_frame_reserve()) {
        SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page + count, 0, 1));
        count++;
    }
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = 1, .error = ERROR_IO};
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page + count, 0, 1));
    SPACE_CHECK(space_world.slow.disk->fault.count == 0);
}

SPACE_CASE(space_fault_that_waits_for_memory_outlives_a_failed_snapshot, wait_for_memory, .frames = 20)

/* Pages that lie together come together, and each is judged by its own checksum. */
static void read_damaged_neighbour(void)
{
    uint32_t page = space_first_page();
    struct store_entry entry;

    space_store_pages(3, 1);
    space_reboot();
    SPACE_CHECK(store_find(space_world.store, space_world.model.keys[page + 1], &entry) == OK);
    fake_disk_flip(space_world.slow.disk, entry.block.number, 77, 1);
    space_world.has_faults = true;
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page, 0));
    SPACE_CHECK(space_record_of(page + 2) != NULL && space_record_of(page + 1) == NULL);
    SPACE_CHECK(!space_load(SPACE_CASE_PROGRAM, page + 1, 0));
    fake_disk_flip(space_world.slow.disk, entry.block.number, 77, 1);
    space_world.has_faults = false;
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page + 1, 0));
}

SPACE_CASE(space_damaged_neighbour_is_not_read_along, read_damaged_neighbour)

/* Nobody asks for snapshots, so none is spoiled by reading again what could not be read once. */
static void read_once_more(void)
{
    uint32_t page = space_first_page();
    struct fake_disk_fault *fault;

    space_store_pages(2, 1);
    space_reboot();
    fault = &space_world.slow.disk->fault;
    space_world.has_faults = true;
    *fault = (struct fake_disk_fault){.armed = true, .operation = BLOCK_READ, .count = UINT64_MAX, .error = ERROR_IO};
    SPACE_CHECK(!space_load(SPACE_CASE_PROGRAM, page, 0));
    fault->armed = false;
    space_world.has_faults = false;
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page, 0));
}

SPACE_CASE(space_page_that_could_not_be_read_is_read_once_more, read_once_more)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_sync_without_memory_fails_until_there_is_some),
        cmocka_unit_test(space_page_that_could_not_be_read_is_read_once_more),
        cmocka_unit_test(space_failed_put_returns_its_blocks),
        cmocka_unit_test(space_pages_whose_blocks_are_bad_go_to_others),
        cmocka_unit_test(space_retired_blocks_named_again_are_sound),
        cmocka_unit_test(space_disk_that_refuses_writes_keeps_its_blocks),
        cmocka_unit_test(space_full_disk_gives_up_history_first),
        cmocka_unit_test(space_full_disk_and_memory_make_others_wait_for_who_took_most),
        cmocka_unit_test(space_full_disk_and_memory_end_who_took_most),
        cmocka_unit_test(space_full_disk_promises_nothing_to_who_took_most),
        cmocka_unit_test(space_who_took_most_of_late_pays),
        cmocka_unit_test(space_sync_that_was_served_succeeds_whatever_comes_after),
        cmocka_unit_test(space_fault_that_waits_for_memory_outlives_a_failed_snapshot),
        cmocka_unit_test(space_damaged_neighbour_is_not_read_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
