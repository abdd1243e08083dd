/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving back what the tables of records do not need: which pages, and when.
 *
 * Free records are looked for when a table needs a page and the budget has none, when a program has ended, and once after a
 * boot. A unit that holds free records only goes, wherever in its table it is. Regions are moved together first, since
 * nobody but trees knows them by their index.
 */
#include "program.h"
#include "record.h"

static void trim_units(enum record_type type, uint32_t spare)
{
    for (uint32_t index = 0; index < record_committed(type); index += record_unit_size(type)) {
        if (!record_is_present(type, index) || !record_unit_is_free(type, index)) {
            continue;
        }
        if (spare > 0) {
            spare--;
        } else {
            record_give_back(type, index);
        }
    }
}

void record_trim(bool all)
{
    static const enum record_type with_holes[] = {RECORD_PROGRAM, RECORD_TASK, RECORD_FILE, RECORD_SPACE, RECORD_PIPE};

    for (uint32_t i = 0; i < sizeof(with_holes) / sizeof(with_holes[0]); i++) {
        trim_units(with_holes[i], all ? 0 : 1);
    }
    program_trim_regions(all);
}
