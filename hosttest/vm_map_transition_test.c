/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of states (vm_map.h), whole: each function in each situation a page can be in, with and without a snapshot
 * that has a claim on it. It either leads where the table says, or panics and changes nothing.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"
#include "log.h"

#define PAGE 0x00100123u

static struct vm_map map;

/* Where a page can stand: its state, and what the running snapshot still wants of it. */
enum situation {
    PANICS,
    NEW,
    READING,
    CLEAN,
    DIRTY,
    WRITING,
    OWED_DIRTY,      /* on the snapshot's list, its own frame is to be written */
    OWED_PAGING_OUT, /* and a page-out was under way at the stop */
    OWED_WRITING,    /* and the snapshot writes it */
    COPIED_NEW,      /* on the snapshot's list with a copy; the page itself goes its own way */
    COPIED_READING,
    COPIED_CLEAN,
    COPIED_DIRTY,
    SENT_NEW, /* the snapshot writes the copy */
    SENT_READING,
    SENT_CLEAN,
    SENT_DIRTY,
    SITUATIONS
};

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

static enum situation situation_of(const struct vm_page *page)
{
    assert_true(page->state <= VM_PAGE_WRITING);
    if (!vm_snapshot_has(&map, page)) {
        return NEW + page->state;
    }
    bool is_sent = page->list == VM_LIST_WRITING;
    if (vm_snapshot_must_copy(&map, page)) {
        return page->state == VM_PAGE_DIRTY ? OWED_DIRTY : is_sent ? OWED_WRITING : OWED_PAGING_OUT;
    }
    return (is_sent ? SENT_NEW : COPIED_NEW) + page->state;
}

/* A locked page, taken to its situation by the functions that lead there. */
static struct vm_page *page_in(enum situation situation)
{
    struct vm_page *page = map_create(&map, PAGE);

    vm_page_lock(page);
    if (situation == READING) {
        vm_page_begin_read(page);
    }
    if (situation <= READING) {
        return page;
    }
    vm_page_make_resident(&map, page, frame_new());
    if (situation == CLEAN) {
        return page;
    }
    vm_page_mark_dirty(&map, page);
    if (situation == WRITING) {
        vm_page_begin_write(page);
    }
    if (situation <= WRITING) {
        return page;
    }
    if (situation == OWED_PAGING_OUT) {
        vm_page_begin_write(page);
    }
    assert_int_equal(vm_snapshot_splice(&map), OK);
    if (situation == OWED_WRITING || situation >= SENT_NEW) {
        assert_int_equal(vm_snapshot_begin_write(&map, page).number, vm_page_frame(page).number);
    }
    if (situation < COPIED_NEW) {
        return page;
    }
    if (situation == COPIED_DIRTY || situation == SENT_DIRTY) {
        vm_snapshot_give_frame(&map, page, frame_new());
        return page;
    }
    assert_true(frame_is_none(vm_page_detach(&map, page)));
    if (situation == COPIED_READING || situation == SENT_READING) {
        vm_page_begin_read(page);
    } else if (situation == COPIED_CLEAN || situation == SENT_CLEAN) {
        vm_page_make_resident(&map, page, frame_new());
    }
    return page;
}

/* Give back whatever the page has, wherever it stands. */
static void forget(struct vm_page *page)
{
    if (!vm_page_is_mine(page)) {
        vm_page_lock(page);
    }
    if (page->state == VM_PAGE_READING) {
        vm_page_fail_read(page);
    }
    if (page->list == VM_LIST_WRITING) {
        vm_snapshot_fail_write(&map, page);
    }
    if (page->state == VM_PAGE_WRITING) {
        vm_page_fail_write(page);
    }
    frame_release(vm_page_detach(&map, page));
    if (vm_snapshot_has(&map, page)) {
        frame_release(vm_snapshot_abort(&map, page));
    }
    vm_page_unlock(page);
    map_delete(&map, PAGE);
}

