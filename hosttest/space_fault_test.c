/*
 * What goes on beside a snapshot that is just being written, case by case: each was found to go wrong once.
 *
 * The disk is held while the case is set up, so that the snapshot still owes its pages; then it goes on, and what is
 * committed must be what there was at the stop. Every case ends in a shutdown, for which the books must balance, and
 * in looking at all its power cuts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "space_fixture.h"

#include "arch/pmap.h"
#include "snap.h"
#include "store.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"

#define SPACE 1u

/* Frames for pages: so many that neighbours are read together. */
static uint32_t frames = 1000;
static uint32_t blocks = SPACE_DISK_BLOCKS;
static struct store_tuning tuning;

static void run_case(void *context)
{
    void (*const *function)(void) = context;
    struct space_options options = {.seed = 1, .frames = space_frames(frames), .blocks = blocks, .tuning = tuning};

    space_world_start(&options);
    space_boot();
    (*function)();
    space_shut_down();
    space_crash(1 + space_world.slow.disk->event_count / 500, 4);
    space_world_free();
}

static void in_child(void (*function)(void))
{
    assert_true(space_in_child(run_case, &function, false));
}

/* The first page of space 1; its neighbours are `page + 1` and so on. */
static uint32_t page_of_program(void)
{
    return space_model_find(&space_world.model, gpn_make((struct space_id){SPACE}, (struct vaddr){0x08048000u}));
}

static struct vm_page *record_of(uint32_t page)
{
    return vm_map_find(vm_object_space(), space_world.model.gpn[page]);
}

static bool is_writing(void)
{
    const struct vm_page *page = record_of(page_of_program());

    return page != NULL && page->state == VM_PAGE_WRITING;
}

/* A snapshot that is on its way to a disk that does not answer. */
static void begin_snapshot(void)
{
    space_world.slow.holds_writes = true;
    (void)snap_request();
    space_wait_until(is_writing);
}

static void finish_snapshot(void)
{
    space_world.slow.holds_writes = false;
    SPACE_CHECK(space_sync());
}

static void protect_beside_snapshot(void)
{
    uint32_t page = page_of_program();

    SPACE_CHECK(space_store(SPACE, page, 0, 1) && space_store(SPACE, page + 1, 0, 2));
    begin_snapshot();
    space_restrict(page, 1, SPACE_NOTHING);
    space_restrict(page + 1, 1, SPACE_READ);
    space_check();
    finish_snapshot();
    SPACE_CHECK(!space_load(SPACE, page, 0) && space_load(SPACE, page + 1, 0));
    SPACE_CHECK(!space_store(SPACE, page + 1, 0, 3));
    space_restrict(page, 2, SPACE_WRITE);
    SPACE_CHECK(space_load(SPACE, page, 0) && space_store(SPACE, page, 1, 3));
}

static void space_protect_page_being_written_keeps_it(void **state)
{
    (void)state;
    in_child(protect_beside_snapshot);
}

static void reboot(void)
{
    SPACE_CHECK(space_sync());
    space_shut_down();
    space_keep();
    space_boot();
}

/* The page that a snapshot owes is not the one that is there now. */
static void reuse_beside_snapshot(void)
{
    uint32_t page = page_of_program();

    SPACE_CHECK(space_store(SPACE, page, 0, 1) && space_store(SPACE, page + 1, 0, 2));
    begin_snapshot();
    space_discard(page, 2);
    SPACE_CHECK(space_store(SPACE, page, 1, 3) && space_load(SPACE, page + 1, 0));
    finish_snapshot();
    SPACE_CHECK(space_store(SPACE, page + 1, 1, 4));
    reboot();
    SPACE_CHECK(space_load(SPACE, page, 1) && space_load(SPACE, page + 1, 1));
}

static void space_page_discarded_and_used_again_beside_snapshot_is_kept(void **state)
{
    (void)state;
    in_child(reuse_beside_snapshot);
}

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

