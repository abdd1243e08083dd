/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The power button: whoever presses it asks for an end that loses nothing. A snapshot of that moment becomes durable
 * and the machine is off, with its programs alive; the next boot goes on with them.
 */
#ifndef KERNEL_SWITCH_OFF_H
#define KERNEL_SWITCH_OFF_H

#include "error.h"
#include "types.h"

/* Heed the button from now on. snap_start() has been called. */
MUST_CHECK enum error switch_off_start(void);

/*
 * The last program has ended and this boot ends by itself: the button no longer means anything. Does not return if it
 * was pressed before.
 */
void switch_off_end(void);

#endif
