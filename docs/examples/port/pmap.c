/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * include/arch/pmap.h over mprotect().
 *
 * The page table is an array, and the host's page table makes the processor respect it: what has not been used since
 * somebody asked is PROT_NONE there, what is not dirty is PROT_READ, and the fault that follows notes the use (A) or
 * the write (D). An entry of the host may lag behind the array as long as it allows less: the next fault brings it up
 * to date.
 */
#define _GNU_SOURCE
#include "arch/pmap.h"

#include <sys/mman.h>

#include "log.h"
#include "port.h"

#define CHUNKS (WINDOW_PAGES / PMAP_CHUNK_PAGES)

static struct entry {
    struct frame frame; /* FRAME_NONE: not mapped */
    bool writable, dirty;
    bool view;          /* others may write the page */
    bool used, sampled; /* the A bit, once for each of the two who take it away */
} entries[WINDOW_PAGES];

static struct chunk {
    bool open, written; /* since the last stop; since it was last gathered */
    bool narrow;        /* opened, but for its views */
} chunks[CHUNKS];

static struct place window_first(void)
{
    return (struct place){PROGRAM_SPACE.number << 20 | WINDOW_FIRST};
}

/* The entry of a mapped page, or NULL. */
static struct entry *find(struct place place)
{
    uint32_t index = place.number - window_first().number;

    return index < WINDOW_PAGES && !frame_is_none(entries[index].frame) ? &entries[index] : NULL;
}

static struct entry *mapped(struct place place)
{
    struct entry *entry = find(place);

    ASSERT(entry != NULL);
    return entry;
}

static struct chunk *chunk_of(const struct entry *entry)
{
    return &chunks[(entry - entries) / PMAP_CHUNK_PAGES];
}

static char *window_page(const struct entry *entry)
{
    return WINDOW_START + (size_t)(entry - entries) * PAGE_SIZE;
}

/* Let the host allow what the entry allows without a note being due. */
static void refresh(const struct entry *entry)
{
    bool may_read = entry->used && entry->sampled;
    bool may_write = may_read && entry->writable && entry->dirty && chunk_of(entry)->open && chunk_of(entry)->written;
    int rights = (may_read ? PROT_READ : 0) | (may_write ? PROT_WRITE : 0);

    ASSERT(mprotect(window_page(entry), PAGE_SIZE, rights) == 0);
}

bool machine_page(const void *address, struct page_key *out)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)WINDOW_START;

    *out = place_key((struct place){window_first().number + (uint32_t)(offset / PAGE_SIZE)});
    return offset / PAGE_SIZE < WINDOW_PAGES;
}

bool machine_access(struct page_key page, bool is_write)
{
    struct entry *entry = find(page_key_place(page));

    if (entry == NULL || (is_write && (!entry->writable || !chunk_of(entry)->open))) {
        return false;
    }
    entry->used = entry->sampled = true;
    if (is_write) {
        entry->dirty = chunk_of(entry)->written = true;
    }
    refresh(entry);
    return true;
}

enum error pmap_enter(struct place place, struct frame frame, enum pmap_access access)
{
    uint32_t index = place.number - window_first().number;

    ASSERT(index < WINDOW_PAGES);
    if (find(place) != NULL) {
        return ERROR_EXISTS;
    }
    entries[index] = (struct entry){.frame = frame, .writable = access == PMAP_WRITE};
    void *seen = mmap(window_page(&entries[index]), PAGE_SIZE, PROT_NONE, MAP_SHARED | MAP_FIXED, machine_memory,
                      (off_t)frame.number * PAGE_SIZE);
    if (seen == MAP_FAILED) {
        entries[index] = (struct entry){0};
        return ERROR_NO_MEMORY;
    }
    return OK;
}

static uint32_t views; /* there are so many */

enum error pmap_enter_view(struct place place, struct frame frame, enum pmap_access access)
{
    enum error error = pmap_enter(place, frame, access);

    if (error == OK) {
        mapped(place)->view = true;
        views++;
    }
    return error;
}

bool pmap_is_view(struct place place)
{
    return find(place) != NULL && find(place)->view;
}

bool pmap_has_views(struct space_id space)
{
    return space.number == PROGRAM_SPACE.number && views > 0;
}

