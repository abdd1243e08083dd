/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: message queues, which have names of their own (mq_open()).
 *
 * A record says who a queue is and which messages are in it; their bytes are in an object, a slot for each message. A
 * message is there from the step in which its slot gets a turn, and gone with the step in which it loses it. Bytes move
 * before that, while the slot is set aside in this boot only: a call that a power cut interrupts begins anew.
 *
 *     QUEUE-1  The messages of a queue are its slots with a turn. Of those with the highest priority the one with the
 *              oldest turn is received next.
 *     QUEUE-2  A queue without a name goes with the last open file of it, by the next boot if need be.
 *     QUEUE-3  The program that is told of a message has a descriptor of the queue.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "error.h"
#include "record.h"
#include "types.h"
#include "watch.h"

/* The record, which is in the table. */
static inline struct queue_record *queue_at(struct queue_id queue)
{
    return record_at(RECORD_QUEUE, queue.number);
}

/* Whether there is such a queue. Any number will do. */
static inline bool queue_is_there(struct queue_id queue)
{
    return queue.number != 0 && queue.number < record_committed(RECORD_QUEUE) && queue_at(queue)->state != QUEUE_FREE;
}

/* The queue of a name; false: there is none. Does not sleep. */
bool queue_find(const char *name, struct queue_id *out);

/* What all queues may hold, in bytes. */
uint64_t queue_bytes_of_all(void);

/* Make sure that a queue can be made. May sleep. ERROR_NO_MEMORY. */
MUST_CHECK enum error queue_reserve(void);
bool queue_has_room(void);

/* A new queue without messages or open files, of which there has to be room. Does not sleep. */
struct queue_id queue_create(const char *name, uint32_t messages_max, uint32_t bytes_max);

/* It has no name any more. Does not sleep. */
void queue_unlink(struct queue_id queue);

/* Open files come and go, and after a boot come again. Does not sleep. */
void queue_open(struct queue_id queue);
void queue_close(struct queue_id queue);

/* A program has closed a descriptor of it, and is not told of messages any more. Does not sleep. */
void queue_leave(struct queue_id queue, struct program_id program);

/* How many messages there are. */
uint32_t queue_count(struct queue_id queue);

/*
 * A slot for a message that comes, or that of the next message to go: nobody else takes it until queue_put_back().
 * False: there is none. Does not sleep.
 */
bool queue_take_free(struct queue_id queue, uint32_t *out_slot);
bool queue_take_next(struct queue_id queue, uint32_t *out_slot);
void queue_put_back(struct queue_id queue, uint32_t slot);

/* Where the bytes of a slot are in the queue's object. */
uint64_t queue_position(struct queue_id queue, uint32_t slot);

/*
 * The message in a slot that was taken is there, or is no more; either puts the slot back. A change of the current
 * call's, which does not sleep. queue_arrive() tells the program that wants to know, if nobody receives.
 */
void queue_arrive(struct queue_id queue, uint32_t slot, uint32_t length, uint32_t priority);
void queue_depart(struct queue_id queue, uint32_t slot);

/* A call waits for a message, or no longer; and who looks again when the queue changes. Neither sleeps. */
void queue_receives(struct queue_id queue, bool does);
struct watch_list *queue_watchers(struct queue_id queue);

/* After a boot: nobody has one open yet; and all have been opened that are. Neither sleeps. */
void queue_resume(void);
void queue_resumed(void);

#endif
