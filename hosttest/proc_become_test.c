/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that becomes another one (execve) on the booted kernel: what it keeps, what it loses, and what is left of
 * the one before.
 *
 * Every program here is the same image. How many words it was started with says what it is to do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/frame.h"
#include "eidolon/eidolon.h"
#include "fake/machine.h"
#include "fake/processor.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "record.h"
#include "space/address_space.h"
#include "space/space.h"
#include "space/user_memory.h"
#include "task/task.h"
#include "vm_fault.h"
#include "vm_map.h"

#define AT     SPACE_AT
#define BUFFER (SPACE_AT + PAGE_SIZE)
#define OTHER  (HOST_DATA + 8 * PAGE_SIZE)
#define ARENA  0x40000000u
#define KEPT   21u
#define CLOSED 20u
#define USR1   10u
#define USR2   12u

enum {
    DUP2 = 63,
    DUP3 = 330,
    PRCTL = 172,
    SET_NAME = 15,
    GET_NAME = 16,
    NAMED = 0x6D616E,
    SIGALTSTACK = 186,
    ENDS_WELL = 5,
    NO_MEMORY = 6
};

enum { FIRST = 3, LOOKS = 1, WAITS = 2 }; /* words */

static uint32_t first_break, told;

static void become(uint32_t words)
{
    WORDS(AT, BUFFER, BUFFER, BUFFER);
    WORDS(AT + 4 * words, 0);
    (void)case_string(BUFFER, "/proc/self/exe");
    int32_t result = CALL(CALL_EXECVE, BUFFER, AT, 0);
    CALL(CALL_EXIT, result == -ENOMEM ? NO_MEMORY : 99);
}

static bool is_used(enum record_type type, const void *record)
{
    switch (type) {
    case RECORD_MEMORY:
        return ((const struct memory_record *)record)->state != MEMORY_FREE;
    case RECORD_SPACE:
        return ((const struct space_record *)record)->state != SPACE_FREE;
    default:
        return ((const struct program_record *)record)->state != PROGRAM_FREE;
    }
}

static uint32_t in_use(enum record_type type)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < record_committed(type); i++) {
        count += is_used(type, record_at(type, i));
    }
    return count;
}

/* The other program ------------------------------------------------------------------------------------------------ */

static void look(void)
{
    EXPECT(-EBADF, CALL_FCNTL64, CLOSED, F_GETFD, 0);
    EXPECT(0, CALL_FCNTL64, KEPT, F_GETFD, 0);
    EXPECT(0, CALL_FCNTL64, 1, F_GETFD, 0);
    EXPECT(0, CALL_RT_SIGACTION, USR1, 0, AT, 8);
    EXPECT_IS(SIG_DFL, case_word(AT));
    EXPECT(0, CALL_RT_SIGACTION, USR2, 0, AT, 8);
    EXPECT_IS(SIG_IGN, case_word(AT));
    EXPECT(0, PRCTL, GET_NAME, AT);
    EXPECT_IS(true, case_word(AT) != NAMED);
    EXPECT(0, SIGALTSTACK, 0, AT);
    EXPECT_IS(SS_DISABLE, case_word(AT + 4));
    EXPECT((int32_t)first_break, CALL_BRK, 0);
    EXPECT_IS(0, fake_fpu.bytes[200]);
    CALL(CALL_EXIT, ENDS_WELL);
}

static void wait_to_be_told(void)
{
    while (told == 0) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    CALL(CALL_EXIT, ENDS_WELL);
}

/* The first one ---------------------------------------------------------------------------------------------------- */

static void prepare_and_become(void)
{
    EXPECT((int32_t)CLOSED, DUP3, 1, CLOSED, O_CLOEXEC);
    EXPECT((int32_t)KEPT, DUP2, 1, KEPT);
    WORDS(AT, case_code(0), SA_RESTORER, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, USR1, AT, 0, 8);
    WORDS(AT, SIG_IGN, 0, 0, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, USR2, AT, 0, 8);
    WORDS(AT, NAMED, 0);
    EXPECT(0, PRCTL, SET_NAME, AT);
    WORDS(AT, OTHER, 0, 4 * PAGE_SIZE);
    EXPECT(0, SIGALTSTACK, AT, 0);
    EXPECT((int32_t)first_break + 0x5000, CALL_BRK, first_break + 0x5000);
    fake_fpu.bytes[200] = 0x55;
    WORDS(AT, 0, 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0); /* others have the processor meanwhile */
    become(LOOKS);
}

/* No record of a region is left: the other program is begun, and cannot be completed. */
static void become_without_records(void)
{
    int32_t result = 0;

    EXPECT((int32_t)ARENA, CALL_MMAP2, ARENA, 0x20000000u, 3, 0x4032u, UINT32_MAX, 0);
    for (uint32_t page = 1; result == 0; page += 2) {
        result = CALL(CALL_MUNMAP, ARENA + page * PAGE_SIZE, PAGE_SIZE);
    }
    EXPECT_IS(-ENOMEM, result);
    become(LOOKS);
}

static void become_without_memory(void)
{
    fake_fail_allocations(told, 12);
    become(LOOKS);
}

static void hold_and_become(void)
{
    for (uint32_t i = 0; i < 20; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT_IS(0, told);
    become(WAITS);
}

static void main_program(void)
{
    uint32_t words = case_word(case_registers()->esp);

    if (words == LOOKS) {
        look();
    }
    if (words == WAITS) {
        wait_to_be_told();
    }
    first_break = (uint32_t)CALL(CALL_BRK, 0);
    case_reap(case_fork(0), ENDS_WELL << 8);
    uint32_t programs = in_use(RECORD_PROGRAM), spaces = in_use(RECORD_SPACE), memories = in_use(RECORD_MEMORY);
    case_reap(case_fork(0), ENDS_WELL << 8);
    EXPECT_IS(programs, in_use(RECORD_PROGRAM));
    EXPECT_IS(spaces, in_use(RECORD_SPACE));
    EXPECT_IS(memories, in_use(RECORD_MEMORY));
}

static void program_that_becomes_another_keeps_what_it_should(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_program, .functions = {prepare_and_become}});
}

