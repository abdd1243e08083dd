/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes on beside a snapshot that is just being written, or beside a page that is just being read, case by case:
 * each was found to go wrong once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "space_case.h"

#include "arch/pmap.h"
#include "snap.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"

static void protect_beside_snapshot(void)
{
    uint32_t page = space_first_page();

    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 0, 1) && space_store(SPACE_CASE_PROGRAM, page + 1, 0, 2));
    space_begin_snapshot();
    space_restrict(page, 1, SPACE_NOTHING);
    space_restrict(page + 1, 1, SPACE_READ);
    space_check();
    space_finish_snapshot();
    SPACE_CHECK(!space_load(SPACE_CASE_PROGRAM, page, 0) && space_load(SPACE_CASE_PROGRAM, page + 1, 0));
    SPACE_CHECK(!space_store(SPACE_CASE_PROGRAM, page + 1, 0, 3));
    space_restrict(page, 2, SPACE_WRITE);
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page, 0) && space_store(SPACE_CASE_PROGRAM, page, 1, 3));
}

SPACE_CASE(space_protect_page_being_written_keeps_it, protect_beside_snapshot)

/* The page that a snapshot owes is not the one that is there now. */
static void reuse_beside_snapshot(void)
{
    uint32_t page = space_first_page();

    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 0, 1) && space_store(SPACE_CASE_PROGRAM, page + 1, 0, 2));
    space_begin_snapshot();
    space_discard(page, 2);
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 1, 3) && space_load(SPACE_CASE_PROGRAM, page + 1, 0));
    space_finish_snapshot();
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page + 1, 1, 4));
    space_reboot();
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page, 1) && space_load(SPACE_CASE_PROGRAM, page + 1, 1));
}

SPACE_CASE(space_page_discarded_and_used_again_beside_snapshot_is_kept, reuse_beside_snapshot)

/*
 * Between the stop and the gathering of its chunk nobody but the mapping knows that the page is dirty. The snapshot
 * thread yields there now and then; how the threads take turns is tried until it does.
 */
static bool is_stopped(void)
{
    static uint32_t seen;
    bool is_new = vm_stops() != seen;

    seen = vm_stops();
    return is_new;
}

static void stop_before_gathering(uint32_t page)
{
    fake_schedule(1);
    do {
        SPACE_CHECK(space_sync() && is_stopped());
        SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, 0, 0, 1) &&
                    space_store(SPACE_CASE_PROGRAM, page, 0, (uint32_t)space_world.model.stop_count));
        (void)snap_request();
        space_wait_until(is_stopped);
    } while (!pmap_is_closed(page_key_place(space_world.model.keys[page])));
}

static void discard_between_stop_and_gathering(uint32_t page)
{
    stop_before_gathering(page);
    SPACE_CHECK(space_record_of(page)->state == VM_PAGE_CLEAN);
    space_discard(page, 1);
}

static void discard_before_gathering(void)
{
    discard_between_stop_and_gathering(space_first_page());
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_discard_between_stop_and_gathering_keeps_what_the_snapshot_owes, discard_before_gathering)

/* What the kernel writes through the frame would be in a snapshot whose stop came before. */
static void write_through_frame_after_stop(void)
{
    uint32_t page = space_first_page();
    struct page_key key = space_world.model.keys[page];

    stop_before_gathering(page);
    SPACE_CHECK(vm_content(key, PMAP_READ) != NULL && vm_content(key, PMAP_WRITE) == NULL);
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 1, 5) && vm_content(key, PMAP_WRITE) != NULL);
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_content_of_a_stopped_page_is_not_for_writing, write_through_frame_after_stop)

/* Threads that find the same page being read, as programs do in the shared window. */
static void load_first(void *unused)
{
    (void)unused;
    (void)space_load(SPACE_CASE_PROGRAM, space_first_page(), 0);
    space_world.programs--;
}

static void start_loads(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        space_start(load_first);
    }
}

static void wait_for_one_read(void)
{
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, space_first_page(), 0, 1));
    space_reboot();
    space_world.slow.holds_reads = true;
    start_loads(4);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    SPACE_CHECK(space_world.counters.loads == 4);
}

SPACE_CASE(space_faults_that_wait_for_one_read_all_go_on, wait_for_one_read)

static void protect_beside_read(void)
{
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, space_first_page(), 0, 1));
    space_reboot();
    space_world.slow.holds_reads = true;
    start_loads(3);
    space_restrict(space_first_page(), 1, SPACE_NOTHING);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    SPACE_CHECK(space_world.counters.loads == 0 && space_world.counters.refusals == 3);
}

SPACE_CASE(space_protect_page_being_read_refuses_those_who_wait, protect_beside_read)

static void fail_read_beside_protect(void)
{
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, space_first_page(), 0, 1));
    space_reboot();
    store_expect_commits(space_world.store, true);
    space_world.has_faults = true;
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_READ, .count = 4, .error = ERROR_IO};
    space_world.slow.holds_reads = true;
    start_loads(2);
    space_restrict(space_first_page(), 1, SPACE_NOTHING);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    SPACE_CHECK(space_record_of(space_first_page()) == NULL);
    space_restrict(space_first_page(), 1, SPACE_WRITE);
    /* the disk is not asked again before a snapshot */
    SPACE_CHECK(!space_load(SPACE_CASE_PROGRAM, space_first_page(), 0));
    SPACE_CHECK(space_sync() && space_load(SPACE_CASE_PROGRAM, space_first_page(), 0));
}

SPACE_CASE(space_failed_read_of_page_refused_meanwhile_leaves_no_record, fail_read_beside_protect)

