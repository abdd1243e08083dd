/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of watches. See watch.h.
 */
#include "watch.h"
#include "atomic.h"

void watch_begin(struct watch_list *list, struct watch *watch, struct watcher *watcher)
{
    *watch = (struct watch){.next = list->first, .link = &list->first, .watcher = watcher};
    if (watch->next != NULL) {
        watch->next->link = &watch->next;
    }
    list->first = watch;
}

/* WATCH-1: off the one list it is on. */
void watch_end(struct watch *watch)
{
    *watch->link = watch->next;
    if (watch->next != NULL) {
        watch->next->link = watch->link;
    }
}

void watch_notify(struct watch_list *list)
{
    DOES_NOT_SLEEP();
    for (struct watch *watch = list->first; watch != NULL; watch = watch->next) {
        wait_queue_wake(&watch->watcher->queue, UINT32_MAX);
    }
}

enum error watcher_sleep(struct watcher *watcher, uint64_t deadline_ns)
{
    return wait_queue_sleep(&watcher->queue, deadline_ns, true);
}
