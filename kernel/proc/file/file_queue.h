/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: messages in and out of queues (queue.h) by open files of them.
 */
#ifndef FILE_QUEUE_H
#define FILE_QUEUE_H

#include "call.h"
#include "record.h"

/* A message in the caller's memory, or the room for one. */
struct queue_transfer {
    uint32_t address, length;
    uint32_t priority;    /* receiving: where to leave it; 0: nowhere */
    uint64_t deadline_ns; /* of CLOCK_REALTIME; UINT64_MAX: none */
};

/* An open file that was created is one of a queue. Does not sleep. */
void file_queue_open(struct file_id file, struct queue_id queue);

/*
 * The call sends a message, of at most as many bytes as the queue takes, or receives one, for which there is room. Both
 * sleep as calls do, and what they answer is the call's result; after a boot they begin anew.
 */
int32_t file_queue_send(const struct system_call *call, const struct file_record *file,
                        const struct queue_transfer *transfer);
int32_t file_queue_receive(const struct system_call *call, const struct file_record *file,
                           const struct queue_transfer *transfer);

#endif