static void discard_between_stop_and_gathering(uint32_t page)
{
    fake_schedule(1);
    do {
        SPACE_CHECK(space_sync() && is_stopped());
        SPACE_CHECK(space_store(SPACE, 0, 0, 1) && space_store(SPACE, page, 0, (uint32_t)space_world.model.stop_count));
        (void)snap_request();
        space_wait_until(is_stopped);
    } while (!pmap_is_closed(space_world.model.gpn[page]));
    SPACE_CHECK(record_of(page)->state == VM_PAGE_CLEAN);
    space_discard(page, 1);
}

static void discard_before_gathering(void)
{
    discard_between_stop_and_gathering(page_of_program());
    SPACE_CHECK(space_sync());
}

static void space_discard_between_stop_and_gathering_keeps_what_the_snapshot_owes(void **state)
{
    (void)state;
    in_child(discard_before_gathering);
}

/* A snapshot that can neither be written nor given up for lack of memory: the next ones fail too, until there is some.
 */
static void sync_without_memory(void)
{
    struct fake_disk_fault *fault = &space_world.slow.disk->fault;
    uint32_t page = page_of_program();

    SPACE_CHECK(space_store(SPACE, page, 0, 1) && space_store(SPACE, page + 1, 0, 2) && space_sync());
    SPACE_CHECK(space_store(SPACE, page, 0, 3));
    space_discard(page + 1, 1);
    space_world.has_faults = true;
    *fault = (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = UINT64_MAX, .error = ERROR_IO};
    fake_fail_allocations(0, UINT64_MAX);
    SPACE_CHECK(!space_sync() && !space_sync());
    SPACE_CHECK(space_load(SPACE, page, 0) && space_store(SPACE, page, 1, 4));
    fault->armed = false;
    SPACE_CHECK(!space_sync());
    fake_fail_allocations(0, 0);
    SPACE_CHECK(space_sync());
    reboot();
    SPACE_CHECK(space_load(SPACE, page, 1) && space_load(SPACE, page + 1, 0));
}

static void space_sync_without_memory_fails_until_there_is_some(void **state)
{
    (void)state;
    in_child(sync_without_memory);
}

/* Threads that find the same page being read, as programs do in the shared window. */
static void load_once(void *argument)
{
    (void)space_load(SPACE, page_of_program(), (uint32_t)(uintptr_t)argument);
    space_world.programs--;
}

static void start_loads(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct thread *thread;
        space_world.programs++;
        SPACE_CHECK(thread_create("load", load_once, (void *)(uintptr_t)i, &thread) == OK);
        thread_yield();
    }
}

static void wait_for_one_read(void)
{
    SPACE_CHECK(space_store(SPACE, page_of_program(), 0, 1));
    reboot();
    space_world.slow.holds_reads = true;
    start_loads(4);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    SPACE_CHECK(space_world.counters.loads == 4);
}

static void space_faults_that_wait_for_one_read_all_go_on(void **state)
{
    (void)state;
    in_child(wait_for_one_read);
}

static void protect_beside_read(void)
{
    SPACE_CHECK(space_store(SPACE, page_of_program(), 0, 1));
    reboot();
    space_world.slow.holds_reads = true;
    start_loads(3);
    space_restrict(page_of_program(), 1, SPACE_NOTHING);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    SPACE_CHECK(space_world.counters.loads == 0 && space_world.counters.refusals == 3);
}

static void space_protect_page_being_read_refuses_those_who_wait(void **state)
{
    (void)state;
    in_child(protect_beside_read);
}

static void fail_read_beside_protect(void)
{
    SPACE_CHECK(space_store(SPACE, page_of_program(), 0, 1));
    reboot();
    space_world.has_faults = true;
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_READ, .count = 4, .error = ERROR_IO};
    space_world.slow.holds_reads = true;
    start_loads(2);
    space_restrict(page_of_program(), 1, SPACE_NOTHING);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    SPACE_CHECK(record_of(page_of_program()) == NULL);
    space_restrict(page_of_program(), 1, SPACE_WRITE);
    SPACE_CHECK(space_load(SPACE, page_of_program(), 0));
}

static void space_failed_read_of_page_refused_meanwhile_leaves_no_record(void **state)
{
    (void)state;
    in_child(fail_read_beside_protect);
}

