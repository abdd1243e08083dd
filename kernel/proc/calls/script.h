/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: files that name the program that is to run them, `#!`.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "error.h"
#include "types.h"

#define SCRIPT_LINE_BYTES 256u /* of the first line, its end included */

/* The words of such a line. */
struct script_line {
    char path[SCRIPT_LINE_BYTES];     /* of the interpreter */
    char argument[SCRIPT_LINE_BYTES]; /* all that follows it, as one word; "": none */
};

/*
 * Take the beginning of a file apart.
 * - is_whole: the file ends with these bytes.
 * - ERROR_NOT_FOUND: it is no script. ERROR_INVALID: no interpreter is named, or its name is longer than a line.
 */
MUST_CHECK enum error script_parse(const char *bytes, uint32_t length, bool is_whole, struct script_line *out);

#endif
