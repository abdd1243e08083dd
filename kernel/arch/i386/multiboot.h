/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a multiboot loader passes (Multiboot Specification 0.6.96). All addresses are physical. It is input:
 * kernel/arch/ i386/boot_information.c believes none of it without a check.
 */
#ifndef I386_MULTIBOOT_H
#define I386_MULTIBOOT_H

#include "types.h"

#define MULTIBOOT_LOADER_MAGIC 0x2BADB002u

#define MULTIBOOT_HAS_MEMORY       (1u << 0)
#define MULTIBOOT_HAS_COMMAND_LINE (1u << 2)
#define MULTIBOOT_HAS_MODULES      (1u << 3)
#define MULTIBOOT_HAS_MEMORY_MAP   (1u << 6)
#define MULTIBOOT_HAS_LOADER_NAME  (1u << 9)

struct multiboot_information {
    uint32_t flags;
    uint32_t lower_kib, upper_kib; /* memory below 640 KiB and above 1 MiB */
    uint32_t boot_device;
    uint32_t command_line;
    uint32_t module_count, modules;
    uint32_t symbols[4];
    uint32_t memory_map_length, memory_map; /* bytes; of entries */
    uint32_t drives_length, drives;
    uint32_t configuration_table;
    uint32_t loader_name;
};

struct multiboot_module {
    uint32_t start, end; /* first byte, first byte after */
    uint32_t command_line;
    uint32_t reserved;
};

#define MULTIBOOT_MEMORY_AVAILABLE 1u

struct multiboot_memory {
    uint32_t size; /* of the entry, without this field */
    uint64_t start;
    uint64_t length;
    uint32_t type;
} __attribute__((packed));

#endif
