/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks on ranges of files. See lock.h.
 */
#include "lock.h"
#include "atomic.h"
#include "log.h"
#include "space/object.h"
#include "thread.h"
#include <string.h>

#define CHANGE_RECORDS 2u /* a range in the middle of a lock makes two of it, and is one itself */

/* Volatile. Indices of locks + 1: the first of each object, by the index of its record, and the next after each. */
static uint16_t first[OBJECTS_RECORDED], next[LOCKS_MAX];
static struct wait_queue freed;

/* By program: the one whose lock it waits for, unless a lock has gone since: then it is about to look again. */
static struct {
    uint32_t holder, turn;
} waits[PROGRAMS_MAX + 1];
static uint32_t turn;

static struct lock_record *at(uint32_t index)
{
    return record_at(RECORD_LOCK, index);
}

static uint16_t *list_of(struct object_id object)
{
    return &first[object_index(object)];
}

static void wake(void)
{
    turn++;
    wait_queue_wake(&freed, UINT32_MAX);
}

static bool is_owner(const struct lock_record *lock, struct lock_owner owner)
{
    return lock->owner_kind == owner.kind && lock->owner == owner.number;
}

static bool overlaps(const struct lock_record *lock, const struct lock_range *range)
{
    return lock->start <= range->last && lock->last >= range->start;
}

enum error lock_reserve(void)
{
    thread_may_sleep();
    return record_reserve(RECORD_LOCK, CHANGE_RECORDS);
}

const struct lock_record *lock_in_the_way(const struct lock_range *range, bool is_exclusive, struct lock_owner owner)
{
    DOES_NOT_SLEEP();
    const struct lock_record *lowest = NULL;

    for (uint32_t i = *list_of(range->object); i != 0; i = next[i - 1]) {
        const struct lock_record *lock = at(i - 1);
        bool is_apart = (lock->owner_kind == LOCK_WHOLE) != (owner.kind == LOCK_WHOLE);
        if (!is_apart && !is_owner(lock, owner) && overlaps(lock, range) &&
            (is_exclusive || lock->is_exclusive != 0)) { /* LOCK-1 */
            lowest = lowest == NULL || lock->start < lowest->start ? lock : lowest;
        }
    }
    return lowest;
}

/* Records ------------------------------------------------------------------------------------------------------------ */

static void add(struct object_id object, bool is_exclusive, struct lock_owner owner, uint64_t start, uint64_t last)
{
    uint32_t index;
    bool is_found = record_find_free(RECORD_LOCK, &index);

    ASSERT(is_found);
    *at(index) = (struct lock_record){.object = object,
                                      .owner_kind = owner.kind,
                                      .owner = owner.number,
                                      .is_exclusive = is_exclusive,
                                      .start = start,
                                      .last = last};
    next[index] = *list_of(object);
    *list_of(object) = (uint16_t)(index + 1);
}

/* The lock that `link` leads to goes. */
static void take_out(uint16_t *link)
{
    uint32_t index = *link - 1u;

    *link = next[index];
    memset(at(index), 0, sizeof(struct lock_record));
    record_freed(RECORD_LOCK, index);
}

static bool are_free(void)
{
    uint32_t one, other;

    return record_find_free(RECORD_LOCK, &one) && record_find_free_from(RECORD_LOCK, one + 1, &other);
}

/* What an owner has in a range goes; a lock around it becomes two. */
static void cut_out(const struct lock_range *range, struct lock_owner owner)
{
    uint16_t *link = list_of(range->object);

    while (*link != 0) {
        struct lock_record *lock = at(*link - 1u);
        if (!is_owner(lock, owner) || !overlaps(lock, range)) {
            link = &next[*link - 1u];
        } else if (lock->start >= range->start && lock->last <= range->last) {
            take_out(link);
        } else if (lock->start < range->start && lock->last > range->last) {
            uint64_t last = lock->last;
            lock->last = range->start - 1;
            add(range->object, lock->is_exclusive != 0, owner, range->last + 1, last);
            return;
        } else if (lock->start < range->start) {
            lock->last = range->start - 1;
            link = &next[*link - 1u];
        } else {
            lock->start = range->last + 1;
            link = &next[*link - 1u];
        }
    }
}

