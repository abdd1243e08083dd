/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of the invariants: each of VM-1 to VM-8, VM-10 and VM-11 broken in every way a record or the table can
 * break it, and each time the check names it, and the page where it shows. (VM-9 is about mappings: space_mutation_test
 * breaks that.)
 *
 * The world: a page of each kind, see enum. What a case breaks is put back from a byte-wise copy of everything.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"

#include <string.h>

#define FRAMES 256u

enum { NEW, CLEAN, OPEN_A, OPEN_B, OPEN_C, OWED, COPIED, DISCARDED, SENT, PAGES };

static struct vm_map map;
static struct vm_page *pages[PAGES];

struct copy {
    struct vm_map map;
    struct vm_page pages[PAGES];
    vm_map_head heads[PAGE_SIZE / sizeof(vm_map_head)];
    struct vm_frame_use uses[FRAMES + 1];
};
static struct copy before;

static struct frame frame_new(void)
{
    struct frame frame;

    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    return frame;
}

static void frame_release(struct frame frame)
{
    if (!frame_is_none(frame)) {
        frame_free(frame);
    }
}

static void make_pages(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        pages[i] = map_create(&map, 0x00100000u + i);
        vm_page_lock(pages[i]);
        if (i != NEW) {
            vm_page_make_resident(&map, pages[i], frame_new());
        }
    }
    for (uint32_t i = OWED; i <= SENT; i++) {
        vm_page_mark_dirty(&map, pages[i]);
    }
    assert_int_equal(vm_snapshot_splice(&map), OK);
    vm_snapshot_give_frame(&map, pages[COPIED], frame_new());
    assert_true(frame_is_none(vm_page_detach(&map, pages[DISCARDED])));
    assert_int_equal(vm_snapshot_begin_write(&map, pages[SENT]).number, vm_page_frame(pages[SENT]).number);
    for (uint32_t i = OPEN_A; i <= OPEN_C; i++) {
        vm_page_mark_dirty(&map, pages[i]);
    }
}

static int start(void **unused)
{
    (void)unused;
    map_start(&map, FRAMES, 1);
    make_pages();
    map_check(&map);
    before.map = map;
    for (uint32_t i = 0; i < PAGES; i++) {
        before.pages[i] = *pages[i];
    }
    memcpy(before.heads, map.heads, sizeof(before.heads));
    assert_true(map.frame_end <= FRAMES + 1);
    memcpy(before.uses, map.frame_uses, map.frame_end * sizeof(before.uses[0]));
    return 0;
}

static void put_back(void)
{
    map = before.map;
    for (uint32_t i = 0; i < PAGES; i++) {
        *pages[i] = before.pages[i];
    }
    memcpy(map.heads, before.heads, sizeof(before.heads));
    memcpy(map.frame_uses, before.uses, map.frame_end * sizeof(before.uses[0]));
}

static int stop(void **unused)
{
    (void)unused;
    vm_snapshot_fail_write(&map, pages[SENT]);
    for (uint32_t i = 0; i < PAGES; i++) {
        frame_release(vm_page_detach(&map, pages[i]));
        if (vm_snapshot_has(&map, pages[i])) {
            frame_release(vm_snapshot_abort(&map, pages[i]));
        }
        vm_page_unlock(pages[i]);
        map_delete(&map, vm_page_key(pages[i]).number);
    }
    map_stop(&map);
    return 0;
}

/* Chains ----------------------------------------------------------------------------------------------------------- */

static vm_map_head *head_of(const struct vm_page *page)
{
    return &map.heads[vm_map_hash(map.seed, vm_page_key(page)) & map.mask_high];
}

/* Take a page off its chain. The chains of this world are short and their filters stay. */
static void unchain(const struct vm_page *page)
{
    vm_map_head *head = head_of(page);
    struct vm_page *other = vm_map_head_first(*head);

    if (other == page) {
        *head = page->hash_next == NULL ? 0 : (vm_map_head)page->hash_next | (*head & VM_MAP_FILTER);
        return;
    }
    while (other->hash_next != page) {
        other = other->hash_next;
    }
    other->hash_next = page->hash_next;
}

static void chain(struct vm_page *page, vm_map_head *head)
{
    page->hash_next = vm_map_head_first(*head);
    *head = (vm_map_head)page | VM_MAP_FILTER;
}

static void put_on_another_chain(void)
{
    unchain(pages[CLEAN]);
    chain(pages[CLEAN], head_of(pages[CLEAN]) == map.heads ? &map.heads[1] : map.heads);
}

