/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which process has locked a file, to tell people what they have to end.
 */
#ifndef FILE_HOLDER_H
#define FILE_HOLDER_H

#include <stddef.h>

#define FILE_HOLDER_BYTES 512u

/*
 * Describe the process that has a lock on an open file, as `process N (COMMAND)`: that of the launcher if one runs it.
 * - file: a descriptor without locks of its own. out: cut to `capacity`, which is not 0.
 * - a process that may not be looked into is `a process that you may not see`.
 */
void file_holder(int file, char *out, size_t capacity);

#endif
