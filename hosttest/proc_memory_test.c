/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on memory, programs, signals, time and what there is to be told, at their edges, on the booted kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "eidolon/memory.h"
#include "fake/machine.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program.h"
#include "record.h"
#include "space/regions.h"

#include <string.h>

#define AT                SPACE_AT
#define BUFFER            (SPACE_AT + PAGE_SIZE)
#define ARENA             0x40000000u
#define PRIVATE_ANONYMOUS 0x22u
#define FIXED             0x10u

enum { MMAP_OLD = 90, MSYNC = 144, MLOCK = 150, MLOCKALL = 152, MUNLOCKALL = 153, MINCORE = 218, CLONE = 120 };

/* Memory ----------------------------------------------------------------------------------------------------------- */

static void map_edges(void)
{
    EXPECT(-EINVAL, CALL_MMAP2, 0, 0, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 0);
    EXPECT(-EINVAL, CALL_MMAP2, 0, PAGE_SIZE, 3, 0x20, UINT32_MAX, 0);
    EXPECT(-EINVAL, CALL_MMAP2, ARENA + 1, PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    EXPECT(-EPERM, CALL_MMAP2, 0, PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    EXPECT(-ENOMEM, CALL_MMAP2, 0xBFFFF000, 2 * PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    EXPECT(-ENOMEM, CALL_MMAP2, 0, 0xC0001000u, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 0);
    EXPECT(ARENA, CALL_MMAP2, ARENA, 4 * PAGE_SIZE, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 0);
    EXPECT(-EEXIST, CALL_MMAP2, ARENA, PAGE_SIZE, 3, PRIVATE_ANONYMOUS | 0x100000u, UINT32_MAX, 0);
    uint32_t elsewhere = (uint32_t)CALL(CALL_MMAP2, ARENA, PAGE_SIZE, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 0);
    EXPECT_IS(true, elsewhere != ARENA && elsewhere % PAGE_SIZE == 0);
    WORDS(AT, ARENA + 8 * PAGE_SIZE, PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    EXPECT((int32_t)(ARENA + 8 * PAGE_SIZE), MMAP_OLD, AT);
    WORDS(AT, ARENA, PAGE_SIZE, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 5);
    EXPECT(-EINVAL, MMAP_OLD, AT);
    EXPECT(-EFAULT, MMAP_OLD, BAD);
}

static void range_edges(void)
{
    EXPECT(-EINVAL, CALL_MUNMAP, ARENA + 1, PAGE_SIZE);
    EXPECT(-EINVAL, CALL_MUNMAP, ARENA, 0);
    EXPECT(-EINVAL, CALL_MUNMAP, 0xC0000000u, PAGE_SIZE);
    EXPECT(0, CALL_MUNMAP, ARENA + 100 * PAGE_SIZE, PAGE_SIZE);
    EXPECT(USER_START, CALL_MMAP2, USER_START, PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    EXPECT(0, CALL_MUNMAP, 0, USER_START); /* what is never mapped may be unmapped */
    EXPECT(0, CALL_MUNMAP, 0, USER_START + PAGE_SIZE);
    EXPECT(USER_START, CALL_MMAP2, USER_START, PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    EXPECT(0, CALL_MUNMAP, USER_START, PAGE_SIZE);
    EXPECT(-EINVAL, CALL_MPROTECT, ARENA, PAGE_SIZE, 0x100);
    EXPECT(-EINVAL, CALL_MPROTECT, ARENA + 1, PAGE_SIZE, 1);
    EXPECT(0, CALL_MPROTECT, ARENA, 0, 1);
    EXPECT(-ENOMEM, CALL_MPROTECT, 0xF0000000u, PAGE_SIZE, 1);
    EXPECT(-ENOMEM, CALL_MPROTECT, ARENA + 100 * PAGE_SIZE, PAGE_SIZE, 1);
    EXPECT(-EINVAL, CALL_MPROTECT, ARENA, PAGE_SIZE, 1 | PROT_GROWSDOWN);
    EXPECT(0, CALL_MPROTECT, 0xBFFFE000u, PAGE_SIZE, 3 | PROT_GROWSDOWN);
    EXPECT(0, CALL_MADVISE, ARENA, PAGE_SIZE, 1);
    EXPECT(-ENOMEM, CALL_MADVISE, ARENA + 100 * PAGE_SIZE, PAGE_SIZE, 4);
    EXPECT(-EINVAL, CALL_MADVISE, ARENA + 5, PAGE_SIZE, 4);
    WORDS(ARENA, 77);
    EXPECT(0, CALL_MADVISE, ARENA, PAGE_SIZE, 4);
    EXPECT_IS(0, case_word(ARENA));
    EXPECT(-EINVAL, MSYNC, ARENA, PAGE_SIZE, 5);
    EXPECT(-EINVAL, MSYNC, ARENA, PAGE_SIZE, 8);
    EXPECT(-ENOMEM, MSYNC, ARENA + 100 * PAGE_SIZE, PAGE_SIZE, 4);
    EXPECT(0, MSYNC, ARENA, 0, 4);
    EXPECT(0, MSYNC, ARENA, PAGE_SIZE, 1);
    EXPECT(0, MSYNC, ARENA, PAGE_SIZE, 4);
}

static void move_edges(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        WORDS(ARENA + i * PAGE_SIZE, 100 + i);
    }
    EXPECT(-EINVAL, CALL_MREMAP, ARENA + 1, PAGE_SIZE, PAGE_SIZE, 0, 0);
    EXPECT(-EINVAL, CALL_MREMAP, ARENA, PAGE_SIZE, 0, 0, 0);
    EXPECT(-EINVAL, CALL_MREMAP, ARENA, PAGE_SIZE, PAGE_SIZE, 2, ARENA + 20 * PAGE_SIZE);
    EXPECT(-EINVAL, CALL_MREMAP, ARENA, 2 * PAGE_SIZE, 2 * PAGE_SIZE, 3, ARENA + PAGE_SIZE);
    EXPECT(-EFAULT, CALL_MREMAP, ARENA + 100 * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, 1, 0);
    EXPECT(-EFAULT, CALL_MREMAP, 0xF0000000u, PAGE_SIZE, PAGE_SIZE, 1, 0);
    EXPECT(ARENA, CALL_MREMAP, ARENA, 4 * PAGE_SIZE, 3 * PAGE_SIZE, 0, 0); /* shrinks */
    EXPECT(ARENA, CALL_MREMAP, ARENA, 3 * PAGE_SIZE, 5 * PAGE_SIZE, 0, 0); /* grows */
    EXPECT(-ENOMEM, CALL_MREMAP, ARENA, 5 * PAGE_SIZE, 20 * PAGE_SIZE, 0, 0);
    uint32_t moved = (uint32_t)CALL(CALL_MREMAP, ARENA, 5 * PAGE_SIZE, 20 * PAGE_SIZE, 1, 0);
    EXPECT_IS(0, moved % PAGE_SIZE);
    EXPECT_IS(102, case_word(moved + 2 * PAGE_SIZE));
    EXPECT_IS(0, case_word(moved + 3 * PAGE_SIZE));
    EXPECT(0, CALL_MPROTECT, moved, PAGE_SIZE, 1);
    EXPECT(-EFAULT, CALL_MREMAP, moved, 20 * PAGE_SIZE, 30 * PAGE_SIZE, 1, 0); /* two mappings */
    EXPECT(ARENA, CALL_MREMAP, moved, PAGE_SIZE, PAGE_SIZE, 3, ARENA);
    EXPECT_IS(100, case_word(ARENA));
}

static void break_edges(void)
{
    int32_t start = CALL(CALL_BRK, 0);

    EXPECT(start, CALL_BRK, 1000);
    EXPECT(start, CALL_BRK, 0xF0000000u);
    EXPECT(start + 5000, CALL_BRK, (uint32_t)start + 5000);
    WORDS((uint32_t)start, 5);
    EXPECT(start, CALL_BRK, (uint32_t)start);
}

static void deep_stack(void)
{
    uint32_t at = 0xBFFFF000u - 100 * PAGE_SIZE;

    WORDS(at, 4711);
    EXPECT_IS(4711, case_word(at));
}

static void lock_edges(void)
{
    EXPECT(0, MLOCK, ARENA, PAGE_SIZE);
    EXPECT(0, MLOCK, ARENA + 5, 4 * PAGE_SIZE - 5);
    EXPECT(-ENOMEM, MLOCK, ARENA + 5, 4 * PAGE_SIZE - 4); /* a byte of a page that is not there */
    EXPECT(-ENOMEM, MLOCK + 1, ARENA + 100 * PAGE_SIZE, 1);
    EXPECT(0, MLOCK, BAD, 0);
    EXPECT(-ENOMEM, MLOCK, 0x7FFFF000u, 8);
    EXPECT(-ENOMEM, MLOCK, UINT32_MAX, 1);
    EXPECT(-EINVAL, MLOCK, UINT32_MAX, 2);
    EXPECT(-EINVAL, MLOCKALL, 0);
    EXPECT(-EINVAL, MLOCKALL, 4);
    EXPECT(-EINVAL, MLOCKALL, 9);
    EXPECT(0, MLOCKALL, 3);
    EXPECT(0, MUNLOCKALL);
}

static void resident_edges(void)
{
    const uint32_t pages = 600, vector = ARENA, seen = ARENA + 0x1000u * 300;

    EXPECT(0, CALL_MUNMAP, ARENA, 20 * PAGE_SIZE);
    EXPECT(ARENA, CALL_MMAP2, ARENA, pages * PAGE_SIZE, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 0);
    WORDS(seen, 1);
    WORDS(seen + 250 * PAGE_SIZE, 1); /* of the second piece that is looked at */
    EXPECT(0, MINCORE, ARENA, pages * PAGE_SIZE - 1, vector);
    for (uint32_t i = 1; i < pages; i++) {
        uint32_t byte = case_word(vector + i / 4 * 4) >> i % 4 * 8 & 0xFFu;
        EXPECT_IS(i == 300 || i == 550, byte);
    }
    EXPECT(0, MINCORE, ARENA, 0, BAD);
    EXPECT(-EINVAL, MINCORE, ARENA + 4, PAGE_SIZE, vector);
    EXPECT(-EFAULT, MINCORE, ARENA, PAGE_SIZE, BAD);
    EXPECT(-ENOMEM, MINCORE, ARENA, (pages + 1) * PAGE_SIZE, vector);
    EXPECT(-ENOMEM, MINCORE, 0xF0000000u, PAGE_SIZE, vector);
    EXPECT(-ENOMEM, MINCORE, ARENA, UINT32_MAX, vector);
    EXPECT(0, CALL_MUNMAP, ARENA, pages * PAGE_SIZE);
    EXPECT(ARENA, CALL_MMAP2, ARENA, 2 * PAGE_SIZE, 3, 0x21, UINT32_MAX, 0); /* shared */
    WORDS(ARENA + PAGE_SIZE, 0);
    EXPECT(0, MINCORE, ARENA, 2 * PAGE_SIZE, AT);
    EXPECT_IS(0x100, case_word(AT) & 0xFFFFu);
    EXPECT(0, CALL_MUNMAP, ARENA, 2 * PAGE_SIZE);
}

static void main_of_memory(void)
{
    map_edges();
    range_edges();
    lock_edges();
    move_edges();
    resident_edges();
    break_edges();
    case_reap(case_fork(0), 0); /* a stack that is a copy grows by a region of its own */
    deep_stack();
}

static void memory_calls_answer_as_documented(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_memory, .functions = {deep_stack}});
}

/*
 * What was mapped anew beside what was protected after a clone becomes one region with it when the space collapses into
 * its source.
 */
#define SETTLED 40u

static void nothing(void)
{
}

static void main_of_collapse(void)
{
    EXPECT(ARENA, CALL_MMAP2, ARENA, SETTLED * PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    for (uint32_t i = 0; i < SETTLED; i++) {
        WORDS(ARENA + i * PAGE_SIZE, i);
    }
    int32_t child = case_fork(0);
    EXPECT(0, CALL_MPROTECT, ARENA, 10 * PAGE_SIZE, 1);
    EXPECT(0, CALL_MUNMAP, ARENA + 20 * PAGE_SIZE, 5 * PAGE_SIZE);
    EXPECT((int32_t)(ARENA + 20 * PAGE_SIZE), CALL_MMAP2, ARENA + 20 * PAGE_SIZE, 5 * PAGE_SIZE, 3,
           PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    case_reap(child, 0);
    for (uint32_t i = 0; i < SETTLED; i++) {
        EXPECT_IS(i >= 20 && i < 25 ? 0 : i, case_word(ARENA + i * PAGE_SIZE));
    }
    case_reap(case_fork(0), 0); /* makes up for the collapse that the wait had to leave */
}

static void program_collapses_with_what_it_has_mapped_again(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_collapse, .functions = {nothing}});
}

/* An allocation fails anywhere in a call that takes memory away: it is done, or nothing has changed. */
#define FAILURES 24u
#define MOVED    (ARENA + 40 * PAGE_SIZE)

static void expect_pages(uint32_t address, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_IS(500 + i, case_word(address + i * PAGE_SIZE));
    }
}

static void prepare_pages(uint32_t fails)
{
    EXPECT(ARENA, CALL_MMAP2, ARENA, 4 * PAGE_SIZE, 3, PRIVATE_ANONYMOUS | FIXED, UINT32_MAX, 0);
    for (uint32_t i = 0; i < 4; i++) {
        WORDS(ARENA + i * PAGE_SIZE, 500 + i);
    }
    EXPECT(0, CALL_SYNC);
    fake_fail_allocations(fails, 1);
}

static void main_of_failures(void)
{
    for (uint32_t fails = 0; fails < FAILURES; fails++) {
        prepare_pages(fails);
        int32_t moved = CALL(CALL_MREMAP, ARENA, 4 * PAGE_SIZE, 4 * PAGE_SIZE, 3, MOVED);
        fake_fail_allocations(0, 0);
        if (moved != (int32_t)MOVED) {
            EXPECT_IS(-ENOMEM, moved);
            expect_pages(ARENA, 4);
            EXPECT((int32_t)MOVED, CALL_MREMAP, ARENA, 4 * PAGE_SIZE, 4 * PAGE_SIZE, 3, MOVED);
        }
        expect_pages(MOVED, 4);
        EXPECT(-ENOMEM, CALL_MPROTECT, ARENA, PAGE_SIZE, 1);
        prepare_pages(fails);
        int32_t unmapped = CALL(CALL_MUNMAP, ARENA, 2 * PAGE_SIZE);
        fake_fail_allocations(0, 0);
        if (unmapped != 0) {
            EXPECT_IS(-ENOMEM, unmapped);
            expect_pages(ARENA, 4);
        }
        prepare_pages(fails);
        int32_t forgotten = CALL(CALL_MADVISE, ARENA, 4 * PAGE_SIZE, 4);
        fake_fail_allocations(0, 0);
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t word = case_word(ARENA + i * PAGE_SIZE);
            EXPECT_IS(true, word == 0 || (forgotten != 0 && word == 500 + i));
        }
    }
}

static void memory_calls_without_memory_change_all_or_nothing(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_failures, .options = "interval=0"});
}

