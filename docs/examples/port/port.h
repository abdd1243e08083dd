/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of the example know of each other: the machine (machine.c, pmap.c, threads.c) and the kernel on
 * it (persist.c).
 */
#ifndef PORT_H
#define PORT_H

#include "block_device.h"
#include "types.h"

/* The program's window: 64 MiB of addresses at a fixed place, over 16 MiB of memory. */
#define WINDOW_START  ((char *)0x100000000000)
#define WINDOW_FIRST  1024u /* number of its first page within the space; a whole chunk */
#define WINDOW_PAGES  16384u
#define MEMORY_FRAMES 4096u

#define PROGRAM_SPACE ((struct space_id){SPACES_FIRST})

/* The file that stands for physical memory. */
extern int machine_memory;

/* Memory, window and threads; ends the process if the host has not got them. */
void machine_start(void);

/* The processor's side of an access: notes it and returns true, or returns false if the tables do not allow it. */
bool machine_access(struct page_key page, bool is_write);

/* The page of an address of the window; false for others. */
bool machine_page(const void *address, struct page_key *out);

/* A file as a disk. It is created with `blocks` blocks if it does not exist; is_new says so. */
struct block_device *machine_disk(const char *path, uint32_t blocks, bool *is_new);

#endif
