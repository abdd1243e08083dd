/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks on files: what fcntl() and flock() answer, who waits for whom, and when a lock goes. That locks are there after a
 * power cut is for proc_fs_cut_test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"

#include <string.h>

enum { OPEN = 5, FLOCK = 143, FCNTL64 = 221 };

#define AT   SPACE_AT
#define LOCK (SPACE_AT + 0x200u)

static uint32_t lock(int16_t type, int64_t start, int64_t length)
{
    struct linux_flock64 lock = {.type = type, .start = start, .length = length};

    case_put(LOCK, &lock, sizeof(lock));
    return LOCK;
}

static struct linux_flock64 found(uint32_t descriptor, uint32_t command, int16_t type, int64_t start, int64_t length)
{
    struct linux_flock64 lock_found;

    EXPECT(0, FCNTL64, descriptor, command, lock(type, start, length));
    case_get(LOCK, &lock_found, sizeof(lock_found));
    return lock_found;
}

static uint32_t open_file(uint32_t flags)
{
    return (uint32_t)CALL(OPEN, case_string(AT, "/tmp/f"), flags | O_CREAT, 0600);
}

static uint32_t records(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < record_committed(RECORD_LOCK); i++) {
        count += ((const struct lock_record *)record_at(RECORD_LOCK, i))->object.number != 0;
    }
    return count;
}

/* Ranges ------------------------------------------------------------------------------------------------------------- */

static void look_as_a_child(void)
{
    EXPECT_IS(F_WRLCK, found(3, F_GETLK64, F_WRLCK, 0, 0).type);
    EXPECT_IS(1, found(3, F_GETLK64, F_WRLCK, 0, 0).program);
    EXPECT_IS(40, found(3, F_GETLK64, F_WRLCK, 30, 20).start);     /* from 30 to 39 nothing is locked */
    EXPECT_IS(F_UNLCK, found(3, F_GETLK64, F_RDLCK, 60, 10).type); /* shared there */
    EXPECT_IS(F_RDLCK, found(3, F_GETLK64, F_WRLCK, 60, 1).type);
    EXPECT(-EAGAIN, FCNTL64, 3, F_SETLK64, lock(F_WRLCK, 20, 5));
    EXPECT(0, FCNTL64, 3, F_SETLK64, lock(F_WRLCK, 30, 10));
    EXPECT(0, FCNTL64, 3, F_SETLK64, lock(F_RDLCK, 60, 10));
    EXPECT(-EAGAIN, FCNTL64, 3, F_OFD_SETLK, lock(F_WRLCK, 20, 5));
    EXPECT(0, FLOCK, 3, LOCK_EX | LOCK_NB);
    EXPECT(0, FLOCK, 3, LOCK_UN);
}

static void main_of_ranges(void)
{
    uint32_t file = open_file(O_RDWR);

    EXPECT_IS(3, file);
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_WRLCK, 10, 60));
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_UNLCK, 30, 10));
    EXPECT_IS(2, records());
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_RDLCK, 60, 10));
    EXPECT_IS(3, records());
    EXPECT_IS(F_UNLCK, found(file, F_GETLK64, F_WRLCK, 0, 0).type); /* one's own is not in the way */
    case_reap(case_fork(0), 0);
    EXPECT_IS(3, records()); /* the child's went with it */
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_WRLCK, 0, 100));
    EXPECT_IS(1, records());
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_WRLCK, 100, 100)); /* next to it */
    EXPECT_IS(1, records());
    EXPECT(-EINVAL, FCNTL64, file, F_SETLK64, lock(F_WRLCK, -1, 1));
    EXPECT(-EINVAL, FCNTL64, file, F_SETLK64, lock(7, 0, 1));
    EXPECT(-EOVERFLOW, FCNTL64, file, F_SETLK64, lock(F_WRLCK, INT64_MAX, 2));
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_WRLCK, 1 << 30, 0)); /* to the end, and there is none */
    EXPECT(-EBADF, FCNTL64, 77, F_SETLK64, lock(F_WRLCK, 0, 1));
    EXPECT(-EFAULT, FCNTL64, file, F_SETLK64, BAD);
    uint32_t other = open_file(O_RDONLY);
    EXPECT(-EBADF, FCNTL64, other, F_SETLK64, lock(F_WRLCK, 0, 1));
    EXPECT_IS(2, records());
    EXPECT(0, CALL_CLOSE, other); /* any descriptor of the file */
    EXPECT_IS(0, records());
}

