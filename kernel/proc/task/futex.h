/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: tasks that wait for a word of memory to be changed by another one: who waits, and for what.
 *
 * A futex is a word of a space, known by the space and the address: both stay what they are when the space is cloned or
 * its memory collapsed. (No memory is shared between spaces, so a shared futex is the same thing.)
 *
 * A task waits from futex_join() on, until it is woken or leaves. That it waits, and that it was woken, stands in
 * record->call, and changes in one step with the list of those who wait. So after a boot everybody waits again for what
 * he waited for before any task has run, and who was woken finds that out when he issues his call again.
 *
 *     FUTEX-1  A task is on the list of its space if and only if the call that it is in, or will issue again, says that
 *              it waits there.
 */
#ifndef FUTEX_H
#define FUTEX_H

#include "error.h"
#include "types.h"

struct task;

/* What a call has achieved that waits: of record->call.words. */
#define FUTEX_WORD_STATE   0u
#define FUTEX_WORD_ADDRESS 1u
#define FUTEX_WORD_BITS    2u

enum futex_state { FUTEX_NOT_WAITING, FUTEX_WAITING, FUTEX_WOKEN };

/* Where a task stands that is in a futex call. */
enum futex_state futex_state(const struct task *task);

/*
 * The task waits for a word from now on, behind all who do already; or not any more.
 * - bits: of those that a wake names, one at least must be among them.
 * - futex_leave() of one that does not wait does nothing. Neither sleeps.
 */
void futex_join(struct task *task, struct address_space space, uint32_t address, uint32_t bits);
void futex_leave(struct task *task);

/*
 * A task that begins to live after a boot, and whose call says that it waits. Does nothing to others. Does not sleep.
 */
void futex_resume(struct task *task, struct address_space space);

/* Sleep until woken, or longer than that: the caller looks at futex_state(). Errors as wait_queue_sleep(). */
MUST_CHECK enum error futex_sleep(struct task *task, uint64_t deadline_ns);

/*
 * Wake the first `count` of those who wait for a word with one of these bits. Returns how many. Does not sleep; costs
 * what tasks wait in the space.
 */
uint32_t futex_wake(struct address_space space, uint32_t address, uint32_t bits, uint32_t count);

/* The first `count` of those who wait for one word wait for another one from now on. Likewise. */
uint32_t futex_move(struct address_space space, uint32_t from, uint32_t to, uint32_t count);

#endif
