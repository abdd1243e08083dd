/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes: bytes on their way from one program to another.
 *
 * A pipe is a persistent record that says where in a ring its bytes are; the ring itself is a range of pages of
 * SPACE_PIPES, which are paged like a program's. Each of its two ends is an open file (file.h) that closes it when its
 * last descriptor is gone. Bytes are taken and given without a sleep in between, so a stop finds them on one side or in
 * the pipe. How many ends are open is counted again at every boot.
 *
 *     PIPE-1  A pipe is in use if and only if one of its ends is open.
 *     PIPE-2  The capacity is a power of two, PIPE_CAPACITY_MIN to PIPE_CAPACITY_MAX; start < capacity and
 *             length <= capacity.
 *     PIPE-3  Pages of the ring that hold bytes of the pipe, or have held some and not been given up, are below `pages`.
 *
 * Pages are given up some time after a pipe has become empty, so that one which bytes pass through all the time keeps
 * them, and one which is idle costs its record.
 */
#ifndef PIPE_H
#define PIPE_H

#include "arch/pmap.h"
#include "error.h"
#include "record.h"
#include "types.h"
#include "watch.h"

#define PIPE_ATOMIC       4096u /* bytes that are never written in two parts (PIPE_BUF) */
#define PIPE_CAPACITY     65536u
#define PIPE_CAPACITY_MIN PAGE_SIZE
#define PIPE_CAPACITY_MAX (1024u * 1024u)
#define PIPE_PIECE        (16u * 1024u) /* bytes that are taken or given in one step at most */

enum pipe_end { PIPE_READER, PIPE_WRITER, PIPE_ENDS };

/*
 * An empty pipe without ends: it is the caller's until the caller sleeps. May sleep first. ERROR_NO_MEMORY: there are
 * PIPES_MAX, or there is no room for their records.
 */
MUST_CHECK enum error pipe_create(struct pipe_id *out_pipe);

/* An end is opened, or is closed for good. Neither sleeps. */
void pipe_open(struct pipe_id pipe, enum pipe_end end);
void pipe_close(struct pipe_id pipe, enum pipe_end end);

static inline struct pipe_record *pipe_record(struct pipe_id pipe)
{
    return record_at(RECORD_PIPE, pipe.number);
}

/* Whether anybody has this end open. */
static inline bool pipe_has(struct pipe_id pipe, enum pipe_end end)
{
    return pipe_record(pipe)->ends[end] > 0;
}

/* Bytes that can be read, the room for bytes to be written, and both together. */
static inline uint32_t pipe_length(struct pipe_id pipe)
{
    return pipe_record(pipe)->length;
}

static inline uint32_t pipe_capacity(struct pipe_id pipe)
{
    return pipe_record(pipe)->capacity;
}

static inline uint32_t pipe_room(struct pipe_id pipe)
{
    return pipe_capacity(pipe) - pipe_length(pipe);
}

/*
 * Take or give `length` bytes, all of them or none: at most PIPE_PIECE, and what there is, or is room for. Neither
 * sleeps. False: the pages are not there, pipe_hold() is due first.
 */
MUST_CHECK bool pipe_read(struct pipe_id pipe, uint8_t *bytes, uint32_t length);
MUST_CHECK bool pipe_write(struct pipe_id pipe, const uint8_t *bytes, uint32_t length);

/* The part of `length` bytes to be taken or given next that lies in one page of the ring. */
uint32_t pipe_part(struct pipe_id pipe, enum pipe_end end, uint32_t length);

/*
 * Have the pages there that the next bytes are read from or written to, until pipe_let_go().
 * - length: as for pipe_read() and pipe_write(). Others may have taken bytes or room when it returns.
 * - may sleep. ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM; ERROR_INTERRUPTED: the program is about to end.
 */
#define PIPE_HOLD_PAGES (PIPE_PIECE / PAGE_SIZE + 1u)
struct pipe_hold {
    struct pipe_id pipe;
    uint32_t count;
    struct page_key pages[PIPE_HOLD_PAGES];
};
MUST_CHECK enum error pipe_hold(struct pipe_hold *hold, struct pipe_id pipe, enum pipe_end end, uint32_t length);
void pipe_let_go(struct pipe_hold *hold);

/*
 * Give a pipe another capacity, of which PIPE-2 holds. What is in it stays.
 * - may sleep, and has changed nothing then. ERROR_BUSY: more is in it. Else as pipe_hold().
 */
MUST_CHECK enum error pipe_set_capacity(struct pipe_id pipe, uint32_t capacity);

/*
 * Sleep until an end may go on: there is something to read or room to write, or the other end is closed.
 * ERROR_INTERRUPTED.
 */
MUST_CHECK enum error pipe_wait(struct pipe_id pipe, enum pipe_end end);

/* Watch for the same (watch.h). The caller ends it. */
void pipe_watch(struct pipe_id pipe, enum pipe_end end, struct watch *watch, struct watcher *watcher);

/* What the fault path may do with a page of SPACE_PIPES. */
struct vm_allowance;
void pipe_content_allow(struct page_key page, struct vm_allowance *out);

/* Once in a boot, before any pipe is used. ERROR_NO_MEMORY. */
MUST_CHECK enum error pipe_start(void);

/*
 * After a boot: pipe_resume() forgets how many ends are open, pipe_open() counts them, and pipe_resumed() forgets the
 * pipes that have none. Their records are known to be sound.
 */
void pipe_resume(void);
void pipe_resumed(void);

#endif
