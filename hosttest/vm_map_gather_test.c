/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathering (vm_gather_chunk): what the hardware noted of writes becomes list entries, in the list and with the access
 * that the chunk's being open or closed asks for; and chunks that nobody touched cost nothing.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"
#include "arch/pmap.h"
#include "fake/mmu.h"

#define SPACE   ((struct space_id){1})
#define ADDRESS 0x00400000u
#define PAGES   6u

static struct vm_map map;
static struct vm_page *pages[PAGES]; /* side by side in one chunk, mapped writable, clean */

static struct vaddr address_of(uint32_t index)
{
    return (struct vaddr){ADDRESS + index * PAGE_SIZE};
}

static struct page_key key_of(uint32_t index)
{
    return page_key_at(SPACE, address_of(index));
}

static int start(void **unused)
{
    (void)unused;
    struct frame frame;

    map_start(&map, 64, 1);
    assert_int_equal(pmap_create(SPACE), OK);
    pmap_activate(SPACE);
    for (uint32_t i = 0; i < PAGES; i++) {
        pages[i] = map_create(&map, key_of(i).number);
        assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
        vm_page_lock(pages[i]);
        vm_page_make_resident(&map, pages[i], frame);
        vm_page_unlock(pages[i]);
        assert_int_equal(pmap_enter(page_key_place(key_of(i)), frame, PMAP_WRITE), OK);
    }
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < PAGES; i++) {
        (void)pmap_remove(page_key_place(key_of(i)));
        vm_page_lock(pages[i]);
        struct frame frame = vm_page_detach(&map, pages[i]);
        if (vm_snapshot_has(&map, pages[i])) {
            frame = vm_snapshot_abort(&map, pages[i]);
        }
        frame_free(frame);
        vm_page_unlock(pages[i]);
        map_delete(&map, key_of(i).number);
    }
    map_check(&map);
    assert_int_equal(vm_map_destroy(&map), OK);
    pmap_activate(SPACE_SYSTEM);
    pmap_delete(SPACE);
    fake_machine_stop();
    return 0;
}

static bool store(uint32_t index)
{
    return mmu_store(address_of(index), index) || mmu_store(address_of(index), index);
}

static void gather_in_an_open_chunk_lists_what_was_written_and_keeps_its_access(void **unused)
{
    (void)unused;
    uint32_t value;

    assert_true(store(1) && store(4) && mmu_load(address_of(2), &value));
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(0))), PMAP_CHUNK_PAGES);
    assert_int_equal(vm_dirty_open(&map), 2);
    for (uint32_t i = 0; i < PAGES; i++) {
        assert_int_equal(pages[i]->state, i == 1 || i == 4 ? VM_PAGE_DIRTY : VM_PAGE_CLEAN);
    }
    assert_true(pmap_is_dirty(page_key_place(key_of(1))));
    assert_true(mmu_store(address_of(1), 7)); /* no fault */
    map_check(&map);
    /* Gathered twice, listed once. */
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(PAGES - 1))), PMAP_CHUNK_PAGES);
    assert_int_equal(vm_dirty_open(&map), 2);
    map_check(&map);
}

/* Pages that were listed before the stop must be found by it all the same: they can still be written to (VM-9). */
static void gather_after_the_stop_protects_what_was_listed_before(void **unused)
{
    (void)unused;
    assert_true(store(1));
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(0))), PMAP_CHUNK_PAGES);
    assert_int_equal(vm_snapshot_splice(&map), OK);
    pmap_stop();
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(0))), PMAP_CHUNK_PAGES);
    assert_false(pmap_is_closed(page_key_place(key_of(0))));
    assert_false(store(1));
    assert_true(store(0));
    assert_int_equal(vm_snapshot_count(&map), 1);
    map_check(&map);
}

static void gather_in_a_closed_chunk_hands_what_was_written_to_the_snapshot(void **unused)
{
    (void)unused;
    assert_true(store(2) && store(3));
    assert_int_equal(vm_snapshot_splice(&map), OK);
    pmap_stop();
    assert_false(store(0));
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(5))), PMAP_CHUNK_PAGES);
    assert_int_equal(vm_dirty_open(&map), 0);
    assert_int_equal(vm_snapshot_count(&map), 2);
    assert_true(vm_snapshot_must_copy(&map, pages[2]) && vm_snapshot_must_copy(&map, pages[3]));
    assert_false(store(2) || store(3));
    assert_true(store(0)); /* the rest of the chunk is open */
    assert_int_equal(pages[0]->state, VM_PAGE_CLEAN);
    map_check(&map);
    /* What was written since belongs to the next one. */
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(0))), PMAP_CHUNK_PAGES);
    assert_int_equal(vm_dirty_open(&map), 1);
    assert_ptr_equal(vm_dirty_first(&map), pages[0]);
    map_check(&map);
}

static void gather_skips_chunks_that_nobody_touched(void **unused)
{
    (void)unused;
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(0))), 0);
    assert_true(store(0));
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(0))), PMAP_CHUNK_PAGES);
    assert_int_equal(vm_gather_chunk(&map, page_key_place(key_of(1024))), 0); /* no table there */
    assert_int_equal(vm_dirty_open(&map), 1);
}

static void gather_finds_a_dirty_page_without_a_record_and_panics(void **unused)
{
    (void)unused;
    struct frame frame;

    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    assert_int_equal(pmap_enter(page_key_place(key_of(PAGES)), frame, PMAP_WRITE), OK);
    assert_true(store(PAGES));
    assert_true(fake_panics((void)vm_gather_chunk(&map, page_key_place(key_of(0)))));
    (void)pmap_remove(page_key_place(key_of(PAGES)));
    frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gather_in_an_open_chunk_lists_what_was_written_and_keeps_its_access, start,
                                        stop),
        cmocka_unit_test_setup_teardown(gather_after_the_stop_protects_what_was_listed_before, start, stop),
        cmocka_unit_test_setup_teardown(gather_in_a_closed_chunk_hands_what_was_written_to_the_snapshot, start, stop),
        cmocka_unit_test_setup_teardown(gather_skips_chunks_that_nobody_touched, start, stop),
        cmocka_unit_test_setup_teardown(gather_finds_a_dirty_page_without_a_record_and_panics, start, stop),
    };

    return cmocka_run_group_tests_name("vm_map_gather", tests, NULL, NULL);
}
