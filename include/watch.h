/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching: how a thread waits for the first of several things.
 *
 * Each thing keeps a list of its watchers, and says when it has changed. A watcher has itself put on the lists of all
 * that it waits for, looks, sleeps if there is nothing yet, and is taken off again. A change costs time in proportion
 * to the watchers of that very thing.
 *
 *     WATCH-1  A watch is on the list of one thing from watch_begin() to watch_end(), and on none otherwise.
 *
 * Lists are changed by threads only, so nothing comes in between a look and the sleep after it.
 */
#ifndef WATCH_H
#define WATCH_H

#include "thread.h"

struct watch;

/* Who watches a thing. A zeroed list is empty. */
struct watch_list {
    struct watch *first;
};

/* A thread that waits, while it does: on its own stack. A zeroed one is ready. */
struct watcher {
    struct wait_queue queue;
};

/* One of the things that it waits for. */
struct watch {
    struct watch *next;
    struct watch **link; /* what leads to this one */
    struct watcher *watcher;
};

/* Put a watch on the list of a thing, or take it off again. Neither sleeps. */
void watch_begin(struct watch_list *list, struct watch *watch, struct watcher *watcher);
void watch_end(struct watch *watch);

/* The thing has changed: all watchers wake, and look again. Does not sleep. */
void watch_notify(struct watch_list *list);

/*
 * Sleep until something watched has changed.
 * - deadline_ns: of clock_boot_ns(), or DEADLINE_NEVER. ERROR_TIMED_OUT, ERROR_INTERRUPTED.
 */
MUST_CHECK enum error watcher_sleep(struct watcher *watcher, uint64_t deadline_ns);

#endif
