/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults by themselves: which pages come in together, what a failing disk or missing memory leaves behind, and taking
 * pages away again. (What snapshots do to faults is tested with the object space as a whole: space_*_test.)
 *
 * The pager is a model: page number n holds the number n, repeated. One region of one space may be touched. It notes
 * each request, and can fail, for one page or for all.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"
#include "arch/pmap.h"
#include "fake/mmu.h"
#include "thread.h"
#include "vm_fault.h"
#include "vm_growth.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"

#include <string.h>

#define SPACE         ((struct space_id){1})
#define SOURCE        ((struct space_id){2})
#define CHECKS_MAX    1000u    /* of one fault that comes to an end */
#define GROUP         0x00500u /* number of a page at the start of a group of VM_CLUSTER_PAGES */
#define FRAMES_PLENTY 4096u
#define NOWHERE       0xFFFFFFFFu

static struct {
    uint32_t region_first, region_count;
    bool may_write;
    uint32_t keeps_first, keeps_count; /* of the region, when the first page has been looked up; 0: all */
    uint32_t zero_page;                /* holds nothing */
    uint32_t moved_page;               /* not good when it is read in a cluster */
    uint32_t bad_page;                 /* cannot be read at all */
    enum error discard_error;
    enum error clean_error;
    uint32_t reads, last_first, last_count; /* requests, and the last one's range */
    uint32_t single_reads, cleans;
    uint32_t discarded_first, discarded_count;
    bool is_lent;    /* the space has nothing of its own; its source has everything */
    uint32_t checks; /* of accesses */
} model;

static struct page_key page_at(uint32_t number)
{
    return page_key_at(SPACE, (struct vaddr){number << PAGE_SHIFT});
}

static uint32_t number_of(struct page_key page)
{
    return page.number & 0xFFFFFu;
}

static enum error check_access(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    uint32_t at = number_of(place_key(place)) - model.region_first;

    assert_true(model.checks++ < CHECKS_MAX);
    if (at >= model.region_count || (access == PMAP_WRITE && !model.may_write)) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){
        .may_write = model.may_write, .pages_before = at, .pages_after = model.region_count - 1 - at};
    return OK;
}

static enum error measure(struct page_key page, uint32_t before_max, uint32_t after_max, struct vm_cluster_extent *out)
{
    assert_true(before_max + after_max < VM_CLUSTER_PAGES);
    *out = (struct vm_cluster_extent){
        .is_zero = number_of(page) == model.zero_page, .before = before_max, .after = after_max};
    out->is_absent = model.is_lent && page_key_window(page).number == SPACE.number;
    if (model.keeps_count > 0) {
        model.region_first = model.keeps_first;
        model.region_count = model.keeps_count;
    }
    return number_of(page) == model.bad_page && model.reads == NOWHERE ? ERROR_IO : OK;
}

static void fill(void *content, uint32_t number)
{
    for (uint32_t i = 0; i < PAGE_SIZE / sizeof(number); i++) {
        memcpy((char *)content + i * sizeof(number), &number, sizeof(number));
    }
}

static void read_cluster(struct page_key first, uint32_t count, void *const contents[], bool out_good[])
{
    model.reads++;
    model.last_first = number_of(first);
    model.last_count = count;
    assert_in_range(count, 1, VM_CLUSTER_PAGES);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = number_of(first) + i;

        fill(contents[i], number);
        out_good[i] = number != model.moved_page && number != model.bad_page;
    }
}

static enum error read_one(struct page_key page, void *content)
{
    model.single_reads++;
    fill(content, number_of(page));
    return number_of(page) == model.bad_page ? ERROR_CHECKSUM : OK;
}

static enum error discard(struct page_key first, uint32_t count)
{
    model.discarded_first = number_of(first);
    model.discarded_count = count;
    return model.discard_error;
}

static enum error clean(void)
{
    model.cleans++;
    return model.clean_error;
}

