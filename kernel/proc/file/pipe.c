/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of pipes: which are in use, and their ends. See pipe.h.
 */
#include "arch/pmap.h"
#include "atomic.h"
#include "log.h"
#include "pipe_internal.h"
#include "record.h"
#include "watch.h"
#include <string.h>

#define WORD_PIPES 32u

static uint32_t used[PIPES_MAX / WORD_PIPES]; /* one bit for each pipe, as `is_used` */

static bool has_ends(struct pipe_id pipe)
{
    return pipe_has(pipe, PIPE_READER) || pipe_has(pipe, PIPE_WRITER);
}

static void set_used(struct pipe_id pipe, bool is_used)
{
    uint32_t bit = 1u << (pipe.number % WORD_PIPES);
    uint32_t *word = &used[pipe.number / WORD_PIPES];

    pipe_at(pipe)->is_used = is_used;
    *word = is_used ? *word | bit : *word & ~bit;
}

/* Number PIPES_MAX: there is none. */
static struct pipe_id find_free(void)
{
    for (uint32_t word = 0; word < PIPES_MAX / WORD_PIPES; word++) {
        if (used[word] != UINT32_MAX) {
            return (struct pipe_id){word * WORD_PIPES + (uint32_t)__builtin_ctz(~used[word])};
        }
    }
    return (struct pipe_id){PIPES_MAX};
}

/* Nobody is to find anything in it; what its pages hold is nobody's. */
static void clear(struct pipe_id pipe)
{
    pipe_record(pipe)->start = 0;
    pipe_record(pipe)->length = 0;
    pipe_record(pipe)->capacity = PIPE_CAPACITY;
}

enum error pipe_create(struct pipe_id *out_pipe)
{
    thread_may_sleep();
    struct pipe_id pipe;

    for (;;) {
        pipe = find_free();
        if (pipe.number == PIPES_MAX) {
            return ERROR_NO_MEMORY;
        }
        if (record_is_present(RECORD_PIPE, pipe.number)) {
            break;
        }
        enum error error = record_commit(RECORD_PIPE, pipe.number + 1);
        if (error != OK) {
            return error;
        }
    }
    clear(pipe);
    *out_pipe = pipe;
    return OK;
}

/* Ends ------------------------------------------------------------------------------------------------------------- */

static enum pipe_end other_end(enum pipe_end end)
{
    return end == PIPE_READER ? PIPE_WRITER : PIPE_READER;
}

void pipe_open(struct pipe_id pipe, enum pipe_end end)
{
    set_used(pipe, true);
    pipe_record(pipe)->ends[end]++;
}

void pipe_close(struct pipe_id pipe, enum pipe_end end)
{
    ASSERT(pipe_record(pipe)->ends[end] > 0);
    pipe_record(pipe)->ends[end]--;
    if (pipe_has(pipe, end)) {
        return;
    }
    pipe_wake(pipe, other_end(end));
    if (!has_ends(pipe)) { /* PIPE-1 */
        clear(pipe);
        set_used(pipe, false);
        record_freed(RECORD_PIPE, pipe.number);
        pipe_trim_later(pipe);
    }
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

enum error pipe_start(void)
{
    enum error error = pmap_create(SPACE_PIPES);

    return error == OK ? pipe_trim_start() : error;
}

/* A record that was never used is all zeroes: no pipe, or an empty one if a damaged image has open files for it. */
static bool is_untouched(const struct pipe_record *record)
{
    return record->capacity == 0 && record->start == 0 && record->length == 0 && record->pages == 0;
}

void pipe_resume(void)
{
    for (struct pipe_id pipe = {0}; pipe.number < record_committed(RECORD_PIPE); pipe.number++) {
        if (has_ends(pipe)) {
            memset(pipe_record(pipe)->ends, 0, sizeof(pipe_record(pipe)->ends));
        }
    }
}

void pipe_resumed(void)
{
    for (struct pipe_id pipe = {0}; pipe.number < record_committed(RECORD_PIPE); pipe.number++) {
        if (record_is_present(RECORD_PIPE, pipe.number) && (!has_ends(pipe) || is_untouched(pipe_record(pipe)))) {
            clear(pipe);
        }
        if (pipe_length(pipe) == 0) {
            pipe_trim_later(pipe);
        }
    }
}
