/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the kernel again without the boot loader: for a boot that has found out, before it changed anything, that it
 * should have begun otherwise.
 *
 * Nothing of the boot so far is taken apart. Memory is as it was when the loader had just loaded us: initialised data
 * is copied back, the rest is zeroed (boot.S), frames are counted anew, and drivers reset their devices as at any boot.
 * What goes over is what boot_again() was given, and what the loader passed (boot_information.c). Whoever calls it sees
 * to it that no device is writing to memory.
 */
#include "arch/boot.h"
#include "arch/interrupt.h"
#include "log.h"
#include "memory.h"
#include "paging.h"
#include "processor.h"

#include <string.h>

#define ENTRY_LARGE_WRITABLE 0x83u

extern char kernel_data_start[], kernel_data_end[], kernel_data_copy[];
void boot_restart(void); /* boot.S; a physical address */

static KEPT struct {
    uint32_t length;
    uint8_t bytes[BOOT_CARRIED_MAX];
} kept;

void boot_data_keep(void)
{
    memcpy(kernel_data_copy, kernel_data_start, (size_t)(kernel_data_end - kernel_data_start));
}

size_t boot_carried(void *out, size_t capacity)
{
    size_t length = kept.length < capacity ? kept.length : capacity;

    memcpy(out, kept.bytes, length);
    return length;
}

_Noreturn void boot_again(const void *carried, size_t length)
{
    ASSERT(length <= BOOT_CARRIED_MAX);
    (void)interrupt_disable();
    kept.length = (uint32_t)length;
    memcpy(kept.bytes, carried, length);
    boot_directory[0] = ENTRY_LARGE_WRITABLE; /* the first 4 MiB where they are */
    processor_write_cr3(memory_physical(boot_directory));
    boot_restart();
    panic("boot", "expected the kernel to start again");
}
