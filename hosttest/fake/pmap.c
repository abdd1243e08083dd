/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmap for the fake MMU, with the contract of include/arch/pmap.h.
 *
 * Each space has a directory for its own window; the MMU looks into that of the active space, the shared and the system
 * one. A stop turns the entries of those three read-only and leaves the others for when they are activated or opened.
 * Each invalidation names its reason, so that a test can have it forgotten.
 */
#include "arch/pmap.h"
#include "internal.h"
#include "log.h"
#include "mmu.h"
#include "pmap_state.h"

#include <string.h>

#define ENTRIES 1024u

struct fake_pmap fake_pmap;

static struct fake_directory *directory_of(struct place place)
{
    return &fake_pmap.directories[place_space(place).number];
}

static uint32_t *words(struct frame frame)
{
    return frame_address(frame);
}

uint32_t *mmu_directory_entry(struct place place)
{
    struct fake_directory *directory = directory_of(place);

    return directory->exists ? &words(directory->frame)[place.number >> 10 & (ENTRIES - 1)] : NULL;
}

uint32_t *mmu_table_entry(struct place place)
{
    uint32_t *entry = mmu_directory_entry(place);

    if (entry == NULL || (*entry & MMU_PRESENT) == 0) {
        return NULL;
    }
    return &words((struct frame){*entry >> PAGE_SHIFT})[place.number & (ENTRIES - 1)];
}

static uint32_t *mapped_entry(struct place place)
{
    uint32_t *entry = mmu_table_entry(place);

    return entry != NULL && (*entry & MMU_PRESENT) != 0 ? entry : NULL;
}

/* Let a directory show the last stop. */
static void catch_up(struct fake_directory *directory)
{
    if (directory->exists && directory->stops_seen != fake_pmap.stops) {
        for (uint32_t i = 0; i < ENTRIES; i++) {
            words(directory->frame)[i] &= ~MMU_WRITABLE;
        }
        directory->stops_seen = fake_pmap.stops;
    }
}

/* Spaces ----------------------------------------------------------------------------------------------------------- */

enum error pmap_create(struct space_id space)
{
    struct fake_directory *directory = &fake_pmap.directories[space.number];

    ASSERT(space.number < SPACES_MAX);
    if (directory->exists) {
        return ERROR_EXISTS;
    }
    enum error error = frame_allocate(FRAME_PAGE_TABLE, &directory->frame);
    if (error != OK) {
        return error;
    }
    memset(words(directory->frame), 0, PAGE_SIZE);
    directory->exists = true;
    directory->views = 0;
    directory->stops_seen = fake_pmap.stops;
    if (space.number != SPACE_SYSTEM.number && space.number >= fake_pmap.end) {
        fake_pmap.end = space.number + 1;
    }
    return OK;
}

struct space_id pmap_space_end(void)
{
    while (fake_pmap.end > SPACE_NONE.number + 1 && !fake_pmap.directories[fake_pmap.end - 1].exists) {
        fake_pmap.end--;
    }
    return (struct space_id){fake_pmap.end > SPACE_NONE.number ? fake_pmap.end : SPACE_NONE.number + 1};
}

static void delete (struct fake_directory *directory, bool must_be_empty)
{
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint32_t entry = words(directory->frame)[i];

        if ((entry & MMU_PRESENT) != 0) {
            struct frame table = {entry >> PAGE_SHIFT};
            for (uint32_t j = 0; must_be_empty && j < ENTRIES; j++) {
                ASSERT((words(table)[j] & MMU_PRESENT) == 0);
            }
            frame_free(table);
        }
    }
    frame_free(directory->frame);
    directory->exists = false;
}

void pmap_delete(struct space_id space)
{
    ASSERT(space.number < SPACES_MAX && fake_pmap.directories[space.number].exists);
    ASSERT(space.number != SPACE_NONE.number && space.number != SPACE_SYSTEM.number);
    ASSERT(space.number != fake_pmap.active.number);
    delete (&fake_pmap.directories[space.number], true);
}

void fake_pmap_start(void)
{
    memset(&fake_pmap, 0, sizeof(fake_pmap));
    fake_pmap.active = SPACE_SYSTEM;
    mmu_forget(MMU_REASONS);
    mmu_invalidate_all(MMU_ACTIVATE);
    ASSERT(pmap_create(SPACE_SYSTEM) == OK);
}

void fake_pmap_stop_machine(void)
{
    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        if (fake_pmap.directories[i].exists) {
            delete (&fake_pmap.directories[i], false);
        }
    }
}

void pmap_activate(struct space_id space)
{
    ASSERT(space.number < SPACES_MAX && fake_pmap.directories[space.number].exists);
    catch_up(&fake_pmap.directories[space.number]);
    fake_pmap.active = space;
    mmu_invalidate_all(MMU_ACTIVATE);
}

/* Mappings --------------------------------------------------------------------------------------------------------- */

enum error pmap_enter(struct place place, struct frame frame, enum pmap_access access)
{
    uint32_t *directory_entry = mmu_directory_entry(place);