static void discard_beside_read(void)
{
    SPACE_CHECK(space_store(SPACE, page_of_program(), 0, 1));
    reboot();
    space_world.slow.holds_reads = true;
    start_loads(3);
    space_world.model.pages[page_of_program()].access = SPACE_NOTHING;
    space_world.slow.holds_reads = false;
    space_discard(page_of_program(), 1);
    space_wait_programs();
    SPACE_CHECK(space_load(SPACE, page_of_program(), 0));
}

static void space_discard_page_being_read_leaves_zeroes(void **state)
{
    (void)state;
    in_child(discard_beside_read);
}

static void load_second(void *unused)
{
    (void)unused;
    (void)space_load(SPACE, page_of_program() + 1, 0);
    space_world.programs--;
}

static void discard_both(void *unused)
{
    (void)unused;
    space_discard(page_of_program(), 2);
    space_world.programs--;
}

static void start(void (*function)(void *))
{
    struct thread *thread;

    space_world.programs++;
    SPACE_CHECK(thread_create("case", function, NULL, &thread) == OK);
    thread_yield();
}

/* Neighbours that are read together with a page are looked for once the page map has been; by then they may be gone. */
static void discard_beside_lookup(void)
{
    uint32_t page = page_of_program();

    SPACE_CHECK(space_store(SPACE, page, 0, 1) && space_store(SPACE, page + 1, 0, 2));
    reboot();
    space_world.slow.holds_lookups = true;
    start(load_second);
    start(discard_both);
    space_world.slow.holds_lookups = false;
    space_wait_programs();
    SPACE_CHECK(space_load(SPACE, page, 0) && space_load(SPACE, page + 1, 0));
}

static void space_discard_beside_lookup_leaves_no_neighbour(void **state)
{
    (void)state;
    in_child(discard_beside_lookup);
}

/* The only page that a snapshot owes is locked, as by a fault that takes long: the snapshot must wait, not spin. */
static void lock_page_of_snapshot(void)
{
    uint32_t page = page_of_program();

    discard_between_stop_and_gathering(page);
    fake_schedule(0);
    vm_page_lock(record_of(page));
    for (uint32_t i = 0; i < 100; i++) {
        thread_yield();
    }
    vm_page_unlock(record_of(page));
    SPACE_CHECK(space_sync());
}

static void space_snapshot_of_page_that_is_locked_waits(void **state)
{
    (void)state;
    in_child(lock_page_of_snapshot);
}

/* Blocks that were allocated for pages which are then not put. */
static void fail_puts(void)
{
    for (uint32_t round = 0; round < SPACE_DISK_BLOCKS / 40; round++) {
        for (uint32_t i = 0; i < 40; i++) {
            SPACE_CHECK(space_store(SPACE, page_of_program() + i, 0, round + 1));
        }
        space_world.has_faults = true;
        begin_snapshot();
        fake_fail_allocations(0, 1);
        space_world.slow.holds_writes = false;
        SPACE_CHECK(!space_sync() || fake_allocations() > 0);
        space_world.has_faults = false;
    }
    SPACE_CHECK(space_sync());
}

static void space_failed_put_returns_its_blocks(void **state)
{
    (void)state;
    in_child(fail_puts);
}

static void store_pages(uint32_t count, uint32_t value)
{
    for (uint32_t i = 0; i < count; i++) {
        SPACE_CHECK(space_store(SPACE, page_of_program() + i, 0, value));
    }
}

static void write_to_bad_blocks(void)
{
    for (uint32_t block = 200; block < SPACE_DISK_BLOCKS; block += 7) {
        space_world.slow.disk->bad[block] = 2;
    }
    for (uint32_t round = 1; round < 60; round++) {
        store_pages(40, round);
        SPACE_CHECK(space_sync());
    }
}

static void space_pages_whose_blocks_are_bad_go_to_others(void **state)
{
    (void)state;
    in_child(write_to_bad_blocks);
}

