/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must not sleep, and in which order mutexes are locked: checked, not only said.
 *
 * The depth belongs to whoever has the processor: a thread that gives it up has none.
 */
#include "log.h"
#include "thread.h"

uint32_t atomic_depth;

void atomic_unbalanced(void)
{
    panic("thread", "what is atomic ends without having begun");
}

void atomic_broken(void)
{
    panic("thread", "a function that may sleep was called in what is atomic");
}

void atomic_reset(void)
{
    atomic_depth = 0;
}

/*
 * Locks of a rank may be locked while only locks of lower ranks are held; pages, by the order of the lineage, also
 * several.
 */
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
