/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's view of physical memory, and how its list of frames comes to be.
 *
 * Physical memory [0, DIRECT_MAP_BYTES) is seen at KERNEL_START, so far as it exists. What lies above is not used.
 */
#ifndef I386_MEMORY_H
#define I386_MEMORY_H

#include "arch/frame.h"
#include "types.h"

#define DIRECT_MAP_BYTES 0x30000000u /* 768 MiB */
#define FRAMES_MAX       (DIRECT_MAP_BYTES >> PAGE_SHIFT)
#define MEMORY_BYTES_MIN (16u << 20)

#define ARENA_START  0xF4000000u
#define ARENA_END    0xF8000000u
#define STACKS_START 0xF8000000u
#define STACKS_END   0xFC000000u
#define DEVICE_START 0xFC000000u
#define DEVICE_END   0xFFC00000u

/* From the linker script. */
extern char kernel_text_start[], kernel_text_end[], kernel_read_only_end[], kernel_end[];

static inline void *memory_at(uint32_t physical)
{
    return (void *)(physical + KERNEL_START);
}

static inline uint32_t memory_physical(const void *address)
{
    return (uint32_t)address - KERNEL_START;
}

/* Data that outlives boot_again(). */
#define KEPT __attribute__((section(".bss.keep")))

/* Before anything changes initialised data: keep a copy of it for boot_again(). */
void boot_data_keep(void);

/* Check and note what the loader passed; refuses to boot when it cannot be used. */
void boot_information_read(uint32_t magic, uint32_t physical);

/*
 * Fill the list of frames from the machine's memory map, without what the kernel, the loader's modules and strings
 * occupy. Refuses to boot when there is less memory than MEMORY_BYTES_MIN.
 */
void boot_memory_initialise(void);

/*
 * Used once, before frame_allocate(): all frames start as FRAME_FIRMWARE; ranges are made free or given an owner, in
 * any number of calls, parts above FRAMES_MAX ignored.
 */
void frame_boot_set(uint32_t first, uint32_t end, enum frame_owner owner);

#endif
