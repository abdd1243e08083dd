/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of pipes share: pipe.c has the records, pipe_waiting.c the waiters, pipe_content.c the pages of the
 * rings; pipe_trim.c releases the pages of empty pipes.
 *
 *     PIPE-4  While a pipe is locked only its locker touches its ring or its pages, and nobody holds any.
 */
#ifndef PIPE_INTERNAL_H
#define PIPE_INTERNAL_H

#include "pipe.h"

/* The volatile side of a pipe. */
struct pipe {
    struct {
        struct wait_queue queue;
        struct watch_list watches;
    } waiting[PIPE_ENDS];
    struct wait_queue unlocked; /* who waits until it is neither locked nor held */
    uint16_t holds;             /* of its pages */
    uint16_t next_trimmed;      /* 1 + index, in the order in which they are to be trimmed */
    bool is_locked, is_used, is_listed;
};

struct pipe *pipe_at(struct pipe_id pipe);

/* All waiters at an end look again. */
void pipe_wake(struct pipe_id pipe, enum pipe_end end);

/* PIPE-4. Locking and waiting for it sleep, and answer ERROR_INTERRUPTED only if the program is about to end. */
MUST_CHECK enum error pipe_lock(struct pipe_id pipe);
MUST_CHECK enum error pipe_wait_unlocked(struct pipe_id pipe);
bool pipe_try_lock(struct pipe_id pipe);
void pipe_unlock(struct pipe_id pipe);

/*
 * Where in SPACE_PIPES page `index` of a pipe's ring is: its first pages, all there are as long as nobody asks for
 * more, beside those of other pipes, the rest further up.
 */
#define PIPE_NEAR_PAGES (PIPE_CAPACITY / PAGE_SIZE)
#define PIPE_FAR_PAGES  (PIPE_CAPACITY_MAX / PAGE_SIZE - PIPE_NEAR_PAGES)
#define PIPE_NEAR_START (USER_START >> PAGE_SHIFT)
#define PIPE_FAR_START  (PIPE_NEAR_START + PIPES_MAX * PIPE_NEAR_PAGES)
static inline struct page_key pipe_page(struct pipe_id pipe, uint32_t index)
{
    uint32_t number = index < PIPE_NEAR_PAGES
                          ? PIPE_NEAR_START + pipe.number * PIPE_NEAR_PAGES + index
                          : PIPE_FAR_START + pipe.number * PIPE_FAR_PAGES + (index - PIPE_NEAR_PAGES);

    return page_key_at(SPACE_PIPES, (struct vaddr){number << PAGE_SHIFT});
}

/* A pipe has become empty, or was found so: its pages are given up some time later. Does not sleep. */
void pipe_trim_later(struct pipe_id pipe);
MUST_CHECK enum error pipe_trim_start(void);

#endif
