/*
 * The records of pipes, and who waits for them. See pipe.h.
 *
 * Each end of each pipe has a queue of its own for those who wait to read or to write there, and a list of those who
 * wait for it among other things. A change wakes those whom it may let go on, and nobody else.
 */
#include "pipe.h"
#include "log.h"
#include "thread.h"
#include <string.h>

/* Who waits at an end. Volatile. */
static struct {
    struct wait_queue queue;
    struct watch_list watches;
} waiting[PIPES_MAX][PIPE_ENDS];

static struct pipe_record *record(uint32_t pipe)
{
    return record_at(RECORD_PIPE, pipe);
}

static bool is_free(uint32_t pipe)
{
    return record(pipe)->ends[PIPE_READER] == 0 && record(pipe)->ends[PIPE_WRITER] == 0;
}

enum error pipe_create(uint32_t *out_pipe)
{
    for (uint32_t pipe = 0; pipe < PIPES_MAX; pipe++) {
        enum error error = record_commit(RECORD_PIPE, pipe + 1);
        if (error != OK) {
            return error;
        }
        if (is_free(pipe)) {
            record(pipe)->start = 0;
            record(pipe)->length = 0;
            *out_pipe = pipe;
            return OK;
        }
    }
    return ERROR_NO_MEMORY;
}

/* Those at an end look again. */
static void wake(uint32_t pipe, enum pipe_end end)
{
    wait_queue_wake(&waiting[pipe][end].queue, UINT32_MAX);
    watch_notify(&waiting[pipe][end].watches);
}

static enum pipe_end other_end(enum pipe_end end)
{
    return end == PIPE_READER ? PIPE_WRITER : PIPE_READER;
}

void pipe_open(uint32_t pipe, enum pipe_end end)
{
    record(pipe)->ends[end]++;
}

void pipe_close(uint32_t pipe, enum pipe_end end)
{
    ASSERT(record(pipe)->ends[end] > 0);
    record(pipe)->ends[end]--;
    if (record(pipe)->ends[end] == 0) {
        wake(pipe, other_end(end));
    }
}

bool pipe_has(uint32_t pipe, enum pipe_end end)
{
    return record(pipe)->ends[end] > 0;
}

uint32_t pipe_length(uint32_t pipe)
{
    return record(pipe)->length;
}

uint32_t pipe_room(uint32_t pipe)
{
    return PIPE_BYTES - record(pipe)->length;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t pipe_read(uint32_t pipe, uint8_t *bytes, uint32_t length)
{
    struct pipe_record *found = record(pipe);
    uint32_t taken = 0;

    while (taken < length && found->length > 0) {
        uint32_t piece = least(least(length - taken, found->length), PIPE_BYTES - found->start);
        memcpy(bytes + taken, found->bytes + found->start, piece);
        found->start = (found->start + piece) % PIPE_BYTES;
        found->length -= piece;
        taken += piece;
    }
    if (taken > 0) {
        wake(pipe, PIPE_WRITER);
    }
    return taken;
}

uint32_t pipe_write(uint32_t pipe, const uint8_t *bytes, uint32_t length)
{
    struct pipe_record *found = record(pipe);
    uint32_t given = 0;

    while (given < length && found->length < PIPE_BYTES) {
        uint32_t at = (found->start + found->length) % PIPE_BYTES;
        uint32_t piece = least(least(length - given, PIPE_BYTES - found->length), PIPE_BYTES - at);
        memcpy(found->bytes + at, bytes + given, piece);
        found->length += piece;
        given += piece;
    }
    if (given > 0) {
        wake(pipe, PIPE_READER);
    }
    return given;
}

enum error pipe_wait(uint32_t pipe, enum pipe_end end)
{
    return wait_queue_sleep(&waiting[pipe][end].queue, DEADLINE_NEVER, true);
}

void pipe_watch(uint32_t pipe, enum pipe_end end, struct watch *watch, struct watcher *watcher)
{
    watch_begin(&waiting[pipe][end].watches, watch, watcher);
}

enum error pipe_resume(void)
{
    for (uint32_t pipe = 0; pipe < record_committed(RECORD_PIPE); pipe++) {
        if (record(pipe)->start >= PIPE_BYTES || record(pipe)->length > PIPE_BYTES) {
            log_line("pipe: record %u is not sound", pipe);
            return ERROR_FORMAT_DAMAGED;
        }
        memset(record(pipe)->ends, 0, sizeof(record(pipe)->ends));
    }
    return OK;
}

void pipe_resumed(void)
{
    for (uint32_t pipe = 0; pipe < record_committed(RECORD_PIPE); pipe++) {
        if (is_free(pipe)) {
            record(pipe)->start = 0;
            record(pipe)->length = 0;
        }
    }
}
