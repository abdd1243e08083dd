/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the locks that a task holds when it ends.
 */
#ifndef ROBUST_H
#define ROBUST_H

/*
 * The current task ends: the words of locks on its list that are still its own say so (FUTEX_OWNER_DIED), and who waits
 * for one is woken.
 * - may sleep. A part that cannot be reached ends it. Done again after a boot it finds what is left to do.
 */
void robust_let_go(void);

#endif
