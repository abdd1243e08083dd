/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_PROGRAM_H
#define BOOT_PROGRAM_H

#include "error.h"

/*
 * Start the program in the first boot module. There must be one. May sleep.
 * - ERROR_INVALID and others: explained on the console.
 */
MUST_CHECK enum error boot_program_start(void);

/*
 * Unpack the tar in the second boot module into the tree of files, if there is one. May sleep. Errors are explained on the
 * console; what came before is there.
 */
MUST_CHECK enum error boot_files_unpack(void);

#endif