static void ranges_are_cut_joined_and_told(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_ranges, .functions = {look_as_a_child}});
}

/* Owners ------------------------------------------------------------------------------------------------------------- */

static void main_of_owners(void)
{
    uint32_t file = open_file(O_RDWR), other = open_file(O_RDWR);

    EXPECT(0, FCNTL64, file, F_OFD_SETLK, lock(F_WRLCK, 0, 10));
    EXPECT(-EAGAIN, FCNTL64, other, F_OFD_SETLK, lock(F_RDLCK, 5, 1));
    EXPECT(-EAGAIN, FCNTL64, other, F_SETLK64, lock(F_RDLCK, 5, 1));
    EXPECT_IS(-1, found(other, F_OFD_GETLK, F_WRLCK, 0, 0).program);
    EXPECT(0, FLOCK, file, LOCK_SH);
    EXPECT(0, FLOCK, other, LOCK_SH);
    EXPECT(-EAGAIN, FLOCK, file, LOCK_EX | LOCK_NB);
    EXPECT(-EINVAL, FLOCK, file, 16);
    EXPECT(0, FLOCK, other, LOCK_UN);
    EXPECT(0, FLOCK, file, LOCK_EX | LOCK_NB);
    EXPECT(-EAGAIN, FLOCK, other, LOCK_SH | LOCK_NB);
    EXPECT_IS(2, records());
    EXPECT(0, CALL_CLOSE, file);
    EXPECT_IS(0, records());
    EXPECT(0, FLOCK, other, LOCK_EX | LOCK_NB);
}

static void open_files_have_locks_of_their_own(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_owners});
}

/* Waiting ------------------------------------------------------------------------------------------------------------ */

/* Has byte 2, and waits for byte 1, which the other has, who waits for byte 2 then. */
static void wait_as_a_child(void)
{
    EXPECT(0, FCNTL64, 3, F_SETLKW64, lock(F_WRLCK, 2, 1));
    EXPECT(0, FCNTL64, 3, F_SETLKW64, lock(F_WRLCK, 1, 1));
}

static void main_of_waiting(void)
{
    uint32_t file = open_file(O_RDWR);

    EXPECT(0, FCNTL64, file, F_SETLKW64, lock(F_WRLCK, 1, 1));
    int32_t child = case_fork(0);
    while (found(file, F_GETLK64, F_WRLCK, 2, 1).type == F_UNLCK) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    for (uint32_t i = 0; i < 50; i++) {
        EXPECT(0, CALL_SCHED_YIELD); /* until it waits */
    }
    EXPECT(-EDEADLK, FCNTL64, file, F_SETLKW64, lock(F_WRLCK, 2, 1));
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_UNLCK, 1, 1));
    EXPECT(0, FCNTL64, file, F_SETLKW64, lock(F_WRLCK, 1, 2)); /* when it has ended */
    case_reap(child, 0);
}

static void who_waits_gets_the_lock_unless_it_is_for_ever(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_waiting, .functions = {wait_as_a_child}});
}

/* Limits ------------------------------------------------------------------------------------------------------------- */

static void main_of_limits(void)
{
    uint32_t file = open_file(O_RDWR), made = 0;
    int32_t result = 0;

    while (made <= LOCKS_MAX && (result = CALL(FCNTL64, file, F_SETLK64, lock(F_WRLCK, 2 * made, 1))) == 0) {
        made++;
    }
    EXPECT_IS(-ENOLCK, result);
    EXPECT_IS(true, made > 100);
    EXPECT(0, FCNTL64, file, F_SETLK64, lock(F_UNLCK, 0, 0));
    EXPECT_IS(0, records());
}

static void locks_have_a_limit_and_can_be_given_up_there(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_limits, .frames = 4000});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_cut_joined_and_told),
        cmocka_unit_test(open_files_have_locks_of_their_own),
        cmocka_unit_test(who_waits_gets_the_lock_unless_it_is_for_ever),
        cmocka_unit_test(locks_have_a_limit_and_can_be_given_up_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
