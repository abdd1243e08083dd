/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Robust lists: a program's own list of the locks that a thread holds. See robust.h.
 *
 * The list is the program's memory, so anything may be in it: it is followed for so many entries, each word is changed
 * in one step, and one that does not name the task is left alone. So nothing is done twice.
 */
#include "robust.h"
#include "linux/linux_abi.h"
#include "space/address_space.h"
#include "space/futex_word.h"
#include "space/user_memory.h"
#include "task/futex.h"
#include "task/task.h"

#define ENTRY_IS_PI 1u /* in the address of an entry */

/* The word of one lock. False: it cannot be reached. */
static bool let_go(uint32_t address, bool is_pending)
{
    const struct task *task = task_current();
    struct address_space space = address_space_of_task(task);
    struct user_range range;

    if ((address & 3u) != 0 || user_begin(&range, (struct vaddr){address}, sizeof(uint32_t), PMAP_WRITE) != OK) {
        return false;
    }
    uint32_t *word = range.address;
    if (*word == 0 && is_pending) {
        (void)futex_wake(futex_key(space, address), UINT32_MAX, 1); /* it had let go, and nobody had been woken yet */
    } else if ((*word & FUTEX_OWNER) == task->record->tid.number) {
        bool has_waiters = (*word & FUTEX_WAITERS) != 0;
        *word = (*word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        if (has_waiters) {
            (void)futex_wake(futex_key(space, address), UINT32_MAX, 1);
        }
    }
    user_end(&range);
    return true;
}

void robust_let_go(void)
{
    thread_may_sleep();
    const struct task_record *record = task_current()->record;
    uint32_t head = record->robust_list;
    struct linux_robust_list list;

    if (head == 0 || user_copy_in(&list, (struct vaddr){head}, sizeof(list)) != OK) {
        return;
    }
    uint32_t pending = list.pending & ~ENTRY_IS_PI;
    uint32_t entry = list.first & ~ENTRY_IS_PI;
    for (uint32_t i = 0; entry != head && i < ROBUST_LIST_MAX; i++) {
        uint32_t next;
        bool has_next = user_copy_in(&next, (struct vaddr){entry}, sizeof(next)) == OK;
        if (entry != pending && !let_go(entry + (uint32_t)list.offset, false)) {
            return;
        }
        if (!has_next) {
            break;
        }
        entry = next & ~ENTRY_IS_PI;
    }
    if (pending != 0) {
        (void)let_go(pending + (uint32_t)list.offset, true);
    }
}