/* What its source has there is out of a stack's sight where it grows anew. */
static void unmap_and_grow(void)
{
    uint32_t at = 0xBFFFF000u - 100 * PAGE_SIZE;

    EXPECT_IS(4711, case_word(at));
    EXPECT(0, CALL_MUNMAP, at, PAGE_SIZE);
    EXPECT_IS(0, case_word(at));
}

static void main_of_a_stack_that_is_cut(void)
{
    deep_stack();
    case_reap(case_fork(0), 0);
    deep_stack();
}

static void stack_that_grows_where_a_clone_unmapped_it_is_zeroes(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_a_stack_that_is_cut, .functions = {unmap_and_grow}});
}

/* A stack of a clone grows although the table has not a single record to spare. */
#define GROWING 6u

static void grow_when_told(void)
{
    EXPECT(1, CALL_READ, 3, BUFFER, 1);
    deep_stack();
}

static void grow_in_a_call_when_told(void)
{
    EXPECT(1, CALL_READ, 3, BUFFER, 1);
    EXPECT(0, 265, 1, 0xBFFFF000u - 140 * PAGE_SIZE); /* clock_gettime() into a stack that has to grow */
}

static void main_of_growth(void)
{
    int32_t children[GROWING];

    EXPECT(0, CALL_PIPE, AT);
    for (uint32_t i = 0; i < GROWING; i++) {
        children[i] = case_fork(i % 2);
    }
    /* no call takes the last ones */
    for (uint32_t page = 0; vm_region_records_available(&region_table) > 0; page += 2) {
        const struct vm_region_attributes attributes = {3, 0, {.kind = VM_BACKING_MEMORY}};
        EXPECT_IS(OK, vm_region_insert(&region_table, &space_at(case_program(1)->space)->region_root,
                                       (ARENA >> PAGE_SHIFT) + page, 1, &attributes));
    }
    EXPECT(GROWING, CALL_WRITE, 4, BUFFER, GROWING);
    for (uint32_t i = 0; i < GROWING; i++) {
        case_reap(children[i], 0);
    }
}

