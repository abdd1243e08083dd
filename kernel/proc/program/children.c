/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Children: doubly linked lists through arrays by program, 0 being nobody.
 */
#include "children.h"
#include "signal/signal.h"
#include "log.h"
#include "linux/linux_abi.h"
#include "atomic.h"
#include "record.h"
#include "thread.h"

struct family {
    uint16_t first, last;     /* its children */
    uint16_t next, previous;  /* its siblings */
    struct wait_queue parent; /* its tasks that wait for something about a child */
};

static struct family families[PROGRAMS_MAX + 1];

void children_add(struct program_id parent, struct program_id child)
{
    DOES_NOT_SLEEP();
    struct family *family = &families[parent.number];

    if (parent.number == 0) {
        return;
    }
    families[child.number].previous = family->last;
    families[child.number].next = 0;
    *(family->last != 0 ? &families[family->last].next : &family->first) = (uint16_t)child.number;
    family->last = (uint16_t)child.number;
}

void children_remove(struct program_id parent, struct program_id child)
{
    DOES_NOT_SLEEP();
    struct family *family = &families[parent.number], *links = &families[child.number];

    if (parent.number == 0) {
        return;
    }
    *(links->previous != 0 ? &families[links->previous].next : &family->first) = links->next;
    *(links->next != 0 ? &families[links->next].previous : &family->last) = links->previous;
    links->next = links->previous = 0;
}

struct program_id children_first(struct program_id parent)
{
    return (struct program_id){families[parent.number].first};
}

struct program_id children_next(struct program_id child)
{
    return (struct program_id){families[child.number].next};
}

enum error children_wait(struct program_id parent)
{
    thread_may_sleep();
    return wait_queue_sleep(&families[parent.number].parent, DEADLINE_NEVER, true);
}

void children_wake(struct program_id parent)
{
    DOES_NOT_SLEEP();
    wait_queue_wake(&families[parent.number].parent, UINT32_MAX);
}

void children_tell(struct program_id parent, const struct signal_origin *origin)
{
    if (parent.number > 0 && program_is_in_table(parent) && program_at(parent)->state != PROGRAM_FREE &&
        program_at(parent)->actions[SIGCHLD].handler != SIG_IGN) {
        enum error error = signal_send_from(parent, SIGCHLD, origin);
        ASSERT(error == OK || error == ERROR_NOT_FOUND);
    }
    children_wake(parent);
}
