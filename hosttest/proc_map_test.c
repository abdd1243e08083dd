/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two tasks in one space on the booted kernel: while one sleeps in a call that changes what is mapped, the other
 * changes it too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/pmap.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "space/space.h"
#include "space/space_map.h"
#include "task/task.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include "vm_map.h"

#define AT    SPACE_AT
#define ARENA 0x40000000u
#define PAGES 4u
#define NEW   77u
#define FIXED 0x32u
#define TURNS 40u

enum { OPEN = 5 };

static uint32_t ended;
static bool is_held, begun, is_cloned;

static void map(uint32_t address, uint32_t pages)
{
    EXPECT((int32_t)address, CALL_MMAP2, address, pages * PAGE_SIZE, 3, FIXED, UINT32_MAX, 0);
}

static void let_others_run(uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

/* Function 0: the last page is on its way for a while and not mapped, so whoever needs it sleeps. */
static void hold_last_page(void)
{
    struct space_id window = space_window(task_current()->program->space);
    window = vm_lineage_source(window).number != 0 && is_cloned ? vm_lineage_source(window) : window;
    struct page_key last = page_key_at(window, (struct vaddr){ARENA + (PAGES - 1) * PAGE_SIZE});
    struct vm_page *page = vm_map_find(vm_object_space(), last);

    EXPECT_IS(true, page != NULL);
    vm_page_lock(page);
    if (pmap_remove(page_key_place(last)) && page->state == VM_PAGE_CLEAN) {
        vm_page_mark_dirty(vm_object_space(), page);
    }
    is_held = true;
    while (!begun) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    let_others_run(TURNS);
    vm_page_unlock(page);
    ended++;
}

/* Its pages are there; the last one is held, and a sibling is about to begin with what it does to them. */
static void start_siblings(void)
{
    is_held = begun = false;
    ended = 0;
    map(ARENA, PAGES);
    for (uint32_t page = 0; page < PAGES; page++) {
        WORDS(ARENA + page * PAGE_SIZE, 500 + page);
    }
    if (is_cloned) {
        (void)case_fork(2);
    }
    case_task(0);
    case_task(1);
    while (!begun) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    let_others_run(3);
}

static void wait_for_siblings(void)
{
    while (ended < 2) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void begin(void)
{
    while (!is_held) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    begun = true;
}

/* Memory that is mapped after the range was unmapped is not what a sibling's call takes away. */
static void unmap_all(void)
{
    begin();
    EXPECT(0, CALL_MUNMAP, ARENA, PAGES * PAGE_SIZE);
    ended++;
}

static void map_anew(void)
{
    start_siblings();
    EXPECT(0, CALL_MUNMAP, ARENA, PAGE_SIZE);
    map(ARENA, 1);
    WORDS(ARENA, NEW);
    wait_for_siblings();
    EXPECT_IS(NEW, case_word(ARENA));
    EXPECT(-EFAULT, 265, 1, ARENA + PAGE_SIZE); /* clock_gettime() */
}

static void mapping_made_while_a_sibling_unmaps_stays(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = map_anew, .functions = {hold_last_page, unmap_all}, .options = "interval=0"});
}

/* A call has made its memory ready in part, and the part goes while it waits for the rest. */
static void read_zeroes(void)
{
    int32_t zero = CALL(OPEN, case_string(AT, "/dev/zero"), 0, 0);

    begin();
    EXPECT(-EFAULT, CALL_READ, (uint32_t)zero, ARENA, PAGES * PAGE_SIZE);
    ended++;
}

static void unmap_the_first(void)
{
    start_siblings();
    EXPECT(0, CALL_MUNMAP, ARENA, PAGE_SIZE);
    wait_for_siblings();
    EXPECT_IS(501, case_word(ARENA + PAGE_SIZE));
}

static void memory_that_goes_while_a_call_prepares_it_is_denied(void **state)
{
    (void)state;
    case_run(&(struct proc_case){
        .main = unmap_the_first, .functions = {hold_last_page, read_zeroes}, .options = "interval=0"});
}

