/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: all places at which a page is seen.
 */
#ifndef VM_VIEWS_H
#define VM_VIEWS_H

#include <stdbool.h>

struct vm_map;
struct vm_page;

/* Whether somebody who sees the page elsewhere than at its own place has wired that place. */
bool vm_views_hold(const struct vm_page *page);

/* Whether what the page holds is written through a view that its record does not know of: a D bit of any entry. */
bool vm_views_are_dirty(const struct vm_page *page);

/* Unmap a page everywhere. Returns whether a D was set. */
bool vm_views_unmap(struct vm_map *map, const struct vm_page *page);

/* The hardware's note of use, for replacement: of any of the page's entries. */
bool vm_page_take_accessed(const struct vm_page *page);

#endif
