/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory on the booted kernel after it was moved, taken back, protected or settled, and words of it that futexes
 * change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"
#include "space/address_space.h"

#define AT    SPACE_AT
#define ARENA 0x40000000u
#define MOVED 0x48000000u
#define SEGV  11u

enum { CLOCK_GETTIME = 265, FUTEX = 240, UMASK = 60 };

static uint32_t target;

static void map(uint32_t address, uint32_t pages)
{
    EXPECT((int32_t)address, CALL_MMAP2, address, pages * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
}

static void write_target(void)
{
    WORDS(target, 1);
}

static void read_target(void)
{
    (void)case_word(target);
}

static void nothing(void)
{
}

/* A clone that touches it is stopped: function 0 writes, 1 reads. */
static void expect_closed(uint32_t address, uint32_t function)
{
    target = address;
    case_reap(case_fork(function), SEGV);
}

static void ranges(void)
{
    map(ARENA, 2);
    WORDS(ARENA, 77);
    EXPECT(0, CALL_MPROTECT, ARENA, 2 * PAGE_SIZE, 1);
    EXPECT((int32_t)MOVED, CALL_MREMAP, ARENA, 2 * PAGE_SIZE, 2 * PAGE_SIZE, 3, MOVED);
    EXPECT_IS(77, case_word(MOVED));
    expect_closed(MOVED, 0);
    expect_closed(ARENA, 1);
    EXPECT(-EFAULT, CLOCK_GETTIME, 1, MOVED); /* no call writes there either */
    EXPECT_IS(77, case_word(MOVED));
    uint32_t start = (uint32_t)CALL(CALL_BRK, 0);
    EXPECT((int32_t)(start + 3 * PAGE_SIZE), CALL_BRK, start + 3 * PAGE_SIZE);
    WORDS(start + 2 * PAGE_SIZE, 5);
    EXPECT((int32_t)(start + PAGE_SIZE), CALL_BRK, start + PAGE_SIZE);
    expect_closed(start + 2 * PAGE_SIZE, 1);
    EXPECT((int32_t)(start + 3 * PAGE_SIZE), CALL_BRK, start + 3 * PAGE_SIZE);
    EXPECT_IS(0, case_word(start + 2 * PAGE_SIZE));
}

/* No region changes while a move is under way that need not: the table may have no records then. */
static bool is_without_records;

enum error __real_address_space_protect(struct address_space space, uint32_t first, uint32_t count, uint8_t protection);
enum error __wrap_address_space_protect(struct address_space space, uint32_t first, uint32_t count, uint8_t protection);

enum error __wrap_address_space_protect(struct address_space space, uint32_t first, uint32_t count, uint8_t protection)
{
    return is_without_records ? ERROR_NO_MEMORY : __real_address_space_protect(space, first, count, protection);
}

static void move_without_records(void)
{
    map(ARENA, 2);
    WORDS(ARENA, 77);
    is_without_records = true;
    EXPECT((int32_t)MOVED, CALL_MREMAP, ARENA, 2 * PAGE_SIZE, 2 * PAGE_SIZE, 3, MOVED);
    is_without_records = false;
    EXPECT(0, CALL_MPROTECT, MOVED, PAGE_SIZE, 1);
    is_without_records = true;
    EXPECT(-ENOMEM, CALL_MREMAP, MOVED, PAGE_SIZE, PAGE_SIZE, 3, ARENA); /* to be protected in the end */
    is_without_records = false;
    EXPECT_IS(77, case_word(MOVED));
    expect_closed(ARENA, 1);
}

static void move_needs_no_records_on_the_way(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = move_without_records, .functions = {write_target, read_target}});
}

static void memory_is_what_the_last_call_made_it(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = ranges, .functions = {write_target, read_target}});
}

/* After clones ----------------------------------------------------------------------------------------------------- */

static void change_beside_clone(void)
{
    target = ARENA;
    EXPECT(022, UMASK, 077);
    map(ARENA, 8);
    WORDS(ARENA, 1);
    WORDS(ARENA + 2 * PAGE_SIZE, 3);
    WORDS(ARENA + 4 * PAGE_SIZE, 5);
    WORDS(ARENA + 6 * PAGE_SIZE, 7);
    int32_t child = case_fork(0);
    WORDS(ARENA, 2);
    EXPECT(0, CALL_MUNMAP, ARENA + 2 * PAGE_SIZE, PAGE_SIZE);
    EXPECT(0, CALL_MPROTECT, ARENA + 4 * PAGE_SIZE, PAGE_SIZE, 1);
    map(MOVED, 1);
    WORDS(MOVED, 9);
    map(ARENA + 6 * PAGE_SIZE, 1); /* and not touched */
    case_reap(child, 0);
    EXPECT_IS(0, case_word(ARENA + 6 * PAGE_SIZE));
    EXPECT_IS(2, case_word(ARENA));
    EXPECT_IS(9, case_word(MOVED));
    EXPECT_IS(5, case_word(ARENA + 4 * PAGE_SIZE));
    EXPECT(-EFAULT, CLOCK_GETTIME, 1, ARENA + 4 * PAGE_SIZE);
    map(ARENA + 2 * PAGE_SIZE, 1);
    EXPECT_IS(0, case_word(ARENA + 2 * PAGE_SIZE)); /* and not what was there before */
    expect_closed(ARENA + 4 * PAGE_SIZE, 1);
}