    ASSERT(directory_entry != NULL && !frame_is_none(frame));
    if (mapped_entry(place) != NULL) {
        return ERROR_EXISTS;
    }
    if ((*directory_entry & MMU_PRESENT) == 0) {
        struct frame table;
        enum error error = frame_allocate(FRAME_PAGE_TABLE, &table);
        if (error != OK) {
            return error;
        }
        memset(words(table), 0, PAGE_SIZE);
        catch_up(directory_of(place));
        *directory_entry = table.number << PAGE_SHIFT | MMU_PRESENT | MMU_WRITABLE;
    }
    *mmu_table_entry(place) = frame.number << PAGE_SHIFT | MMU_PRESENT | (access == PMAP_WRITE ? MMU_WRITABLE : 0);
    return OK;
}

enum error pmap_enter_view(struct place place, struct frame frame, enum pmap_access access)
{
    ASSERT(place_space(place).number != SPACE_NONE.number && place_space(place).number != SPACE_SYSTEM.number);
    enum error error = pmap_enter(place, frame, access);

    if (error == OK) {
        *mmu_table_entry(place) |= MMU_VIEW;
        directory_of(place)->views++;
    }
    return error;
}

bool pmap_is_view(struct place place)
{
    const uint32_t *entry = mapped_entry(place);

    return entry != NULL && (*entry & MMU_VIEW) != 0;
}

bool pmap_has_views(struct space_id space)
{
    return fake_pmap.directories[space.number].views > 0;
}

bool pmap_remove(struct place place)
{
    uint32_t *entry = mapped_entry(place);

    if (entry == NULL) {
        return false;
    }
    bool dirty = (*entry & MMU_DIRTY) != 0;
    directory_of(place)->views -= (*entry & MMU_VIEW) != 0;
    *entry = 0;
    mmu_invalidate(place, MMU_REMOVE);
    return dirty;
}

void pmap_protect(struct place place, enum pmap_access access)
{
    uint32_t *entry = mapped_entry(place);

    ASSERT(entry != NULL);
    if (access == PMAP_WRITE) {
        *entry |= MMU_WRITABLE;
    } else {
        *entry &= ~MMU_WRITABLE;
        mmu_invalidate(place, MMU_PROTECT);
    }
}

bool pmap_query(struct place place, enum pmap_access *out)
{
    uint32_t *entry = mapped_entry(place);

    if (entry != NULL && out != NULL) {
        *out = (*entry & MMU_WRITABLE) != 0 ? PMAP_WRITE : PMAP_READ;
    }
    return entry != NULL;
}

bool pmap_allows(struct place place, enum pmap_access access)
{
    enum pmap_access allowed;

    return pmap_query(place, &allowed) && (access == PMAP_READ || (allowed == PMAP_WRITE && !pmap_is_closed(place)));
}

/* Use -------------------------------------------------------------------------------------------------------------- */

struct frame pmap_frame(struct place place)
{
    const uint32_t *entry = mapped_entry(place);

    ASSERT(entry != NULL);
    return (struct frame){*entry >> PAGE_SHIFT};
}

bool pmap_is_dirty(struct place place)
{
    uint32_t *entry = mapped_entry(place);

    ASSERT(entry != NULL);
    return (*entry & MMU_DIRTY) != 0;
}

bool pmap_clear_dirty(struct place place)
{
    uint32_t *entry = mapped_entry(place);
    bool dirty = pmap_is_dirty(place);

    *entry &= ~MMU_DIRTY;
    mmu_invalidate(place, MMU_CLEAR_DIRTY);
    return dirty;
}

void pmap_mark_dirty(struct place place)
{
    uint32_t *entry = mapped_entry(place);

    ASSERT(entry != NULL);
    *entry |= MMU_DIRTY;
    *mmu_directory_entry(place) |= MMU_ACCESSED;
}

bool pmap_clear_accessed(struct place place)
{
    uint32_t *entry = mapped_entry(place);

    ASSERT(entry != NULL);
    bool accessed = (*entry & (MMU_ACCESSED | MMU_SEEN)) != 0;
    if ((*entry & MMU_ACCESSED) != 0) {
        *entry |= MMU_TAKEN;
    }
    *entry &= ~(MMU_ACCESSED | MMU_SEEN);
    mmu_invalidate(place, MMU_CLEAR_ACCESSED);
    return accessed;
}

void pmap_sample_chunk(struct place first, struct pmap_sample *out)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};

    *out = (struct pmap_sample){0};
    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++) {
        uint32_t *entry = mapped_entry((struct place){place.number + i});
        if (entry == NULL) {
            continue;
        }
        out->mapped++;
        out->accessed += (*entry & (MMU_ACCESSED | MMU_TAKEN)) != 0;
        if ((*entry & MMU_ACCESSED) != 0) {
            *entry = (*entry & ~MMU_ACCESSED) | MMU_SEEN;
        }
        *entry &= ~MMU_TAKEN;
    }
    mmu_invalidate_chunk(place, MMU_SAMPLE);
}

