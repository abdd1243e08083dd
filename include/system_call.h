/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls: what kernel/proc offers programs through `int 0x80`, and the translation of errors at that edge.
 */
#ifndef SYSTEM_CALL_H
#define SYSTEM_CALL_H

#include "error.h"
#include "types.h"

/* What the calls of Eidolon's own report about this boot. Call it before programs run; a fresh space has neither. */
void system_call_set_boot(struct generation resumed, uint64_t age_ns);

/*
 * The negative Linux errno of a failure; 0 for OK.
 * - ERROR_DENIED becomes EFAULT: it is what user memory answers. Callers that mean something else say so themselves.
 */
int32_t system_call_errno(enum error error);

#endif
