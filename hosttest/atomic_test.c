/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is atomic does not sleep, and mutexes are locked in one order: each way to break that is a panic, at once and
 * not only when somebody else happens to be in the way.
 */
#include "fake/machine.h"
#include "thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct mutex names, words, map, turn, page, other_page, commit;

static int setup(void **state)
{
    (void)state;
    fake_machine_start(64);
    words = turn = page = other_page = commit = (struct mutex){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    atomic_reset();
    fake_machine_stop();
    return 0;
}

static void sleep_a_moment(void)
{
    assert_int_equal(thread_sleep_until(0), OK);
}

static void wait_in_queue(void)
{
    static struct wait_queue queue;

    assert_int_equal(wait_queue_sleep(&queue, 0, false), ERROR_TIMED_OUT);
}

static void lock_a_free_mutex(void)
{
    mutex_lock(&commit, LOCK_COMMIT);
}

static void (*const sleepers[])(void) = {sleep_a_moment, wait_in_queue, lock_a_free_mutex, thread_yield,
                                         thread_may_sleep};

static void atomic_with_anything_that_may_sleep_panics(void **state)
{
    (void)state;
    for (volatile size_t i = 0; i < sizeof(sleepers) / sizeof(sleepers[0]); i++) {
        atomic_begin();
        assert_true(fake_panics(sleepers[i]()));
        atomic_end();
    }
}

static void atomic_nests_and_ends_with_the_outermost(void **state)
{
    (void)state;
    atomic_begin();
    atomic_begin();
    atomic_end();
    assert_true(fake_panics(thread_may_sleep()));
    atomic_end();
    thread_may_sleep();
    assert_true(fake_panics(atomic_end()));
}

static void atomic_may_try_for_a_mutex_and_wake(void **state)
{
    struct wait_queue queue = {0};

    (void)state;
    atomic_begin();
    assert_true(mutex_try_lock(&commit, LOCK_COMMIT));
    assert_int_equal(wait_queue_wake(&queue, 1), 0);
    mutex_unlock(&commit, LOCK_COMMIT);
    atomic_end();
}

static void mutexes_in_order_are_locked(void **state)
{
    (void)state;
    mutex_lock(&words, LOCK_WORDS);
    mutex_lock(&turn, LOCK_PAGE_OUT);
    mutex_lock(&page, LOCK_PAGE);
    mutex_lock(&other_page, LOCK_PAGE);
    mutex_lock(&commit, LOCK_COMMIT);
    mutex_unlock(&page, LOCK_PAGE);
    mutex_unlock(&other_page, LOCK_PAGE);
    mutex_unlock(&commit, LOCK_COMMIT);
    mutex_unlock(&turn, LOCK_PAGE_OUT);
    mutex_unlock(&words, LOCK_WORDS);
    mutex_lock(&words, LOCK_WORDS); /* nothing is held any more */
    mutex_unlock(&words, LOCK_WORDS);
}

static struct {
    struct mutex *mutex;
    enum lock_rank rank;
} const ranks[] = {{&names, LOCK_NAMES},   {&words, LOCK_WORDS}, {&map, LOCK_MAP},
                   {&turn, LOCK_PAGE_OUT}, {&page, LOCK_PAGE},   {&commit, LOCK_COMMIT}};
_Static_assert(sizeof(ranks) / sizeof(ranks[0]) == LOCK_RANKS, "one mutex for each rank");

static void mutexes_out_of_order_panic(void **state)
{
    static struct mutex second;

    (void)state;
    for (volatile int held = 0; held < LOCK_RANKS; held++) {
        mutex_lock(ranks[held].mutex, ranks[held].rank);
        for (volatile int wanted = 0; wanted < held; wanted++) {
            assert_true(fake_panics(mutex_lock(ranks[wanted].mutex, ranks[wanted].rank)));
        }
        if (ranks[held].rank != LOCK_PAGE) {
            assert_true(fake_panics(mutex_lock(&second, ranks[held].rank)));
        }
        mutex_unlock(ranks[held].mutex, ranks[held].rank);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(atomic_with_anything_that_may_sleep_panics, setup, teardown),
        cmocka_unit_test_setup_teardown(atomic_nests_and_ends_with_the_outermost, setup, teardown),
        cmocka_unit_test_setup_teardown(atomic_may_try_for_a_mutex_and_wake, setup, teardown),
        cmocka_unit_test_setup_teardown(mutexes_in_order_are_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(mutexes_out_of_order_panic, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
