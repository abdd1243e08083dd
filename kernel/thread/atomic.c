/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must not sleep, and in which order mutexes are locked: checked, not only said.
 *
 * On one processor nobody else runs between two points where a thread can sleep. Code that relies on it says so with
 * atomic_begin() and atomic_end(); every point where a thread could sleep, whether it would this time or not, asks
 * thread_may_sleep(). So a call that sleeps once in a million runs is found by the first one that comes that way.
 *
 * The depth belongs to whoever has the processor: a thread that gives it up has none.
 */
#include "log.h"
#include "thread.h"

static uint32_t depth;

void atomic_begin(void)
{
    depth++;
    ASSERT(depth != 0);
}

void atomic_end(void)
{
    ASSERT(depth != 0);
    depth--;
}

void thread_may_sleep(void)
{
    ASSERT(depth == 0);
}

void atomic_reset(void)
{
    depth = 0;
}

/* Locks of a rank may be locked while only locks of lower ranks are held; pages, by the order of the lineage, also several. */
void lock_order_take(struct lock_account *account, enum lock_rank rank)
{
    for (uint32_t held = rank == LOCK_PAGE ? rank + 1 : rank; held < LOCK_RANKS; held++) {
        ASSERT(account->held[held] == 0);
    }
    lock_order_note(account, rank);
}

void lock_order_note(struct lock_account *account, enum lock_rank rank)
{
    account->held[rank]++;
    ASSERT(account->held[rank] != 0);
}

void lock_order_drop(struct lock_account *account, enum lock_rank rank)
{
    ASSERT(account->held[rank] != 0);
    account->held[rank]--;
}
