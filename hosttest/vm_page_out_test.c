/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of page-out: programs of the fake MMU that write to more pages than there are frames, over a pager that keeps
 * what it is given. What is read back is compared word by word.
 */
#include "vm_map_fixture.h"

#include "arch/clock.h"
#include "arch/pmap.h"
#include "fake/mmu.h"
#include "thread.h"
#include "vm_fault.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"

#include <string.h>

#define SPACE       ((struct space_id){1})
#define FIRST       0x00500u
#define PAGES       1500u
#define FRAMES      (512u + 220u) /* the reserve, and what tables, records and some pages need */
#define PAGE_WORDS  (PAGE_SIZE / sizeof(uint32_t))
#define WAS_WRITTEN 1u

/* The disk: each page's words, and whether there are any. */
static uint32_t kept[PAGES][PAGE_WORDS];
static uint32_t marks[PAGES];

static struct {
    enum error error; /* of page-outs */
    uint32_t writes, pages, cleans;
    bool cleans_all;
} model;

static uint32_t number_of(struct page_key page)
{
    return page_key_index(page) - FIRST;
}

static struct page_key page_at(uint32_t number)
{
    return page_key_at(SPACE, (struct vaddr){(FIRST + number) << PAGE_SHIFT});
}

static struct vaddr word_at(uint32_t number, uint32_t word)
{
    return (struct vaddr){((FIRST + number) << PAGE_SHIFT) + word * (uint32_t)sizeof(uint32_t)};
}

static uint32_t word_of(uint32_t number, uint32_t round, uint32_t word)
{
    return (number * 2654435761u + round * 40503u) ^ word;
}

/* The pager -------------------------------------------------------------------------------------------------------- */

static enum error check_access(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    (void)access;
    uint32_t number = number_of(place_key(place));
    *out = (struct vm_allowance){.may_write = true, .pages_before = number, .pages_after = PAGES - 1 - number};
    return number < PAGES ? OK : ERROR_DENIED;
}

static enum error measure(struct page_key page, uint32_t before_max, uint32_t after_max, struct vm_cluster_extent *out)
{
    (void)before_max;
    (void)after_max;
    *out = (struct vm_cluster_extent){.is_zero = marks[number_of(page)] != WAS_WRITTEN};
    return OK;
}

static void read_cluster(struct page_key first, uint32_t count, void *const contents[], bool out_good[])
{
    assert_int_equal(count, 1);
    memcpy(contents[0], kept[number_of(first)], PAGE_SIZE);
    out_good[0] = true;
}

static enum error read_one(struct page_key page, void *content)
{
    memcpy(content, kept[number_of(page)], PAGE_SIZE);
    return OK;
}

static void keep(const struct vm_page *page)
{
    memcpy(kept[number_of(vm_page_key(page))], frame_address(vm_page_frame(page)), PAGE_SIZE);
    marks[number_of(vm_page_key(page))] = WAS_WRITTEN;
}

static enum error page_out(struct vm_page *const pages[], uint32_t count)
{
    assert_in_range(count, 1, VM_PAGE_OUT_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pages[i]->state, VM_PAGE_DIRTY);
        assert_true(vm_page_is_mine(pages[i]));
        assert_int_equal(pages[i]->wire_count, 0);
        assert_false(pmap_query(vm_page_place(pages[i]), NULL));
        assert_false(vm_snapshot_has(vm_object_space(), pages[i]));
        assert_true(i == 0 || vm_page_key(pages[i - 1]).number < vm_page_key(pages[i]).number);
    }
    if (model.error != OK) {
        return model.error;
    }
    model.writes++;
    for (uint32_t i = 0; i < count; i++) {
        vm_page_begin_write(pages[i]);
        keep(pages[i]);
        vm_page_end_write(vm_object_space(), pages[i]);
        model.pages++;
    }
    return OK;
}

/* As a snapshot: what is dirty is kept and clean. */
static enum error clean(void)
{
    struct vm_map_cursor cursor = {0};

    model.cleans++;
    while (model.cleans_all && !cursor.done) {
        struct vm_page *page = vm_map_next(vm_object_space(), &cursor);
        bool is_mapped = page != NULL && pmap_query(vm_page_place(page), NULL);
        if (page == NULL || (page->state != VM_PAGE_DIRTY && !(is_mapped && pmap_is_dirty(vm_page_place(page))))) {
            continue;
        }
        vm_page_lock(page);
        vm_page_mark_dirty(vm_object_space(), page);
        vm_page_begin_write(page);
        keep(page);
        vm_page_end_write(vm_object_space(), page);
        if (is_mapped) {
            (void)pmap_clear_dirty(vm_page_place(page));
        }
        vm_page_unlock(page);
    }
    return OK;
}

static const struct vm_pager pager = {.measure = measure,
                                      .read = read_cluster,
                                      .read_one = read_one,
                                      .discard = pager_discard,
                                      .page_out = page_out,
                                      .clean = clean};
static const struct vm_fault_policy policy = {.check = check_access};

