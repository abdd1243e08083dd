/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message queues: the table, names, slots. See queue.h. (Open files of them: file_queue.c.)
 */
#include "queue.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "signal/signal.h"
#include "space/object.h"
#include "task/task.h"
#include <string.h>

/* Volatile, by the queue's number. */
static struct {
    uint16_t open_files, receivers;
    uint32_t taken[QUEUE_MESSAGES_MAX / 32]; /* slots */
    struct watch_list watchers;
} queues[QUEUES_END];

bool queue_find(const char *name, struct queue_id *out)
{
    DOES_NOT_SLEEP();
    for (struct queue_id queue = {1}; queue.number < record_committed(RECORD_QUEUE); queue.number++) {
        if (queue_at(queue)->state == QUEUE_NAMED && strcmp(queue_at(queue)->name, name) == 0) {
            *out = queue;
            return true;
        }
    }
    return false;
}

static uint64_t bytes_of(const struct queue_record *record)
{
    return (uint64_t)record->messages_max * record->bytes_max;
}

uint64_t queue_bytes_of_all(void)
{
    uint64_t bytes = 0;

    for (struct queue_id queue = {1}; queue.number < record_committed(RECORD_QUEUE); queue.number++) {
        bytes += bytes_of(queue_at(queue));
    }
    return bytes;
}

/* Coming and going ------------------------------------------------------------------------------------------------- */

enum error queue_reserve(void)
{
    thread_may_sleep();
    struct record_rounds rounds = {0};
    enum error error;

    do {
        record_round_begin(&rounds);
        error = record_reserve(RECORD_QUEUE, 1);
        if (error == OK) {
            error = object_reserve();
        }
    } while (record_round_again(&rounds, &error));
    return error;
}

bool queue_has_room(void)
{
    uint32_t queue, object;

    return record_find_free(RECORD_QUEUE, &queue) && record_find_free(RECORD_OBJECT, &object);
}

struct queue_id queue_create(const char *name, uint32_t messages_max, uint32_t bytes_max)
{
    DOES_NOT_SLEEP();
    struct queue_id queue;
    bool is_found = record_find_free(RECORD_QUEUE, &queue.number);

    ASSERT(is_found);
    struct queue_record *record = queue_at(queue);
    record->messages_max = messages_max;
    record->bytes_max = bytes_max;
    memcpy(record->name, name, strlen(name) + 1);
    enum error error = object_create(bytes_of(record), &record->content);
    ASSERT(error == OK);
    object_refer(record->content, 1);
    record->state = QUEUE_NAMED;
    return queue;
}

static void destroy(struct queue_id queue)
{
    struct queue_record *record = queue_at(queue);

    object_refer(record->content, -1);
    memset(record, 0, sizeof(*record));
    record_freed(RECORD_QUEUE, queue.number);
}

/* QUEUE-2 */
static void destroy_if_unused(struct queue_id queue)
{
    if (queue_at(queue)->state == QUEUE_UNNAMED && queues[queue.number].open_files == 0) {
        destroy(queue);
    }
}

void queue_unlink(struct queue_id queue)
{
    DOES_NOT_SLEEP();
    queue_at(queue)->state = QUEUE_UNNAMED;
    destroy_if_unused(queue);
}

void queue_open(struct queue_id queue)
{
    DOES_NOT_SLEEP();
    queues[queue.number].open_files++;
}

void queue_close(struct queue_id queue)
{
    DOES_NOT_SLEEP();
    ASSERT(queues[queue.number].open_files > 0);
    queues[queue.number].open_files--;
    destroy_if_unused(queue);
}

/* QUEUE-3 */
void queue_leave(struct queue_id queue, struct program_id program)
{
    DOES_NOT_SLEEP();
    struct queue_record *record = queue_at(queue);

    if (record->told.number == program.number) {
        record->told = PROGRAM_NONE;
    }
}

/* Messages --------------------------------------------------------------------------------------------------------- */

static bool is_taken(struct queue_id queue, uint32_t slot)
{
    return (queues[queue.number].taken[slot / 32] >> slot % 32 & 1u) != 0;
}