static const struct vm_pager pager = {.measure = measure,
                                      .read = read_cluster,
                                      .read_one = read_one,
                                      .discard = discard,
                                      .page_out = pager_page_out, /* all frames come from clean pages */
                                      .clean = clean};
static uint32_t told_to_end;

static bool note_stop(struct space_id space)
{
    told_to_end = space.number;
    return true;
}

static struct space_id source_of(struct place place, struct space_id at)
{
    (void)place;
    return model.is_lent && at.number == SPACE.number ? SOURCE : SPACE_NONE;
}

static const struct vm_fault_policy policy = {.check = check_access, .source = source_of, .stop = note_stop};

static void start_with(uint32_t frames)
{
    memset(&model, 0, sizeof(model));
    model.region_first = GROUP - 2 * VM_CLUSTER_PAGES;
    model.region_count = 6 * VM_CLUSTER_PAGES;
    model.may_write = true;
    model.zero_page = model.moved_page = model.bad_page = NOWHERE;
    fake_machine_start(frames);
    assert_int_equal(vm_fault_initialise(&pager, &policy, NULL), OK);
    assert_int_equal(pmap_create(SPACE), OK);
    pmap_activate(SPACE);
}

static int start(void **unused)
{
    (void)unused;
    start_with(FRAMES_PLENTY);
    return 0;
}

static void check_map(void)
{
    map_check(vm_object_space());
}

/* Everything is discarded, and no frame is left. */
static int stop(void **unused)
{
    (void)unused;
    check_map();
    model.discard_error = OK;
    assert_int_equal(vm_discard(page_at(USER_START >> PAGE_SHIFT), (USER_END - USER_START) >> PAGE_SHIFT), OK);
    assert_int_equal(vm_map_count(vm_object_space()), 0);
    assert_int_equal(vm_map_destroy(vm_object_space()), OK);
    fake_machine_stop();
    return 0;
}

static struct vm_page *find(uint32_t number)
{
    return vm_map_find(vm_object_space(), page_at(number));
}

static bool is_resident(uint32_t number)
{
    return find(number) != NULL && find(number)->state == VM_PAGE_CLEAN;
}

/* Pages [first, last] have records, are resident, and nobody else is. */
static void assert_only_resident(uint32_t first, uint32_t last)
{
    for (uint32_t number = first; number <= last; number++) {
        assert_true(is_resident(number));
        assert_int_equal(*(uint32_t *)frame_address(vm_page_frame(find(number))), number);
    }
    assert_int_equal(vm_map_count(vm_object_space()), last - first + 1);
    check_map();
}

static bool loads_its_number(uint32_t number)
{
    uint32_t value = ~number;

    return mmu_load((struct vaddr){number << PAGE_SHIFT}, &value) && value == number;
}

static void access_page(uint32_t number, enum pmap_access access)
{
    assert_int_equal(vm_fault(page_key_place(page_at(number)), access), OK);
    if (access == PMAP_WRITE) {
        assert_true(mmu_store((struct vaddr){number << PAGE_SHIFT}, number));
    } else {
        assert_true(loads_its_number(number));
    }
}

/* Pages that come together ----------------------------------------------------------------------------------------- */

static void fault_brings_the_aligned_group_with_one_request(void **unused)
{
    (void)unused;
    access_page(GROUP + 5, PMAP_READ);
    assert_int_equal(model.reads, 1);
    assert_int_equal(model.last_first, GROUP);
    assert_int_equal(model.last_count, VM_CLUSTER_PAGES);
    assert_only_resident(GROUP, GROUP + VM_CLUSTER_PAGES - 1);
    /* They are there and not mapped: no further request. */
    assert_false(pmap_query(page_key_place(page_at(GROUP + 6)), NULL));
    access_page(GROUP + 6, PMAP_READ);
    assert_int_equal(model.reads, 1);
}

