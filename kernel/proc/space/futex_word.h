/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: which futex a word in memory is.
 */
#ifndef FUTEX_WORD_H
#define FUTEX_WORD_H

#include "task/futex.h"

/* The one at an address of a space: of the object, if the address shows one. Does not sleep. */
struct futex_key futex_key(struct address_space space, uint32_t address);

#endif