static void take(struct queue_id queue, uint32_t slot)
{
    queues[queue.number].taken[slot / 32] |= 1u << slot % 32;
}

uint32_t queue_count(struct queue_id queue)
{
    const struct queue_record *record = queue_at(queue);
    uint32_t count = 0;

    for (uint32_t slot = 0; slot < record->messages_max; slot++) {
        count += record->messages[slot].turn != 0;
    }
    return count;
}

bool queue_take_free(struct queue_id queue, uint32_t *out_slot)
{
    DOES_NOT_SLEEP();
    const struct queue_record *record = queue_at(queue);

    for (uint32_t slot = 0; slot < record->messages_max; slot++) {
        if (record->messages[slot].turn == 0 && !is_taken(queue, slot)) {
            take(queue, slot);
            *out_slot = slot;
            return true;
        }
    }
    return false;
}

/* QUEUE-1; turns are compared across the end of their numbers. */
static bool goes_before(const struct queue_message *message, const struct queue_message *other)
{
    return message->priority > other->priority ||
           (message->priority == other->priority && (int32_t)(message->turn - other->turn) < 0);
}

bool queue_take_next(struct queue_id queue, uint32_t *out_slot)
{
    DOES_NOT_SLEEP();
    const struct queue_record *record = queue_at(queue);
    const struct queue_message *next = NULL;

    for (uint32_t slot = 0; slot < record->messages_max; slot++) {
        const struct queue_message *message = &record->messages[slot];
        if (message->turn != 0 && !is_taken(queue, slot) && (next == NULL || goes_before(message, next))) {
            next = message;
            *out_slot = slot;
        }
    }
    if (next != NULL) {
        take(queue, *out_slot);
    }
    return next != NULL;
}

void queue_put_back(struct queue_id queue, uint32_t slot)
{
    DOES_NOT_SLEEP();
    queues[queue.number].taken[slot / 32] &= ~(1u << slot % 32);
    watch_notify(&queues[queue.number].watchers);
}

uint64_t queue_position(struct queue_id queue, uint32_t slot)
{
    return (uint64_t)slot * queue_at(queue)->bytes_max;
}

static void tell(struct queue_record *record)
{
    struct program_id told = record->told;
    const struct signal_origin origin = {
        .code = SI_MESGQ, .program = task_current()->program_id, .value = record->value};

    record->told = PROGRAM_NONE;
    if (record->notify == SIGEV_SIGNAL && record->signal != 0) {
        enum error error = signal_send_from(told, record->signal, &origin);
        ASSERT(error == OK || error == ERROR_NOT_FOUND);
    }
}

void queue_arrive(struct queue_id queue, uint32_t slot, uint32_t length, uint32_t priority)
{
    DOES_NOT_SLEEP();
    struct queue_record *record = queue_at(queue);
    bool was_empty = queue_count(queue) == 0;

    record->turn = record->turn + 1 != 0 ? record->turn + 1 : 1;
    record->messages[slot] = (struct queue_message){record->turn, length, priority};
    if (was_empty && record->told.number != 0 && queues[queue.number].receivers == 0) {
        tell(record);
    }
    queue_put_back(queue, slot);
}

void queue_depart(struct queue_id queue, uint32_t slot)
{
    DOES_NOT_SLEEP();
    queue_at(queue)->messages[slot] = (struct queue_message){0};
    queue_put_back(queue, slot);
}

void queue_receives(struct queue_id queue, bool does)
{
    DOES_NOT_SLEEP();
    if (does) {
        queues[queue.number].receivers++;
    } else {
        queues[queue.number].receivers--;
    }
}

struct watch_list *queue_watchers(struct queue_id queue)
{
    DOES_NOT_SLEEP();
    return &queues[queue.number].watchers;
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

void queue_resume(void)
{
    DOES_NOT_SLEEP();
    memset(queues, 0, sizeof(queues));
}

void queue_resumed(void)
{
    DOES_NOT_SLEEP();
    for (struct queue_id queue = {1}; queue.number < record_committed(RECORD_QUEUE); queue.number++) {
        if (queue_is_there(queue)) {
            object_refer(queue_at(queue)->content, 1);
            destroy_if_unused(queue);
        }
    }
}
