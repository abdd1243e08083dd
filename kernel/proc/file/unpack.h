/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what a tar holds, into the tree of files.
 */
#ifndef UNPACK_H
#define UNPACK_H

#include "error.h"
#include "types.h"

struct unpack_result {
    uint32_t files, folders, links; /* made or there already */
    uint32_t left_out;              /* devices and the like */
    char where[256];                /* the name that an error is about */
    const char *complaint;          /* what is the matter with it; NULL: the error says so */
};

/*
 * Unpack a tar of POSIX's format, with the long names of GNU's and the paths of pax headers, into the root. Names are
 * taken from there whether or not they begin with a slash; one with ".." is refused. What is there already stays if it
 * is a directory, and is replaced if not. So the same can be done again, wherever it was interrupted.
 * - may sleep. ERROR_INVALID: the tar makes no sense, or leaves the tree. ERROR_NO_MEMORY, ERROR_NO_SPACE, ERROR_IO and
 *   other errors of fs.h. What came before is there.
 */
MUST_CHECK enum error unpack_tar(const void *bytes, uint64_t size, struct space_id payer, struct unpack_result *out);

#endif
