/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls: what kernel/proc offers programs through `int 0x80`.
 */
#ifndef SYSTEM_CALL_H
#define SYSTEM_CALL_H

#include "types.h"

/* What the calls of Eidolon's own report about this boot. Call it before programs run; a fresh space has neither. */
void system_call_set_boot(struct generation resumed, uint64_t age_ns);

#endif
