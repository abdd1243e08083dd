/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places of the object space: one table entry each.
 *
 * Tables that have become empty are found and freed by gathering, which looks at every entry anyway; pmap_remove() sets
 * the accessed bit of the directory entry so that it does look.
 */
#include "arch/pmap.h"
#include "log.h"
#include "memory.h"
#include "paging.h"
#include "pmap_internal.h"
#include "processor.h"

#include <string.h>

/* While a chunk is gathered, the translations of its places are forgotten all at once at the end. */
#define NO_CHUNK UINT32_MAX
static uint32_t gathering = NO_CHUNK;

/* The table entry of a place, or NULL when there is no table. */
static uint32_t *place_entry(struct place place)
{
    const uint32_t *chunk = pmap_chunk_entry(place);
    if (chunk == NULL || *chunk == 0) {
        return NULL;
    }
    return &entry_table(*chunk)[place.number & (TABLE_ENTRIES - 1)];
}

static uint32_t *mapped_entry(struct place place)
{
    uint32_t *entry = place_entry(place);
    ASSERT(entry != NULL && *entry != 0);
    return entry;
}

static void invalidate(struct place place)
{
    if (place.number / TABLE_ENTRIES != gathering && pmap_is_visible(place_space(place))) {
        processor_invalidate(place_address(place).value);
    }
}

static enum error make_table(struct place place, uint32_t *chunk)
{
    struct frame frame;
    enum error error = frame_allocate(FRAME_PAGE_TABLE, &frame);
    if (error != OK) {
        return error;
    }
    memset(frame_address(frame), 0, PAGE_SIZE);
    uint32_t user = place_space(place).number == SPACE_SYSTEM.number ? 0 : ENTRY_USER;
    *chunk = (frame.number << PAGE_SHIFT) | ENTRY_PRESENT | ENTRY_WRITABLE | user;
    if (!pmap_is_private(place_space(place))) {
        pmap_list_window_chunk(pmap_chunk_of(place));
    }
    return OK;
}

static inline enum error enter(struct place place, struct frame frame, enum pmap_access access, uint32_t mark)
{
    uint32_t *chunk = pmap_chunk_entry(place);
    ASSERT(chunk != NULL && !frame_is_none(frame));
    if (*chunk == 0) {
        enum error error = make_table(place, chunk);
        if (error != OK) {
            return error;
        }
    }
    uint32_t *entry = place_entry(place);
    if (*entry != 0) {
        return ERROR_EXISTS;
    }
    uint32_t user = place_space(place).number == SPACE_SYSTEM.number ? 0 : ENTRY_USER;
    *entry = (frame.number << PAGE_SHIFT) | ENTRY_PRESENT | user | (access == PMAP_WRITE ? ENTRY_WRITABLE : 0) | mark;
    return OK;
}

enum error pmap_enter(struct place place, struct frame frame, enum pmap_access access)
{
    return enter(place, frame, access, 0);
}

enum error pmap_enter_view(struct place place, struct frame frame, enum pmap_access access)
{
    enum error error = enter(place, frame, access, ENTRY_VIEW);

    if (error == OK) {
        *pmap_chunk_entry(place) |= CHUNK_VIEWS;
        pmap_count_view(place_space(place), 1);
    }
    return error;
}

bool pmap_is_view(struct place place)
{
    const uint32_t *entry = place_entry(place);

    return entry != NULL && (*entry & ENTRY_VIEW) != 0;
}

bool pmap_remove(struct place place)
{
    uint32_t *entry = place_entry(place);
    if (entry == NULL || *entry == 0) {
        return false;
    }
    bool dirty = (*entry & ENTRY_DIRTY) != 0;
    if ((*entry & ENTRY_VIEW) != 0) {
        pmap_count_view(place_space(place), -1);
    }
    *entry = 0;
    invalidate(place);
    *pmap_chunk_entry(place) |= ENTRY_ACCESSED;
    return dirty;
}

void pmap_protect(struct place place, enum pmap_access access)
{
    uint32_t *entry = mapped_entry(place);
    if (access == PMAP_WRITE) {
        *entry |= ENTRY_WRITABLE; /* a stale translation faults once and is gone */
        return;
    }
    *entry &= ~ENTRY_WRITABLE;
    invalidate(place);
}

bool pmap_query(struct place place, enum pmap_access *out)
{
    const uint32_t *entry = place_entry(place);
    if (entry == NULL || *entry == 0) {
        return false;
    }
    if (out != NULL) {
        *out = (*entry & ENTRY_WRITABLE) != 0 ? PMAP_WRITE : PMAP_READ;
    }
    return true;
}

struct frame pmap_frame(struct place place)
{
    return (struct frame){*mapped_entry(place) >> PAGE_SHIFT};
}

bool pmap_is_dirty(struct place place)
{
    return (*mapped_entry(place) & ENTRY_DIRTY) != 0;
}

bool pmap_clear_dirty(struct place place)
{
    uint32_t *entry = mapped_entry(place);
    if ((*entry & ENTRY_DIRTY) == 0) {
        return false;
    }
    *entry &= ~ENTRY_DIRTY;
    invalidate(place); /* or the processor would not set the bit again */
    return true;
}

void pmap_mark_dirty(struct place place)
{
    *mapped_entry(place) |= ENTRY_DIRTY;
    *pmap_chunk_entry(place) |= ENTRY_ACCESSED;
}

bool pmap_clear_accessed(struct place place)
{
    uint32_t *entry = mapped_entry(place);
    bool accessed = (*entry & (ENTRY_ACCESSED | ENTRY_SEEN)) != 0;
    if ((*entry & ENTRY_ACCESSED) != 0) {
        *entry = (*entry & ~ENTRY_ACCESSED) | ENTRY_TAKEN;
        invalidate(place); /* or the processor would not set A again */
    }
    *entry &= ~ENTRY_SEEN;
    return accessed;
}

