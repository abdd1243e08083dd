/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for pipes.
 *
 * Each end of each pipe has a queue of its own for those who wait to read or to write there, and a list of those who
 * wait for it among other things. A change wakes those whom it may let go on, and nobody else.
 */
#include "log.h"
#include "pipe_internal.h"
#include "task/pending.h"
#include "watch.h"

static struct pipe pipes[PIPES_MAX];

struct pipe *pipe_at(struct pipe_id pipe)
{
    return &pipes[pipe.number];
}

void pipe_wake(struct pipe_id pipe, enum pipe_end end)
{
    wait_queue_wake(&pipes[pipe.number].waiting[end].queue, UINT32_MAX);
    watch_notify(&pipes[pipe.number].waiting[end].watches);
}

enum error pipe_wait(struct pipe_id pipe, enum pipe_end end)
{
    return wait_queue_sleep(&pipes[pipe.number].waiting[end].queue, DEADLINE_NEVER, true);
}

void pipe_watch(struct pipe_id pipe, enum pipe_end end, struct watch *watch, struct watcher *watcher)
{
    watch_begin(&pipes[pipe.number].waiting[end].watches, watch, watcher);
}

bool pipe_try_lock(struct pipe_id pipe)
{
    if (pipes[pipe.number].is_locked || pipes[pipe.number].holds > 0) {
        return false;
    }
    pipes[pipe.number].is_locked = true;
    return true;
}

static enum error sleep_until_unlocked(struct pipe_id pipe)
{
    enum error error = wait_queue_sleep(&pipes[pipe.number].unlocked, DEADLINE_NEVER, true);

    return task_wait_goes_on(error) ? OK : error;
}

enum error pipe_wait_unlocked(struct pipe_id pipe)
{
    enum error error = OK;

    while (error == OK && pipes[pipe.number].is_locked) {
        error = sleep_until_unlocked(pipe);
    }
    return error;
}

enum error pipe_lock(struct pipe_id pipe)
{
    enum error error = OK;

    while (error == OK && !pipe_try_lock(pipe)) {
        error = sleep_until_unlocked(pipe);
    }
    return error;
}

void pipe_unlock(struct pipe_id pipe)
{
    pipes[pipe.number].is_locked = false;
    wait_queue_wake(&pipes[pipe.number].unlocked, UINT32_MAX);
}
