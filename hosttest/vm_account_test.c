/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounts: every fault is counted as exactly one kind, in the system's account and in that of its space; and the
 * working set is the pages used since the last round of samples.
 *
 * The pager is a model in which pages with an even number hold nothing and those with an odd one are on the disk.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"
#include "arch/pmap.h"
#include "fake/mmu.h"
#include "vm_account.h"
#include "vm_fault.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"
#include "vm_working_set.h"

#include <string.h>

#define SPACE         ((struct space_id){1})
#define OTHER_SPACE   ((struct space_id){7})
#define FIRST_PAGE    0x00500u
#define PAGES         4096u
#define FRAMES_PLENTY 8192u

static struct vm_account account, other_account;
static struct vm_account before, before_system;
static bool may_write;

static struct page_key page_at(uint32_t number)
{
    return page_key_at(SPACE, (struct vaddr){number << PAGE_SHIFT});
}

static enum error check_access(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    uint32_t at = (place.number & 0xFFFFFu) - FIRST_PAGE;

    if (at >= PAGES || (access == PMAP_WRITE && !may_write)) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){.may_write = may_write, .pages_before = at, .pages_after = PAGES - 1 - at};
    return OK;
}

static enum error measure(struct page_key page, uint32_t before_max, uint32_t after_max, struct vm_cluster_extent *out)
{
    (void)before_max;
    *out = (struct vm_cluster_extent){.is_zero = page.number % 2 == 0, .after = after_max};
    return OK;
}

static void read_cluster(struct page_key first, uint32_t count, void *const contents[], bool out_good[])
{
    (void)first;
    for (uint32_t i = 0; i < count; i++) {
        memset(contents[i], 1, PAGE_SIZE);
        out_good[i] = true;
    }
}

static const struct vm_pager pager = {
    .measure = measure, .read = read_cluster, .discard = pager_discard, .page_out = pager_page_out};
static const struct vm_fault_policy policy = {.check = check_access};

static int start(void **unused)
{
    (void)unused;
    may_write = true;
    fake_machine_start(FRAMES_PLENTY);
    assert_int_equal(vm_fault_initialise(&pager, &policy, NULL), OK);
    assert_int_equal(pmap_create(SPACE), OK);
    assert_int_equal(pmap_create(OTHER_SPACE), OK);
    pmap_activate(SPACE);
    memset(&account, 0, sizeof(account));
    memset(&other_account, 0, sizeof(other_account));
    vm_account_attach(SPACE, &account);
    vm_account_attach(OTHER_SPACE, &other_account);
    while (!vm_working_set_step(1)) {
    }
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    map_check(vm_object_space());
    vm_account_attach(SPACE, NULL);
    vm_account_attach(OTHER_SPACE, NULL);
    fake_machine_abandon();
    return 0;
}

static void look(void)
{
    before = account;
    before_system = *vm_account_system();
}

static uint64_t total(const struct vm_account *of)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < EIDOLON_FAULT_KINDS; i++) {
        sum += of->counts[i];
    }
    return sum;
}

/* Since look() there were `times` faults, all of this kind, in the space's account and in the system's. */
static void assert_faults(enum eidolon_count kind, uint32_t times)
{
    assert_int_equal(account.counts[kind] - before.counts[kind], times);
    assert_int_equal(total(&account) - total(&before), times);
    assert_int_equal(vm_account_system()->counts[kind] - before_system.counts[kind], times);
    assert_int_equal(total(vm_account_system()) - total(&before_system), times);
    assert_int_equal(total(&other_account), 0);
    look();
}

static void fault(uint32_t number, enum pmap_access access)
{
    assert_int_equal(vm_fault(page_key_place(page_at(number)), access), OK);
    if (access == PMAP_WRITE) {
        assert_true(mmu_store((struct vaddr){number << PAGE_SHIFT}, number));
    }
}

