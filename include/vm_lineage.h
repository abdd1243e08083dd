/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lineage: which space a space is a copy of.
 *
 * A clone copies no pages. The space that is cloned becomes a *source*: nobody writes to it any more, and both sides go
 * on in spaces of their own whose untouched pages are those of the source, at the same addresses, where their regions
 * say so. A space that reads such a page borrows the source's frame; one that writes gets a copy. Sources have sources
 * in turn, so spaces form trees in which content is looked for upwards, from a leaf to the root.
 *
 *     LINEAGE-1  Only a space without children is written to; the content of a source changes only by being given it by
 *                the single child it has (vm_give_to_source()), which is none to whoever looks from below.
 *     LINEAGE-2  A mapping of a page that has no frame of its own is read-only and leads to the frame of the nearest
 *                source that has the page (its lender).
 *     LINEAGE-3  The mutexes of one page in several spaces are locked upwards.
 *
 * This is the volatile side: links between numbers of spaces, told by kernel/proc, which keeps them in its records.
 * Nothing here sleeps. SPACE_NONE is nobody's source and stands for "none".
 */
#ifndef VM_LINEAGE_H
#define VM_LINEAGE_H

#include "types.h"

/* Nobody has a source. */
void vm_lineage_clear(void);

/* Give a space a source, another one than before, or none. It must not descend from the space itself. */
void vm_lineage_set_source(struct space_id space, struct space_id source);

struct space_id vm_lineage_source(struct space_id space);

/* How many sources there are above a space. O(that). */
uint32_t vm_lineage_depth(struct space_id space);

/* How many spaces have this one as their source. */
uint32_t vm_lineage_children(struct space_id space);

#endif
