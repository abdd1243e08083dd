/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables of the kernel itself, the format of entries, and the directory every other directory copies.
 *
 * | addresses              | mapped by                                        | tables        |
 * |------------------------|--------------------------------------------------|---------------|
 * | KERNEL_START, 4 MiB    | 4 KiB pages: text read-only, guard below a stack | one, static   |
 * | direct map, the rest   | 4 MiB pages                                      | none          |
 * | SYSTEM_START           | pmap                                             | as needed     |
 * | arenas, stacks, devices| paging_map()                                     | made at boot  |
 *
 * Tables of the last row all exist from boot, so the kernel's directory entries never change and copies of them never
 * grow stale.
 */
#ifndef I386_PAGING_H
#define I386_PAGING_H

#include "arch/frame.h"
#include "types.h"

#define ENTRY_PRESENT  0x001u
#define ENTRY_WRITABLE 0x002u
#define ENTRY_USER     0x004u
#define ENTRY_UNCACHED 0x018u /* write-through and cache-disable */
#define ENTRY_ACCESSED 0x020u
#define ENTRY_DIRTY    0x040u
#define ENTRY_LARGE    0x080u
#define ENTRY_SEEN     0x200u /* the processor ignores it: a sample has found A set and cleared it */
#define ENTRY_TAKEN    0x400u /* nor this: pmap_clear_accessed() has, and no sample has counted it yet */
#define ENTRY_VIEW     0x800u /* nor this: others may write the page */

/* Of directory entries of pmap, which the processor ignores as well. */
#define CHUNK_NARROW 0x200u /* opened narrowly since the stop */
#define CHUNK_VIEWS  0x400u /* its table has, or had, views */

#define TABLE_ENTRIES 1024u
#define CHUNK_SHIFT   22u
#define CHUNK_BYTES   (1u << CHUNK_SHIFT)

/* The directory the kernel runs on when no program's space is active. */
extern uint32_t boot_directory[TABLE_ENTRIES];

void paging_initialise(void);

/* Map one page of an arena, a stack or a device; it must not be mapped. `flags`: ENTRY_WRITABLE, ENTRY_UNCACHED. */
void paging_map(uint32_t address, uint32_t physical, uint32_t flags);

/* Unmap what paging_map() mapped, and return its physical address. */
uint32_t paging_unmap(uint32_t address);

/* Whether a kernel address can be read at this moment. */
bool paging_is_mapped(uint32_t address);

static inline uint32_t *entry_table(uint32_t entry)
{
    return (uint32_t *)((entry & ~PAGE_MASK) + KERNEL_START);
}

#endif
