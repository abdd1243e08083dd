/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a snapshot does to the mappings: the part of kernel/vm_map between the fault path and kernel/snap.
 */
#ifndef VM_SNAPSHOT_H
#define VM_SNAPSHOT_H

#include "error.h"
#include "types.h"

/* No stop has been, as after a boot. */
void vm_stop_clear(void);

/*
 * The stop: the lists of known dirty pages are handed to the snapshot, and from now on nothing is written through any
 * mapping before its chunk is opened. Constant time, does not sleep.
 * - ERROR_BUSY: the last snapshot has not let go of all its pages.
 */
MUST_CHECK enum error vm_stop(void);

/*
 * Hand the dirty pages of a chunk that is closed since the stop to the snapshot, and open it; until vm_end_collecting()
 * its views stay read-only. One that was opened so before gets them back after that. Does not sleep.
 */
void vm_open_chunk(struct place place);

/*
 * The first pass over the chunks of windows that have views (pmap_has_views()): what was dirty at the stop through a view
 * of a chunk that is still closed is handed to the snapshot. It stays closed. Neither sleeps.
 * - vm_end_collecting: all have been looked at.
 */
void vm_collect_chunk(struct place chunk);
void vm_end_collecting(void);

/*
 * Pages have left the snapshot's list, written or given back: whoever waits for one of them looks again. Copies may
 * take vm_copies_max() frames; a program that would need one more waits for the page it writes to, which is put first.
 */
void vm_snapshot_progressed(void);

/* How often a page was copied because it was written before the snapshot had it. */
uint64_t vm_copies(void);

/*
 * Free some frames, writing dirty pages ahead of the next snapshot where there are no clean ones to drop.
 * - freed: how many; 0 with OK: there are enough by now, or no page may go. The caller holds no page. Sleeps.
 * - errors as vm_pager.page_out; some frames may have been freed all the same.
 */
MUST_CHECK enum error vm_page_out(uint32_t *freed);

/*
 * A page has been written and is clean: its D bits count no more, and it may be written to again wherever its region
 * allows that. The caller has its mutex.
 */
struct vm_page;
void vm_views_clean(const struct vm_page *page);

#endif
