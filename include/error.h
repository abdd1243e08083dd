/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of the whole kernel: one enum, zero is success, failures are negative.
 *
 * Results travel through out-parameters, which are left untouched on failure unless a prototype says otherwise.
 * The compiler insists that every error is looked at. System calls translate to Linux errno values at the edge
 * (kernel/proc), nowhere else.
 */
#ifndef ERROR_H
#define ERROR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum error {
    OK = 0,
    ERROR_NO_MEMORY = -1,       /* no frame, no record, no address range: may succeed later */
    ERROR_EXISTS = -2,          /* create of what is there */
    ERROR_NOT_FOUND = -3,       /* no such page, region, generation, name */
    ERROR_BUSY = -4,            /* dirty, wired, locked or listed */
    ERROR_RANGE = -5,           /* outside the space, unaligned, wrapping */
    ERROR_INVALID = -6,         /* an argument or option that means nothing */
    ERROR_DENIED = -7,          /* access that the region does not allow */
    ERROR_IO = -8,              /* the device reported failure */
    ERROR_CHECKSUM = -9,        /* content is not what was committed */
    ERROR_NO_SPACE = -10,       /* the disk is full */
    ERROR_FORMAT_FOREIGN = -11, /* not an Eidolon image */
    ERROR_FORMAT_VERSION = -12, /* an Eidolon image or record of a version this kernel cannot read */
    ERROR_FORMAT_DAMAGED = -13, /* an Eidolon image in which nothing proves itself */
    ERROR_READ_ONLY = -14,      /* the device refuses writes */
    ERROR_TOO_SMALL = -15,      /* device or memory below the stated minimum */
    ERROR_IN_USE = -16,         /* another kernel holds the image */
    ERROR_TIMED_OUT = -17,      /* the deadline passed first */
    ERROR_INTERRUPTED = -18,    /* the wait was called off */
    ERROR_UNSUPPORTED = -19,    /* understood, and not provided here */
    ERROR_NOT_FOLDER = -20,     /* of files: a name below what is no directory */
    ERROR_IS_FOLDER = -21,      /* a directory, where one cannot be */
    ERROR_NOT_EMPTY = -22,      /* a directory with names in it */
    ERROR_TOO_LONG = -23,       /* a name or a path */
    ERROR_LOOP = -24,           /* links lead to links, too often */
    ERROR_LINKS = -25,          /* no further name for the same file */
};

/* A short lower-case description ("no memory"), for messages; never NULL. */
const char *error_text(enum error error);

#endif
