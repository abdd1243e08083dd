/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was asked of single programs at boot: hold, end, release.
 */
#ifndef KERNEL_CHOICES_H
#define KERNEL_CHOICES_H

#include "options.h"
#include "store.h"

/*
 * Carry the options out, between program_adopt_all() and program_resume_all(). All are judged before any is carried
 * out; a program that is not there is refused. Does not sleep otherwise.
 */
void choices_apply(const struct options *asked);

/*
 * Hold the program that was on the processor when the kernel panicked; or, if this generation does not have it yet, the
 * one that made it. Returns whether there was one to hold, and says so.
 */
struct store_note;
bool choices_hold_culprit(const struct store_note *note);

/* Say which programs are held, if any are. */
void choices_say_held(void);

#endif
