/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: frames of physical memory.
 *
 * The machine owns the list of free frames and remembers for each frame who has it. Every frame it hands out is
 * addressable by the kernel for as long as it is allocated.
 */
#ifndef ARCH_FRAME_H
#define ARCH_FRAME_H

#include "error.h"
#include "types.h"

enum frame_owner {
    FRAME_FREE,
    FRAME_FIRMWARE,   /* memory the machine reserves */
    FRAME_KERNEL,     /* text, data, kernel stacks, device rings */
    FRAME_PAGE_TABLE, /* directories and page tables of pmap */
    FRAME_RECORDS,    /* object pools: vm_page records and the like */
    FRAME_TABLE,      /* buckets of the inverted page table */
    FRAME_PAGE,       /* content of a page of the object space */
    FRAME_COPY,       /* content of a page as a snapshot must write it */
    FRAME_STORE,      /* cached metadata of the store */
    FRAME_OWNERS
};

/*
 * Take a free frame. Its content is undefined.
 * - sleeps: no; callable with interrupts disabled.
 * - ERROR_NO_MEMORY: no frame is free.
 */
MUST_CHECK enum error frame_allocate(enum frame_owner owner, struct frame *out);

/*
 * Take `count` physically adjacent frames; meant for boot time and kernel stacks.
 * - ERROR_NO_MEMORY: no such run is free.
 */
MUST_CHECK enum error frame_allocate_run(enum frame_owner owner, uint32_t count, struct frame *first);

/* Give a frame back. It must be allocated; a double free is a program error and panics. */
void frame_free(struct frame frame);
void frame_free_run(struct frame first, uint32_t count);

/* Where the kernel sees the frame's bytes. */
void *frame_address(struct frame frame);

/* The frame that holds `address`, which must lie within memory returned by frame_address(). */
struct frame frame_containing(const void *address);

enum frame_owner frame_owner(struct frame frame);
void frame_set_owner(struct frame frame, enum frame_owner owner);

/* Frames are numbered 0 .. frame_limit() - 1; counts are by owner. */
uint32_t frame_limit(void);
uint32_t frame_count(enum frame_owner owner);

#endif