static void fault_brings_no_more_than_the_region_has(void **unused)
{
    (void)unused;
    model.region_first = GROUP + 3;
    model.region_count = 5;
    access_page(GROUP + 5, PMAP_READ);
    assert_int_equal(model.last_first, GROUP + 3);
    assert_int_equal(model.last_count, 5);
    assert_only_resident(GROUP + 3, GROUP + 7);
}

/* The neighbours were counted before the look-up, which sleeps; the region is not what it was. */
static void fault_brings_no_page_that_left_the_region_meanwhile(void **unused)
{
    (void)unused;
    model.keeps_first = GROUP + 4;
    model.keeps_count = 3;
    access_page(GROUP + 5, PMAP_READ);
    assert_int_equal(model.last_first, GROUP + 4);
    assert_int_equal(model.last_count, 3);
    assert_only_resident(GROUP + 4, GROUP + 6);
}

static void fault_brings_no_page_that_has_a_record(void **unused)
{
    (void)unused;
    model.region_first = GROUP + 2;
    model.region_count = 1;
    access_page(GROUP + 2, PMAP_READ);
    model.region_count = 8;
    access_page(GROUP + 9, PMAP_READ);
    model.region_first = GROUP;
    model.region_count = VM_CLUSTER_PAGES;
    access_page(GROUP, PMAP_READ); /* up to the record of page 2 */
    assert_int_equal(model.last_first, GROUP);
    assert_int_equal(model.last_count, 2);
    assert_int_equal(model.reads, 3);
}

static void fault_of_a_page_of_zeroes_reads_nothing(void **unused)
{
    (void)unused;
    uint32_t value = 1;

    model.zero_page = GROUP + 1;
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP + 1)), PMAP_READ), OK);
    assert_true(mmu_load((struct vaddr){(GROUP + 1) << PAGE_SHIFT}, &value) && value == 0);
    assert_int_equal(model.reads, 0);
    assert_int_equal(vm_map_count(vm_object_space()), 1);
}

/* Frames are taken until so many are free. */
static struct frame hoard[FRAMES_PLENTY];
static uint32_t hoarded;

static void leave_frames(uint32_t count)
{
    while (frame_count(FRAME_FREE) > count) {
        assert_int_equal(frame_allocate(FRAME_KERNEL, &hoard[hoarded++]), OK);
    }
}

static void give_frames_back(void)
{
    while (hoarded > 0) {
        frame_free(hoard[--hoarded]);
    }
}

static void fault_short_of_memory_brings_the_page_alone(void **unused)
{
    (void)unused;
    leave_frames(2 * vm_frame_reserve());
    access_page(GROUP + 5, PMAP_READ);
    assert_int_equal(model.last_first, GROUP + 5);
    assert_int_equal(model.last_count, 1);
    assert_only_resident(GROUP + 5, GROUP + 5);
    give_frames_back();
}

/* Upwards and downwards, and only what goes on where the last request ended or began. */
static void fault_short_of_memory_brings_neighbours_to_who_goes_on(void **unused)
{
    (void)unused;
    leave_frames(2 * vm_frame_reserve());
    access_page(GROUP + 2, PMAP_READ);
    assert_int_equal(model.last_count, 1);
    access_page(GROUP + 3, PMAP_READ);
    assert_int_equal(model.last_first, GROUP + 3);
    assert_int_equal(model.last_count, VM_CLUSTER_PAGES - 3);
    access_page(GROUP + VM_CLUSTER_PAGES, PMAP_READ);
    assert_int_equal(model.last_count, VM_CLUSTER_PAGES);
    access_page(GROUP - 5, PMAP_READ);
    assert_int_equal(model.last_count, 1);
    access_page(GROUP - 6, PMAP_READ);
    assert_int_equal(model.last_first, GROUP - VM_CLUSTER_PAGES);
    assert_int_equal(model.last_count, VM_CLUSTER_PAGES - 5);
    access_page(GROUP + 3 * VM_CLUSTER_PAGES, PMAP_READ); /* somewhere else */
    assert_int_equal(model.last_count, 1);
    give_frames_back();
}

