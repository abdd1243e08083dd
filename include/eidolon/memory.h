/*
 * Eidolon for programs: where memory is, and what it costs to have it there.
 *
 * Calls as in eidolon.h: numbers are fixed for good, structures and lists grow at the end only. They only look; none of
 * them changes anything. Any program may look at any other, as it could with ps and /proc on Linux.
 */
#ifndef EIDOLON_MEMORY_H
#define EIDOLON_MEMORY_H

#include <stdint.h>

#define EIDOLON_CALL_ACCOUNT 0x1002
#define EIDOLON_CALL_FRAMES  0x1003
#define EIDOLON_CALL_REGIONS 0x1004
#define EIDOLON_CALL_PAGES   0x1005

/*
 * What is counted, for each program and for the system as a whole. Every fault is of exactly one kind. Counts go on over
 * reboots; the last three are no counts but the newest estimate.
 */
enum eidolon_count {
    EIDOLON_FAULT_ZERO,          /* a page that was never written came into being, as zeroes */
    EIDOLON_FAULT_IMAGE,         /* a page came out of the program's image */
    EIDOLON_FAULT_PAGE_IN,       /* a page was read from the disk */
    EIDOLON_FAULT_MAP,           /* the page was in memory already, and only had to be mapped */
    EIDOLON_FAULT_COPY,          /* copy-on-write: the page was shared since a fork, and is the program's own now */
    EIDOLON_FAULT_SNAPSHOT_COPY, /* the running snapshot owed the page; it keeps the old frame, the program got a copy */
    EIDOLON_FAULT_PROTECTION,    /* the page only had to become writable again after a stop */
    EIDOLON_FAULT_DENIED,        /* the region does not allow the access: a signal, or EFAULT */
    EIDOLON_PAGES_IN,            /* pages read from the disk, neighbours included */
    EIDOLON_PAGES_OUT,           /* pages that gave up their frame because memory was short */
    EIDOLON_PAGES_WRITTEN,       /* pages that went to the disk */
    EIDOLON_PAGES_MAPPED,        /* at the last sampling: pages with an entry in a page table */
    EIDOLON_WORKING_SET,         /* at the last sampling: pages used since the one before, about a second earlier */
    EIDOLON_WORKING_SET_MAX,     /* the largest it has been */
    EIDOLON_COUNTS_KNOWN,
    EIDOLON_COUNTS = 24 /* room in the structures */
};

#define EIDOLON_FAULT_KINDS (EIDOLON_FAULT_DENIED + 1) /* they come first */

struct eidolon_account {
    uint64_t counts[EIDOLON_COUNTS]; /* by enum eidolon_count */
    uint32_t program;                /* its process id; 0: the system */
    uint32_t parent;
    uint32_t next; /* the next higher process id there is, 0 after the last: with it a program finds all others */
    uint32_t reserved;
    char name[32];
};

/*
 * syscall(EIDOLON_CALL_ACCOUNT, uint32_t program, struct eidolon_account *out, size_t size): fill the first `size` bytes
 * with the account of a program, or of the system (0). The system's holds what programs that have ended did, too.
 * Returns the size the kernel knows. ESRCH: there is no such program. EFAULT.
 */

#endif
