/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page: its lists, locks, references, wiring, and what deletion refuses. vm_map_transition_test goes through the
 * table of states.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"

#define PAGE_A 0x00100123u

static struct vm_map map;

static struct frame frame_new(void)
{
    struct frame frame;

    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    return frame;
}

static int start(void **unused)
{
    (void)unused;
    map_start(&map, 256, 1);
    return 0;
}

static void frame_release(struct frame frame)
{
    if (!frame_is_none(frame)) {
        frame_free(frame);
    }
}

/* Give back whatever the page still has, whatever state it was left in. */
static void forget(struct vm_page *page)
{
    if (!vm_page_is_mine(page)) {
        vm_page_lock(page);
    }
    if (page->state == VM_PAGE_READING) {
        vm_page_fail_read(page);
    }
    if (page->state == VM_PAGE_WRITING && !vm_snapshot_has(&map, page)) {
        vm_page_fail_write(page);
    }
    frame_release(vm_page_detach(&map, page));
    if (vm_snapshot_has(&map, page)) {
        frame_release(vm_snapshot_abort(&map, page));
    }
    vm_page_unlock(page);
    map_delete(&map, vm_page_key(page).number);
}

static int stop(void **unused)
{
    (void)unused;
    map_stop(&map);
    return 0;
}

/* A locked page in a given state, on its way there through every function that leads to it. */
static struct vm_page *page_in(enum vm_page_state state)
{
    struct vm_page *page = map_create(&map, PAGE_A);

    vm_page_lock(page);
    if (state == VM_PAGE_NEW) {
        return page;
    }
    if (state == VM_PAGE_READING) {
        vm_page_begin_read(page);
        return page;
    }
    vm_page_make_resident(&map, page, frame_new());
    if (state == VM_PAGE_CLEAN) {
        return page;
    }
    vm_page_mark_dirty(&map, page);
    if (state == VM_PAGE_WRITING) {
        vm_page_begin_write(page);
    }
    return page;
}

static void do_drop(struct vm_page *page)
{
    struct frame frame;

    assert_int_equal(vm_page_drop(&map, page, &frame), OK);
    frame_free(frame);
}

static void page_paged_out_leaves_the_list(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(VM_PAGE_WRITING);

    assert_int_equal(vm_dirty_open(&map), 1);
    assert_ptr_equal(vm_dirty_first(&map), page);
    vm_page_end_write(&map, page);
    assert_int_equal(vm_dirty_open(&map), 0);
    map_check(&map);
    do_drop(page);
    assert_int_equal(page->state, VM_PAGE_NEW);
    vm_page_unlock(page);
    map_delete(&map, PAGE_A);
}

static void page_that_failed_to_be_paged_out_is_still_listed(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(VM_PAGE_WRITING);

    vm_page_fail_write(page);
    assert_ptr_equal(vm_dirty_first(&map), page);
    map_check(&map);
    forget(page);
}

static void page_detached_gives_up_its_frame(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(VM_PAGE_NEW);
    struct frame frame = frame_new();

    vm_page_make_resident(&map, page, frame);
    vm_page_mark_dirty(&map, page);
    assert_int_equal(vm_page_detach(&map, page).number, frame.number);
    assert_int_equal(page->list, VM_LIST_NONE);
    assert_int_equal(vm_dirty_open(&map), 0);
    frame_free(frame);
    forget(page);
}

static void page_wired_is_not_dropped(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(VM_PAGE_CLEAN);
    struct frame frame = {4711};

    assert_int_equal(vm_page_wire(page), OK);
    assert_int_equal(vm_page_wire(page), OK);
    assert_int_equal(vm_page_drop(&map, page, &frame), ERROR_BUSY);
    assert_int_equal(frame.number, 4711);
    vm_page_unwire(page);
    assert_int_equal(vm_page_drop(&map, page, &frame), ERROR_BUSY);
    vm_page_unwire(page);
    assert_true(fake_panics(vm_page_unwire(page)));
    forget(page);
}

