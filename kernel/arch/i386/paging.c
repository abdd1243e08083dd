/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own page tables.
 */
#include "paging.h"
#include "log.h"
#include "memory.h"
#include "processor.h"

#include <string.h>

extern char boot_stack_guard[];

static uint32_t kernel_image_table[TABLE_ENTRIES] __attribute__((aligned(PAGE_SIZE)));

static uint32_t *entry_of(uint32_t address)
{
    uint32_t chunk = boot_directory[address >> CHUNK_SHIFT];
    ASSERT((chunk & (ENTRY_PRESENT | ENTRY_LARGE)) == ENTRY_PRESENT);
    return &entry_table(chunk)[address >> PAGE_SHIFT & (TABLE_ENTRIES - 1)];
}

/* The first 4 MiB, which hold the kernel: text and constants read-only, the page below the boot stack absent. */
static void map_kernel_image(void)
{
    uint32_t read_only_start = memory_physical(kernel_text_start);
    uint32_t read_only_end = memory_physical(kernel_read_only_end);
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        uint32_t physical = i << PAGE_SHIFT;
        bool read_only = physical >= read_only_start && physical < read_only_end;
        kernel_image_table[i] = physical | ENTRY_PRESENT | (read_only ? 0 : ENTRY_WRITABLE);
    }
    kernel_image_table[memory_physical(boot_stack_guard) >> PAGE_SHIFT] = 0;
    boot_directory[KERNEL_START >> CHUNK_SHIFT] = memory_physical(kernel_image_table) | ENTRY_PRESENT | ENTRY_WRITABLE;
}

static void trim_direct_map(void)
{
    uint32_t chunks = (frame_limit() + TABLE_ENTRIES - 1) / TABLE_ENTRIES;
    for (uint32_t chunk = 0; chunk < DIRECT_MAP_BYTES >> CHUNK_SHIFT; chunk++) {
        boot_directory[chunk] = 0; /* where the first instructions ran */
        if (chunk >= chunks) {
            boot_directory[(KERNEL_START >> CHUNK_SHIFT) + chunk] = 0;
        }
    }
}

static void make_tables(uint32_t start, uint32_t end)
{
    for (uint32_t address = start; address != end; address += CHUNK_BYTES) {
        struct frame frame;
        if (frame_allocate(FRAME_PAGE_TABLE, &frame) != OK) {
            log_refuse("eidolon: not enough memory for the kernel's page tables: run with more --memory");
        }
        memset(frame_address(frame), 0, PAGE_SIZE);
        boot_directory[address >> CHUNK_SHIFT] =
            (frame.number << PAGE_SHIFT) | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED;
    }
}

void paging_initialise(void)
{
    map_kernel_image();
    trim_direct_map();
    processor_write_cr3(memory_physical(boot_directory));
    make_tables(ARENA_START, ARENA_END);
    make_tables(STACKS_START, STACKS_END);
    make_tables(DEVICE_START, DEVICE_END);
}

void paging_map(uint32_t address, uint32_t physical, uint32_t flags)
{
    uint32_t *entry = entry_of(address);
    ASSERT(address >= ARENA_START && *entry == 0);
    *entry = physical | flags | ENTRY_PRESENT;
}

uint32_t paging_unmap(uint32_t address)
{
    uint32_t *entry = entry_of(address);
    ASSERT(address >= ARENA_START && *entry != 0);
    uint32_t physical = *entry & ~PAGE_MASK;
    *entry = 0;
    processor_invalidate(address);
    return physical;
}

bool paging_is_mapped(uint32_t address)
{
    uint32_t chunk = boot_directory[address >> CHUNK_SHIFT];
    if (address >= SYSTEM_START && address < SYSTEM_END) {
        return false; /* pages come and go there; nobody asks for these while it matters */
    }
    if ((chunk & ENTRY_PRESENT) == 0 || (chunk & ENTRY_LARGE) != 0) {
        return (chunk & ENTRY_PRESENT) != 0;
    }
    return (entry_table(chunk)[address >> PAGE_SHIFT & (TABLE_ENTRIES - 1)] & ENTRY_PRESENT) != 0;
}
