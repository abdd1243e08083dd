/* SPDX-License-Identifier: BSD-2-Clause */
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
 * What is counted, for each program and for the system as a whole. Every fault is of exactly one kind. Counts go on
 * over reboots; the last three are no counts but the newest estimate.
 */
enum eidolon_count {
    EIDOLON_FAULT_ZERO, /* a page that was never written came into being, as zeroes */
    /* a page of the program's image, or of what it was cloned from, was mapped to be read */
    EIDOLON_FAULT_SHARED,
    EIDOLON_FAULT_PAGE_IN, /* a page was read from the disk */
    EIDOLON_FAULT_MAP,     /* the page was in memory already, and only had to be mapped */
    EIDOLON_FAULT_COPY,    /* copy-on-write: the page was such a shared one, and is the program's own now */
    /* the running snapshot owed the page; it keeps the old frame, the program got a copy */
    EIDOLON_FAULT_SNAPSHOT_COPY,
    EIDOLON_FAULT_PROTECTION, /* the page only had to become writable again after a stop */
    EIDOLON_FAULT_DENIED,     /* the region does not allow the access: a signal, or EFAULT */
    EIDOLON_PAGES_IN,         /* pages read from the disk, neighbours included */
    EIDOLON_PAGES_OUT,        /* pages that gave up their frame because memory was short */
    EIDOLON_PAGES_WRITTEN,    /* pages that went to the disk */
    EIDOLON_PAGES_MAPPED,     /* at the last sampling: pages with an entry in a page table */
    EIDOLON_WORKING_SET,      /* at the last sampling: pages used since the one before, about a second earlier */
    EIDOLON_WORKING_SET_MAX,  /* the largest it has been */
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
 * syscall(EIDOLON_CALL_ACCOUNT, uint32_t program, struct eidolon_account *out, size_t size): fill the first `size`
 * bytes with the account of a program, or of the system (0). The system's holds what programs that have ended did, too.
 * Returns the size the kernel knows. ESRCH: there is no such program. EFAULT.
 */

/* The owner of a frame of physical memory. From EIDOLON_FRAME_CLEAN on it holds, or will hold, a page of a program. */
enum eidolon_frame_kind {
    EIDOLON_FRAME_FREE,
    EIDOLON_FRAME_FIRMWARE,   /* not memory the kernel may use */
    EIDOLON_FRAME_KERNEL,     /* text, data, stacks, rings of devices */
    EIDOLON_FRAME_PAGE_TABLE, /* of the processor */
    EIDOLON_FRAME_RECORDS,    /* records of pages, and what else the kernel makes of the same size */
    EIDOLON_FRAME_TABLE,      /* buckets of the inverted page table */
    EIDOLON_FRAME_STORE,      /* cached metadata of the disk */
    EIDOLON_FRAME_CLEAN,      /* as on the disk, or zeroes */
    EIDOLON_FRAME_DIRTY,      /* newer than on the disk */
    EIDOLON_FRAME_WRITING,    /* on its way to the disk */
    EIDOLON_FRAME_WIRED,      /* clean or dirty, and not to be taken away */
    EIDOLON_FRAME_COPY,       /* what the running snapshot has yet to write of a page that has changed since */
    EIDOLON_FRAME_ARRIVING,   /* on its way from the disk, or being given up; whose it is, is not said */
    EIDOLON_FRAME_KINDS       /* at most 16 */
};

/*
 * A frame in 16 bits: the kind above, and below it the program; 0: programs share it; 4095: the kernel's own records.
 */
#define EIDOLON_FRAME(kind, program)    ((uint16_t)((kind) << 12 | (program)))
#define EIDOLON_FRAME_KIND_OF(frame)    ((enum eidolon_frame_kind)((frame) >> 12))
#define EIDOLON_FRAME_PROGRAM_OF(frame) ((frame)&0xFFFu)
#define EIDOLON_PROGRAM_KERNEL          4095u

#define EIDOLON_FRAMES_MAX  32768u /* one call describes that many frames at most, */
#define EIDOLON_REGIONS_MAX 32u    /* regions, */
#define EIDOLON_PAGES_MAX   65536u /* and pages */

/*
 * syscall(EIDOLON_CALL_FRAMES, uint32_t first, uint32_t count, uint16_t *out): describe the frames of physical memory
 * from `first` on. Memory goes on changing while it is looked at: this is a picture and no snapshot.
 * Returns how many there are of those asked for, 0 behind the last. EINVAL: more than EIDOLON_FRAMES_MAX. EFAULT.
 */

/* What an untouched page of a region is. */
#define EIDOLON_BACKING_NONE   0 /* nothing: a guard */
#define EIDOLON_BACKING_ZEROES 1
#define EIDOLON_BACKING_SHARED 2 /* memory that others may see and write, too */
#define EIDOLON_BACKING_COPY   3 /* what a space that this one was cloned from had there, or else zeroes */

/* A range of a program's window. */
struct eidolon_region {
    uint32_t first_page, page_count;
    uint8_t protection; /* 1 read, 2 write, 4 execute */
    uint8_t flags;      /* 1: a stack, it grows down; 2: the heap */
    uint8_t backing;    /* what an untouched page of it is: EIDOLON_BACKING_... */
    uint8_t reserved;
};

/*
 * syscall(EIDOLON_CALL_REGIONS, uint32_t program, uint32_t page, struct eidolon_region *out, uint32_t count): the
 * regions that end above a page, in order of address. Returns how many were put there, fewer than asked for behind the
 * last. ESRCH. EINVAL: more than EIDOLON_REGIONS_MAX. EFAULT.
 */

/* What a page of a program is. */
enum eidolon_page_state {
    EIDOLON_PAGE_NOTHING, /* no region, or a guard */
    /* there is nothing of it anywhere, or nothing but what a clone may yet ask its source for */
    EIDOLON_PAGE_UNTOUCHED,
    EIDOLON_PAGE_OUT,    /* on the disk only */
    EIDOLON_PAGE_SHARED, /* a clone's, in memory: its source's frame */
    EIDOLON_PAGE_CLEAN,  /* in memory, as on the disk */
    EIDOLON_PAGE_DIRTY,  /* in memory, newer than on the disk */
    EIDOLON_PAGE_STATES
};
#define EIDOLON_PAGE_STATE 0x0Fu /* of a page's byte */
#define EIDOLON_PAGE_WIRED 0x10u /* it must not be taken away */
#define EIDOLON_PAGE_OWED  0x20u /* the running snapshot has yet to write it, or a copy */

/*
 * syscall(EIDOLON_CALL_PAGES, uint32_t program, uint32_t first, uint32_t count, uint8_t *out): a byte for each page.
 * Returns `count`. ESRCH. EINVAL: more than EIDOLON_PAGES_MAX, or beyond a window of 2^20 pages. EIO. EFAULT.
 */

#endif