/* The pages below come all or none: those that were begun are undone. Those above come as far as memory goes. */
static void fault_with_memory_for_some_neighbours_undoes_what_lies_below(void **unused)
{
    (void)unused;
    access_page(GROUP - VM_CLUSTER_PAGES, PMAP_READ); /* so that tables and records have frames */
    leave_frames(2 * vm_frame_reserve() + 5);
    access_page(GROUP + 8, PMAP_READ);
    assert_int_equal(model.last_first, GROUP + 8);
    assert_in_range(model.last_count, 3, 6);
    for (uint32_t i = 0; i < VM_CLUSTER_PAGES; i++) {
        bool expected = i >= 8 && i < 8 + model.last_count;
        assert_int_equal(is_resident(GROUP + i), expected);
        assert_int_equal(find(GROUP + i) != NULL, expected);
    }
    give_frames_back();
}

static void fault_without_memory_for_records_of_neighbours_brings_the_page_alone(void **unused)
{
    (void)unused;
    struct vm_page *page;

    /* The page's own record fills the frame of records: the next would need another one. */
    for (uint32_t number = 0; vm_object_space()->records.partial != NULL || number == 0; number++) {
        assert_int_equal(vm_map_create(vm_object_space(), page_at(0x1000 + number), &page), OK);
    }
    assert_int_equal(vm_map_delete(vm_object_space(), vm_page_key(page)), OK);
    fake_fail_owner(FRAME_RECORDS);
    access_page(GROUP + 5, PMAP_READ);
    assert_int_equal(model.last_count, 1);
    assert_null(find(GROUP + 4));
    fake_fail_owner(FRAME_FREE);
}

/* The disk --------------------------------------------------------------------------------------------------------- */

static void fault_whose_neighbour_has_moved_comes_without_it(void **unused)
{
    (void)unused;
    model.moved_page = GROUP + 7;
    access_page(GROUP + 5, PMAP_READ);
    assert_null(find(GROUP + 7));
    assert_true(is_resident(GROUP + 6) && is_resident(GROUP + 8));
    assert_int_equal(model.single_reads, 0);
    assert_int_equal(vm_map_count(vm_object_space()), VM_CLUSTER_PAGES - 1);
}

static void fault_whose_page_has_moved_reads_it_again_alone(void **unused)
{
    (void)unused;
    model.moved_page = GROUP + 5;
    access_page(GROUP + 5, PMAP_READ);
    assert_int_equal(model.single_reads, 1);
    assert_only_resident(GROUP, GROUP + VM_CLUSTER_PAGES - 1);
}

static void fault_of_a_page_that_cannot_be_read_says_so_and_leaves_nothing(void **unused)
{
    (void)unused;
    struct vm_page *wired;
    model.bad_page = GROUP + 5;
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP + 5)), PMAP_READ), ERROR_CHECKSUM);
    assert_null(find(GROUP + 5));
    assert_true(is_resident(GROUP + 4)); /* its neighbours are good */
    assert_int_equal(vm_wire(page_key_place(page_at(GROUP + 5)), PMAP_READ, &wired), ERROR_CHECKSUM);
    check_map();
}

static void fault_whose_place_cannot_be_told_leaves_nothing(void **unused)
{
    (void)unused;
    model.bad_page = GROUP + 5;
    model.reads = NOWHERE; /* measuring fails */
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP + 5)), PMAP_READ), ERROR_IO);
    assert_int_equal(vm_map_count(vm_object_space()), 0);
}

static void fault_that_the_region_denies_does_nothing(void **unused)
{
    (void)unused;
    model.may_write = false;
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP)), PMAP_WRITE), ERROR_DENIED);
    assert_int_equal(vm_fault(page_key_place(page_at(model.region_first - 1)), PMAP_READ), ERROR_DENIED);
    assert_int_equal(vm_map_count(vm_object_space()), 0);
    assert_int_equal(model.reads, 0);
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

