/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/control: a program's file on its way into the machine, piece by piece, and its start.
 *
 * There is one at a time: a new one takes the place of another that was not completed. Its bytes are in frames that
 * nobody else has; they go back when the program has been started, or another file begins.
 */
#ifndef CONTROL_LOAD_H
#define CONTROL_LOAD_H

#include "error.h"
#include "types.h"

#define LOAD_SHARE 4u /* of the frames that are free, at most one in so many */

/* Begin with a file of so many bytes. ERROR_RANGE: none, or more than may be had now; ERROR_NO_MEMORY. */
MUST_CHECK enum error load_begin(uint64_t bytes);

/*
 * The next bytes, in base 64: `at` says where they belong. Those that are there already are taken for the same.
 * - ERROR_NOT_FOUND: no file has begun; ERROR_RANGE: there is a gap, or they go beyond its end; ERROR_INVALID: no
 *   base 64.
 */
MUST_CHECK enum error load_bytes(uint64_t at, const char *text);

/*
 * Start the program, with words as boot_program.h has them: arguments, "--", environment, all decoded.
 * - ERROR_NOT_FOUND: no file has come in whole. Others: the console says why. May sleep.
 */
MUST_CHECK enum error load_start(const char *const *words, uint32_t count, struct program_id *out);

#endif
