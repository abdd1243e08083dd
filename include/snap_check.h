/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's books of its pages, compared with each other: a kernel that finds itself sick does not commit.
 *
 *     CHECK-1  The invariants of the page map hold (vm_map.h: VM-1 to VM-8, VM-10).
 *     CHECK-2  The frame of a page belongs to pages, its copy's to copies, in the machine's own list of frames.
 *     CHECK-3  There are as many frames of pages as pages that have one or are being read, and as many of copies as pages
 *              that the snapshot has copies of.
 *     CHECK-4  The mapping of a page leads to its frame; so do those of the spaces that have not written to it since they
 *              were cloned, and they are read-only and clean.
 */
#ifndef SNAP_CHECK_H
#define SNAP_CHECK_H

#include "error.h"
#include "types.h"

struct snap_violation {
    const char *invariant; /* "VM-1" .. or "CHECK-2" .. */
    struct page_key page;  /* where it was seen, if `has_page` */
    bool has_page;
};

/*
 * The next bounded piece of CHECK-1, CHECK-2 and CHECK-4: SNAP_CHECK_BUCKETS chains of the map, going on where the last
 * call stopped. Does not sleep. The snapshot thread calls it before each commit.
 * - ERROR_INVALID: `out` says what is broken.
 */
#define SNAP_CHECK_BUCKETS 128u
MUST_CHECK enum error snap_check_step(struct snap_violation *out);

/* All of it, in one go: does not sleep, and takes as long as there are pages. Errors as snap_check_step(). */
MUST_CHECK enum error snap_check(struct snap_violation *out);

#endif