/* Each allocation of a fault failing in turn: it waits for memory as often as it must, and then succeeds. */
static void fault_each_allocation_failing_in_turn_waits_and_succeeds(void **unused)
{
    (void)unused;
    uint64_t before = fake_allocations();
    access_page(GROUP, PMAP_WRITE);
    uint64_t total = fake_allocations() - before;

    for (uint64_t fail = 0; fail < total; fail++) {
        assert_int_equal(vm_discard(page_at(model.region_first), model.region_count), OK);
        fake_fail_allocations(fail, 1);
        assert_int_equal(vm_fault(page_key_place(page_at(GROUP)), PMAP_WRITE), OK);
        check_map();
    }
    assert_true(total >= VM_CLUSTER_PAGES);
}

static void fault_without_any_memory_gives_up_after_some_snapshots(void **unused)
{
    (void)unused;
    leave_frames(vm_frame_reserve());
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP)), PMAP_READ), ERROR_NO_MEMORY);
    assert_true(model.cleans > 1);
    assert_int_equal(vm_map_count(vm_object_space()), 0);
    model.clean_error = ERROR_INTERRUPTED;
    model.cleans = 0;
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP)), PMAP_READ), ERROR_INTERRUPTED);
    assert_int_equal(model.cleans, 1);
    give_frames_back();
}

/* However many frames are free: enough for some of what a fault needs must not count as enough for all of it. */
static void fault_of_a_lent_page_ends_with_any_number_of_frames(void **unused)
{
    (void)unused;
    uint32_t refused = 0, extra = 0;

    model.is_lent = true;
    for (enum error error = ERROR_NO_MEMORY; error != OK; extra++) {
        model.checks = 0;
        leave_frames(vm_frame_reserve() + extra);
        error = vm_fault(page_key_place(page_at(GROUP)), PMAP_WRITE);
        give_frames_back();
        assert_true(error == OK || error == ERROR_NO_MEMORY);
        refused += error != OK;
        check_map();
    }
    assert_true(loads_its_number(GROUP));
    assert_true(refused > 2 && refused < VM_CLUSTER_PAGES);
    assert_int_equal(vm_discard(page_key_at(SOURCE, (struct vaddr){GROUP << PAGE_SHIFT}), VM_CLUSTER_PAGES), OK);
}

static bool has_ended;

static void fault_group(void *unused)
{
    (void)unused;
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP)), PMAP_READ), OK);
    has_ended = true;
}

/* With a full disk it waits for the one that has taken most, and looks again from time to time. */
static void fault_with_a_full_disk_waits_for_room(void **unused)
{
    (void)unused;
    struct thread *thread;

    has_ended = false;
    told_to_end = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        vm_growth_count((struct space_id){77});
    }
    leave_frames(vm_frame_reserve());
    model.clean_error = ERROR_NO_SPACE;
    assert_int_equal(thread_create("fault", fault_group, NULL, &thread), OK);
    for (uint32_t i = 0; i < 16; i++) {
        thread_yield();
        assert_false(has_ended);
        fake_clock_advance(300000000);
    }
    assert_int_equal(told_to_end, 77);
    assert_true(model.cleans >= 10);
    model.clean_error = OK;
    give_frames_back();
    while (!has_ended) {
        fake_clock_advance(1000000000);
        thread_yield();
    }
    fake_threads_join();
    assert_true(is_resident(GROUP));
}