void pmap_sample_chunk(struct place place, struct pmap_sample *out)
{
    const uint32_t *chunk = pmap_chunk_entry(place);

    *out = (struct pmap_sample){0};
    if (chunk == NULL || *chunk == 0) {
        return;
    }
    uint32_t *table = entry_table(*chunk);
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        out->mapped += table[i] != 0;
        out->accessed += (table[i] & (ENTRY_ACCESSED | ENTRY_TAKEN)) != 0;
        if ((table[i] & ENTRY_ACCESSED) != 0) {
            table[i] = (table[i] & ~ENTRY_ACCESSED) | ENTRY_SEEN;
        }
        table[i] &= ~ENTRY_TAKEN;
    }
    if (out->accessed > 0 && pmap_is_visible(place_space(place))) {
        processor_write_cr3(processor_read_cr3());
    }
}

/* Visit the dirty entries of a table, which are looked for in groups. Returns whether it maps anything. */
static bool visit_table(const uint32_t *table, struct place first, pmap_visit_dirty *visit, void *context)
{
    uint32_t any = 0;
    for (uint32_t group = 0; group < TABLE_ENTRIES; group += PMAP_SCAN_GROUP) {
        uint32_t entries = pmap_group_union(&table[group]);
        any |= entries;
        if ((entries & ENTRY_DIRTY) == 0) {
            continue;
        }
        for (uint32_t i = group; i < group + PMAP_SCAN_GROUP; i++) {
            if ((table[i] & ENTRY_DIRTY) != 0) {
                visit((struct place){first.number + i}, (struct frame){table[i] >> PAGE_SHIFT}, context);
            }
        }
    }
    return any != 0;
}

bool pmap_next_mapped(struct place from, struct place last, struct place *out)
{
    const uint32_t *chunk = pmap_chunk_entry(from);

    while (chunk != NULL) {
        uint32_t first = from.number & ~(TABLE_ENTRIES - 1);
        uint32_t index = *chunk == 0 ? TABLE_ENTRIES : pmap_next_entry(entry_table(*chunk), from.number - first);
        if (index < TABLE_ENTRIES) {
            out->number = first + index;
            return out->number <= last.number;
        }
        if (last.number - first < TABLE_ENTRIES) {
            return false;
        }
        from.number = first + TABLE_ENTRIES;
        chunk++;
    }
    return false;
}

uint32_t pmap_gather_chunk(struct place place, pmap_visit_dirty *visit, void *context)
{
    ASSERT(gathering == NO_CHUNK);
    uint32_t *chunk = pmap_chunk_entry(place);
    if (chunk == NULL || (*chunk & ENTRY_ACCESSED) == 0) {
        return 0;
    }
    *chunk &= ~ENTRY_ACCESSED;
    gathering = place.number / TABLE_ENTRIES;
    struct place first = {place.number & ~(TABLE_ENTRIES - 1)};
    bool used = visit_table(entry_table(*chunk), first, visit, context);
    gathering = NO_CHUNK;
    if (!used) {
        pmap_free_table(chunk);
    }
    if (pmap_is_visible(place_space(place))) {
        processor_write_cr3(processor_read_cr3());
    }
    return TABLE_ENTRIES;
}

bool pmap_is_noted(struct place place)
{
    const uint32_t *chunk = pmap_chunk_entry(place);

    return chunk != NULL && (*chunk & ENTRY_ACCESSED) != 0;
}

/* Visit the views of a table that have `wanted` of the bits in `mask`. */
static void visit_views(const uint32_t *table, struct place place, uint32_t mask, uint32_t wanted,
                        pmap_visit_dirty *visit, void *context)
{
    struct place first = {place.number & ~(TABLE_ENTRIES - 1)};

    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        if ((table[i] & (ENTRY_VIEW | mask)) == (ENTRY_VIEW | wanted)) {
            visit((struct place){first.number + i}, (struct frame){table[i] >> PAGE_SHIFT}, context);
        }
    }
}

uint32_t pmap_visit_views(struct place place, pmap_visit_dirty *visit, void *context)
{
    const uint32_t *chunk = pmap_chunk_entry(place);

    if (chunk == NULL || (*chunk & (CHUNK_VIEWS | ENTRY_ACCESSED)) != (CHUNK_VIEWS | ENTRY_ACCESSED)) {
        return 0;
    }
    visit_views(entry_table(*chunk), place, ENTRY_DIRTY, ENTRY_DIRTY, visit, context);
    return TABLE_ENTRIES;
}

void pmap_open_narrowly(struct place place)
{
    uint32_t *chunk = pmap_chunk_entry(place);

    if (chunk == NULL || *chunk == 0) {
        return;
    }
    if ((*chunk & CHUNK_VIEWS) != 0) {
        uint32_t *table = entry_table(*chunk);
        for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
            /* Nothing is written through a closed chunk, so no translation that says more is in use. */
            table[i] &= (table[i] & ENTRY_VIEW) != 0 ? ~ENTRY_WRITABLE : ~0u;
        }
        *chunk |= CHUNK_NARROW;
    }
    *chunk |= ENTRY_WRITABLE;
}

void pmap_widen(struct place place, pmap_visit_dirty *visit, void *context)
{
    uint32_t *chunk = pmap_chunk_entry(place);

    if (chunk != NULL && (*chunk & CHUNK_NARROW) != 0) {
        *chunk &= ~CHUNK_NARROW;
        visit_views(entry_table(*chunk), place, ENTRY_WRITABLE, 0, visit, context);
    }
}
