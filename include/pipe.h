/*
 * Pipes: bytes on their way from one program to another.
 *
 * A pipe is a persistent record with a ring of bytes; each of its two ends is an open file (file.h) that closes it when
 * nobody has a descriptor for it any more. Bytes are taken and given without a sleep in between, so a stop finds them on
 * one side or in the pipe. How many ends are open is counted again at every boot.
 *
 *     PIPE-1  A pipe is in use if and only if one of its ends is open.
 *     PIPE-2  start < PIPE_BYTES and length <= PIPE_BYTES.
 */
#ifndef PIPE_H
#define PIPE_H

#include "error.h"
#include "record.h"
#include "types.h"
#include "watch.h"

#define PIPE_ATOMIC 4096u /* bytes that are never written in two parts (PIPE_BUF) */

enum pipe_end { PIPE_READER, PIPE_WRITER, PIPE_ENDS };

/*
 * An empty pipe without ends: it is the caller's until the caller sleeps. May sleep first. ERROR_NO_MEMORY: there are
 * PIPES_MAX.
 */
MUST_CHECK enum error pipe_create(uint32_t *out_pipe);

/* An end is opened, or is closed for good. Neither sleeps. */
void pipe_open(uint32_t pipe, enum pipe_end end);
void pipe_close(uint32_t pipe, enum pipe_end end);

/* Whether anybody has this end open. */
bool pipe_has(uint32_t pipe, enum pipe_end end);

/* Bytes that can be read, and the room for bytes to be written. */
uint32_t pipe_length(uint32_t pipe);
uint32_t pipe_room(uint32_t pipe);

/* Take or give up to `length` bytes; returns how many. Neither sleeps. */
uint32_t pipe_read(uint32_t pipe, uint8_t *bytes, uint32_t length);
uint32_t pipe_write(uint32_t pipe, const uint8_t *bytes, uint32_t length);

/* Sleep until an end may go on: there is something to read or room to write, or the other end is closed. ERROR_INTERRUPTED. */
MUST_CHECK enum error pipe_wait(uint32_t pipe, enum pipe_end end);

/* Watch for the same (watch.h). The caller ends it. */
void pipe_watch(uint32_t pipe, enum pipe_end end, struct watch *watch, struct watcher *watcher);

/*
 * After a boot: pipe_resume() forgets how many ends are open, pipe_open() counts them, and pipe_resumed() forgets the pipes that
 * have none. ERROR_FORMAT_DAMAGED: PIPE-2; the log names the record.
 */
MUST_CHECK enum error pipe_resume(void);
void pipe_resumed(void);

#endif