static void program_stack_grows_without_a_free_region_record(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_growth, .functions = {grow_when_told, grow_in_a_call_when_told}});
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static void exit_7(void)
{
    CALL(252, 7); /* exit_group */
}

static void spoil_null(void)
{
    WORDS(0, 1);
}

static void execute(void)
{
    WORDS(AT, case_string(AT + 0x40, "again"), 0, 0);
    EXPECT(-ENOENT, CALL_EXECVE, case_string(BUFFER, "/bin/nowhere"), AT, AT + 4);
    EXPECT(-EFAULT, CALL_EXECVE, BAD, AT, AT + 4);
    EXPECT(-EFAULT, CALL_EXECVE, case_string(BUFFER, "/proc/self/exe"), BAD, AT + 4);
    CALL(CALL_EXECVE, BUFFER, AT, AT + 4);
    host_wrong("execve came back");
}

static void sleeper(void)
{
    WORDS(AT, 10, 0);
    (void)CALL(CALL_NANOSLEEP, AT, 0);
}

static void main_of_programs(void)
{
    if (case_word(case_registers()->esp) == 1) {
        CALL(CALL_EXIT, 9); /* executed, with one word */
    }
    EXPECT_IS(3, case_word(case_registers()->esp)); /* argc of the boot loader's words */
    EXPECT(-ECHILD, CALL_WAIT4, UINT32_MAX, AT, 0, 0);
    EXPECT(-EINVAL, CALL_WAIT4, UINT32_MAX, AT, 0x1000, 0);
    EXPECT(-ESRCH, CALL_WAIT4, 0x80000000u, AT, 0, 0);
    case_reap(case_fork(0), 7u << 8);
    case_reap(case_fork(1), 11);
    case_reap(case_fork(2), 9u << 8);
    int32_t child = case_fork(3);
    EXPECT(0, CALL_WAIT4, (uint32_t)child, AT, 1, 0);
    EXPECT(0, 57, (uint32_t)child, (uint32_t)child); /* setpgid */
    EXPECT(child, 132, (uint32_t)child);
    EXPECT(0, 7, (uint32_t)child, BAD, 1);
    EXPECT(0, CALL_KILL, 0u - (uint32_t)child, 9);
    EXPECT(child, CALL_WAIT4, 0u - (uint32_t)child, AT, 0, BUFFER);
    EXPECT_IS(9, case_word(AT));
    EXPECT(-ENOSYS, CLONE, 0x100, 0, 0, 0, 0);
    EXPECT(-EINVAL, CLONE, 0x80000000u, 0, 0, 0, 0);
    case_registers()->ebp = 0;
    child = CALL(CLONE, 17 | 0x01000000u | 0x00100000u, 0, AT, 0, AT + 8);
    EXPECT_IS(child, case_word(AT));
    case_reap(child, 7u << 8);
    WORDS(AT, 6, 0x1234, 0xFFFFF, 0x51);
    child = CALL(CLONE, 17 | 0x00080000u, 0, 0, AT, AT + 8);
    case_reap(child, 7u << 8);
    WORDS(AT, 99, 0, 0, 0);
    EXPECT(-EINVAL, CLONE, 17 | 0x00080000u, 0, 0, AT, 0);
    child = CALL(CALL_VFORK);
    case_reap(child, 7u << 8);
}