static void discard_beside_read(void)
{
    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, space_first_page(), 0, 1));
    space_reboot();
    space_world.slow.holds_reads = true;
    start_loads(3);
    space_world.model.pages[space_first_page()].access = SPACE_NOTHING;
    space_world.slow.holds_reads = false;
    space_discard(space_first_page(), 1);
    space_wait_programs();
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, space_first_page(), 0));
}

SPACE_CASE(space_discard_page_being_read_leaves_zeroes, discard_beside_read)

static void load_second(void *unused)
{
    (void)unused;
    (void)space_load(SPACE_CASE_PROGRAM, space_first_page() + 1, 0);
    space_world.programs--;
}

static void discard_both(void *unused)
{
    (void)unused;
    space_discard(space_first_page(), 2);
    space_world.programs--;
}

/* Neighbours that are read together with a page are looked for once the page map has been; by then they may be gone. */
static void discard_beside_lookup(void)
{
    uint32_t page = space_first_page();

    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, page, 0, 1) && space_store(SPACE_CASE_PROGRAM, page + 1, 0, 2));
    space_reboot();
    space_world.slow.holds_lookups = true;
    space_start(load_second);
    space_start(discard_both);
    space_world.slow.holds_lookups = false;
    space_wait_programs();
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, page, 0) && space_load(SPACE_CASE_PROGRAM, page + 1, 0));
}

SPACE_CASE(space_discard_beside_lookup_leaves_no_neighbour, discard_beside_lookup)

/* The only page that a snapshot owes is locked, as by a fault that takes long: the snapshot must wait, not spin. */
static void lock_page_of_snapshot(void)
{
    uint32_t page = space_first_page();

    discard_between_stop_and_gathering(page);
    fake_schedule(0);
    vm_page_lock(space_record_of(page));
    for (uint32_t i = 0; i < 100; i++) {
        thread_yield();
    }
    vm_page_unlock(space_record_of(page));
    SPACE_CHECK(space_sync());
}

SPACE_CASE(space_snapshot_of_page_that_is_locked_waits, lock_page_of_snapshot)

static void discard_wired(void)
{
    struct vm_page *wired;
    uint32_t page = space_first_page();

    SPACE_CHECK(vm_wire(page_key_place(space_world.model.keys[page]), PMAP_WRITE, &wired) == OK);
    space_discard(page, 1);
    vm_unwire_own(space_world.model.keys[page]);
    SPACE_CHECK(space_record_of(page) == NULL);
}

SPACE_CASE(space_wired_page_that_is_discarded_leaves_no_record, discard_wired)

/* A program that writes to all that a snapshot owes gets a bounded number of copies, then waits for the pages. */
#define OWED_PAGES 72u

static void store_owed(void *unused)
{
    (void)unused;
    space_store_pages(OWED_PAGES, 2);
    space_world.programs--;
}

static void copy_at_the_limit(void)
{
    space_store_pages(OWED_PAGES, 1);
    space_begin_snapshot();
    SPACE_CHECK(vm_copies_max() < OWED_PAGES);
    space_start(store_owed);
    for (uint32_t i = 0; i < 100; i++) {
        thread_yield();
    }
    SPACE_CHECK(space_world.programs == 1 && frame_count(FRAME_COPY) == vm_copies_max());
    SPACE_CHECK(vm_copies() == vm_copies_max());
    space_check();
    space_finish_snapshot();
    space_wait_programs();
    space_reboot();
    for (uint32_t i = 0; i < OWED_PAGES; i++) {
        SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, space_first_page() + i, 0));
    }
}

SPACE_CASE(space_copies_beyond_their_limit_wait_for_the_snapshot, copy_at_the_limit, .frames = 100)

/* The same, and the disk refuses: whoever waits goes on when the snapshot has failed. */
static void fail_at_the_limit(void)
{
    space_store_pages(OWED_PAGES, 1);
    space_begin_snapshot();
    space_start(store_owed);
    space_world.has_faults = true;
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = UINT64_MAX, .error = ERROR_IO};
    space_world.slow.holds_writes = false;
    space_wait_programs();
    space_world.slow.disk->fault.armed = false;
    space_world.has_faults = false;
    space_reboot();
    SPACE_CHECK(space_load(SPACE_CASE_PROGRAM, space_first_page(), 0));
}

SPACE_CASE(space_copies_beyond_their_limit_survive_a_failed_snapshot, fail_at_the_limit, .frames = 100)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_protect_page_being_written_keeps_it),
        cmocka_unit_test(space_page_discarded_and_used_again_beside_snapshot_is_kept),
        cmocka_unit_test(space_discard_between_stop_and_gathering_keeps_what_the_snapshot_owes),
        cmocka_unit_test(space_content_of_a_stopped_page_is_not_for_writing),
        cmocka_unit_test(space_faults_that_wait_for_one_read_all_go_on),
        cmocka_unit_test(space_protect_page_being_read_refuses_those_who_wait),
        cmocka_unit_test(space_failed_read_of_page_refused_meanwhile_leaves_no_record),
        cmocka_unit_test(space_discard_page_being_read_leaves_zeroes),
        cmocka_unit_test(space_discard_beside_lookup_leaves_no_neighbour),
        cmocka_unit_test(space_snapshot_of_page_that_is_locked_waits),
        cmocka_unit_test(space_wired_page_that_is_discarded_leaves_no_record),
        cmocka_unit_test(space_copies_beyond_their_limit_wait_for_the_snapshot),
        cmocka_unit_test(space_copies_beyond_their_limit_survive_a_failed_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
