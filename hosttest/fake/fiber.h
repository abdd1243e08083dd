/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fibers: stacks of one host thread, switched by hand. What a handing-over between host threads costs is two ways
 * through the host's scheduler; between fibers it is a few instructions. Needs x86-64, as the host tests do anyway.
 */
#ifndef FAKE_FIBER_H
#define FAKE_FIBER_H

#include "types.h"

/* ThreadSanitizer wants to see host threads. */
#ifdef __SANITIZE_THREAD__
#define FIBERS_WORK false
#else
#define FIBERS_WORK true
#endif

#define FIBER_STACK_BYTES (1024u * 1024u)

struct fiber {
    void *stack_pointer;
    void *stack; /* NULL: the host thread's own */
    void (*entry)(void *);
    void *argument;
    void *shadow; /* AddressSanitizer's, while others run */
};

/* Make one that will begin in `entry`, which must not return, when it is switched to for the first time. */
void fiber_start(struct fiber *fiber, void (*entry)(void *), void *argument);

/*
 * Go on with `to`; comes back when somebody switches to `from`.
 * - is_last: `from` has ended: it does not come back.
 */
void fiber_switch(struct fiber *from, struct fiber *to, bool is_last);

/* Give its stack back, wherever it stands. The running one may do so just before it switches away for the last time. */
void fiber_stop(struct fiber *fiber);

#endif
