/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing dirty pages ahead of the snapshot that will commit them; see vm_pager.page_out.
 */
#ifndef SNAP_PAGE_OUT_H
#define SNAP_PAGE_OUT_H

#include "error.h"
#include "types.h"

struct store;
struct vm_page;

/* As vm_pager.page_out, into a store. One caller at a time. Sleeps. */
MUST_CHECK enum error snap_page_out(struct store *store, struct vm_page *const pages[], uint32_t count);

#endif