/* Neighbours of the same kind become part of a range, so that who locks byte by byte has one lock. */
static void take_neighbours(struct lock_range *range, bool is_exclusive, struct lock_owner owner)
{
    uint16_t *link = list_of(range->object);

    while (*link != 0) {
        const struct lock_record *lock = at(*link - 1u);
        bool is_alike = is_owner(lock, owner) && (lock->is_exclusive != 0) == is_exclusive;
        if (is_alike && range->start > 0 && lock->last == range->start - 1) {
            range->start = lock->start;
            take_out(link);
        } else if (is_alike && lock->start > 0 && lock->start - 1 == range->last) {
            range->last = lock->last;
            take_out(link);
        } else {
            link = &next[*link - 1u];
        }
    }
}

enum error lock_set(const struct lock_range *range, bool is_exclusive, struct lock_owner owner)
{
    DOES_NOT_SLEEP();
    struct lock_range whole = *range;

    if (!are_free()) {
        return ERROR_NO_MEMORY;
    }
    cut_out(range, owner);
    take_neighbours(&whole, is_exclusive, owner);
    add(range->object, is_exclusive, owner, whole.start, whole.last);
    wake(); /* it may have been exclusive, and be shared now */
    return OK;
}

/* Whether a lock becomes two when a range of it goes. */
static bool is_within_one(const struct lock_range *range, struct lock_owner owner)
{
    for (uint32_t i = *list_of(range->object); i != 0; i = next[i - 1]) {
        if (is_owner(at(i - 1), owner) && at(i - 1)->start < range->start && at(i - 1)->last > range->last) {
            return true;
        }
    }
    return false;
}

enum error lock_clear(const struct lock_range *range, struct lock_owner owner)
{
    DOES_NOT_SLEEP();
    if (is_within_one(range, owner) && !are_free()) {
        return ERROR_NO_MEMORY;
    }
    cut_out(range, owner);
    wake();
    return OK;
}

void lock_drop(struct object_id object, struct lock_owner owner)
{
    DOES_NOT_SLEEP();
    if (object_is_there(object) && *list_of(object) != 0) {
        cut_out(&(struct lock_range){object, 0, UINT64_MAX}, owner);
        wake();
    }
}

/* Waiting ------------------------------------------------------------------------------------------------------------ */

/* Whether a program waits, by way of others, for the one that is about to wait for it. */
static bool is_for_ever(uint32_t waiter, uint32_t holder)
{
    for (uint32_t steps = 0; holder != 0 && steps <= PROGRAMS_MAX; steps++) {
        if (holder == waiter) {
            return true;
        }
        holder = waits[holder].turn == turn ? waits[holder].holder : 0;
    }
    return false;
}

enum error lock_wait(struct lock_owner waiter, struct lock_owner holder)
{
    thread_may_sleep();
    bool are_programs = waiter.kind == LOCK_OF_PROGRAM && holder.kind == LOCK_OF_PROGRAM;

    if (are_programs && is_for_ever(waiter.number, holder.number)) {
        return ERROR_BUSY;
    }
    if (are_programs) {
        waits[waiter.number].holder = holder.number;
        waits[waiter.number].turn = turn;
    }
    enum error error = wait_queue_sleep(&freed, DEADLINE_NEVER, true);
    if (are_programs) {
        waits[waiter.number].holder = 0;
    }
    return error;
}

/* After a boot ------------------------------------------------------------------------------------------------------- */

static bool has_owner(const struct lock_record *lock)
{
    if (lock->owner_kind == LOCK_OF_PROGRAM) {
        return program_is_in_table((struct program_id){lock->owner}) &&
               program_at((struct program_id){lock->owner})->state != PROGRAM_FREE;
    }
    return ((const struct file_record *)record_at(RECORD_FILE, lock->owner))->kind != FILE_FREE;
}

void lock_resume(void)
{
    DOES_NOT_SLEEP();
    for (uint32_t index = 0; index < record_committed(RECORD_LOCK); index++) {
        struct lock_record *lock = at(index);
        if (lock->object.number == 0) {
            continue;
        }
        next[index] = *list_of(lock->object);
        *list_of(lock->object) = (uint16_t)(index + 1);
        if (!has_owner(lock)) {
            take_out(list_of(lock->object));
        }
    }
}