static void program_calls_answer_as_documented(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_programs, .functions = {exit_7, spoil_null, execute, sleeper}});
}

/* Who, when, and what there is ------------------------------------------------------------------------------------- */

static void identity(void)
{
    EXPECT(1, CALL_GETPID);
    EXPECT(0, CALL_GETPPID);
    EXPECT(1, 224);
    EXPECT(0, 24);
    EXPECT(0, 199);
    EXPECT(1, 65);
    EXPECT(1, 132, 0);
    EXPECT(-ESRCH, 132, 900);
    EXPECT(1, 147, 1);
    EXPECT(-ESRCH, 147, 77);
    EXPECT(-ESRCH, 57, 77, 0);
    EXPECT(-EINVAL, 57, 0, 5000);
    EXPECT(0, 57, 0, 0);
    EXPECT(-EPERM, 66);
    EXPECT(0, 205, 0, 0);
    EXPECT(0, 209, AT, AT + 4, AT + 8);
    EXPECT(-EFAULT, 209, AT, BAD, AT + 8);
    EXPECT(0, 213, 0);
    EXPECT(-EINVAL, 213, 1000);
    EXPECT(0, 122, BUFFER);
    EXPECT(0, 116, BUFFER);
    EXPECT(0, 77, 0, BUFFER);
    EXPECT(100, 355, BUFFER, 100, 0);
    EXPECT(-EFAULT, 355, BAD, 100, 0);
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT(-EINVAL, 242, 0, 2, AT);
    EXPECT(4, 242, 0, 4, AT);
    EXPECT(0, 172, 15, case_string(AT, "name"));
    EXPECT(0, 172, 16, BUFFER);
    EXPECT(-EINVAL, 172, 999, 0);
    EXPECT(-ENOSYS, 4000, 0);
    EXPECT(-ENOSYS, 31, 0);
}

