/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving up the pages of pipes that are empty.
 *
 * A pipe that becomes empty is listed, and a thread looks at it a while later: if nothing is in it then, its pages go.
 * That takes no time of those who use pipes, and a pipe that bytes pass through gets new pages now and then instead of
 * with each of them. What a cut leaves behind is listed again by the next boot.
 */
#include "arch/clock.h"
#include "log.h"
#include "pipe_internal.h"
#include "thread.h"
#include "vm_fault.h"

#define PAUSE_NS 100000000u

/* Listed pipes, 1 + index each; 0: none. */
static uint32_t first, last;
static struct wait_queue work;

void pipe_trim_later(struct pipe_id id)
{
    DOES_NOT_SLEEP();
    struct pipe *pipe = pipe_at(id);

    if (pipe->is_listed || pipe_record(id)->pages == 0) {
        return;
    }
    pipe->is_listed = true;
    pipe->next_trimmed = 0;
    if (first == 0) {
        first = id.number + 1;
        wait_queue_wake(&work, 1);
    } else {
        pipe_at((struct pipe_id){last - 1})->next_trimmed = (uint16_t)(id.number + 1);
    }
    last = id.number + 1;
}

static struct pipe_id take_listed(void)
{
    struct pipe_id id = {first - 1};
    struct pipe *pipe = pipe_at(id);

    first = pipe->next_trimmed;
    pipe->is_listed = false;
    return id;
}

/* Pages that follow each other in the space go together. */
static enum error discard(struct pipe_id pipe, uint32_t pages)
{
    enum error error = OK;

    for (uint32_t from = 0; error == OK && from < pages;) {
        struct page_key page = pipe_page(pipe, from);
        uint32_t count = 1;
        while (from + count < pages && pipe_page(pipe, from + count).number == page.number + count) {
            count++;
        }
        error = vm_discard(page, count);
        from += count;
    }
    return error;
}

/* The pipe is locked: nobody puts anything in it meanwhile. */
static void trim(struct pipe_id pipe)
{
    if (pipe_length(pipe) > 0 || !pipe_try_lock(pipe)) {
        return; /* it is listed again when it is empty again */
    }
    enum error error = discard(pipe, pipe_record(pipe)->pages);
    if (error == OK) {
        pipe_record(pipe)->pages = 0;
        record_freed(RECORD_PIPE, pipe.number); /* if it has no ends either */
    } else {
        log_line("pipe: the pages of pipe %u are not given up for now: %s", pipe.number, error_text(error));
    }
    pipe_unlock(pipe);
}

static void trim_main(void *argument)
{
    (void)argument;
    for (;;) {
        while (first == 0) {
            enum error error = wait_queue_sleep(&work, DEADLINE_NEVER, false);
            ASSERT(error == OK);
        }
        uint32_t end = last;
        enum error error = thread_sleep_until(clock_boot_ns() + PAUSE_NS);
        ASSERT(error == OK);
        /* Those that have been listed since then have to wait as long. */
        struct pipe_id pipe;
        do {
            pipe = take_listed();
            trim(pipe);
        } while (pipe.number + 1 != end);
    }
}

enum error pipe_trim_start(void)
{
    struct thread *thread;

    return thread_create("pipes", trim_main, NULL, &thread);
}