static void account_fault_is_counted_as_what_it_was(void **unused)
{
    (void)unused;
    look();
    fault(FIRST_PAGE, PMAP_READ);
    fault(FIRST_PAGE + 2, PMAP_WRITE);
    assert_faults(EIDOLON_FAULT_ZERO, 2);
    assert_int_equal(account.counts[EIDOLON_PAGES_IN], 0);
    fault(FIRST_PAGE + 17, PMAP_READ); /* and its 14 neighbours */
    assert_faults(EIDOLON_FAULT_PAGE_IN, 1);
    assert_int_equal(account.counts[EIDOLON_PAGES_IN], 15);
    fault(FIRST_PAGE + 19, PMAP_READ);
    fault(FIRST_PAGE + 20, PMAP_READ);
    assert_faults(EIDOLON_FAULT_MAP, 2);
    fault(FIRST_PAGE + 20, PMAP_READ); /* nothing was amiss */
    assert_faults(EIDOLON_FAULT_MAP, 0);
    assert_int_equal(vm_fault(page_key_place(page_at(FIRST_PAGE + PAGES)), PMAP_READ), ERROR_DENIED);
    may_write = false;
    assert_int_equal(vm_fault(page_key_place(page_at(FIRST_PAGE)), PMAP_WRITE), ERROR_DENIED);
    assert_faults(EIDOLON_FAULT_DENIED, 2);
}

/* After a stop: a page that was not written only gets its right back, one that was is copied. */
static void account_write_after_a_stop_is_counted_as_what_the_snapshot_made_of_it(void **unused)
{
    (void)unused;
    fault(FIRST_PAGE, PMAP_READ);
    fault(FIRST_PAGE + 2, PMAP_WRITE);
    look();
    assert_int_equal(vm_stop(), OK);
    fault(FIRST_PAGE, PMAP_WRITE);
    assert_faults(EIDOLON_FAULT_PROTECTION, 1);
    fault(FIRST_PAGE + 2, PMAP_WRITE);
    assert_faults(EIDOLON_FAULT_SNAPSHOT_COPY, 1);
    fault(FIRST_PAGE + 2, PMAP_WRITE);
    assert_faults(EIDOLON_FAULT_SNAPSHOT_COPY, 0);
}

static void account_pages_out_are_those_that_lost_their_frame(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < PAGES; i += 2) {
        fault(FIRST_PAGE + i, PMAP_READ);
    }
    struct frame frame;
    while (frame_count(FRAME_FREE) > vm_frame_reserve()) {
        assert_int_equal(frame_allocate(FRAME_KERNEL, &frame), OK);
    }
    uint32_t pages = vm_map_count(vm_object_space());
    look();
    assert_int_equal(vm_frame_take(&frame), OK);
    uint32_t gone = pages - vm_map_count(vm_object_space());
    assert_true(gone > 0);
    assert_int_equal(account.counts[EIDOLON_PAGES_OUT] - before.counts[EIDOLON_PAGES_OUT], gone);
}

static void account_restored_counts_are_the_newer_ones(void **unused)
{
    (void)unused;
    struct vm_account kept = account;

    fault(FIRST_PAGE, PMAP_READ);
    uint64_t now = account.counts[EIDOLON_FAULT_ZERO];
    vm_account_restore(&account, kept.counts);
    assert_int_equal(account.counts[EIDOLON_FAULT_ZERO], now);
    kept.counts[EIDOLON_FAULT_ZERO] = 1ull << 40;
    vm_account_restore(&account, kept.counts);
    assert_true(account.counts[EIDOLON_FAULT_ZERO] == 1ull << 40);
}

static void account_of_the_system_goes_on_where_it_is_kept(void **unused)
{
    (void)unused;
    static struct vm_account kept;

    look();
    kept.counts[EIDOLON_FAULT_ZERO] = 1000;
    vm_account_keep_system(&kept);
    assert_ptr_equal(vm_account_system(), &kept);
    assert_int_equal(kept.counts[EIDOLON_FAULT_ZERO], 1000 + before_system.counts[EIDOLON_FAULT_ZERO]);
    fault(FIRST_PAGE, PMAP_READ);
    assert_int_equal(kept.counts[EIDOLON_FAULT_ZERO], 1001 + before_system.counts[EIDOLON_FAULT_ZERO]);
}

