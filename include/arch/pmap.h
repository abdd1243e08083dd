/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: what is mapped where, and what the hardware notes of its use.
 *
 * A place (types.h) has one table entry: the tables of the system window are shared by all spaces, the private ones
 * belong to one. Which page is seen at a place, and at which places a page is seen, is not known here.
 *
 * Mappings are volatile. They are rebuilt by faults after a boot.
 *
 *     PMAP-1  A place has at most one entry, which leads to one frame.
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
 * Make a space known, with no mappings. SPACE_SYSTEM exists from boot.
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
 * Map a frame at a place where nothing is mapped; A and D start clear.
 * - ERROR_NO_MEMORY: no frame for a page table. ERROR_EXISTS: something is mapped there.
 */
MUST_CHECK enum error pmap_enter(struct place place, struct frame frame, enum pmap_access access);

/*
 * The same for a page that may be written through other mappings as well: a *view*. Only private windows have any.
 */
MUST_CHECK enum error pmap_enter_view(struct place place, struct frame frame, enum pmap_access access);

/* Whether what is mapped at a place was entered so; and whether anything in a space is. */
bool pmap_is_view(struct place place);
bool pmap_has_views(struct space_id space);

/* Unmap what is mapped at a place, if anything. Returns whether D was set. */
bool pmap_remove(struct place place);

/* Change the access of a mapping. D and A stay as they are. */
void pmap_protect(struct place place, enum pmap_access access);

/* Whether anything is mapped at a place, and how. `out` may be NULL. */
bool pmap_query(struct place place, enum pmap_access *out);

/*
 * Whether a program's access at a place would go through now: something is mapped, and a write is allowed there and in
 * its chunk.
 */
bool pmap_allows(struct place place, enum pmap_access access);

/* The frame that a mapping leads to. */
struct frame pmap_frame(struct place place);

/* The D bit of a mapping. pmap_clear_dirty() returns what it was. */
bool pmap_is_dirty(struct place place);
bool pmap_clear_dirty(struct place place);

/* Set D in a mapping's entry and A in its directory entry, as a write would: pmap_gather_chunk() will visit it. */
void pmap_mark_dirty(struct place place);

/* Clear the A bit of a mapping and return what it was. The next access sets it again. */
bool pmap_clear_accessed(struct place place);

/* What is found in a chunk: mappings, and those of them that were accessed since the last sample. */
struct pmap_sample {
    uint32_t mapped, accessed;
};

/*
 * Count the mappings of a chunk and their use since this was last called for it.
 * - first: any place of the chunk; one without mappings has zeroes. Bounded by one table.
 * - this and pmap_clear_accessed() answer as if the other had not been called; no stale translation hides an access
 *   from the next sample.
 */
void pmap_sample_chunk(struct place first, struct pmap_sample *out);

/*
 * Called for each mapping whose D bit is set, with the frame it leads to. It may call pmap_protect() and
 * pmap_clear_dirty() on that one, and pmap_protect() on any.
 */
typedef void pmap_visit_dirty(struct place place, struct frame frame, void *context);

/*
 * Gather: visit the dirty mappings of one chunk, if its directory entry was accessed since it was last gathered, and
 * clear that note.
 * - first: any place of the chunk. Returns the number of entries scanned (0: the chunk was skipped).
 */
uint32_t pmap_gather_chunk(struct place first, pmap_visit_dirty *visit, void *context);

/* Whether it would look into the chunk. */
bool pmap_is_noted(struct place place);

/*
 * Visit the views of one chunk whose D bit is set, if it is noted, which it stays.
 * - first: any place of the chunk. Returns the number of entries scanned.
 */
uint32_t pmap_visit_views(struct place first, pmap_visit_dirty *visit, void *context);

/*
 * The first place of the first chunk at or above `from` in its space that has a page table.
 * Returns false when the space has no such chunk.
 */
bool pmap_next_chunk(struct place from, struct place *first);

/*
 * The first place of [from, last], which are of one window, at which something is mapped. Returns false if there is
 * none.
 * - work: what the chunks of the range have of page tables, not what it has of places.
 */
bool pmap_next_mapped(struct place from, struct place last, struct place *out);

/*
 * Stop: from now on no chunk of any space may be written until it is opened. Constant time: the active
 * directory is turned read-only, the others when they are next activated.
 */
void pmap_stop(void);

/*
 * Whether the chunk is closed since the last pmap_stop(), and its opening. Opening what is open does nothing. A chunk
 * that maps nothing may count as open.
 */
bool pmap_is_closed(struct place place);
void pmap_open(struct place place);

/* Open a chunk, but for its views: they are read-only from now on. */
void pmap_open_narrowly(struct place place);

/*
 * If a chunk was opened narrowly: visit each of its views that is read-only, and count it as opened like others.
 * - first: any place of the chunk. The visitor may call pmap_protect() and pmap_mark_dirty() on what it is shown.
 */
void pmap_widen(struct place first, pmap_visit_dirty *visit, void *context);

#endif
