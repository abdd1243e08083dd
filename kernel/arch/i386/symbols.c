/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for addresses: the table that the build links in (cmake/symbols.sh), sorted by address.
 */
#include "panic.h"

/* From the generated table. */
extern const uint32_t symbol_count;
extern const uint32_t symbol_addresses[];    /* ascending */
extern const uint32_t symbol_name_offsets[]; /* into symbol_names, in the same order */
extern const char symbol_names[];
extern char kernel_text_start[], kernel_text_end[];

const char *symbol_find(uint32_t address, uint32_t *offset)
{
    if (address < (uint32_t)kernel_text_start || address >= (uint32_t)kernel_text_end) {
        return NULL;
    }
    uint32_t low = 0;
    uint32_t high = symbol_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_addresses[middle] <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    *offset = address - symbol_addresses[low - 1];
    return &symbol_names[symbol_name_offsets[low - 1]];
}
