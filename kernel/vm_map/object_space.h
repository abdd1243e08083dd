/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: the one object space of the running kernel. vm_fault_initialise() makes it.
 */
#ifndef VM_OBJECT_SPACE_H
#define VM_OBJECT_SPACE_H

#include "vm_fault.h"
#include "vm_map.h"

extern struct vm_objects {
    struct vm_map map;
    const struct vm_pager *pager;         /* where pages are that are not in memory */
    const struct vm_fault_policy *policy; /* which of them may be touched */
} vm_objects;

/* Go on to the source above a page that shows nothing at a place. False: there is none, and `at` is as it was. */
bool vm_go_up(struct place place, struct page_key *at);

#endif