static void reclaim_drops_what_is_clean_and_was_not_used(void **unused)
{
    (void)unused;
    struct vm_page *wired;
    struct frame frame;
    uint64_t dropped = vm_reclaim_dropped();

    access_page(GROUP, PMAP_READ);
    access_page(GROUP - 1, PMAP_READ);
    assert_int_equal(vm_wire(page_key_place(page_at(GROUP + 3)), PMAP_READ, &wired), OK);
    leave_frames(vm_frame_reserve());
    assert_int_equal(vm_frame_take(&frame), OK);
    frame_free(frame);
    assert_int_equal(vm_reclaim_dropped() - dropped, 2 * VM_CLUSTER_PAGES - 1);
    assert_true(is_resident(GROUP + 3)); /* wired */
    assert_null(find(GROUP));            /* used, but no more in a second turn */
    assert_false(pmap_query(page_key_place(page_at(GROUP)), NULL));
    give_frames_back();
    vm_unwire_own(page_at(GROUP + 3));
    check_map();
}

/* What comes before a dirty victim goes; that one has to be written, which takes a wait. */
static void reclaim_ends_at_a_victim_that_is_dirty(void **unused)
{
    (void)unused;
    struct frame frame;
    uint64_t dropped = vm_reclaim_dropped();

    access_page(GROUP + 4, PMAP_WRITE);
    leave_frames(vm_frame_reserve());
    while (vm_frame_take(&frame) == OK) {
        frame_free(frame);
        assert_int_equal(frame_allocate(FRAME_KERNEL, &hoard[hoarded++]), OK); /* so that memory stays short */
    }
    assert_in_range(vm_reclaim_dropped() - dropped, 1, VM_CLUSTER_PAGES - 1);
    assert_non_null(find(GROUP + 4)); /* its D bit is set */
    assert_true(pmap_query(page_key_place(page_at(GROUP + 4)), NULL));
    give_frames_back();
    check_map();
}

/* Taking away ------------------------------------------------------------------------------------------------------ */

static void discard_by_number_and_by_walking_the_map_takes_the_same(void **unused)
{
    (void)unused;
    for (uint32_t walk = 0; walk < 2; walk++) {
        /* More pages than the map has make it walk the map. */
        uint32_t count = walk == 0 ? 4 : 64;
        access_page(GROUP + 2, PMAP_READ);
        access_page(GROUP - 1, PMAP_READ);
        assert_int_equal(vm_discard(page_at(GROUP + 12), count), OK);
        assert_int_equal(model.discarded_first, GROUP + 12);
        assert_int_equal(model.discarded_count, count);
        for (uint32_t i = 0; i < VM_CLUSTER_PAGES; i++) {
            assert_int_equal(is_resident(GROUP + i), i < 12);
            assert_true(is_resident(GROUP - 1 - i));
        }
        check_map();
        assert_int_equal(vm_discard(page_at(GROUP), VM_CLUSTER_PAGES), OK);
        assert_int_equal(vm_map_count(vm_object_space()), VM_CLUSTER_PAGES);
        assert_int_equal(vm_discard(page_at(GROUP - VM_CLUSTER_PAGES), VM_CLUSTER_PAGES), OK);
    }
}

static void discard_and_restrict_outside_of_one_window_are_refused_before_anything_is_touched(void **unused)
{
    const struct {
        struct page_key first;
        uint32_t count;
    } wrong[] = {
        {page_at(GROUP), 0},
        {page_at(GROUP), (uint32_t)-1},                                      /* backwards */
        {page_at(GROUP), (uint32_t)-GROUP},                                  /* to the very end of the object space */
        {page_at(GROUP), (USER_END >> PAGE_SHIFT) - GROUP + 1},              /* a page of no window */
        {page_at(GROUP), 1u << 20},                                          /* into the next space */
        {page_at((USER_START >> PAGE_SHIFT) - 1), 2},                        /* from a page of no window */
        {page_key_at(SPACE_SYSTEM, (struct vaddr){SYSTEM_START}), 1u << 20}, /* around */
        {page_key_at(SPACE_NONE, (struct vaddr){USER_START}), 1},
        {page_key_at(SPACE, (struct vaddr){SYSTEM_START}), 1},
    };

    (void)unused;
    assert_int_equal(vm_fault(page_key_place(page_at(GROUP)), PMAP_READ), OK);
    uint32_t pages = vm_map_count(vm_object_space());
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        model.discarded_count = 0;
        assert_true(fake_panics(assert_int_equal(vm_discard(wrong[i].first, wrong[i].count), OK)));
        assert_true(fake_panics(assert_int_equal(vm_discard_in_use(wrong[i].first, wrong[i].count), OK)));
        assert_int_equal(model.discarded_count, 0);
        assert_true(fake_panics(vm_restrict(page_key_place(wrong[i].first), wrong[i].count, false, false)));
    }
    assert_int_equal(vm_map_count(vm_object_space()), pages);
    assert_true(pmap_query(page_key_place(page_at(GROUP)), NULL));
}

