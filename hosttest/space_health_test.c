/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that finds its books wrong: each way in which they can be is named, and nothing is committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "space_case.h"

#include "arch/frame.h"
#include "snap_check.h"
#include "vm_fault.h"
#include "vm_map.h"

/* What the whole check names, and the step, if it can see it; that needs as many calls as there are pieces. */
static void expect_both(const char *whole, const char *step)
{
    struct snap_violation violation;
    uint32_t pieces = vm_object_space()->bucket_count / SNAP_CHECK_BUCKETS + 2;
    bool found = false;

    SPACE_CHECK(snap_check(&violation) == ERROR_INVALID && strcmp(violation.invariant, whole) == 0);
    for (uint32_t i = 0; i < pieces && !found; i++) {
        found = snap_check_step(&violation) == ERROR_INVALID && step != NULL && strcmp(violation.invariant, step) == 0;
    }
    SPACE_CHECK(found == (step != NULL));
}

static void expect(const char *invariant)
{
    expect_both(invariant, invariant);
}

/* Give a page another frame, in all books but those of the mappings. */
static void exchange_frame(struct vm_page *page, struct frame frame)
{
    struct vm_frame_use *uses = vm_object_space()->frame_uses;

    uses[vm_page_frame(page).number].page = NULL;
    uses[frame.number].page = page;
    vm_page_set_frame(page, frame);
}

static void break_each(void)
{
    struct frame copy;

    SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, space_first_page(), 0, 1));
    struct vm_page *page = space_record_of(space_first_page());
    struct vm_page good = *page;

    frame_set_owner(vm_page_frame(page), FRAME_STORE); /* somebody else's */
    expect("CHECK-2");
    frame_set_owner(vm_page_frame(page), FRAME_PAGE);
    vm_page_set_frame(page, (struct frame){frame_limit()});
    expect("VM-11");
    *page = good;
    SPACE_CHECK(frame_allocate(FRAME_PAGE, &copy) == OK);
    exchange_frame(page, copy); /* a page's, but not where the mapping leads to */
    expect_both("VIEW-1", "CHECK-4");
    exchange_frame(page, vm_page_frame(&good));
    frame_free(copy);
    *page = good;
    page->state = VM_PAGE_NEW; /* with a frame */
    expect("VM-5");
    *page = good;
    SPACE_CHECK(frame_allocate(FRAME_PAGE, &copy) == OK); /* nobody's */
    expect_both("CHECK-3", NULL);
    frame_free(copy);
    space_check();
}

SPACE_CASE(space_each_wrong_entry_in_the_books_is_named, break_each)

/* The snapshot thread finds it before the commit and takes the machine down. */
static void play_sick(void *context)
{
    struct space_options options = {.seed = 1, .frames = space_frames(1000), .blocks = SPACE_DISK_BLOCKS};
    const bool *is_sick = context;

    space_world_start(&options);
    space_boot();
    space_store_pages(20, 1);
    SPACE_CHECK(space_sync());
    space_store_pages(20, 2);
    if (*is_sick) {
        frame_set_owner(vm_page_frame(space_record_of(space_first_page())), FRAME_STORE);
    }
    for (uint32_t i = 0; i < vm_object_space()->bucket_count / SNAP_CHECK_BUCKETS + 2; i++) {
        space_store_pages(1, 3 + i);
        SPACE_CHECK(space_sync());
    }
    if (*is_sick) {
        return; /* all is committed; shutting down would find it, too */
    }
    space_shut_down();
    space_world_free();
}

static void space_sick_kernel_does_not_commit(void **state)
{
    bool is_sick = false;

    (void)state;
    assert_true(space_in_child(play_sick, &is_sick, false));
    is_sick = true;
    assert_false(space_in_child(play_sick, &is_sick, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_each_wrong_entry_in_the_books_is_named),
        cmocka_unit_test(space_sick_kernel_does_not_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
