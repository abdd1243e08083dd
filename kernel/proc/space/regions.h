/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the table of all regions (vm_region.h).
 */
#ifndef REGIONS_H
#define REGIONS_H

#include "error.h"
#include "vm_region.h"

extern struct vm_region_table region_table;

/*
 * Begin with an empty table, or with the one that the records hold; all trees in it are then to be adopted, and only
 * when that is said does the table give back what it does not need.
 * - regions_start(): may sleep. ERROR_NO_MEMORY. regions_adopt(): ERROR_FORMAT_DAMAGED.
 */
MUST_CHECK enum error regions_start(void);
MUST_CHECK enum error regions_adopt(void);
void regions_are_adopted(void);

/*
 * A stack grows in a fault, by a region of its own once the program has been cloned, and a fault cannot wait for that
 * region's record. Whether an access that was denied is worth another try, since there is one now. May sleep.
 */
bool regions_growth_goes_on(enum error error);

#endif