/* The working set -------------------------------------------------------------------------------------------------- */

/* Finish the round; `visits_max` at a time. Returns how many goes it took. */
static uint32_t take_round(uint32_t visits_max)
{
    uint32_t goes = 1;

    while (!vm_working_set_step(visits_max)) {
        goes++;
    }
    return goes;
}

static void assert_working_set(uint32_t mapped, uint32_t used, uint32_t used_max)
{
    assert_int_equal(account.counts[EIDOLON_PAGES_MAPPED], mapped);
    assert_int_equal(account.counts[EIDOLON_WORKING_SET], used);
    assert_int_equal(account.counts[EIDOLON_WORKING_SET_MAX], used_max);
    assert_int_equal(vm_account_system()->counts[EIDOLON_WORKING_SET], used);
    assert_int_equal(other_account.counts[EIDOLON_WORKING_SET], 0);
}

static void working_set_is_what_was_used_since_the_last_round(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 2 * PMAP_CHUNK_PAGES; i += 2) {
        fault(FIRST_PAGE + i, PMAP_WRITE);
    }
    take_round(1);
    assert_working_set(1024, 1024, 1024);
    take_round(1);
    assert_working_set(1024, 0, 1024);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(mmu_store((struct vaddr){(FIRST_PAGE + 200 * i) << PAGE_SHIFT}, i));
    }
    take_round(1);
    assert_working_set(1024, 10, 1024);
}

static void working_set_round_takes_a_bounded_step_at_a_time(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < PAGES; i += PMAP_CHUNK_PAGES) {
        fault((FIRST_PAGE + i) & ~1u, PMAP_WRITE);
    }
    /* 4 chunks, their space's end, the space with nothing in it, the shared one, and the ids without a space between */
    uint32_t visits = 4 + OTHER_SPACE.number + 1;
    assert_int_equal(take_round(1), visits);
    assert_int_equal(take_round(3), (visits + 2) / 3);
    assert_int_equal(take_round(visits), 1);
}

static void working_set_of_a_space_that_goes_in_the_middle_of_a_round_is_forgotten(void **unused)
{
    (void)unused;
    fault(FIRST_PAGE, PMAP_WRITE);
    fault((FIRST_PAGE + PMAP_CHUNK_PAGES) & ~1u, PMAP_WRITE);
    assert_false(vm_working_set_step(2)); /* the shared window, and the first chunk */
    vm_account_attach(SPACE, NULL);
    assert_int_equal(vm_discard(page_at(USER_START >> PAGE_SHIFT), (USER_END - USER_START) >> PAGE_SHIFT), OK);
    pmap_activate(SPACE_SYSTEM);
    pmap_delete(SPACE);
    take_round(1);
    assert_int_equal(account.counts[EIDOLON_WORKING_SET], 0);
    take_round(1);
    assert_int_equal(vm_account_system()->counts[EIDOLON_PAGES_MAPPED], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(account_fault_is_counted_as_what_it_was, start, stop),
        cmocka_unit_test_setup_teardown(account_write_after_a_stop_is_counted_as_what_the_snapshot_made_of_it, start,
                                        stop),
        cmocka_unit_test_setup_teardown(account_pages_out_are_those_that_lost_their_frame, start, stop),
        cmocka_unit_test_setup_teardown(account_restored_counts_are_the_newer_ones, start, stop),
        cmocka_unit_test_setup_teardown(account_of_the_system_goes_on_where_it_is_kept, start, stop),
        cmocka_unit_test_setup_teardown(working_set_is_what_was_used_since_the_last_round, start, stop),
        cmocka_unit_test_setup_teardown(working_set_round_takes_a_bounded_step_at_a_time, start, stop),
        cmocka_unit_test_setup_teardown(working_set_of_a_space_that_goes_in_the_middle_of_a_round_is_forgotten, start,
                                        stop),
    };

    return cmocka_run_group_tests_name("vm_account", tests, NULL, NULL);
}