static void main_of_failures(void)
{
    uint32_t words = case_word(case_registers()->esp), failed = 0, status;

    if (words == LOOKS) {
        CALL(CALL_EXIT, ENDS_WELL);
    }
    case_reap(case_fork(1), 0);
    uint32_t spaces = in_use(RECORD_SPACE), memories = in_use(RECORD_MEMORY);
    for (told = 0; told < 60; told++) {
        int32_t child = case_fork(0);
        if (child > 0) {
            EXPECT(child, CALL_WAIT4, (uint32_t)child, AT, 0, 0);
            status = case_word(AT);
            failed += status == NO_MEMORY << 8;
        }
        fake_fail_allocations(0, 0);
        case_reap(case_fork(1), 0); /* what the wait could not settle */
        EXPECT_IS(1, in_use(RECORD_PROGRAM));
        EXPECT_IS(spaces, in_use(RECORD_SPACE));
        EXPECT_IS(memories, in_use(RECORD_MEMORY));
    }
    EXPECT_IS(true, failed > 0);
    case_reap(case_fork(2), NO_MEMORY << 8);
    case_reap(case_fork(1), 0);
    EXPECT_IS(1, in_use(RECORD_PROGRAM));
    EXPECT_IS(spaces, in_use(RECORD_SPACE));
    EXPECT_IS(memories, in_use(RECORD_MEMORY));
}

static void nothing(void)
{
}

static void program_that_finds_no_memory_for_another_leaves_nothing(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_failures,
                                 .functions = {become_without_memory, nothing, become_without_records}});
}

static void main_of_vfork(void)
{
    uint32_t words = case_word(case_registers()->esp);

    if (words == WAITS) {
        wait_to_be_told();
    }
    told = 0;
    case_registers()->ebp = 0;
    int32_t child = CALL(CALL_VFORK);
    told = 1; /* it is another program, and runs beside this one */
    case_reap(child, ENDS_WELL << 8);
}

static void parent_is_held_until_its_child_is_another_program(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_vfork, .functions = {hold_and_become}});
}

/* What a cut finds ------------------------------------------------------------------------------------------------- */

/* As execve() has it while it waits for memory: a space over the image, with pages of its own, that no record names. */
static void leave_prepared_space(void)
{
    struct address_space space;
    struct space_id memory;

    EXPECT_IS(OK, space_reserve());
    EXPECT_IS(OK, memory_reserve(1));
    EXPECT_IS(OK, memory_create(&memory));
    EXPECT_IS(OK, space_create(memory, &space));
    space_set_image(space, space_at(task_current()->program->space)->image);
    space_set_owner(space, task_current()->program_id);
    EXPECT_IS(OK, address_space_map(space, ARENA >> PAGE_SHIFT, 3, address_space_zeroes(VM_READ | VM_WRITE, 0)));
    EXPECT_IS(OK, user_copy_into(space_window(space), (struct vaddr){ARENA}, "prepared", 9));
    EXPECT_IS(2, in_use(RECORD_SPACE));
    case_registers()->ebp = 0; /* goes on with function 0 */
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void find_own_space_only(void)
{
    struct space_id memory;

    EXPECT_IS(1, in_use(RECORD_SPACE));
    EXPECT_IS(1, in_use(RECORD_MEMORY));
    for (memory.number = SPACES_FIRST; memory_is_in_table(memory); memory.number++) {
        EXPECT_IS(NULL, vm_map_find(vm_object_space(), page_key_at(memory, (struct vaddr){ARENA})));
    }
    EXPECT_IS(1, in_use(RECORD_PROGRAM));
}

static void space_that_was_being_prepared_is_taken_back_by_a_boot(void **state)
{
    struct proc_case scene = {.main = leave_prepared_space,
                              .functions = {find_own_space_only},
                              .options = "interval=0",
                              .cut_after = UINT32_MAX};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

static void wait_and_become(void)
{
    while (told == 0) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    become(LOOKS);
}

static void sleep_long(void)
{
    WORDS(AT, 1000, 0);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

/* There is no process id left, and none is needed. */
static void become_among_many(void)
{
    uint32_t words = case_word(case_registers()->esp), none;
    int32_t last;

    if (words == LOOKS) {
        CALL(CALL_EXIT, ENDS_WELL);
    }
    told = 0;
    int32_t child = case_fork(0);
    while ((last = case_fork(1)) > 0) {
    }
    EXPECT_IS(-ENOMEM, last);
    EXPECT_IS(false, record_find_free(RECORD_PROGRAM, &none));
    told = 1;
    case_reap(child, ENDS_WELL << 8);
    CALL(CALL_KILL, 0, SIGKILL);
}

static void program_becomes_another_when_no_process_id_is_left(void **state)
{
    (void)state;
    told = 0;
    case_run(&(struct proc_case){
        .main = become_among_many, .functions = {wait_and_become, sleep_long}, .status = 128 + SIGKILL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_that_becomes_another_keeps_what_it_should),
        cmocka_unit_test(program_that_finds_no_memory_for_another_leaves_nothing),
        cmocka_unit_test(space_that_was_being_prepared_is_taken_back_by_a_boot),
        cmocka_unit_test(program_becomes_another_when_no_process_id_is_left),
        cmocka_unit_test(parent_is_held_until_its_child_is_another_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
