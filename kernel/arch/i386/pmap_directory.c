/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories of the object space: which tables a space has, which space the processor sees, and what is closed.
 *
 * Windows. A directory has three parts: the private window (its own), the kernel (the same in all, for ever) and the
 * system window, whose tables belong to everybody. The entries of that window are right in the active directory only;
 * pmap_activate() copies them from the directory it leaves. So opening, closing and the accessed bits of a chunk of it
 * are one word each, and no other directory has to be found.
 *
 * Closing. A chunk is closed when its directory entry is present without the writable bit. pmap_stop() closes what the
 * active directory maps; other directories note how many stops they have seen, and close their private part when
 * they are touched next (catch_up()).
 */
#include "arch/pmap.h"
#include "log.h"
#include "memory.h"
#include "paging.h"
#include "pmap_internal.h"
#include "processor.h"

#include <string.h>

#define PRIVATE_CHUNKS (USER_END >> CHUNK_SHIFT)
#define SYSTEM_CHUNK   (SYSTEM_START >> CHUNK_SHIFT)
#define SYSTEM_CHUNKS  ((SYSTEM_END - SYSTEM_START) >> CHUNK_SHIFT)

_Static_assert(PRIVATE_CHUNKS % 8 == 0 && SYSTEM_CHUNKS % 8 == 0, "close_entries() takes 8");

/* A private window. */
struct space {
    uint32_t *directory; /* NULL: no such space */
    uint32_t stops_seen;
    uint32_t views; /* mappings that pmap_enter_view() made */
};

static struct space spaces[SPACES_MAX];
static uint32_t spaces_end; /* all that are known have ids below */
static uint32_t stops;

/* SPACE_SYSTEM and boot_directory while there is no private window. */
static struct space_id active_space = {SPACES_MAX - 1};
static uint32_t *active = boot_directory;

/* Chunks of the system window that have or had a table: what pmap_activate() copies. */
static uint16_t window_chunks[SYSTEM_CHUNKS];
static uint32_t window_chunk_count;

static bool is_in_window(struct place place)
{
    uint32_t address = place_address(place).value;
    uint32_t space = place_space(place).number;
    if (space == SPACE_NONE.number) {
        return false;
    }
    if (space == SPACE_SYSTEM.number) {
        return address >= SYSTEM_START && address < SYSTEM_END;
    }
    return address < USER_END;
}

/* Take the right to write from directory entries; absent ones stay absent. Unrolled: this is the length of a stop. */
static void close_entries(uint32_t *entries, uint32_t count)
{
    for (uint32_t *end = entries + count; entries < end; entries += 8) {
        entries[0] &= ~ENTRY_WRITABLE;
        entries[1] &= ~ENTRY_WRITABLE;
        entries[2] &= ~ENTRY_WRITABLE;
        entries[3] &= ~ENTRY_WRITABLE;
        entries[4] &= ~ENTRY_WRITABLE;
        entries[5] &= ~ENTRY_WRITABLE;
        entries[6] &= ~ENTRY_WRITABLE;
        entries[7] &= ~ENTRY_WRITABLE;
    }
}

static void catch_up(struct space *space)
{
    if (space->stops_seen != stops) {
        space->stops_seen = stops;
        close_entries(space->directory, PRIVATE_CHUNKS);
    }
}

uint32_t *pmap_chunk_entry(struct place place)
{
    struct space *space = &spaces[place_space(place).number];

    if (space->directory == NULL) {
        ASSERT(is_in_window(place));
        return pmap_is_private(place_space(place)) ? NULL : &active[pmap_chunk_of(place)];
    }
    ASSERT(pmap_chunk_of(place) < PRIVATE_CHUNKS); /* only private ones have a directory */
    catch_up(space);
    return &space->directory[pmap_chunk_of(place)];
}

bool pmap_is_visible(struct space_id space)
{
    return !pmap_is_private(space) || space.number == active_space.number;
}

bool pmap_allows(struct place place, enum pmap_access access)
{
    uint32_t wanted = access == PMAP_WRITE ? ENTRY_PRESENT | ENTRY_WRITABLE : ENTRY_PRESENT;
    /* The active directory is right for all that is visible in it: it has seen every stop. */
    const uint32_t *chunk =
        pmap_is_visible(place_space(place)) ? &active[pmap_chunk_of(place)] : pmap_chunk_entry(place);

    return chunk != NULL && (*chunk & wanted) == wanted &&
           (entry_table(*chunk)[place.number & (TABLE_ENTRIES - 1)] & wanted) == wanted;
}