/* Functions -------------------------------------------------------------------------------------------------------- */

static void make_resident(struct vm_page *page)
{
    struct frame frame = frame_new();

    if (fake_panics(vm_page_make_resident(&map, page, frame))) {
        frame_free(frame);
        panic("test", "passed on");
    }
    assert_int_equal(vm_page_frame(page).number, frame.number);
}

static void make_resident_without_frame(struct vm_page *page)
{
    vm_page_make_resident(&map, page, FRAME_NONE);
}

static void mark_dirty(struct vm_page *page)
{
    vm_page_mark_dirty(&map, page);
}

static void end_write(struct vm_page *page)
{
    vm_page_end_write(&map, page);
}

static void drop(struct vm_page *page)
{
    struct frame had = vm_page_frame(page);
    struct frame frame;

    assert_int_equal(vm_page_drop(&map, page, &frame), OK);
    assert_int_equal(frame.number, had.number);
    frame_free(frame);
}

static void detach(struct vm_page *page)
{
    bool owed = vm_snapshot_must_copy(&map, page);
    struct frame had = vm_page_frame(page);
    struct frame frame = vm_page_detach(&map, page);

    assert_int_equal(frame.number, owed ? FRAME_NONE.number : had.number);
    assert_true(!owed || vm_page_copy_frame(page).number == had.number);
    frame_release(frame);
}

static void snapshot_add(struct vm_page *page)
{
    vm_snapshot_add(&map, page);
}

static void snapshot_give_frame(struct vm_page *page)
{
    struct frame had = vm_page_frame(page);
    struct frame frame = frame_new();

    if (fake_panics(vm_snapshot_give_frame(&map, page, frame))) {
        frame_free(frame);
        panic("test", "passed on");
    }
    assert_int_equal(vm_page_frame(page).number, frame.number);
    assert_int_equal(vm_page_copy_frame(page).number, had.number);
}

static void snapshot_give_no_frame(struct vm_page *page)
{
    vm_snapshot_give_frame(&map, page, FRAME_NONE);
}

static void snapshot_begin_write(struct vm_page *page)
{
    struct frame owed = frame_is_none(vm_page_copy_frame(page)) ? vm_page_frame(page) : vm_page_copy_frame(page);

    assert_int_equal(vm_snapshot_begin_write(&map, page).number, owed.number);
}

static void snapshot_end_write(struct vm_page *page)
{
    struct frame had = vm_page_copy_frame(page);
    struct frame copy = vm_snapshot_end_write(&map, page);

    assert_int_equal(copy.number, had.number);
    frame_release(copy);
}

static void snapshot_fail_write(struct vm_page *page)
{
    vm_snapshot_fail_write(&map, page);
}

static void snapshot_abort(struct vm_page *page)
{
    struct frame had = vm_page_copy_frame(page);
    struct frame copy = vm_snapshot_abort(&map, page);

    assert_int_equal(copy.number, had.number);
    frame_release(copy);
}

static void snapshot_defer(struct vm_page *page)
{
    vm_snapshot_defer(&map, page);
}

static void snapshot_expedite(struct vm_page *page)
{
    vm_snapshot_expedite(&map, page);
}

/* The table -------------------------------------------------------------------------------------------------------- */

/* By where the page stands before; whatever is not named panics. What gathering and the list's order need works without
 * the lock.
 */
