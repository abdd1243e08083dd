/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: tasks that wait for a word of memory to be changed by another one: who waits, and for what.
 *
 * A futex is a word of a space, known by the space and the address, which both stay what they are when the space is
 * cloned or its memory collapsed; or it is a word of an object that several may show, known by that.
 *
 * A task waits from futex_join() on, until it is woken or leaves. That it waits, and that it was woken, stands in
 * record->call, and changes in one step with the list of those who wait. So after a boot everybody waits again for what
 * he waited for before any task has run, and who was woken finds that out when he issues his call again.
 *
 *     FUTEX-1  A task is on a list if and only if the call that it is in, or will issue again, says that
 *              it waits there.
 */
#ifndef FUTEX_H
#define FUTEX_H

#include "error.h"
#include "record.h"
#include "types.h"

struct task;

/* What a call has achieved that waits: of record->call.words. Whose word it is stands in record->call.done. */
#define FUTEX_WORD_STATE 0u
#define FUTEX_WORD_AT    1u
#define FUTEX_WORD_BITS  2u

enum futex_state { FUTEX_NOT_WAITING, FUTEX_WAITING, FUTEX_WOKEN };

/* A word: of which space or object, and its byte there. */
struct futex_key {
    uint32_t owner; /* below SPACES_MAX: a space; else an object that is no window's */
    uint32_t at;
};

static inline struct futex_key futex_in_space(struct address_space space, uint32_t address)
{
    return (struct futex_key){space.number, address};
}

static inline struct futex_key futex_in_object(struct object_id object, uint32_t offset)
{
    return (struct futex_key){object.number, offset};
}

/* Where a task stands that is in a futex call. */
enum futex_state futex_state(const struct task *task);

/*
 * The task waits for a word from now on, behind all who do already; or not any more.
 * - bits: of those that a wake names, one at least must be among them.
 * - futex_leave() of one that does not wait does nothing. Neither sleeps.
 */
void futex_join(struct task *task, struct futex_key key, uint32_t bits);
void futex_leave(struct task *task);

/*
 * A task that begins to live after a boot, and whose call says that it waits. Does nothing to others. Does not sleep.
 */
void futex_resume(struct task *task);

/* Sleep until woken, or longer than that: the caller looks at futex_state(). Errors as wait_queue_sleep(). */
MUST_CHECK enum error futex_sleep(struct task *task, uint64_t deadline_ns);

/*
 * Wake the first `count` of those who wait for a word with one of these bits. Returns how many. Does not sleep; costs
 * what tasks wait for words of the same space; of an object, what wait for that one and a few others (futex.c).
 */
uint32_t futex_wake(struct futex_key key, uint32_t bits, uint32_t count);

/* The first `count` of those who wait for one word wait for another one from now on. Likewise. */
uint32_t futex_move(struct futex_key from, struct futex_key to, uint32_t count);

#endif
