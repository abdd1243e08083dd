/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a snapshot costs and what it spares, scene by scene: blocks, requests, flushes and faults are counted.
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
#include "vm_map.h"

#define COUNT      40u /* pages that the scenes use */
#define METADATA   10u /* blocks, root included, that a commit of so few may take */
#define CALLERS    5u
#define IDLE_SYNCS 20u

static uint64_t disk_writes(void)
{
    return space_world.slow.disk->writes;
}

static uint64_t disk_flushes(void)
{
    return space_world.slow.disk->flushes;
}

static uint64_t snapshots(void)
{
    struct snap_statistics statistics;

    snap_statistics(&statistics);
    return statistics.snapshots;
}

static void write_zeroes(void)
{
    space_store_pages(COUNT, 1);
    SPACE_CHECK(space_sync());
    uint64_t before = disk_writes();
    space_store_pages(COUNT, 0);
    SPACE_CHECK(space_sync());
    SPACE_CHECK(disk_writes() - before <= METADATA);
    before = disk_writes();
    space_store_pages(COUNT, 1);
    SPACE_CHECK(space_sync());
    SPACE_CHECK(disk_writes() - before > COUNT); /* the count would show them */
}

SPACE_CASE(space_pages_of_zeroes_cost_no_block, write_zeroes)

static void free_before_snapshot(void)
{
    space_store_pages(1, 1);
    SPACE_CHECK(space_sync());
    uint64_t before = disk_writes();
    space_store_pages(COUNT, 1);
    space_discard(space_first_page(), COUNT);
    SPACE_CHECK(space_sync());
    SPACE_CHECK(disk_writes() - before <= METADATA);
}

SPACE_CASE(space_pages_that_were_freed_are_not_written, free_before_snapshot)

static void do_nothing(void)
{
    space_store_pages(COUNT, 1);
    SPACE_CHECK(space_sync());
    uint64_t writes = disk_writes(), flushes = disk_flushes();
    for (uint32_t i = 0; i < IDLE_SYNCS; i++) {
        SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, space_first_page() + i, 0));
        SPACE_CHECK(space_sync());
    }
    SPACE_CHECK(disk_writes() == writes && disk_flushes() == flushes);
}

SPACE_CASE(space_snapshot_of_nothing_writes_nothing, do_nothing)

/* Two requests that nothing was changed for: whoever wants a generation gets one, and whoever wants none costs none. */
static void request_of_nothing(void)
{
    space_store_pages(COUNT, 1);
    SPACE_CHECK(space_sync());
    uint64_t before = snapshots();
    SPACE_CHECK(snap_wait(snap_request()) == OK && snapshots() == before);
    SPACE_CHECK(snap_wait(snap_request_generation()) == OK && snapshots() == before + 1);
    SPACE_CHECK(space_sync() && snapshots() == before + 1);
}

SPACE_CASE(space_generation_that_is_wanted_is_made_of_nothing, request_of_nothing)

/* Whoever has made a program's memory ready sees by it that the memory is closed to writing again. */
static void count_stops(void)
{
    uint32_t stops = vm_stops();

    space_store_pages(COUNT, 1);
    SPACE_CHECK(vm_stops() == stops);
    SPACE_CHECK(space_sync());
    SPACE_CHECK(vm_stops() == stops + 1);
}

SPACE_CASE(space_stop_is_counted, count_stops)

static void commit_a_few(void)
{
    for (uint32_t i = 1; i <= 30; i++) {
        space_store_pages(COUNT, i);
        uint64_t flushes = disk_flushes();
        SPACE_CHECK(space_sync());
        SPACE_CHECK(disk_flushes() - flushes <= 2);
    }
}

SPACE_CASE(space_snapshot_takes_two_flushes_at_most, commit_a_few,
           .tuning = {.history = 4, .log_records = 4, .log_entries = 60, .cache_nodes = 8})

static uint32_t callers_served;

static void call_sync(void *unused)
{
    (void)unused;
    SPACE_CHECK(space_sync());
    callers_served++;
    space_world.programs--;
}

/* One snapshot is on its way and does not cover what they did; the next one serves all of them. */
static void sync_together(void)
{
    callers_served = 0;
    space_store_pages(COUNT, 1);
    space_begin_snapshot();
    space_store_pages(COUNT, 2);
    uint64_t before = snapshots();
    for (uint32_t i = 0; i < CALLERS; i++) {
        space_start(call_sync);
    }
    SPACE_CHECK(callers_served == 0);
    space_world.slow.holds_writes = false;
    space_wait_programs();
    SPACE_CHECK(callers_served == CALLERS);
    SPACE_CHECK(snapshots() - before == 2);
}

SPACE_CASE(space_callers_of_sync_share_a_commit, sync_together)

static void write_again_and_again(void)
{
    space_store_pages(COUNT, 1);
    for (uint32_t round = 2; round < 12; round++) {
        SPACE_CHECK(space_sync());
        uint64_t faults = space_world.counters.faults;
        space_store_pages(COUNT, round);
        SPACE_CHECK(space_world.counters.faults == faults);
    }
}

SPACE_CASE(space_writes_between_snapshots_take_no_faults, write_again_and_again)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_pages_of_zeroes_cost_no_block),
        cmocka_unit_test(space_pages_that_were_freed_are_not_written),
        cmocka_unit_test(space_snapshot_of_nothing_writes_nothing),
        cmocka_unit_test(space_generation_that_is_wanted_is_made_of_nothing),
        cmocka_unit_test(space_stop_is_counted),
        cmocka_unit_test(space_snapshot_takes_two_flushes_at_most),
        cmocka_unit_test(space_callers_of_sync_share_a_commit),
        cmocka_unit_test(space_writes_between_snapshots_take_no_faults),
    };

    return cmocka_run_group_tests_name("space_promise", tests, NULL, NULL);
}