static void limits(void)
{
    EXPECT(0, 191, 7, AT);
    EXPECT_IS(64, case_word(AT));
    EXPECT(-EINVAL, 191, 50, AT);
    EXPECT(0, 340, 0, 3, 0, AT);
    EXPECT_IS(8u << 20, case_word(AT));
    EXPECT(-EINVAL, 340, 0, 77, 0, AT);
    EXPECT(-ESRCH, 340, 500, 3, 0, AT);
    EXPECT(0, 191, 3, AT);
    EXPECT(0, 75, 3, AT);
    EXPECT(-EINVAL, 75, 50, AT);
}

static void times(void)
{
    const uint32_t clocks[] = {0, 1, 4, 5, 6, 7, 2, 3};

    for (uint32_t i = 0; i < 8; i++) {
        EXPECT(0, 265, clocks[i], AT);
        EXPECT(0, 403, clocks[i], AT);
    }
    EXPECT(-EINVAL, 265, 99, AT);
    EXPECT(-EFAULT, 265, 1, BAD);
    EXPECT(0, 266, 1, AT);
    EXPECT(0, 406, 1, 0);
    EXPECT(-EINVAL, 266, 99, AT);
    int32_t now = CALL(13, AT);
    EXPECT_IS(now, case_word(AT));
    EXPECT(-EFAULT, 13, BAD);
    EXPECT(0, 78, AT, BUFFER);
    EXPECT(0, 78, 0, 0);
    EXPECT_IS(true, CALL(43, AT) >= 0);
    WORDS(AT, 0, 2000000);
    EXPECT(0, CALL_NANOSLEEP, AT, BUFFER);
    EXPECT(0, 267, 1, 0, AT, 0);
    WORDS(AT, 0, 1000000000);
    EXPECT(-EINVAL, CALL_NANOSLEEP, AT, 0);
    EXPECT(-EFAULT, CALL_NANOSLEEP, BAD, 0);
    EXPECT(-EINVAL, 267, 99, 0, AT, 0);
    EXPECT(0, 265, 0, AT); /* until a moment of the wall clock, two seconds on */
    WORDS(AT, case_word(AT) + 2, 0);
    EXPECT(0, 267, 0, 1, AT, 0);
    EXPECT(0, 403, 1, AT);
    WORDS(AT, case_word(AT) + 1, 0, 5, 0);
    EXPECT(0, 407, 1, 1, AT, 0);
}

