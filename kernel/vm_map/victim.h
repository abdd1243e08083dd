/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: pages that replacement has named.
 */
#ifndef VM_VICTIM_H
#define VM_VICTIM_H

#include "types.h"

struct vm_map;
struct vm_page;

/* A resident page, dirty or not, that nobody has to do with, nor the running snapshot. */
bool vm_victim_may_go(const struct vm_page *page);

/* The same, and it is clean beyond doubt. */
bool vm_victim_may_drop(const struct vm_page *page);

/*
 * A page that is CLEAN, locked and not mapped gives its frame back, and its record goes unless somebody waits for it.
 */
void vm_victim_drop(struct vm_map *map, struct vm_page *page);

#endif