bool pmap_remove(struct place place)
{
    struct entry *entry = find(place);

    if (entry == NULL) {
        return false;
    }
    bool dirty = entry->dirty;
    views -= entry->view;
    void *seen = mmap(window_page(entry), PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ASSERT(seen != MAP_FAILED);
    *entry = (struct entry){0};
    return dirty;
}

void pmap_protect(struct place place, enum pmap_access access)
{
    mapped(place)->writable = access == PMAP_WRITE;
    refresh(mapped(place));
}

bool pmap_query(struct place place, enum pmap_access *out)
{
    const struct entry *entry = find(place);

    if (entry != NULL && out != NULL) {
        *out = entry->writable ? PMAP_WRITE : PMAP_READ;
    }
    return entry != NULL;
}

bool pmap_allows(struct place place, enum pmap_access access)
{
    enum pmap_access allowed;

    return pmap_query(place, &allowed) && (access == PMAP_READ || (allowed == PMAP_WRITE && !pmap_is_closed(place)));
}

struct frame pmap_frame(struct place place)
{
    return mapped(place)->frame;
}

bool pmap_is_dirty(struct place place)
{
    return mapped(place)->dirty;
}

bool pmap_clear_dirty(struct place place)
{
    bool dirty = mapped(place)->dirty;

    mapped(place)->dirty = false;
    refresh(mapped(place));
    return dirty;
}

void pmap_mark_dirty(struct place place)
{
    mapped(place)->dirty = chunk_of(mapped(place))->written = true;
}

bool pmap_clear_accessed(struct place place)
{
    bool used = mapped(place)->used;

    mapped(place)->used = false;
    refresh(mapped(place));
    return used;
}

void pmap_sample_chunk(struct place first, struct pmap_sample *out)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};

    *out = (struct pmap_sample){0};
    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++, place.number++) {
        struct entry *entry = find(place);
        if (entry != NULL) {
            out->mapped++;
            out->accessed += entry->sampled;
            entry->sampled = false;
            refresh(entry);
        }
    }
}

bool pmap_next_chunk(struct place from, struct place *first)
{
    struct place start = window_first(), end = {start.number + WINDOW_PAGES};

    if (place_space(from).number != PROGRAM_SPACE.number || from.number >= end.number) {
        return false;
    }
    first->number = from.number < start.number ? start.number : from.number & ~(PMAP_CHUNK_PAGES - 1);
    return true;
}

bool pmap_next_mapped(struct place from, struct place last, struct place *out)
{
    for (; from.number <= last.number; from.number++) {
        if (find(from) != NULL) {
            *out = from;
            return true;
        }
    }
    return false;
}

struct space_id pmap_space_end(void)
{
    return (struct space_id){PROGRAM_SPACE.number + 1};
}

uint32_t pmap_gather_chunk(struct place first, pmap_visit_dirty *visit, void *context)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};
    uint32_t index = place.number - window_first().number;

    if (index >= WINDOW_PAGES || !chunks[index / PMAP_CHUNK_PAGES].written) {
        return 0;
    }
    chunks[index / PMAP_CHUNK_PAGES].written = false;
    /* From now on the next write to any page of it is noted. */
    ASSERT(mprotect(WINDOW_START + (size_t)index * PAGE_SIZE, PMAP_CHUNK_PAGES * PAGE_SIZE, PROT_NONE) == 0);
    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++, place.number++) {
        if (find(place) != NULL && find(place)->dirty) {
            visit(place, find(place)->frame, context);
        }
    }
    return PMAP_CHUNK_PAGES;
}

bool pmap_is_noted(struct place place)
{
    uint32_t index = place.number - window_first().number;

    return index < WINDOW_PAGES && chunks[index / PMAP_CHUNK_PAGES].written;
}

uint32_t pmap_visit_views(struct place first, pmap_visit_dirty *visit, void *context)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};

    if (views == 0 || !pmap_is_noted(first)) {
        return 0;
    }
    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++, place.number++) {
        if (pmap_is_view(place) && find(place)->dirty) {
            visit(place, find(place)->frame, context);
        }
    }
    return PMAP_CHUNK_PAGES;
}

void pmap_stop(void)
{
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunks[i].open = false;
    }
    ASSERT(mprotect(WINDOW_START, (size_t)WINDOW_PAGES * PAGE_SIZE, PROT_NONE) == 0);
}

bool pmap_is_closed(struct place place)
{
    uint32_t index = place.number - window_first().number;

    return index < WINDOW_PAGES && !chunks[index / PMAP_CHUNK_PAGES].open;
}

void pmap_open(struct place place)
{
    uint32_t index = place.number - window_first().number;

    if (index < WINDOW_PAGES) {
        chunks[index / PMAP_CHUNK_PAGES].open = true;
    }
}

void pmap_open_narrowly(struct place first)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};
    uint32_t index = place.number - window_first().number;

    for (uint32_t i = 0; index < WINDOW_PAGES && i < PMAP_CHUNK_PAGES; i++, place.number++) {
        if (pmap_is_view(place)) {
            find(place)->writable = false; /* and the host allows less since the stop */
        }
    }
    if (index < WINDOW_PAGES) {
        chunks[index / PMAP_CHUNK_PAGES].open = chunks[index / PMAP_CHUNK_PAGES].narrow = true;
    }
}

void pmap_widen(struct place first, pmap_visit_dirty *visit, void *context)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};
    uint32_t index = place.number - window_first().number;

    if (index >= WINDOW_PAGES || !chunks[index / PMAP_CHUNK_PAGES].narrow) {
        return;
    }
    chunks[index / PMAP_CHUNK_PAGES].narrow = false;
    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++, place.number++) {
        if (pmap_is_view(place) && !find(place)->writable) {
            visit(place, find(place)->frame, context);
        }
    }
}