static void page_wired_too_often_is_refused(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(VM_PAGE_CLEAN);

    for (uint32_t i = 0; i < UINT16_MAX; i++) {
        assert_int_equal(vm_page_wire(page), OK);
    }
    assert_int_equal(vm_page_wire(page), ERROR_RANGE);
    for (uint32_t i = 0; i < UINT16_MAX; i++) {
        vm_page_unwire(page);
    }
    forget(page);
}

static void page_references_are_counted_to_their_limits(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(VM_PAGE_NEW);

    assert_true(fake_panics(vm_page_release(page)));
    for (uint32_t i = 0; i < UINT16_MAX; i++) {
        vm_page_reference(page);
    }
    assert_true(fake_panics(vm_page_reference(page)));
    for (uint32_t i = 0; i < UINT16_MAX; i++) {
        vm_page_release(page);
    }
    forget(page);
}

/* Deletion must fail and leave everything as it is. */
static void assert_refused(struct vm_page *page)
{
    enum vm_page_state state = (enum vm_page_state)page->state;

    assert_int_equal(vm_map_delete(&map, vm_page_key(page)), ERROR_BUSY);
    assert_ptr_equal(vm_map_find(&map, vm_page_key(page)), page);
    assert_int_equal(page->state, state);
    assert_int_equal(vm_map_count(&map), 1);
    map_check(&map);
}

static void delete_refuses_every_page_that_is_in_use(void **unused)
{
    (void)unused;
    for (int state = VM_PAGE_NEW; state <= VM_PAGE_WRITING; state++) {
        struct vm_page *page = page_in((enum vm_page_state)state);

        assert_refused(page); /* locked */
        vm_page_unlock(page);
        if (state != VM_PAGE_NEW) {
            assert_refused(page); /* reading, resident, dirty and listed, being written */
        }
        forget(page);
    }
    struct vm_page *page = page_in(VM_PAGE_NEW);
    vm_page_unlock(page);
    assert_int_equal(vm_page_wire(page), OK);
    assert_refused(page);
    vm_page_unwire(page);
    vm_page_reference(page);
    assert_refused(page);
    vm_page_release(page);
    forget(page);
}

static void delete_refuses_a_new_page_that_a_snapshot_still_needs(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(VM_PAGE_DIRTY);

    assert_int_equal(vm_snapshot_splice(&map), OK);
    assert_true(frame_is_none(vm_page_detach(&map, page)));
    assert_int_equal(page->state, VM_PAGE_NEW);
    vm_page_unlock(page);
    assert_refused(page);
    vm_page_lock(page);
    frame_free(vm_snapshot_abort(&map, page));
    vm_page_unlock(page);
    map_delete(&map, PAGE_A);
}

static void lock_is_exclusive_and_never_taken_twice(void **unused)
{
    (void)unused;
    struct vm_page *page = map_create(&map, PAGE_A);

    assert_false(vm_page_is_mine(page));
    assert_true(vm_page_try_lock(page));
    assert_true(vm_page_is_mine(page));
    assert_true(fake_panics(vm_page_lock(page)));
    vm_page_release(page); /* that the panic left behind */
    vm_page_unlock(page);
    assert_true(fake_panics(vm_page_unlock(page)));
    forget(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(page_paged_out_leaves_the_list, start, stop),
        cmocka_unit_test_setup_teardown(page_that_failed_to_be_paged_out_is_still_listed, start, stop),
        cmocka_unit_test_setup_teardown(page_detached_gives_up_its_frame, start, stop),
        cmocka_unit_test_setup_teardown(page_wired_is_not_dropped, start, stop),
        cmocka_unit_test_setup_teardown(page_wired_too_often_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(page_references_are_counted_to_their_limits, start, stop),
        cmocka_unit_test_setup_teardown(delete_refuses_every_page_that_is_in_use, start, stop),
        cmocka_unit_test_setup_teardown(delete_refuses_a_new_page_that_a_snapshot_still_needs, start, stop),
        cmocka_unit_test_setup_teardown(lock_is_exclusive_and_never_taken_twice, start, stop),
    };

    return cmocka_run_group_tests_name("vm_map_page", tests, NULL, NULL);
}