/* A name that is forgotten makes the next commit draw the free-space map anew, the retired blocks in it too. */
static void forget_name_beside_bad_blocks(void)
{
    for (uint32_t block = 200; block < 240; block += 7) {
        space_world.slow.disk->bad[block] = 2;
    }
    for (uint32_t round = 1; round < 12; round++) {
        store_pages(40, round);
        SPACE_CHECK(space_sync());
    }
    SPACE_CHECK(store_pin(space_world.store, store_committed(space_world.store), "name") == OK);
    SPACE_CHECK(store_unpin(space_world.store, "name") == OK);
    for (uint32_t round = 12; round < 24; round++) {
        store_pages(40, round);
        SPACE_CHECK(space_sync());
    }
}

static void space_retired_blocks_named_again_are_sound(void **state)
{
    (void)state;
    tuning = (struct store_tuning){.history = 4, .log_records = 4, .log_entries = 60, .cache_nodes = 8};
    in_child(forget_name_beside_bad_blocks);
    tuning = (struct store_tuning){0};
}

/* A disk that refuses everything for a while has no bad blocks. */
static void write_to_no_blocks(void)
{
    struct store_statistics before, after;

    store_pages(40, 1);
    SPACE_CHECK(space_sync());
    store_statistics(space_world.store, &before);
    space_world.has_faults = true;
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = UINT64_MAX, .error = ERROR_IO};
    for (uint32_t round = 2; round < 10; round++) {
        store_pages(40, round);
        SPACE_CHECK(!space_sync());
    }
    space_world.slow.disk->fault.armed = false;
    SPACE_CHECK(space_sync());
    store_statistics(space_world.store, &after);
    SPACE_CHECK(after.blocks_used < before.blocks_used + 100 && after.blocks_held <= before.blocks_held);
}

static void space_disk_that_refuses_writes_keeps_its_blocks(void **state)
{
    (void)state;
    in_child(write_to_no_blocks);
}

/* A snapshot that needs more blocks than history has left free: history goes first. */
static void fill_history(void)
{
    const struct space_model *model = &space_world.model;

    for (uint32_t round = 1; space_world.slow.disk->writes < 2 * STORE_BLOCKS_MIN; round++) {
        store_pages(72, round);
        SPACE_CHECK(space_sync());
    }
    for (uint32_t i = 0; i < model->record_first; i++) {
        uint32_t space = gpn_space(model->gpn[i]).number;
        SPACE_CHECK(space_store(space, i, 1, i + 1));
    }
    SPACE_CHECK(space_sync());
}

static void space_full_disk_gives_up_history_first(void **state)
{
    (void)state;
    blocks = STORE_BLOCKS_MIN;
    in_child(fill_history);
    blocks = SPACE_DISK_BLOCKS;
}

static void store_everywhere(void *unused)
{
    const struct space_model *model = &space_world.model;

    (void)unused;
    for (uint32_t i = 0; i < model->record_first; i++) {
        uint32_t space = gpn_space(model->gpn[i]).number;
        SPACE_CHECK(space_store(space == SPACE_SHARED.number ? SPACE : space, i, 1, i + 1));
    }
    space_world.programs--;
}

static void pin_until_full(void)
{
    char name[] = "a";

    for (; space_sync(); name[0]++) {
        SPACE_CHECK(store_pin(space_world.store, store_committed(space_world.store), name) == OK);
        store_pages(72, (uint32_t)name[0]);
        space_world.has_faults = true;
    }
    space_world.has_faults = false;
}

/* Who needs memory waits as long as the disk has no room for what is in it. */
static void fill_disk_and_memory(void)
{
    char name[] = "a";

    store_pages(72, 1);
    pin_until_full();
    start(store_everywhere);
    for (uint32_t i = 0; i < 1000; i++) {
        fake_clock_advance(10000000);
        thread_yield();
    }
    SPACE_CHECK(space_world.programs == 1);
    for (; store_unpin(space_world.store, name) == OK; name[0]++) {
    }
    space_wait_programs();
    SPACE_CHECK(space_sync());
}