static void discard_that_the_store_refuses_says_so(void **unused)
{
    (void)unused;
    access_page(GROUP, PMAP_WRITE);
    model.discard_error = ERROR_NO_MEMORY;
    assert_int_equal(vm_discard(page_at(GROUP), 1), ERROR_NO_MEMORY);
    assert_null(find(GROUP)); /* discarded all the same; the caller comes again */
}

static void discard_in_use_that_the_store_refuses_changes_nothing(void **unused)
{
    (void)unused;
    access_page(GROUP, PMAP_WRITE);
    model.discard_error = ERROR_NO_MEMORY;
    assert_int_equal(vm_discard_in_use(page_at(GROUP), 1), ERROR_NO_MEMORY);
    assert_non_null(find(GROUP));
    assert_int_equal(find(GROUP)->state == VM_PAGE_DIRTY || pmap_is_dirty(page_key_place(page_at(GROUP))), true);
    model.discard_error = OK;
    assert_int_equal(vm_discard_in_use(page_at(GROUP), 1), OK);
    assert_null(find(GROUP));
}

static void discard_of_a_wired_page_leaves_its_record_until_it_is_unwired(void **unused)
{
    (void)unused;
    struct vm_page *wired;
    assert_int_equal(vm_wire(page_key_place(page_at(GROUP)), PMAP_WRITE, &wired), OK);
    assert_int_equal(vm_discard(page_at(GROUP), 1), OK);
    assert_int_equal(find(GROUP)->state, VM_PAGE_NEW);
    vm_unwire_own(page_at(GROUP));
    assert_null(find(GROUP));
    assert_true(fake_panics(vm_unwire_own(page_at(GROUP))));
}

static void restrict_takes_rights_away_and_keeps_what_was_written(void **unused)
{
    (void)unused;
    access_page(GROUP, PMAP_WRITE);
    access_page(GROUP + 1, PMAP_READ);
    vm_restrict(page_key_place(page_at(GROUP - 1)), 4, true, false);
    assert_false(mmu_store((struct vaddr){GROUP << PAGE_SHIFT}, 1));
    assert_true(loads_its_number(GROUP) && loads_its_number(GROUP + 1));
    vm_restrict(page_key_place(page_at(GROUP)), PMAP_CHUNK_PAGES, false, false);
    assert_false(loads_its_number(GROUP) || loads_its_number(GROUP + 1));
    assert_int_equal(find(GROUP)->state, VM_PAGE_DIRTY);
    assert_int_equal(find(GROUP + 1)->state, VM_PAGE_CLEAN);
    assert_int_equal(vm_dirty_open(vm_object_space()), 1);
    check_map();
}

/* Records ---------------------------------------------------------------------------------------------------------- */

static bool may_let_go;

static void hold_group(void *unused)
{
    (void)unused;
    vm_page_lock(find(GROUP));
    while (!may_let_go) {
        thread_yield();
    }
    vm_page_unlock(find(GROUP));
}

