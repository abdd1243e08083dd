/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: bringing pages in.
 */
#ifndef PAGE_IN_H
#define PAGE_IN_H

#include "vm_fault.h"
#include "vm_map.h"

/*
 * What the pager would bring in together with a page. Sleeps for the pager's map; the caller has the page's mutex.
 * ERROR_IO, ERROR_CHECKSUM.
 */
MUST_CHECK enum error vm_page_in_measure(const struct vm_pager *pager, const struct vm_page *page,
                                         const struct vm_allowance *allowance, struct vm_cluster_extent *out);

/*
 * Make a page resident that is not, and neighbours of its region with it where that costs no further request.
 * - the caller has its mutex; the state is NEW. Sleeps for the disk.
 * - allowance: as it is now, after the measuring.
 * - ERROR_NO_MEMORY: no frame; ERROR_IO, ERROR_CHECKSUM. The page is NEW then.
 */
MUST_CHECK enum error vm_page_in(struct vm_map *map, const struct vm_pager *pager, struct vm_page *page,
                                 const struct vm_cluster_extent *extent, const struct vm_allowance *allowance);

#endif
