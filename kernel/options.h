/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this boot was asked to do: the kernel's command line, read and judged as a whole before the disk is looked for.
 *
 * A word that means nothing is refused, not passed over: a mistyped `generation=5` must not resume the newest
 * generation instead.
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include "store.h"
#include "terminal.h"
#include "types.h"

struct vm_policy;

#define OPTION_PROGRAMS_MAX     8u
#define OPTION_PROGRAM_NAME_MAX 32u

/* Programs by number or name. */
struct program_words {
    uint32_t count;
    char words[OPTION_PROGRAMS_MAX][OPTION_PROGRAM_NAME_MAX];
};

struct options {
    const struct vm_policy *policy;         /* policy=NAME */
    uint32_t interval_ms;                   /* interval=MS, 0: snapshots only on request */
    struct generation generation;           /* generation=N; 0: not by number */
    char generation_name[STORE_NAME_BYTES]; /* generation=NAME; "": not by name */
    struct program_words hold;              /* hold=PROGRAM, several times: not to run */
    struct program_words end;               /* end=PROGRAM, likewise: to end without running again */
    struct program_words release;           /* release=PROGRAM, likewise: held no longer */
    bool starts_always;                     /* start=always: the loader's program, even beside others (start=new) */
    bool external_sync;                     /* console output waits until it is durable */
    bool fresh;                             /* discard the image's state */
    bool check;                             /* only look whether the image is sound */
    struct terminal_window window;          /* window=COLUMNSxROWS: the serial line is a terminal of that size */
    bool version;                           /* only say which kernel this is */
};

/*
 * Read the options, words separated by blanks; the last of several of a name counts, but for those of programs and
 * `test` (provoke.h), which add up.
 * - line: as boot_command_line() has it.
 * - returns NULL, or a complaint that names the word and what to do; it is valid until the next call. *out is
 * unspecified then. Does not sleep.
 */
const char *options_read(const char *line, struct options *out);

#endif
