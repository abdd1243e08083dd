/*
 * Mappings of the object space: one page directory a space, two levels of tables.
 *
 * Windows. A directory has three parts: the private window (its own), the kernel (the same in all, for ever) and
 * the shared and system windows, whose tables belong to everybody. The entries of those windows are right in the active
 * directory only; pmap_activate() copies them from the directory it leaves. So opening, closing and the accessed bits
 * of a shared chunk are one word each, and no other directory has to be found. Tables of these windows stay.
 *
 * Closing. A chunk is closed when its directory entry is present without the writable bit. pmap_stop() closes what the
 * active directory maps; other directories note how many stops they have seen, and close their private part when
 * they are touched next (catch_up()).
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

#define PRIVATE_CHUNKS (USER_END >> CHUNK_SHIFT)
#define SHARED_CHUNK   (SHARED_START >> CHUNK_SHIFT)
#define SHARED_CHUNKS  ((SHARED_END - SHARED_START) >> CHUNK_SHIFT)
#define SYSTEM_CHUNK   (SYSTEM_START >> CHUNK_SHIFT)
#define SYSTEM_CHUNKS  ((SYSTEM_END - SYSTEM_START) >> CHUNK_SHIFT)

_Static_assert(PRIVATE_CHUNKS % 8 == 0 && SHARED_CHUNKS % 8 == 0 && SYSTEM_CHUNKS % 8 == 0, "close_entries() takes 8");

/* A private window. */
struct space {
    uint32_t *directory; /* NULL: no such space */
    uint32_t stops_seen;
};

static struct space spaces[SPACES_MAX];
static uint32_t stops;

/* SPACE_SYSTEM and boot_directory while there is no private window. */
static struct space_id active_space = {SPACES_MAX - 1};
static uint32_t *active = boot_directory;

/* Chunks of the shared and the system window that have or had a table: what pmap_activate() copies. */
static uint16_t window_chunks[SHARED_CHUNKS + SYSTEM_CHUNKS];
static uint32_t window_chunk_count;

/* While gathering, translations are forgotten all at once at its end. */
static bool gathering;

static bool is_private(struct space_id space)
{
    return space.number != SPACE_SHARED.number && space.number != SPACE_SYSTEM.number;
}

/* Whether the processor may hold translations of the space's pages. */
static bool is_visible(struct space_id space)
{
    return !is_private(space) || space.number == active_space.number;
}

static bool is_in_window(struct gpn page)
{
    uint32_t address = gpn_address(page).value;
    uint32_t space = gpn_space(page).number;
    if (space == SPACE_SHARED.number) {
        return address >= SHARED_START && address < SHARED_END;
    }
    if (space == SPACE_SYSTEM.number) {
        return address >= SYSTEM_START && address < SYSTEM_END;
    }
    return address < USER_END;
}

static uint32_t chunk_of(struct gpn page)
{
    return gpn_address(page).value >> CHUNK_SHIFT;
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

/* The directory entry of a page's chunk, up to date; NULL when the space does not exist. */
static uint32_t *chunk_entry(struct gpn page)
{
    ASSERT(is_in_window(page));
    struct space_id id = gpn_space(page);
    if (!is_private(id)) {
        return &active[chunk_of(page)];
    }
    struct space *space = &spaces[id.number];
    if (space->directory == NULL) {
        return NULL;
    }
    catch_up(space);
    return &space->directory[chunk_of(page)];
}

/* The table entry of a page, or NULL when there is no table. */
static uint32_t *page_entry(struct gpn page)
{
    const uint32_t *chunk = chunk_entry(page);
    if (chunk == NULL || *chunk == 0) {
        return NULL;
    }
    return &entry_table(*chunk)[page.number & (TABLE_ENTRIES - 1)];
}

static uint32_t *mapped_entry(struct gpn page)
{
    uint32_t *entry = page_entry(page);
    ASSERT(entry != NULL && *entry != 0);
    return entry;
}

static void invalidate(struct gpn page)
{
    if (!gathering && is_visible(gpn_space(page))) {
        processor_invalidate(gpn_address(page).value);
    }
}

void pmap_initialise(void)
{
    ASSERT(processor_read_cr3() == memory_physical(boot_directory));
}

enum error pmap_create(struct space_id id)
{
    ASSERT(id.number < SPACES_MAX && is_private(id));
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
    return OK;
}

static bool is_empty_table(const uint32_t *table)
{
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        if (table[i] != 0) {
            return false;
        }
    }
    return true;
}