/* The memory of the space changes while a sibling waits for a page of it: it is the same memory for the sibling. */
static void read_zeroes_into_all(void)
{
    int32_t zero = CALL(OPEN, case_string(AT, "/dev/zero"), 0, 0);

    begin();
    EXPECT(PAGES * PAGE_SIZE, CALL_READ, (uint32_t)zero, ARENA, PAGES * PAGE_SIZE);
    ended++;
}

static void write_to_last(void)
{
    begin();
    WORDS(ARENA + 3 * PAGE_SIZE + 4, NEW);
    EXPECT_IS(503, case_word(ARENA + 3 * PAGE_SIZE));
    ended++;
}

static void end_late(void)
{
    let_others_run(2 * TURNS);
    for (uint32_t page = 0; page < PAGES; page++) {
        EXPECT_IS(500 + page, case_word(ARENA + page * PAGE_SIZE));
    }
}

static void clone_meanwhile(void)
{
    start_siblings();
    int32_t child = case_fork(2);
    wait_for_siblings();
    case_reap(child, 0);
    EXPECT_IS(is_cloned ? 503 : 0, case_word(ARENA + 3 * PAGE_SIZE));
    EXPECT_IS(is_cloned ? NEW : 0, case_word(ARENA + 3 * PAGE_SIZE + 4));
}

static void memory_that_is_cloned_while_a_call_prepares_it_is_written_to(void **state)
{
    (void)state;
    is_cloned = false;
    case_run(&(struct proc_case){.main = clone_meanwhile,
                                 .functions = {hold_last_page, read_zeroes_into_all, end_late},
                                 .options = "interval=0"});
}

static void memory_that_is_cloned_while_it_faults_in_is_there(void **state)
{
    (void)state;
    is_cloned = true;
    case_run(&(struct proc_case){
        .main = clone_meanwhile, .functions = {hold_last_page, write_to_last, end_late}, .options = "interval=0"});
    is_cloned = false;
}

/* Every way of taking something away is one that others see (EPOCH-2). */
static void count_epochs(void)
{
    struct address_space space = task_current()->program->space;

    map(ARENA, PAGES);
    WORDS(ARENA, 1);
    uint32_t epoch = space_epoch(space);
    EXPECT(0, CALL_MPROTECT, ARENA, PAGE_SIZE, 1);
    EXPECT_IS(true, space_epoch(space) != epoch);
    epoch = space_epoch(space);
    EXPECT(0, CALL_MADVISE, ARENA, PAGE_SIZE, 4);
    EXPECT_IS(true, space_epoch(space) != epoch);
    epoch = space_epoch(space);
    EXPECT(0, CALL_MUNMAP, ARENA, PAGE_SIZE);
    EXPECT_IS(true, space_epoch(space) != epoch);
    epoch = space_epoch(space);
    struct space_id memory = space_window(space);
    int32_t child = case_fork(0);
    EXPECT_IS(true, space_epoch(space) != epoch);
    EXPECT_IS(true, space_window(space).number != memory.number);
    EXPECT_IS(space.number, task_current()->program->space.number);
    epoch = space_epoch(space);
    case_reap(child, 0);
    EXPECT_IS(memory.number, space_window(space).number); /* collapsed */
    EXPECT_IS(true, space_epoch(space) != epoch);
    EXPECT_IS(false, space_is_locked(space));
}

static void nothing(void)
{
}

static void epoch_counts_what_is_taken_away(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = count_epochs, .functions = {nothing}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapping_made_while_a_sibling_unmaps_stays),
        cmocka_unit_test(memory_that_goes_while_a_call_prepares_it_is_denied),
        cmocka_unit_test(memory_that_is_cloned_while_a_call_prepares_it_is_written_to),
        cmocka_unit_test(memory_that_is_cloned_while_it_faults_in_is_there),
        cmocka_unit_test(epoch_counts_what_is_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