static void look_as_clone(void)
{
    EXPECT(077, UMASK, 077);
    EXPECT_IS(1, case_word(ARENA));
}

static void program_has_what_it_made_of_its_memory_when_its_clone_has_ended(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = change_beside_clone, .functions = {look_as_clone, write_target}});
}

/* Held by its child ------------------------------------------------------------------------------------------------ */

static uint32_t turn;

static void run_in_parent(void)
{
    for (uint32_t i = 0; i < 20; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    turn = 1;
}

static void hold(void)
{
    turn = 0;
    case_registers()->ebp = 0;
    int32_t child = CALL(CALL_VFORK);
    EXPECT_IS(1, turn);
    case_reap(child, 0);
}

static void parent_is_held_until_its_child_has_ended(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = hold, .functions = {run_in_parent}});
}

/* Futexes ---------------------------------------------------------------------------------------------------------- */

#define WAKE_OP     5u
#define CMP_REQUEUE 4u
#define SHIFTS      8u

static uint32_t operate(uint32_t value, uint32_t operation, uint32_t operand)
{
    WORDS(AT, 0, value);
    EXPECT(0, FUTEX, AT, WAKE_OP, 1, 1, AT + 4, operation << 28 | (operand & 0xFFFu) << 12);
    return case_word(AT + 4);
}

static void futexes(void)
{
    EXPECT_IS(6, operate(1, 0, 6));
    EXPECT_IS(9, operate(10, 1, UINT32_MAX));
    EXPECT_IS(14, operate(6, 2, 8));
    EXPECT_IS(1, operate(7, 3, 6));
    EXPECT_IS(3, operate(5, 4, 6));
    EXPECT_IS(1 | 32, operate(1, 2 | SHIFTS, 5));
    EXPECT(-ENOSYS, FUTEX, AT, WAKE_OP, 1, 1, AT + 4, 5u << 28);
    EXPECT(-ENOSYS, FUTEX, AT, WAKE_OP, 1, 1, AT + 4, 6u << 24);
    WORDS(AT, 7);
    EXPECT(0, FUTEX, AT, CMP_REQUEUE, 1, 1, AT + 4, 7);
    EXPECT(-EAGAIN, FUTEX, AT, CMP_REQUEUE, 1, 1, AT + 4, 8);
    EXPECT(-EINVAL, FUTEX, AT + 1, CMP_REQUEUE, 1, 1, AT + 4, 8);
}

static void futex_changes_its_word_as_it_is_told(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = futexes, .functions = {nothing}});
}

/* Pages 0, 1 and 3 of a range whose page 2 is a hole, and page 4, which is behind it in the same mapping as page 3. */
static void holes(void)
{
    map(ARENA, 5);
    for (uint32_t page = 0; page < 5; page++) {
        WORDS(ARENA + page * PAGE_SIZE, 50 + page);
    }
    EXPECT(0, CALL_MUNMAP, ARENA + 2 * PAGE_SIZE, PAGE_SIZE);
    EXPECT(-ENOMEM, CALL_MADVISE, ARENA + PAGE_SIZE, 3 * PAGE_SIZE, 4);
    EXPECT_IS(50, case_word(ARENA));
    EXPECT_IS(0, case_word(ARENA + PAGE_SIZE));
    EXPECT_IS(0, case_word(ARENA + 3 * PAGE_SIZE));
    EXPECT_IS(54, case_word(ARENA + 4 * PAGE_SIZE));
    EXPECT(0, CALL_MADVISE, ARENA, PAGE_SIZE, 4); /* it ends in the middle of a mapping */
    EXPECT(-ENOMEM, CALL_MPROTECT, ARENA, 5 * PAGE_SIZE, 1);
    expect_closed(ARENA + PAGE_SIZE, 0);
    WORDS(ARENA + 3 * PAGE_SIZE, 1);
    EXPECT(-ENOMEM, CALL_MPROTECT, ARENA + 2 * PAGE_SIZE, 2 * PAGE_SIZE, 1);
    WORDS(ARENA + 3 * PAGE_SIZE, 2);
}

static void range_with_a_hole_is_changed_as_on_linux(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = holes, .functions = {write_target, read_target}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_what_the_last_call_made_it),
        cmocka_unit_test(move_needs_no_records_on_the_way),
        cmocka_unit_test(program_has_what_it_made_of_its_memory_when_its_clone_has_ended),
        cmocka_unit_test(parent_is_held_until_its_child_has_ended),
        cmocka_unit_test(range_with_a_hole_is_changed_as_on_linux),
        cmocka_unit_test(futex_changes_its_word_as_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