static void free_table(uint32_t *chunk)
{
    frame_free(frame_containing(entry_table(*chunk)));
    *chunk = 0;
}

void pmap_delete(struct space_id id)
{
    ASSERT(id.number < SPACES_MAX && is_private(id));
    struct space *space = &spaces[id.number];
    ASSERT(space->directory != NULL);
    if (id.number == active_space.number) {
        pmap_activate(SPACE_SYSTEM); /* kernel threads leave the last program's space active */
    }
    for (uint32_t chunk = 0; chunk < PRIVATE_CHUNKS; chunk++) {
        if (space->directory[chunk] != 0) {
            ASSERT(is_empty_table(entry_table(space->directory[chunk])));
            free_table(&space->directory[chunk]);
        }
    }
    frame_free(frame_containing(space->directory));
    *space = (struct space){0};
}

void pmap_activate(struct space_id id)
{
    ASSERT(id.number < SPACES_MAX && id.number != SPACE_SHARED.number);
    if (id.number == active_space.number) {
        return;
    }
    uint32_t *directory = boot_directory;
    if (is_private(id)) {
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

static void list_window_chunk(uint32_t chunk)
{
    for (uint32_t i = 0; i < window_chunk_count; i++) {
        if (window_chunks[i] == chunk) {
            return;
        }
    }
    window_chunks[window_chunk_count++] = (uint16_t)chunk;
}

static enum error make_table(struct gpn page, uint32_t *chunk)
{
    struct frame frame;
    enum error error = frame_allocate(FRAME_PAGE_TABLE, &frame);
    if (error != OK) {
        return error;
    }
    memset(frame_address(frame), 0, PAGE_SIZE);
    uint32_t user = gpn_space(page).number == SPACE_SYSTEM.number ? 0 : ENTRY_USER;
    *chunk = (frame.number << PAGE_SHIFT) | ENTRY_PRESENT | ENTRY_WRITABLE | user;
    if (!is_private(gpn_space(page))) {
        list_window_chunk(chunk_of(page));
    }
    return OK;
}

enum error pmap_enter(struct gpn page, struct frame frame, enum pmap_access access)
{
    uint32_t *chunk = chunk_entry(page);
    ASSERT(chunk != NULL && !frame_is_none(frame));
    if (*chunk == 0) {
        enum error error = make_table(page, chunk);
        if (error != OK) {
            return error;
        }
    }
    uint32_t *entry = page_entry(page);
    if (*entry != 0) {
        return ERROR_EXISTS;
    }
    uint32_t user = gpn_space(page).number == SPACE_SYSTEM.number ? 0 : ENTRY_USER;
    *entry = (frame.number << PAGE_SHIFT) | ENTRY_PRESENT | user | (access == PMAP_WRITE ? ENTRY_WRITABLE : 0);
    return OK;
}

bool pmap_remove(struct gpn page)
{
    uint32_t *entry = page_entry(page);
    if (entry == NULL || *entry == 0) {
        return false;
    }
    bool dirty = (*entry & ENTRY_DIRTY) != 0;
    *entry = 0;
    invalidate(page);
    *chunk_entry(page) |= ENTRY_ACCESSED;
    return dirty;
}

void pmap_protect(struct gpn page, enum pmap_access access)
{
    uint32_t *entry = mapped_entry(page);
    if (access == PMAP_WRITE) {
        *entry |= ENTRY_WRITABLE; /* a stale translation faults once and is gone */
        return;
    }
    *entry &= ~ENTRY_WRITABLE;
    invalidate(page);
}

bool pmap_query(struct gpn page, enum pmap_access *out)
{
    const uint32_t *entry = page_entry(page);
    if (entry == NULL || *entry == 0) {
        return false;
    }
    if (out != NULL) {
        *out = (*entry & ENTRY_WRITABLE) != 0 ? PMAP_WRITE : PMAP_READ;
    }
    return true;
}

bool pmap_is_dirty(struct gpn page)
{
    return (*mapped_entry(page) & ENTRY_DIRTY) != 0;
}

bool pmap_clear_dirty(struct gpn page)
{
    uint32_t *entry = mapped_entry(page);
    if ((*entry & ENTRY_DIRTY) == 0) {
        return false;
    }
    *entry &= ~ENTRY_DIRTY;
    invalidate(page); /* or the processor would not set the bit again */
    return true;
}

void pmap_mark_dirty(struct gpn page)
{
    *mapped_entry(page) |= ENTRY_DIRTY;
    *chunk_entry(page) |= ENTRY_ACCESSED;
}

bool pmap_clear_accessed(struct gpn page)
{
    uint32_t *entry = mapped_entry(page);
    bool accessed = (*entry & ENTRY_ACCESSED) != 0;
    *entry &= ~ENTRY_ACCESSED;
    return accessed;
}

#define SCAN_GROUP 8u

static uint32_t group_union(const uint32_t *entries)
{
    return entries[0] | entries[1] | entries[2] | entries[3] | entries[4] | entries[5] | entries[6] | entries[7];
}

/* Visit the dirty entries of a table, which are looked for in groups. Returns whether it maps anything. */
static bool visit_table(const uint32_t *table, struct gpn first, pmap_visit_dirty *visit, void *context)
{
    uint32_t any = 0;
    for (uint32_t group = 0; group < TABLE_ENTRIES; group += SCAN_GROUP) {
        uint32_t entries = group_union(&table[group]);
        any |= entries;
        if ((entries & ENTRY_DIRTY) == 0) {
            continue;
        }
        for (uint32_t i = group; i < group + SCAN_GROUP; i++) {
            if ((table[i] & ENTRY_DIRTY) != 0) {
                visit((struct gpn){first.number + i}, context);
            }
        }
    }
    return any != 0;
}

uint32_t pmap_gather_chunk(struct gpn page, pmap_visit_dirty *visit, void *context)
{
    ASSERT(!gathering);
    uint32_t *chunk = chunk_entry(page);
    if (chunk == NULL || (*chunk & ENTRY_ACCESSED) == 0) {
        return 0;
    }
    *chunk &= ~ENTRY_ACCESSED;
    gathering = true;
    struct gpn first = {page.number & ~(TABLE_ENTRIES - 1)};
    bool used = visit_table(entry_table(*chunk), first, visit, context);
    gathering = false;
    if (!used) {
        free_table(chunk);
    }
    if (is_visible(gpn_space(page))) {
        processor_write_cr3(processor_read_cr3());
    }
    return TABLE_ENTRIES;
}

bool pmap_next_chunk(struct gpn from, struct gpn *first)
{
    struct space_id id = gpn_space(from);
    uint32_t end = PRIVATE_CHUNKS;
    uint32_t chunk = chunk_of(from);
    const uint32_t *directory = active;
    if (id.number == SPACE_SHARED.number) {
        end = SHARED_CHUNK + SHARED_CHUNKS;
        chunk = chunk < SHARED_CHUNK ? SHARED_CHUNK : chunk;
    } else if (id.number == SPACE_SYSTEM.number) {
        end = SYSTEM_CHUNK + SYSTEM_CHUNKS;
        chunk = chunk < SYSTEM_CHUNK ? SYSTEM_CHUNK : chunk;
    } else if ((directory = spaces[id.number].directory) == NULL) {
        return false;
    }
    for (; chunk < end; chunk++) {
        if (directory[chunk] != 0) {
            *first = gpn_make(id, (struct vaddr){chunk << CHUNK_SHIFT});
            return true;
        }
    }
    return false;
}

void pmap_stop(void)
{
    stops++;
    if (is_private(active_space)) {
        spaces[active_space.number].stops_seen = stops;
        close_entries(active, PRIVATE_CHUNKS);
    }
    close_entries(&active[SHARED_CHUNK], SHARED_CHUNKS);
    close_entries(&active[SYSTEM_CHUNK], SYSTEM_CHUNKS);
    processor_write_cr3(processor_read_cr3());
}

bool pmap_is_closed(struct gpn page)
{
    const uint32_t *chunk = chunk_entry(page);
    return chunk != NULL && *chunk != 0 && (*chunk & ENTRY_WRITABLE) == 0;
}

void pmap_open(struct gpn page)
{
    uint32_t *chunk = chunk_entry(page);
    if (chunk != NULL && *chunk != 0) {
        *chunk |= ENTRY_WRITABLE;
    }
}