uint32_t pmap_gather_chunk(struct place first, pmap_visit_dirty *visit, void *context)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};
    uint32_t *directory_entry = mmu_directory_entry(place);

    if (directory_entry == NULL || (*directory_entry & MMU_PRESENT) == 0 || (*directory_entry & MMU_ACCESSED) == 0) {
        return 0;
    }
    /* First the note and the cached translations, so that a write from now on is noted anew; then the scan. */
    *directory_entry &= ~MMU_ACCESSED;
    mmu_invalidate_chunk(place, MMU_GATHER);
    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++, place.number++) {
        uint32_t *entry = mapped_entry(place);
        if (entry != NULL && (*entry & MMU_DIRTY) != 0) {
            visit(place, (struct frame){*entry >> PAGE_SHIFT}, context);
        }
    }
    return PMAP_CHUNK_PAGES;
}

bool pmap_is_noted(struct place place)
{
    const uint32_t *entry = mmu_directory_entry(place);

    return entry != NULL && (*entry & MMU_PRESENT) != 0 && (*entry & MMU_ACCESSED) != 0;
}

/* Visit the views of a chunk that have `wanted` of the bits in `mask`. */
static void visit_views(struct place first, uint32_t mask, uint32_t wanted, pmap_visit_dirty *visit, void *context)
{
    struct place place = {first.number & ~(PMAP_CHUNK_PAGES - 1)};

    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++, place.number++) {
        const uint32_t *entry = mapped_entry(place);
        if (entry != NULL && (*entry & (MMU_VIEW | mask)) == (MMU_VIEW | wanted)) {
            visit(place, (struct frame){*entry >> PAGE_SHIFT}, context);
        }
    }
}

uint32_t pmap_visit_views(struct place first, pmap_visit_dirty *visit, void *context)
{
    if (!pmap_is_noted(first) || !pmap_has_views(place_space(first))) {
        return 0;
    }
    visit_views(first, MMU_DIRTY, MMU_DIRTY, visit, context);
    return PMAP_CHUNK_PAGES;
}

bool pmap_next_chunk(struct place from, struct place *first)
{
    uint32_t space = place_space(from).number;
    struct place place = {from.number & ~(PMAP_CHUNK_PAGES - 1)};

    while (directory_of(from)->exists && place_space(place).number == space) {
        if ((*mmu_directory_entry(place) & MMU_PRESENT) != 0) {
            *first = place;
            return true;
        }
        if (place.number + PMAP_CHUNK_PAGES < place.number) {
            break;
        }
        place.number += PMAP_CHUNK_PAGES;
    }
    return false;
}

bool pmap_next_mapped(struct place from, struct place last, struct place *out)
{
    struct place chunk;

    while (pmap_next_chunk(from, &chunk) && chunk.number <= last.number) {
        struct place place = chunk.number < from.number ? from : chunk;
        for (; place.number - chunk.number < PMAP_CHUNK_PAGES && place.number <= last.number; place.number++) {
            if (mapped_entry(place) != NULL) {
                *out = place;
                return true;
            }
        }
        if (last.number - chunk.number < PMAP_CHUNK_PAGES) {
            return false;
        }
        from.number = chunk.number + PMAP_CHUNK_PAGES;
    }
    return false;
}

/* The stop --------------------------------------------------------------------------------------------------------- */

void pmap_stop(void)
{
    fake_pmap.stops++;
    catch_up(&fake_pmap.directories[fake_pmap.active.number]);
    catch_up(&fake_pmap.directories[SPACE_SYSTEM.number]);
    mmu_invalidate_all(MMU_STOP);
}

bool pmap_is_closed(struct place place)
{
    uint32_t *entry = mmu_directory_entry(place);

    if (entry == NULL || (*entry & MMU_PRESENT) == 0) {
        return false;
    }
    return directory_of(place)->stops_seen != fake_pmap.stops || (*entry & MMU_WRITABLE) == 0;
}

void pmap_open(struct place place)
{
    uint32_t *entry = mmu_directory_entry(place);

    if (pmap_is_closed(place)) {
        catch_up(directory_of(place));
        *entry |= MMU_WRITABLE;
    }
}

static void forbid_view(struct place place, struct frame frame, void *context)
{
    (void)frame;
    (void)context;
    *mmu_table_entry(place) &= ~MMU_WRITABLE;
}

void pmap_open_narrowly(struct place place)
{
    uint32_t *entry = mmu_directory_entry(place);

    if (pmap_is_closed(place)) {
        visit_views(place, 0, 0, forbid_view, NULL);
        catch_up(directory_of(place));
        *entry |= MMU_WRITABLE | MMU_NARROW;
    }
}

void pmap_widen(struct place first, pmap_visit_dirty *visit, void *context)
{
    uint32_t *entry = mmu_directory_entry(first);

    if (entry != NULL && (*entry & MMU_NARROW) != 0) {
        *entry &= ~MMU_NARROW;
        visit_views(first, MMU_WRITABLE, 0, visit, context);
    }
}