static void task_state(void)
{
    EXPECT(1, 258, AT);
    EXPECT(0, 311, AT, 12);
    WORDS(AT, UINT32_MAX, 0x08048000, 0xFFFFF, 0x51);
    EXPECT(0, 243, AT);
    EXPECT_IS(6, case_word(AT));
    WORDS(AT, UINT32_MAX, 0x100, 0xFFF, 0x49);
    EXPECT(0, 243, AT);
    EXPECT_IS(7, case_word(AT));
    WORDS(AT, 6, 0, 0, 0);
    EXPECT(0, 244, AT);
    EXPECT_IS(0x08048000, case_word(AT + 4));
    WORDS(AT, 8, 0, 0, 0);
    EXPECT(0, 244, AT);
    WORDS(AT, 5, 0, 0, 0);
    EXPECT(-EINVAL, 244, AT);
    EXPECT(-EINVAL, 243, AT);
    WORDS(AT, 6, 0, 0, 0x28); /* nothing */
    EXPECT(0, 243, AT);
    WORDS(AT, UINT32_MAX, 1, 1, 1);
    EXPECT(0, 243, AT);
    WORDS(AT, UINT32_MAX, 1, 1, 1);
    EXPECT(0, 243, AT);
    WORDS(AT, UINT32_MAX, 1, 1, 1);
    EXPECT(-ESRCH, 243, AT);
    EXPECT(-EFAULT, 243, BAD);
    EXPECT(-EFAULT, 244, BAD);
    WORDS(AT, 5, 0, 1000000);
    EXPECT(-EAGAIN, 240, AT, 0, 6, 0);
    EXPECT(-ETIMEDOUT, 240, AT, 0, 5, AT + 4);
    EXPECT(0, 240, AT, 1, 1);
    EXPECT(-ENOSYS, 240, AT, 6, 1);
    EXPECT(-EFAULT, 240, BAD, 0, 1);
}

