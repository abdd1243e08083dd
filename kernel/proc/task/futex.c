/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who waits for which word. See futex.h.
 *
 * Each space has a list, in the order of arrival: a wake costs nothing to programs that do not share it. Objects have
 * some lists together.
 */
#include "futex.h"
#include "atomic.h"
#include "log.h"
#include "task.h"
#include "thread.h"

#define CALL_FUTEX        240u
#define CALL_FUTEX_TIME64 422u

#define OBJECT_LISTS 256u
_Static_assert(OBJECTS_FIRST >= SPACES_MAX, "numbers of spaces and of objects are different ones");

static struct waiters {
    struct task *first, *last;
} waiters[SPACES_MAX + OBJECT_LISTS];

static uint32_t *words_of(struct task *task)
{
    task->has_progress = true;
    return task->record->call.words;
}

enum futex_state futex_state(const struct task *task)
{
    return (enum futex_state)task->record->call.words[FUTEX_WORD_STATE];
}

/* The list --------------------------------------------------------------------------------------------------------- */

static struct waiters *list_of(uint32_t owner)
{
    return &waiters[owner < SPACES_MAX ? owner : SPACES_MAX + owner % OBJECT_LISTS];
}

static void append(struct task *task, uint32_t owner)
{
    struct waiters *list = list_of(owner);
    struct futex_wait *wait = &task->futex;

    wait->next = NULL;
    wait->previous = list->last;
    *(list->last != NULL ? &list->last->futex.next : &list->first) = task;
    list->last = task;
    wait->is_listed = true;
}

static void take_out(struct task *task)
{
    struct futex_wait *wait = &task->futex;
    struct waiters *list = list_of(task->record->call.done);

    *(wait->previous != NULL ? &wait->previous->futex.next : &list->first) = wait->next;
    *(wait->next != NULL ? &wait->next->futex.previous : &list->last) = wait->previous;
    wait->is_listed = false;
}

/* Waiting ---------------------------------------------------------------------------------------------------------- */

void futex_join(struct task *task, struct futex_key key, uint32_t bits)
{
    DOES_NOT_SLEEP();
    uint32_t *words = words_of(task);

    ASSERT(!task->futex.is_listed); /* FUTEX-1 */
    words[FUTEX_WORD_STATE] = FUTEX_WAITING;
    words[FUTEX_WORD_AT] = key.at;
    words[FUTEX_WORD_BITS] = bits;
    task->record->call.done = key.owner;
    append(task, key.owner);
}

void futex_leave(struct task *task)
{
    DOES_NOT_SLEEP();
    if (task->futex.is_listed) {
        take_out(task);
        words_of(task)[FUTEX_WORD_STATE] = FUTEX_NOT_WAITING;
    }
}

void futex_resume(struct task *task)
{
    DOES_NOT_SLEEP();
    const struct task_record *record = task->record;
    bool is_futex = record->registers.eax == CALL_FUTEX || record->registers.eax == CALL_FUTEX_TIME64;

    if (record->call.active != 0 && is_futex && futex_state(task) == FUTEX_WAITING) {
        append(task, record->call.done);
    }
}

enum error futex_sleep(struct task *task, uint64_t deadline_ns)
{
    thread_may_sleep();
    return wait_queue_sleep(&task->futex.woken, deadline_ns, true);
}

/* Waking ----------------------------------------------------------------------------------------------------------- */

static bool waits_for(const struct task *task, struct futex_key key, uint32_t bits)
{
    const uint32_t *words = task->record->call.words;

    return task->record->call.done == key.owner && words[FUTEX_WORD_AT] == key.at &&
           (words[FUTEX_WORD_BITS] & bits) != 0;
}

static void wake(struct task *task)
{
    take_out(task);
    words_of(task)[FUTEX_WORD_STATE] = FUTEX_WOKEN;
    wait_queue_wake(&task->futex.woken, UINT32_MAX);
}

uint32_t futex_wake(struct futex_key key, uint32_t bits, uint32_t count)
{
    DOES_NOT_SLEEP();
    uint32_t woken = 0;

    for (struct task *task = list_of(key.owner)->first, *next; task != NULL && woken < count; task = next) {
        next = task->futex.next;
        if (waits_for(task, key, bits)) {
            wake(task);
            woken++;
        }
    }
    return woken;
}

uint32_t futex_move(struct futex_key from, struct futex_key to, uint32_t count)
{
    DOES_NOT_SLEEP();
    struct task *last = list_of(from.owner)->last, *next;
    uint32_t moved = 0;

    for (struct task *task = list_of(from.owner)->first; task != NULL && moved < count; task = next) {
        bool is_last = task == last;
        next = is_last ? NULL : task->futex.next;
        if (waits_for(task, from, UINT32_MAX)) {
            take_out(task); /* behind those who wait there already */
            words_of(task)[FUTEX_WORD_AT] = to.at;
            task->record->call.done = to.owner;
            append(task, to.owner);
            moved++;
        }
    }
    return moved;
}
