/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: the end of one page's content.
 */
#ifndef VM_DISCARD_H
#define VM_DISCARD_H

struct vm_page;

/*
 * What vm_discard() does to a page that has a record, but for what the pager has. The caller has its mutex, and loses
 * it.
 */
void vm_discard_page(struct vm_page *page);

#endif