static void space_full_disk_and_memory_make_writers_wait(void **state)
{
    (void)state;
    blocks = STORE_BLOCKS_MIN;
    frames = 100;
    in_child(fill_disk_and_memory);
    blocks = SPACE_DISK_BLOCKS;
    frames = 1000;
}

static void sync_once(void *unused)
{
    (void)unused;
    (void)space_sync();
    space_world.programs--;
}

/* Who waited for a snapshot that succeeded does not care for the next one. */
static void fail_after_success(void)
{
    uint32_t page = page_of_program();

    SPACE_CHECK(space_store(SPACE, page, 0, 1));
    space_world.slow.holds_writes = true;
    start(sync_once);
    space_wait_until(is_writing);
    SPACE_CHECK(space_store(SPACE, page, 0, 2));
    (void)snap_request();
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_FLUSH, .first = 2, .count = 1, .error = ERROR_IO};
    space_world.slow.holds_writes = false;
    space_wait_programs();
    SPACE_CHECK(space_world.counters.syncs == 1 && space_world.slow.disk->fault.count == 0);
    SPACE_CHECK(space_sync());
}

static void space_sync_that_was_served_succeeds_whatever_comes_after(void **state)
{
    (void)state;
    in_child(fail_after_success);
}

/* Frames come back with the next snapshot but one, if the next one fails. */
static void wait_for_memory(void)
{
    uint32_t page = page_of_program();
    uint32_t count = 0;

    while (frame_count(FRAME_FREE) > vm_frame_reserve()) {
        SPACE_CHECK(space_store(SPACE, page + count, 0, 1));
        count++;
    }
    space_world.slow.disk->fault =
        (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = 1, .error = ERROR_IO};
    SPACE_CHECK(space_store(SPACE, page + count, 0, 1));
    SPACE_CHECK(space_world.slow.disk->fault.count == 0);
}

static void space_fault_that_waits_for_memory_outlives_a_failed_snapshot(void **state)
{
    (void)state;
    frames = 20;
    in_child(wait_for_memory);
    frames = 1000;
}

static void discard_wired(void)
{
    uint32_t page = page_of_program();

    SPACE_CHECK(vm_wire(space_world.model.gpn[page], PMAP_WRITE) == OK);
    space_discard(page, 1);
    vm_unwire(space_world.model.gpn[page]);
    SPACE_CHECK(record_of(page) == NULL);
}

static void space_wired_page_that_is_discarded_leaves_no_record(void **state)
{
    (void)state;
    in_child(discard_wired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_protect_page_being_written_keeps_it),
        cmocka_unit_test(space_page_discarded_and_used_again_beside_snapshot_is_kept),
        cmocka_unit_test(space_discard_between_stop_and_gathering_keeps_what_the_snapshot_owes),
        cmocka_unit_test(space_sync_without_memory_fails_until_there_is_some),
        cmocka_unit_test(space_faults_that_wait_for_one_read_all_go_on),
        cmocka_unit_test(space_protect_page_being_read_refuses_those_who_wait),
        cmocka_unit_test(space_failed_read_of_page_refused_meanwhile_leaves_no_record),
        cmocka_unit_test(space_discard_page_being_read_leaves_zeroes),
        cmocka_unit_test(space_discard_beside_lookup_leaves_no_neighbour),
        cmocka_unit_test(space_snapshot_of_page_that_is_locked_waits),
        cmocka_unit_test(space_failed_put_returns_its_blocks),
        cmocka_unit_test(space_pages_whose_blocks_are_bad_go_to_others),
        cmocka_unit_test(space_retired_blocks_named_again_are_sound),
        cmocka_unit_test(space_disk_that_refuses_writes_keeps_its_blocks),
        cmocka_unit_test(space_full_disk_gives_up_history_first),
        cmocka_unit_test(space_full_disk_and_memory_make_writers_wait),
        cmocka_unit_test(space_sync_that_was_served_succeeds_whatever_comes_after),
        cmocka_unit_test(space_fault_that_waits_for_memory_outlives_a_failed_snapshot),
        cmocka_unit_test(space_wired_page_that_is_discarded_leaves_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
