/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel threads, mutexes, conditions and sleep.
 *
 * One processor; a thread gives it up only by sleeping, yielding or exiting, so code between two such points is
 * atomic towards other threads. Interrupt handlers may only wake. Threads are volatile: what a program is, is
 * kept in its records (kernel/proc), and no kernel stack outlives a boot.
 *
 * A mutex is two words and fits in every vm_page. Waiters are woken in order of arrival.
 */
#ifndef THREAD_H
#define THREAD_H

#include "atomic.h"
#include "error.h"
#include "types.h"

struct thread;

/* Threads that sleep here, in order of arrival. A zeroed queue is empty. */
struct wait_queue {
    struct thread *last; /* circular list through thread.wait_next; NULL when empty */
};

struct mutex {
    struct thread *owner; /* NULL: free */
    struct wait_queue waiters;
};

#define DEADLINE_NEVER UINT64_MAX

/*
 * Create a thread that runs entry(argument) and ends when it returns.
 * - name: for reports; must outlive the thread.
 * - ERROR_NO_MEMORY: no stack.
 */
MUST_CHECK enum error thread_create(const char *name, void (*entry)(void *), void *argument, struct thread **out);

_Noreturn void thread_exit(void);

/*
 * Give a thread a program's state: it is saved and loaded whenever the thread leaves or takes the processor.
 * - context: owned by the caller, must outlive the thread; NULL takes it away. Takes effect at once for the current
 *   thread.
 */
struct cpu_user_context;
void thread_set_user_context(struct thread *thread, struct cpu_user_context *context);

/* What was last set; NULL for a kernel thread. */
struct cpu_user_context *thread_user_context(const struct thread *thread);

/*
 * Called at each tick of the clock: wakes sleepers, and marks the running thread for a switch when its slice is over.
 */
void thread_tick(void);

/*
 * Whether the running thread should thread_yield() before it returns to user mode: its slice is over, a thread that
 * slept has woken, or programs are held. Long work in kernel threads asks as well.
 */
bool thread_should_yield(void);

/* Make the running boot code the first thread, start the clock and enable interrupts. */
void thread_start(void);
struct thread *thread_current(void);

/* The user context of the current thread; NULL for a kernel thread. */
struct cpu_user_context *thread_current_context(void);

/* The cycles (clock_cycles()) that the current thread has had the processor since it asked last, or began. */
uint64_t thread_lap(void);

/* The same of any thread, whose lap goes on. */
uint64_t thread_lap_so_far(const struct thread *thread);

const char *thread_name(const struct thread *thread);

/* Bytes of a kernel stack, three quarters: deeper use is said in the log when the thread ends. */
#define STACK_USE_MAX 9216u

/* Whether no stack has been used deeper than that since the boot, those of ended threads among them. */
bool thread_stacks_suffice(void);

/* A line of the log, with the deepest use of each kind of thread (kernel/thread/stack_use.c). For the end of a boot. */
void thread_log_stacks(void);

/* Let others run; returns when it is this thread's turn again. */
void thread_yield(void);

/* In long work, between two steps: let others run if it is their turn. May sleep. */
static inline void thread_give_way(void)
{
    thread_may_sleep();
    if (thread_should_yield()) {
        thread_yield();
    }
}

/* Sleep until clock_boot_ns() >= deadline_ns, or until thread_interrupt(): then ERROR_INTERRUPTED. */
MUST_CHECK enum error thread_sleep_until(uint64_t deadline_ns);

/*
 * Sleep in a queue until woken.
 * - deadline_ns: of clock_boot_ns(), or DEADLINE_NEVER.
 * - interruptible: whether thread_interrupt() ends the wait.
 * - ERROR_TIMED_OUT, ERROR_INTERRUPTED. A thread must look again at what it waits for after waking.
 */
MUST_CHECK enum error wait_queue_sleep(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible);

/* Wake the first or all of a queue. Callable from interrupt handlers. Returns how many were woken. */
uint32_t wait_queue_wake(struct wait_queue *queue, uint32_t count_max);

/* End an interruptible sleep of `thread` now, or its next one if it is awake. */
void thread_interrupt(struct thread *thread);

/*
 * The order in which mutexes are locked, outermost first. A thread locks one only while all that it holds stand before
 * it in this list; pages alone may be held several at a time, a copy before what it is a copy of (vm_lineage.h). Trying
 * for a mutex is free of that: it cannot wait.
 */
enum lock_rank {
    LOCK_NAMES,    /* whose turn it is to move a name from one directory to another */
    LOCK_WORDS,    /* the buffer for the words of exec */
    LOCK_MAP,      /* of a space: its regions, break and memory */
    LOCK_PAGE_OUT, /* whose turn it is to write victims */
    LOCK_PAGE,     /* struct vm_page */
    LOCK_COMMIT,   /* of a store */
    LOCK_RANKS
};

/* How many of each rank a thread holds. Zeroed: none. */
struct lock_account {
    uint8_t held[LOCK_RANKS];
};

/* For implementations of mutexes: check and note, only note, and forget. */
void lock_order_take(struct lock_account *account, enum lock_rank rank);
void lock_order_note(struct lock_account *account, enum lock_rank rank);
void lock_order_drop(struct lock_account *account, enum lock_rank rank);

/*
 * A mutex is locked once, by one thread, and unlocked by it; anything else is a program error and panics. So is a rank
 * out of order, and locking in what is atomic. `rank` is the same at every call for a mutex.
 */
void mutex_lock(struct mutex *mutex, enum lock_rank rank);
bool mutex_try_lock(struct mutex *mutex, enum lock_rank rank);
void mutex_unlock(struct mutex *mutex, enum lock_rank rank);
bool mutex_is_mine(const struct mutex *mutex);
bool mutex_is_free(const struct mutex *mutex);

#endif