static const struct transition {
    const char *name;
    void (*run)(struct vm_page *page);
    bool needs_lock;
    enum situation after[SITUATIONS];
} transitions[] = {
    {"begin_read",
     vm_page_begin_read,
     true,
     {[NEW] = READING, [COPIED_NEW] = COPIED_READING, [SENT_NEW] = SENT_READING}},
    {"fail_read", vm_page_fail_read, true, {[READING] = NEW, [COPIED_READING] = COPIED_NEW, [SENT_READING] = SENT_NEW}},
    {"make_resident",
     make_resident,
     true,
     {[NEW] = CLEAN,
      [READING] = CLEAN,
      [COPIED_NEW] = COPIED_CLEAN,
      [COPIED_READING] = COPIED_CLEAN,
      [SENT_NEW] = SENT_CLEAN,
      [SENT_READING] = SENT_CLEAN}},
    {"mark_dirty",
     mark_dirty,
     false,
     {[CLEAN] = DIRTY,
      [DIRTY] = DIRTY,
      [OWED_DIRTY] = OWED_DIRTY,
      [COPIED_CLEAN] = COPIED_DIRTY,
      [COPIED_DIRTY] = COPIED_DIRTY,
      [SENT_CLEAN] = SENT_DIRTY,
      [SENT_DIRTY] = SENT_DIRTY}},
    {"begin_write", vm_page_begin_write, true, {[DIRTY] = WRITING, [OWED_DIRTY] = OWED_PAGING_OUT}},
    {"fail_write", vm_page_fail_write, true, {[WRITING] = DIRTY, [OWED_PAGING_OUT] = OWED_DIRTY}},
    {"end_write", end_write, true, {[WRITING] = CLEAN}},
    {"drop", drop, true, {[CLEAN] = NEW, [COPIED_CLEAN] = COPIED_NEW, [SENT_CLEAN] = SENT_NEW}},
    {"detach",
     detach,
     true,
     {[NEW] = NEW,
      [CLEAN] = NEW,
      [DIRTY] = NEW,
      [OWED_DIRTY] = COPIED_NEW,
      [OWED_PAGING_OUT] = COPIED_NEW,
      [OWED_WRITING] = SENT_NEW,
      [COPIED_NEW] = COPIED_NEW,
      [COPIED_CLEAN] = COPIED_NEW,
      [COPIED_DIRTY] = COPIED_NEW,
      [SENT_NEW] = SENT_NEW,
      [SENT_CLEAN] = SENT_NEW,
      [SENT_DIRTY] = SENT_NEW}},
    {"snapshot_add", snapshot_add, false, {[CLEAN] = OWED_DIRTY}},
    {"snapshot_give_frame",
     snapshot_give_frame,
     true,
     {[OWED_DIRTY] = COPIED_DIRTY, [OWED_PAGING_OUT] = COPIED_DIRTY, [OWED_WRITING] = SENT_DIRTY}},
    {"snapshot_begin_write",
     snapshot_begin_write,
     true,
     {[OWED_DIRTY] = OWED_WRITING,
      [COPIED_NEW] = SENT_NEW,
      [COPIED_READING] = SENT_READING,
      [COPIED_CLEAN] = SENT_CLEAN,
      [COPIED_DIRTY] = SENT_DIRTY}},
    {"snapshot_end_write",
     snapshot_end_write,
     true,
     {[OWED_PAGING_OUT] = CLEAN,
      [OWED_WRITING] = CLEAN,
      [SENT_NEW] = NEW,
      [SENT_READING] = READING,
      [SENT_CLEAN] = CLEAN,
      [SENT_DIRTY] = DIRTY}},
    {"snapshot_fail_write",
     snapshot_fail_write,
     true,
     {[OWED_WRITING] = OWED_DIRTY,
      [SENT_NEW] = COPIED_NEW,
      [SENT_READING] = COPIED_READING,
      [SENT_CLEAN] = COPIED_CLEAN,
      [SENT_DIRTY] = COPIED_DIRTY}},
    {"snapshot_abort",
     snapshot_abort,
     true,
     {[OWED_DIRTY] = DIRTY,
      [COPIED_NEW] = NEW,
      [COPIED_READING] = READING,
      [COPIED_CLEAN] = CLEAN,
      [COPIED_DIRTY] = DIRTY}},
    {"snapshot_defer",
     snapshot_defer,
     false,
     {[OWED_DIRTY] = OWED_DIRTY,
      [OWED_PAGING_OUT] = OWED_PAGING_OUT,
      [COPIED_NEW] = COPIED_NEW,
      [COPIED_READING] = COPIED_READING,
      [COPIED_CLEAN] = COPIED_CLEAN,
      [COPIED_DIRTY] = COPIED_DIRTY}},
    {"snapshot_expedite",
     snapshot_expedite,
     false,
     {[OWED_DIRTY] = OWED_DIRTY,
      [OWED_PAGING_OUT] = OWED_PAGING_OUT,
      [COPIED_NEW] = COPIED_NEW,
      [COPIED_READING] = COPIED_READING,
      [COPIED_CLEAN] = COPIED_CLEAN,
      [COPIED_DIRTY] = COPIED_DIRTY}},
};

