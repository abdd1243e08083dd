/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the replacement policies share: the ring. For kernel/vm_map/policy*.c.
 */
#ifndef VM_MAP_POLICY_H
#define VM_MAP_POLICY_H

#include "vm_map.h"
#include "vm_policy.h"

extern const struct vm_policy vm_policy_random, vm_policy_fifo, vm_policy_second_chance, vm_policy_lru, vm_policy_sieve;

/* Link a page that is in no ring at the end, before `first`; take it out again. The count and the hand are the
 * caller's. */
static inline void ring_link(struct vm_replacement *replacement, struct vm_page *page)
{
    struct vm_page *first = replacement->first;

    if (first == NULL) {
        page->replacement_link = (struct vm_page_link){page, page};
        replacement->first = page;
        return;
    }
    struct vm_page *last = first->replacement_link.previous;
    page->replacement_link = (struct vm_page_link){last, first};
    last->replacement_link.next = page;
    first->replacement_link.previous = page;
}

static inline void ring_unlink(struct vm_replacement *replacement, struct vm_page *page)
{
    struct vm_page *next = page->replacement_link.next;

    if (next == page) {
        replacement->first = NULL;
    } else {
        page->replacement_link.previous->replacement_link.next = next;
        next->replacement_link.previous = page->replacement_link.previous;
        replacement->first = replacement->first == page ? next : replacement->first;
    }
    page->replacement_link = (struct vm_page_link){NULL, NULL};
}

#endif
