/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of the first terminal, between its object and the serial line.
 *
 * Without external synchrony bytes go to the line as they are written. A power cut then makes the reader see what was
 * written after the last snapshot again, and lose what was still waiting in the line's own buffer.
 *
 * With it they go into an outbox in the terminal's object, and from there to the line when the generation that covers
 * them is durable. So nothing is ever seen that is not going to have happened:
 *
 *     STREAM-1  A byte is handed to the line only if a durable generation holds it, in the outbox or behind it.
 *     STREAM-2  Bytes leave the outbox in order, each once in the life of a boot, and are forgotten when the line has sent
 *               them.
 *     STREAM-3  After a cut the bytes that the resumed generation has in its outbox are sent, whether or not they were sent
 *               before: at most TERMINAL_OUTBOX_BYTES, and the console is told how many. None is missing.
 */
#ifndef CONSOLE_STREAM_H
#define CONSOLE_STREAM_H

#include "error.h"
#include "types.h"

/*
 * After terminal_start() and before the first snapshot. What the outbox holds from before the boot is sent.
 * ERROR_NO_MEMORY.
 * - is_held: bytes wait for their generation from now on.
 */
MUST_CHECK enum error stream_start(bool is_held);

/* How many bytes stream_send() takes now. */
uint32_t stream_room(void);

/* Whether output waits for its generation. */
bool stream_is_held(void);

/* Send bytes. What exceeds the room is for messages of the kernel only. Never sleeps. */
void stream_send(const uint8_t *bytes, uint32_t length);

/*
 * Send what is not part of the stream, past what is held: it shows nothing that is not durable. A full line is waited
 * for.
 */
void stream_send_at_once(const uint8_t *bytes, uint32_t length);

/* Sleep until there is room for `bytes`. ERROR_INTERRUPTED. */
MUST_CHECK enum error stream_wait_for_room(uint32_t bytes, bool interruptible);

/* In the stop: what has been sent up to here is in the generation that begins. Constant time. */
void stream_stop(void);

/* That generation is durable. Does not sleep. */
void stream_durable(void);

/* The programs have ended: wait until the outbox is empty, which takes a last snapshot. May sleep. */
void stream_finish(void);

#endif