enum error pmap_create(struct space_id id)
{
    ASSERT(id.number < SPACES_MAX && pmap_is_private(id));
    struct space *space = &spaces[id.number];
    if (space->directory != NULL) {
        return ERROR_EXISTS;
    }
    struct frame frame;
    enum error error = frame_allocate(FRAME_PAGE_TABLE, &frame);
    if (error != OK) {
        return error;
    }
    uint32_t *directory = frame_address(frame);
    memset(directory, 0, PRIVATE_CHUNKS * sizeof(*directory));
    memcpy(&directory[PRIVATE_CHUNKS], &active[PRIVATE_CHUNKS], (TABLE_ENTRIES - PRIVATE_CHUNKS) * sizeof(*directory));
    *space = (struct space){.directory = directory, .stops_seen = stops};
    spaces_end = id.number < spaces_end ? spaces_end : id.number + 1;
    return OK;
}

void pmap_count_view(struct space_id id, int change)
{
    ASSERT(pmap_is_private(id));
    spaces[id.number].views += (uint32_t)change;
}

bool pmap_has_views(struct space_id id)
{
    return spaces[id.number].views > 0;
}

void pmap_free_table(uint32_t *chunk)
{
    frame_free(frame_containing(entry_table(*chunk)));
    *chunk = 0;
}

void pmap_delete(struct space_id id)
{
    ASSERT(id.number < SPACES_MAX && pmap_is_private(id));
    struct space *space = &spaces[id.number];
    ASSERT(space->directory != NULL);
    if (id.number == active_space.number) {
        pmap_activate(SPACE_SYSTEM); /* kernel threads leave the last program's space active */
    }
    for (uint32_t chunk = 0; chunk < PRIVATE_CHUNKS; chunk++) {
        if (space->directory[chunk] != 0) {
            ASSERT(pmap_next_entry(entry_table(space->directory[chunk]), 0) == TABLE_ENTRIES);
            pmap_free_table(&space->directory[chunk]);
        }
    }
    frame_free(frame_containing(space->directory));
    *space = (struct space){0};
    while (spaces_end > 0 && spaces[spaces_end - 1].directory == NULL) {
        spaces_end--;
    }
}

struct space_id pmap_space_end(void)
{
    return (struct space_id){spaces_end};
}

void pmap_activate(struct space_id id)
{
    ASSERT(id.number < SPACES_MAX && id.number != SPACE_NONE.number);
    if (id.number == active_space.number) {
        return;
    }
    uint32_t *directory = boot_directory;
    if (pmap_is_private(id)) {
        ASSERT(spaces[id.number].directory != NULL);
        catch_up(&spaces[id.number]);
        directory = spaces[id.number].directory;
    }
    for (uint32_t i = 0; i < window_chunk_count; i++) {
        directory[window_chunks[i]] = active[window_chunks[i]];
    }
    active = directory;
    active_space = id;
    processor_write_cr3(memory_physical(directory));
}

void pmap_list_window_chunk(uint32_t chunk)
{
    for (uint32_t i = 0; i < window_chunk_count; i++) {
        if (window_chunks[i] == chunk) {
            return;
        }
    }
    window_chunks[window_chunk_count++] = (uint16_t)chunk;
}

bool pmap_next_chunk(struct place from, struct place *first)
{
    struct space_id id = place_space(from);
    uint32_t end = PRIVATE_CHUNKS;
    uint32_t chunk = pmap_chunk_of(from);
    const uint32_t *directory = active;
    if (id.number == SPACE_SYSTEM.number) {
        end = SYSTEM_CHUNK + SYSTEM_CHUNKS;
        chunk = chunk < SYSTEM_CHUNK ? SYSTEM_CHUNK : chunk;
    } else if ((directory = spaces[id.number].directory) == NULL) {
        return false;
    }
    for (; chunk < end; chunk++) {
        if (directory[chunk] != 0) {
            *first = place_make(id, (struct vaddr){chunk << CHUNK_SHIFT});
            return true;
        }
    }
    return false;
}

void pmap_stop(void)
{
    stops++;
    if (pmap_is_private(active_space)) {
        spaces[active_space.number].stops_seen = stops;
        close_entries(active, PRIVATE_CHUNKS);
    }
    close_entries(&active[SYSTEM_CHUNK], SYSTEM_CHUNKS);
    processor_write_cr3(processor_read_cr3());
}

bool pmap_is_closed(struct place place)
{
    const uint32_t *chunk = pmap_chunk_entry(place);
    return chunk != NULL && *chunk != 0 && (*chunk & ENTRY_WRITABLE) == 0;
}

void pmap_open(struct place place)
{
    uint32_t *chunk = pmap_chunk_entry(place);
    if (chunk != NULL && *chunk != 0) {
        *chunk |= ENTRY_WRITABLE;
    }
}