static void lose_filter_bit(void)
{
    *head_of(pages[CLEAN]) &= ~vm_map_filter_bit(vm_map_hash(map.seed, vm_page_key(pages[CLEAN])));
}

static void leave_filter_on_empty_chain(void)
{
    uint32_t empty = 0;

    while (map.heads[empty] != 0) {
        empty++;
    }
    map.heads[empty] = 1;
}

static void make_duplicate(void)
{
    unchain(pages[CLEAN]);
    pages[CLEAN]->key_low = pages[NEW]->key_low;
    chain(pages[CLEAN], head_of(pages[NEW]));
}

static void lose_page(void)
{
    unchain(pages[CLEAN]);
}

static void make_ring_of_chain(void)
{
    pages[CLEAN]->hash_next = pages[CLEAN];
}

static void count_too_many(void)
{
    map.count++;
    map.records.objects_used++;
}

static void lose_record_of_pool(void)
{
    map.records.objects_used++;
}

static void count_no_buckets(void)
{
    map.bucket_count = 0;
}

static void count_more_buckets_than_memory(void)
{
    map.bucket_count++;
    map.mask_high = map.mask_high << 1 | 1;
}

static void widen_mask(void)
{
    map.mask_high = map.mask_high << 1 | 1;
}

static void narrow_mask(void)
{
    map.mask_high >>= 1;
}

static void make_hole_in_mask(void)
{
    map.mask_high ^= 1;
}

