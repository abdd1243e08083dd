/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device memory: a window of kernel addresses handed out once, from its start.
 */
#include "arch/device.h"
#include "memory.h"
#include "paging.h"

void *device_map(uint64_t physical, size_t bytes)
{
    static uint32_t next = DEVICE_START;
    if (bytes == 0 || physical >= (1ull << 32) || bytes > (1ull << 32) - physical) {
        return NULL;
    }
    uint32_t offset = (uint32_t)physical & PAGE_MASK;
    uint32_t first = (uint32_t)physical - offset;
    uint32_t pages = (uint32_t)(((uint64_t)offset + bytes + PAGE_MASK) >> PAGE_SHIFT);
    if (pages > (DEVICE_END - next) >> PAGE_SHIFT) {
        return NULL;
    }
    uint32_t start = next;
    for (uint32_t i = 0; i < pages; i++) {
        paging_map(start + (i << PAGE_SHIFT), first + (i << PAGE_SHIFT), ENTRY_WRITABLE | ENTRY_UNCACHED);
    }
    next += pages << PAGE_SHIFT;
    return (void *)(start + offset);
}
