/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: the mapping of resident pages, and what the hardware notes of their use.
 *
 * A page of the object space is seen at one address (its number within its space), so it has exactly one table
 * entry: the tables of the shared and the system window are shared by all spaces, the private ones belong to one.
 * A gpn alone therefore names a mapping, and nothing like a reverse map is needed.
 *
 * Mappings are volatile. They are rebuilt by faults after a boot.
 *
 *     PMAP-1  At most one entry maps a gpn.
 *     PMAP-2  A write through a mapping sets D in its entry and A in its directory entry before the write is seen.
 *     PMAP-3  After a function that takes a right or a bit away has returned, no stale translation is in use.
 *     PMAP-4  Between pmap_stop() and the chunk's pmap_open(), no write goes through any entry of that chunk.
 *
 * None of these functions sleeps. A chunk is what one directory entry maps: PMAP_CHUNK_PAGES pages.
 */
#ifndef ARCH_PMAP_H
#define ARCH_PMAP_H

#include "error.h"
#include "types.h"

#define PMAP_CHUNK_PAGES 1024u

enum pmap_access { PMAP_READ, PMAP_WRITE };

/*
 * Make a space known, with no mappings. SPACE_SHARED and SPACE_SYSTEM exist from boot.
 * - ERROR_NO_MEMORY: no frame for the directory. ERROR_EXISTS.
 */
MUST_CHECK enum error pmap_create(struct space_id space);

/* Forget a space and give its tables back. It must have no mappings (see pmap_remove) and no thread run in it. */
void pmap_delete(struct space_id space);

/* Private spaces that are known have ids below this. */
struct space_id pmap_space_end(void);

/* Let the processor see `space` in its private window from now on. SPACE_SYSTEM means: no private window. */
void pmap_activate(struct space_id space);

/*
 * Map a page that is not mapped; A and D start clear.
 * - ERROR_NO_MEMORY: no frame for a page table. ERROR_EXISTS: it is mapped.
 */
MUST_CHECK enum error pmap_enter(struct gpn page, struct frame frame, enum pmap_access access);

/* Unmap a page if it is mapped. Returns whether D was set. */
bool pmap_remove(struct gpn page);

/* Change the access of a mapped page. D and A stay as they are. */
void pmap_protect(struct gpn page, enum pmap_access access);

/* Whether a page is mapped, and how. `out` may be NULL. */
bool pmap_query(struct gpn page, enum pmap_access *out);

/* The frame that a mapped page leads to. */
struct frame pmap_frame(struct gpn page);

/* The D bit of a mapped page. pmap_clear_dirty() returns what it was. */
bool pmap_is_dirty(struct gpn page);
bool pmap_clear_dirty(struct gpn page);

/* Set D in a mapped page's entry and A in its directory entry, as a write would: pmap_gather_chunk() will visit it. */
void pmap_mark_dirty(struct gpn page);

/* Clear the A bit of a mapped page and return what it was. The next access sets it again. */
bool pmap_clear_accessed(struct gpn page);

/* What is found in a chunk: pages that are mapped, and those of them that were accessed since the last sample. */
struct pmap_sample {
    uint32_t mapped, accessed;
};

/*
 * Count the mappings of a chunk and their use since this was last called for it.
 * - first: any page of the chunk; one without mappings has zeroes. Bounded by one table.
 * - this and pmap_clear_accessed() answer as if the other had not been called; no stale translation hides an access
 *   from
 *   the next sample.
 */
void pmap_sample_chunk(struct gpn first, struct pmap_sample *out);

/* Called for each page whose D bit is set. It may call pmap_protect() and pmap_clear_dirty() on that page. */
typedef void pmap_visit_dirty(struct gpn page, void *context);

/*
 * Gather: visit the dirty pages of one chunk, if its directory entry was accessed since it was last gathered, and
 * clear that note.
 * - first: any page of the chunk. Returns the number of entries scanned (0: the chunk was skipped).
 */
uint32_t pmap_gather_chunk(struct gpn first, pmap_visit_dirty *visit, void *context);

/*
 * The first page of the first chunk at or above `from` in its space that has a page table.
 * Returns false when the space has no such chunk.
 */
bool pmap_next_chunk(struct gpn from, struct gpn *first);

/*
 * Stop: from now on no chunk of any space may be written until it is opened. Constant time: the active
 * directory is turned read-only, the others when they are next activated.
 */
void pmap_stop(void);

/*
 * Whether the chunk is closed since the last pmap_stop(), and its opening. Opening what is open does nothing. A chunk
 * that maps nothing may count as open.
 */
bool pmap_is_closed(struct gpn page);
void pmap_open(struct gpn page);

#endif