static void move_heads(void)
{
    map.heads++;
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static void clean_without_frame(void)
{
    vm_page_set_frame(pages[CLEAN], FRAME_NONE);
}

static void new_with_frame(void)
{
    vm_page_set_frame(pages[NEW], vm_page_frame(pages[CLEAN]));
}

static void dirty_without_frame(void)
{
    vm_page_set_frame(pages[OPEN_B], FRAME_NONE);
}

static void unknown_state(void)
{
    pages[CLEAN]->state = VM_PAGE_WRITING + 1;
}

static void dirty_on_no_list(void)
{
    pages[CLEAN]->state = VM_PAGE_DIRTY;
}

static void writing_on_no_list(void)
{
    pages[CLEAN]->state = VM_PAGE_WRITING;
}

static void clean_on_open_list(void)
{
    pages[OPEN_B]->state = VM_PAGE_CLEAN;
}

static void copy_on_no_list(void)
{
    vm_page_set_copy_frame(pages[CLEAN], vm_page_frame(pages[CLEAN]));
}

static void copy_on_open_list(void)
{
    vm_page_set_copy_frame(pages[OPEN_B], vm_page_frame(pages[CLEAN]));
}

static void clean_owed_without_copy(void)
{
    pages[OWED]->state = VM_PAGE_CLEAN;
}

static void new_owed_without_copy(void)
{
    vm_page_set_copy_frame(pages[DISCARDED], FRAME_NONE);
}

static void dirty_while_the_snapshot_writes_it(void)
{
    pages[SENT]->state = VM_PAGE_DIRTY;
}

static void new_without_copy_while_the_snapshot_writes_it(void)
{
    pages[SENT]->state = VM_PAGE_NEW;
    vm_page_set_frame(pages[SENT], FRAME_NONE);
}

/* Lists ------------------------------------------------------------------------------------------------------------ */

static struct vm_list *open_list(void)
{
    return &map.lists[pages[OPEN_A]->list];
}

static void unknown_list(void)
{
    pages[OPEN_B]->list = VM_LISTS;
}

static void name_the_other_list(void)
{
    pages[OPEN_B]->list = pages[OWED]->list;
}

static void link_on_no_list(void)
{
    pages[CLEAN]->list_link.next = pages[OPEN_A];
}

static void cut_link_forwards(void)
{
    pages[OPEN_A]->list_link.next = NULL;
}

static void cut_link_backwards(void)
{
    pages[OPEN_B]->list_link.previous = NULL;
}

static void forget_first(void)
{
    open_list()->first = pages[OPEN_B];
}

static void forget_last(void)
{
    open_list()->last = pages[OPEN_B];
}

static void count_list_wrong(void)
{
    open_list()->count++;
}

/* Consistent in itself, but a ring that nobody gets into from the list's ends. */
static void split_off_a_ring(void)
{
    open_list()->first = pages[OPEN_A];
    open_list()->last = pages[OPEN_A];
    open_list()->count = 1;
    pages[OPEN_A]->list_link = (struct vm_page_link){NULL, NULL};
    pages[OPEN_B]->list_link = (struct vm_page_link){.previous = pages[OPEN_C], .next = pages[OPEN_C]};
    pages[OPEN_C]->list_link = (struct vm_page_link){.previous = pages[OPEN_B], .next = pages[OPEN_B]};
}

static void leave_ring(void)
{
    vm_replacement_remove(&map.replacement, pages[CLEAN]);
}

static void new_in_ring(void)
{
    vm_replacement_insert(&map.replacement, pages[NEW]);
}

static void cut_ring(void)
{
    pages[CLEAN]->replacement_link.next->replacement_link.previous = NULL;
}

static void cut_ring_backwards(void)
{
    pages[CLEAN]->replacement_link.previous->replacement_link.next = pages[CLEAN]->replacement_link.next;
}

static void count_ring_wrong(void)
{
    map.replacement.count++;
}

static void forget_ring(void)
{
    map.replacement.first = NULL;
}

/* Two rings, each whole in itself. */
static void split_ring(void)
{
    struct vm_page *last = map.replacement.first->replacement_link.previous;

    vm_replacement_remove(&map.replacement, last);
    map.replacement.count++;
    last->replacement_link = (struct vm_page_link){last, last};
}

static void forget_the_page_of_a_frame(void)
{
    map.frame_uses[vm_page_frame(pages[CLEAN]).number].page = NULL;
}

static void take_a_frame_for_that_of_another_page(void)
{
    map.frame_uses[vm_page_frame(pages[CLEAN]).number].page = pages[OPEN_A];
}

static void take_a_copy_for_the_frame_of_its_page(void)
{
    map.frame_uses[vm_page_copy_frame(pages[COPIED]).number].page = pages[COPIED];
}

static void name_a_frame_beyond_all(void)
{
    vm_page_set_frame(pages[CLEAN], (struct frame){map.frame_end});
}

static void take_a_free_frame_for_that_of_a_page(void)
{
    map.frame_uses[map.frame_end - 1].page = pages[CLEAN];
}

#define ANYWHERE (-1)

static const struct breakage {
    const char *name;
    void (*make)(void);
    const char *invariant;
    int page;        /* index where it must be seen, or ANYWHERE */
    bool whole_only; /* the step by buckets cannot see it */
} breakages[] = {
    {"put_on_another_chain", put_on_another_chain, "VM-1", CLEAN, false},
    {"lose_filter_bit", lose_filter_bit, "VM-1", CLEAN, false},
    {"leave_filter_on_empty_chain", leave_filter_on_empty_chain, "VM-1", ANYWHERE, false},
    {"make_duplicate", make_duplicate, "VM-2", NEW, false},
    {"lose_page", lose_page, "VM-3", ANYWHERE, true},
    {"make_ring_of_chain", make_ring_of_chain, "VM-3", CLEAN, false},
    {"count_too_many", count_too_many, "VM-3", ANYWHERE, true},
    {"lose_record_of_pool", lose_record_of_pool, "VM-3", ANYWHERE, false},
    {"count_no_buckets", count_no_buckets, "VM-4", ANYWHERE, false},
    {"count_more_buckets_than_memory", count_more_buckets_than_memory, "VM-4", ANYWHERE, false},
    {"widen_mask", widen_mask, "VM-4", ANYWHERE, false},
    {"narrow_mask", narrow_mask, "VM-4", ANYWHERE, false},
    {"make_hole_in_mask", make_hole_in_mask, "VM-4", ANYWHERE, false},
    {"move_heads", move_heads, "VM-4", ANYWHERE, false},
    {"clean_without_frame", clean_without_frame, "VM-5", CLEAN, false},
    {"new_with_frame", new_with_frame, "VM-5", NEW, false},
    {"dirty_without_frame", dirty_without_frame, "VM-5", OPEN_B, false},
    {"unknown_state", unknown_state, "VM-5", CLEAN, false},
    {"dirty_on_no_list", dirty_on_no_list, "VM-6", CLEAN, false},
    {"writing_on_no_list", writing_on_no_list, "VM-6", CLEAN, false},
    {"clean_on_open_list", clean_on_open_list, "VM-6", OPEN_B, false},
    {"copy_on_no_list", copy_on_no_list, "VM-7", CLEAN, false},
    {"copy_on_open_list", copy_on_open_list, "VM-7", OPEN_B, false},
    {"clean_owed_without_copy", clean_owed_without_copy, "VM-7", OWED, false},
    {"new_owed_without_copy", new_owed_without_copy, "VM-7", DISCARDED, false},
    {"dirty_while_the_snapshot_writes_it", dirty_while_the_snapshot_writes_it, "VM-7", SENT, false},
    {"new_without_copy_while_the_snapshot_writes_it", new_without_copy_while_the_snapshot_writes_it, "VM-7", SENT,
     false},
    {"unknown_list", unknown_list, "VM-8", OPEN_B, false},
    {"name_the_other_list", name_the_other_list, "VM-8", ANYWHERE, true},
    {"link_on_no_list", link_on_no_list, "VM-8", CLEAN, false},
    {"cut_link_forwards", cut_link_forwards, "VM-8", ANYWHERE, false},
    {"cut_link_backwards", cut_link_backwards, "VM-8", ANYWHERE, false},
    {"forget_first", forget_first, "VM-8", ANYWHERE, false},
    {"forget_last", forget_last, "VM-8", ANYWHERE, false},
    {"count_list_wrong", count_list_wrong, "VM-8", ANYWHERE, true},
    {"split_off_a_ring", split_off_a_ring, "VM-8", ANYWHERE, true},
    {"leave_ring", leave_ring, "VM-10", CLEAN, false},
    {"new_in_ring", new_in_ring, "VM-10", NEW, false},
    {"cut_ring", cut_ring, "VM-10", ANYWHERE, false},
    {"cut_ring_backwards", cut_ring_backwards, "VM-10", CLEAN, false},
    {"count_ring_wrong", count_ring_wrong, "VM-10", ANYWHERE, true},
    {"forget_ring", forget_ring, "VM-10", ANYWHERE, true},
    {"split_ring", split_ring, "VM-10", ANYWHERE, true},
    {"forget_the_page_of_a_frame", forget_the_page_of_a_frame, "VM-11", CLEAN, false},
    {"take_a_frame_for_that_of_another_page", take_a_frame_for_that_of_another_page, "VM-11", CLEAN, false},
    {"take_a_copy_for_the_frame_of_its_page", take_a_copy_for_the_frame_of_its_page, "VM-11", COPIED, false},
    {"name_a_frame_beyond_all", name_a_frame_beyond_all, "VM-11", CLEAN, false},
    {"take_a_free_frame_for_that_of_a_page", take_a_free_frame_for_that_of_a_page, "VM-11", ANYWHERE, true},
};

static enum error check_in_steps(struct vm_map_violation *violation)
{
    uint32_t position = 0;
    enum error error;

    do {
        error = vm_map_check_step(&map, &position, 7, violation);
    } while (error == OK && position != 0);
    return error;
}

static void assert_names(const struct breakage *breakage, const struct vm_map_violation *violation)
{
    if (strcmp(violation->invariant, breakage->invariant) != 0) {
        fail_msg("%s: the check names %s", breakage->name, violation->invariant);
    }
    if (breakage->page != ANYWHERE) {
        assert_true(violation->has_page);
        assert_int_equal(violation->page.number, vm_page_key(&before.pages[breakage->page]).number);
    }
}

static void check_names_each_broken_invariant(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
        struct vm_map_violation violation;

        breakages[i].make();
        if (vm_map_check(&map, &violation) != ERROR_INVALID) {
            fail_msg("%s is not noticed", breakages[i].name);
        }
        assert_names(&breakages[i], &violation);
        put_back();
        map_check(&map);
    }
}

static void check_by_steps_names_what_a_bucket_shows(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
        struct vm_map_violation violation;

        breakages[i].make();
        enum error error = check_in_steps(&violation);
        if (!breakages[i].whole_only) {
            if (error != ERROR_INVALID) {
                fail_msg("%s is not noticed", breakages[i].name);
            }
            assert_names(&breakages[i], &violation);
        }
        put_back();
        assert_int_equal(check_in_steps(&violation), OK);
    }
}

static void check_covers_every_invariant(void **unused)
{
    (void)unused;
    bool named[9] = {false};

    for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
        named[breakages[i].invariant[3] - '0'] = true;
    }
    for (uint32_t number = 1; number <= 8; number++) {
        assert_true(named[number]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(check_names_each_broken_invariant, start, stop),
        cmocka_unit_test_setup_teardown(check_by_steps_names_what_a_bucket_shows, start, stop),
        cmocka_unit_test(check_covers_every_invariant),
    };

    return cmocka_run_group_tests_name("vm_map_check", tests, NULL, NULL);
}