static void pictures(void)
{
    EXPECT(sizeof(struct eidolon_information), EIDOLON_CALL_INFORMATION, AT, sizeof(struct eidolon_information));
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    EXPECT(0, EIDOLON_CALL_SYNC, 0);
    EXPECT(sizeof(struct eidolon_account), EIDOLON_CALL_ACCOUNT, 1, AT, 1000);
    EXPECT(sizeof(struct eidolon_account), EIDOLON_CALL_ACCOUNT, 0, AT, 1000);
    EXPECT(-ESRCH, EIDOLON_CALL_ACCOUNT, 99, AT, 1000);
    EXPECT(2048 - 1000, EIDOLON_CALL_FRAMES, 1000, 2048 - 1000, BUFFER);
    EXPECT(0, EIDOLON_CALL_FRAMES, 100000, 10, BUFFER);
    EXPECT(-EINVAL, EIDOLON_CALL_FRAMES, 0, 40000, BUFFER);
    EXPECT(-EFAULT, EIDOLON_CALL_FRAMES, 0, 10, BAD);
    int32_t regions = CALL(EIDOLON_CALL_REGIONS, 1, 0, BUFFER, 32);
    EXPECT_IS(true, regions >= 4);
    EXPECT_IS((HOST_CODE - PAGE_SIZE) >> PAGE_SHIFT, case_word(BUFFER));
    EXPECT(-EINVAL, EIDOLON_CALL_REGIONS, 1, 0, BUFFER, 33);
    EXPECT(-ESRCH, EIDOLON_CALL_REGIONS, 88, 0, BUFFER, 3);
    EXPECT(32, EIDOLON_CALL_PAGES, 1, HOST_CODE >> PAGE_SHIFT, 32, BUFFER);
    uint8_t states[32];
    case_get(BUFFER, states, 32);
    EXPECT_IS(EIDOLON_PAGE_NOTHING, states[1]);
    EXPECT_IS(EIDOLON_PAGE_UNTOUCHED, states[2 + 10]);
    EXPECT(-EINVAL, EIDOLON_CALL_PAGES, 1, 0, 70000, BUFFER);
    EXPECT(-ESRCH, EIDOLON_CALL_PAGES, 88, 0, 1, BUFFER);
    EXPECT(-EFAULT, EIDOLON_CALL_PAGES, 1, 0, 1, BAD);
}

static void main_of_identity(void)
{
    identity();
    limits();
    times();
    task_state();
    pictures();
}

static void calls_on_who_when_and_what_answer_as_documented(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_identity});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_calls_answer_as_documented),
        cmocka_unit_test(memory_calls_without_memory_change_all_or_nothing),
        cmocka_unit_test(stack_that_grows_where_a_clone_unmapped_it_is_zeroes),
        cmocka_unit_test(program_collapses_with_what_it_has_mapped_again),
        cmocka_unit_test(program_stack_grows_without_a_free_region_record),
        cmocka_unit_test(program_calls_answer_as_documented),
        cmocka_unit_test(calls_on_who_when_and_what_answer_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