#define TRANSITIONS (sizeof(transitions) / sizeof(transitions[0]))

static int start(void **unused)
{
    (void)unused;
    map_start(&map, 256, 1);
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    map_stop(&map); /* no frame may be left */
    return 0;
}

/* A frame of its own for the jump out of a panic: nothing around it lives in registers that would be lost. */
static __attribute__((noinline)) bool run_panics(void (*run)(struct vm_page *page), struct vm_page *page)
{
    return fake_panics(run(page));
}

static void try_transition(const struct transition *transition, enum situation from)
{
    struct vm_page *page = page_in(from);

    assert_int_equal(situation_of(page), from);
    map_check(&map);
    struct vm_page before = *page;
    enum situation to = run_panics(transition->run, page) ? PANICS : situation_of(page);
    if (to != transition->after[from]) {
        fail_msg("%s in situation %d leads to %d", transition->name, from, to);
    }
    if (to == PANICS) {
        assert_memory_equal(page, &before, sizeof(before));
    }
    map_check(&map);
    forget(page);
}

static void transition_in_each_situation_leads_where_the_table_says_or_panics(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < TRANSITIONS; i++) {
        for (enum situation from = NEW; from < SITUATIONS; from++) {
            try_transition(&transitions[i], from);
        }
    }
}

static void transition_without_the_lock_panics(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < TRANSITIONS; i++) {
        for (enum situation from = NEW; from < SITUATIONS && transitions[i].needs_lock; from++) {
            struct vm_page *page = page_in(from);

            vm_page_unlock(page);
            assert_true(run_panics(transitions[i].run, page));
            assert_int_equal(situation_of(page), from);
            forget(page);
        }
    }
}

static void transition_to_no_frame_panics(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(NEW);

    assert_true(run_panics(make_resident_without_frame, page));
    forget(page);
    page = page_in(OWED_DIRTY);
    assert_true(run_panics(snapshot_give_no_frame, page));
    forget(page);
}

/* A page-out in whose middle a stop comes ends as the snapshot's. */
static void page_out_across_a_stop_ends_as_the_snapshots(void **unused)
{
    (void)unused;
    struct vm_page *page = page_in(WRITING);

    assert_int_equal(vm_snapshot_splice(&map), OK);
    assert_int_equal(situation_of(page), OWED_PAGING_OUT);
    map_check(&map);
    assert_true(run_panics(end_write, page));
    vm_page_fail_write(page);
    assert_int_equal(situation_of(page), OWED_DIRTY);
    vm_page_begin_write(page);
    assert_true(frame_is_none(vm_snapshot_end_write(&map, page)));
    assert_int_equal(situation_of(page), CLEAN);
    assert_int_equal(vm_snapshot_count(&map), 0);
    forget(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(transition_in_each_situation_leads_where_the_table_says_or_panics, start, stop),
        cmocka_unit_test_setup_teardown(transition_without_the_lock_panics, start, stop),
        cmocka_unit_test_setup_teardown(transition_to_no_frame_panics, start, stop),
        cmocka_unit_test_setup_teardown(page_out_across_a_stop_ends_as_the_snapshots, start, stop),
    };

    return cmocka_run_group_tests_name("vm_map_transition", tests, NULL, NULL);
}
