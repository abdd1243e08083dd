/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader to kernel_main(): the order in which the machine comes up.
 */
#include "arch/boot.h"
#include "arch/cpu.h"
#include "clock_internal.h"
#include "cpu_fpu.h"
#include "descriptors.h"
#include "early_console.h"
#include "interrupt_controller.h"
#include "log.h"
#include "memory.h"
#include "paging.h"

void boot_main(uint32_t magic, uint32_t information);

/* kernel/main.c */
void kernel_main(void);

void boot_main(uint32_t magic, uint32_t information)
{
    boot_data_keep();
    log_add_sink(early_debug_write);
    descriptors_initialise();
    cpu_fpu_enable();
    boot_information_read(magic, information);
    boot_memory_initialise();
    paging_initialise();
    interrupt_controller_initialise();
    clock_initialise();
    log_line("memory: %llu MiB, %u frames free; kernel: %u KiB", boot_memory_bytes() >> 20, frame_count(FRAME_FREE),
             (uint32_t)(kernel_end - kernel_text_start) >> 10);
    kernel_main();
    panic("boot", "expected kernel_main() not to return");
}