static void fault_on_a_record_needs_the_page_there_and_free(void **unused)
{
    (void)unused;
    struct thread *thread;

    may_let_go = false;
    assert_false(vm_fault_record(page_at(GROUP))); /* not there */
    access_page(GROUP, PMAP_READ);
    assert_int_equal(thread_create("holder", hold_group, NULL, &thread), OK);
    thread_yield();
    assert_false(vm_fault_record(page_at(GROUP))); /* not free, and nobody may wait here */
    may_let_go = true;
    fake_threads_join();
    assert_true(vm_fault_record(page_at(GROUP)));
    assert_true(mmu_store((struct vaddr){GROUP << PAGE_SHIFT}, 1));
}

static void give_back_to_the_next_snapshot(void)
{
    struct vm_page *page = vm_snapshot_first(vm_object_space());

    vm_page_lock(page);
    assert_true(frame_is_none(vm_snapshot_abort(vm_object_space(), page)));
    vm_page_unlock(page);
}

static void stop_while_the_last_snapshot_has_pages_is_refused(void **unused)
{
    (void)unused;
    uint32_t stops = vm_stops();

    access_page(GROUP, PMAP_WRITE);
    assert_int_equal(vm_stop(), OK);
    vm_open_chunk(page_key_place(page_at(GROUP)));
    assert_int_equal(vm_snapshot_count(vm_object_space()), 1);
    assert_int_equal(vm_stop(), ERROR_BUSY);
    assert_int_equal(vm_stops(), stops + 1);
    give_back_to_the_next_snapshot();
    assert_int_equal(vm_stop(), OK);
    give_back_to_the_next_snapshot();
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(fault_brings_the_aligned_group_with_one_request),
        FAULT_TEST(fault_brings_no_more_than_the_region_has),
        FAULT_TEST(fault_brings_no_page_that_left_the_region_meanwhile),
        FAULT_TEST(fault_brings_no_page_that_has_a_record),
        FAULT_TEST(fault_of_a_page_of_zeroes_reads_nothing),
        FAULT_TEST(fault_short_of_memory_brings_the_page_alone),
        FAULT_TEST(fault_short_of_memory_brings_neighbours_to_who_goes_on),
        FAULT_TEST(fault_with_memory_for_some_neighbours_undoes_what_lies_below),
        FAULT_TEST(fault_without_memory_for_records_of_neighbours_brings_the_page_alone),
        FAULT_TEST(fault_whose_neighbour_has_moved_comes_without_it),
        FAULT_TEST(fault_whose_page_has_moved_reads_it_again_alone),
        FAULT_TEST(fault_of_a_page_that_cannot_be_read_says_so_and_leaves_nothing),
        FAULT_TEST(fault_whose_place_cannot_be_told_leaves_nothing),
        FAULT_TEST(fault_that_the_region_denies_does_nothing),
        FAULT_TEST(fault_each_allocation_failing_in_turn_waits_and_succeeds),
        FAULT_TEST(fault_without_any_memory_gives_up_after_some_snapshots),
        FAULT_TEST(fault_of_a_lent_page_ends_with_any_number_of_frames),
        FAULT_TEST(fault_with_a_full_disk_waits_for_room),
        FAULT_TEST(reclaim_drops_what_is_clean_and_was_not_used),
        FAULT_TEST(reclaim_ends_at_a_victim_that_is_dirty),
        FAULT_TEST(discard_by_number_and_by_walking_the_map_takes_the_same),
        FAULT_TEST(discard_and_restrict_outside_of_one_window_are_refused_before_anything_is_touched),
        FAULT_TEST(discard_that_the_store_refuses_says_so),
        FAULT_TEST(discard_in_use_that_the_store_refuses_changes_nothing),
        FAULT_TEST(discard_of_a_wired_page_leaves_its_record_until_it_is_unwired),
        FAULT_TEST(restrict_takes_rights_away_and_keeps_what_was_written),
        FAULT_TEST(fault_on_a_record_needs_the_page_there_and_free),
        FAULT_TEST(stop_while_the_last_snapshot_has_pages_is_refused),
    };

    return cmocka_run_group_tests_name("vm_fault", tests, NULL, NULL);
}
