/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues of threads: circular, doubly linked, so that a thread can leave from the middle.
 */
#include "thread_internal.h"

static void link_after(struct thread *last, struct thread *thread)
{
    thread->previous = last;
    thread->next = last->next;
    thread->next->previous = thread;
    last->next = thread;
}

void thread_queue_add_first(struct thread **last, struct thread *thread)
{
    if (*last == NULL) {
        thread->next = thread->previous = thread;
        *last = thread;
        return;
    }
    link_after(*last, thread);
}

void thread_queue_add_last(struct thread **last, struct thread *thread)
{
    thread_queue_add_first(last, thread);
    *last = thread;
}

void thread_queue_remove(struct thread **last, struct thread *thread)
{
    if (thread->next == thread) {
        *last = NULL;
    } else {
        thread->previous->next = thread->next;
        thread->next->previous = thread->previous;
        if (*last == thread) {
            *last = thread->previous;
        }
    }
    thread->next = thread->previous = NULL;
}
