/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SNAP_PAGER_H
#define SNAP_PAGER_H

#include "vm_fault.h"

struct store;

/* The store as the pager of the one object space. */
const struct vm_pager *snap_pager(struct store *store);

/*
 * The first page at or after `from` that the store has something of.
 * - may sleep. ERROR_NOT_FOUND: none. ERROR_IO, ERROR_CHECKSUM: it cannot be told.
 */
MUST_CHECK enum error snap_pager_next(struct page_key from, struct page_key *out);

#endif