static int start(void **unused)
{
    (void)unused;
    memset(&model, 0, sizeof(model));
    memset(marks, 0, sizeof(marks));
    fake_machine_start(FRAMES);
    assert_int_equal(vm_fault_initialise(&pager, &policy, NULL), OK);
    assert_int_equal(pmap_create(SPACE), OK);
    pmap_activate(SPACE);
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    map_check(vm_object_space());
    assert_int_equal(vm_discard(page_at(0), PAGES), OK);
    assert_int_equal(vm_map_count(vm_object_space()), 0);
    assert_int_equal(vm_map_destroy(vm_object_space()), OK);
    fake_machine_stop();
    return 0;
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static void store(uint32_t number, uint32_t round, uint32_t word)
{
    while (!mmu_store(word_at(number, word), word_of(number, round, word))) {
        assert_int_equal(vm_fault(page_key_place(page_at(number)), PMAP_WRITE), OK);
    }
}

static void load(uint32_t number, uint32_t round, uint32_t word)
{
    uint32_t value;

    while (!mmu_load(word_at(number, word), &value)) {
        assert_int_equal(vm_fault(page_key_place(page_at(number)), PMAP_READ), OK);
    }
    assert_int_equal(value, word_of(number, round, word));
}

static void fill(uint32_t count, uint32_t round)
{
    for (uint32_t number = 0; number < count; number++) {
        for (uint32_t word = 0; word < PAGE_WORDS; word += 31) {
            store(number, round, word);
        }
    }
}

static void verify(uint32_t count, uint32_t round)
{
    for (uint32_t number = 0; number < count; number++) {
        for (uint32_t word = 0; word < PAGE_WORDS; word += 31) {
            load(number, round, word);
        }
    }
}

static struct vm_page *find(uint32_t number)
{
    return vm_map_find(vm_object_space(), page_at(number));
}

static void more_pages_than_frames_come_and_go(void **unused)
{
    (void)unused;
    uint64_t before = vm_paged_out();

    for (uint32_t round = 0; round < 3; round++) {
        fill(PAGES, round);
        verify(PAGES, round);
        map_check(vm_object_space());
    }
    assert_int_equal(model.cleans, 0); /* nobody had to ask for a snapshot */
    assert_int_equal(vm_paged_out() - before, model.pages);
    assert_in_range(model.pages, 3 * (PAGES - FRAMES), 3 * PAGES);
    assert_in_range(model.writes, model.pages / VM_PAGE_OUT_MAX, model.pages / 16);
    assert_true(vm_map_count(vm_object_space()) < FRAMES); /* records follow memory */
}

/* What is only read is dropped and never written. */
static void pages_that_are_only_read_are_not_written(void **unused)
{
    (void)unused;
    fill(PAGES, 7);
    model.cleans_all = true;
    assert_int_equal(clean(), OK);
    uint32_t pages = model.pages;
    verify(PAGES, 7);
    verify(PAGES, 7);
    assert_int_equal(model.pages, pages);
}

static void wired_pages_stay(void **unused)
{
    (void)unused;
    struct vm_page *wired;
    for (uint32_t number = 0; number < 8; number++) {
        store(number, 1, 0);
        assert_int_equal(vm_wire(page_key_place(page_at(number)), PMAP_WRITE, &wired), OK);
    }
    fill(PAGES, 2);
    for (uint32_t number = 0; number < 8; number++) {
        assert_non_null(find(number));
        assert_false(frame_is_none(vm_page_frame(find(number))));
        assert_int_equal(marks[number], 0);
        vm_unwire_own(page_at(number));
    }
    verify(PAGES, 2);
}

/* A disk that takes nothing ahead of a snapshot: pages stay dirty, and a snapshot makes them clean. */
static void pages_that_cannot_be_written_ahead_wait_for_a_snapshot(void **unused)
{
    (void)unused;
    const enum error errors[] = {ERROR_BUSY, ERROR_IO, ERROR_NO_SPACE, ERROR_NO_MEMORY};

    for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        model.error = errors[i];
        model.cleans_all = true;
        model.cleans = 0;
        fill(PAGES, i);
        verify(PAGES, i);
        assert_true(model.cleans > 0);
        assert_int_equal(model.pages, 0);
        map_check(vm_object_space());
    }
}

static void page_out_with_enough_frames_does_nothing(void **unused)
{
    (void)unused;
    uint32_t freed = 1;

    fill(20, 0);
    assert_int_equal(vm_page_out(&freed), OK);
    assert_int_equal(freed, 0);
    assert_int_equal(model.pages, 0);
}

static struct frame hoard[FRAMES];

/* Pages that were dirty at the stop are the snapshot's: others go, or none. */
static void pages_of_the_snapshot_are_left_to_it(void **unused)
{
    (void)unused;
    uint32_t hoarded = 0, freed;

    fill(40, 3);
    assert_int_equal(vm_stop(), OK);
    while (frame_count(FRAME_FREE) > vm_frame_reserve()) {
        assert_int_equal(frame_allocate(FRAME_KERNEL, &hoard[hoarded++]), OK);
    }
    assert_int_equal(vm_page_out(&freed), OK);
    assert_int_equal(freed, 0);
    assert_int_equal(model.pages, 0);
    assert_int_equal(vm_snapshot_count(vm_object_space()), 40);
    struct vm_page *page;
    while ((page = vm_snapshot_first(vm_object_space())) != NULL) {
        vm_page_lock(page);
        assert_true(frame_is_none(vm_snapshot_abort(vm_object_space(), page)));
        vm_page_unlock(page);
    }
    assert_int_equal(vm_page_out(&freed), OK); /* now they are nobody's */
    assert_int_equal(freed, 40);
    assert_int_equal(model.pages, 40);
    while (hoarded > 0) {
        frame_free(hoard[--hoarded]);
    }
    verify(40, 3);
}

#define PAGE_OUT_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE_OUT_TEST(more_pages_than_frames_come_and_go),
        PAGE_OUT_TEST(pages_that_are_only_read_are_not_written),
        PAGE_OUT_TEST(wired_pages_stay),
        PAGE_OUT_TEST(pages_that_cannot_be_written_ahead_wait_for_a_snapshot),
        PAGE_OUT_TEST(page_out_with_enough_frames_does_nothing),
        PAGE_OUT_TEST(pages_of_the_snapshot_are_left_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
