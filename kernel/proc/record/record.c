/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of persistent records in the system window: making their pages usable, and giving them back.
 *
 * A page of records that is *present* is wired, so that a record in it can be touched anywhere without sleeping. Records of
 * one table come and go in units: one page with all the records it holds, or one record with all its pages. A unit that is
 * not present holds free records, which read as zeroes, and cannot be written. The region table and the terminals' are
 * present from their beginning up to some page, without holes. After a boot a unit is present if the image holds a page of
 * it.
 *
 * A page of records that a snapshot owes is copied to a frame of the kernel's reserve when it is written to, and that
 * cannot wait. So there are never more pages than half of the reserve: every one of them could be copied at once. Each table
 * has a guaranteed share of that budget, and what is left over is for whoever comes first.
 */
#include "record.h"
#include "arch/window.h"
#include "log.h"
#include "signal/program_signal.h"
#include "store.h"
#include "thread.h"
#include "vm_fault.h"
#include "vm_reclaim.h"

#define RECORD_SHARE  2u  /* of the reserve's frames, one in so many may be matched by pages of records */
#define BUDGET_PARTS  64u /* of which a table has some for certain */
#define WINDOW_PAGES  ((SYSTEM_END - SYSTEM_START) >> PAGE_SHIFT)
#define UNIT_BYTES_MAX sizeof(struct program_record)

static const uint32_t guaranteed_parts[RECORD_TYPES] = {
    [RECORD_PROGRAM] = 8, [RECORD_TASK] = 2, [RECORD_FILE] = 2, [RECORD_REGION] = 14, [RECORD_SPACE] = 1, [RECORD_PIPE] = 2,
};

/* Index 0 of these means none. */
static const uint32_t first_index[RECORD_TYPES] = {[RECORD_PROGRAM] = 1, [RECORD_FILE] = 1, [RECORD_SPACE] = SPACES_FIRST};

/* Of each table: pages that are present, on their way in or out; and the page behind the last one present. Volatile. */
static struct {
    uint32_t pages, end;
} tables[RECORD_TYPES];

/* By page of the system window. Volatile. */
static uint32_t present[WINDOW_PAGES / 32], moving[WINDOW_PAGES / 32];
static struct wait_queue moved; /* who waits until a page is moving no more */
static uint32_t pages_leaving, changes;

/* What a record reads as whose unit is not present. */
static const union {
    uint8_t bytes[UNIT_BYTES_MAX];
    uint64_t aligned;
} absent;

_Static_assert(sizeof(struct program_record) % PAGE_SIZE == 0 && PAGE_SIZE % sizeof(struct pipe_record) == 0 &&
                   PAGE_SIZE % sizeof(struct task_record) == 0 && PAGE_SIZE % sizeof(struct file_record) == 0 &&
                   PAGE_SIZE % sizeof(struct space_record) == 0,
               "units of records begin and end with a page");

/* Geometry --------------------------------------------------------------------------------------------------------- */

static uint32_t pages_for(const struct record_layout *layout, uint32_t count)
{
    return (uint32_t)(((uint64_t)count * layout->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

static struct gpn table_page(const struct record_layout *layout, uint32_t index)
{
    return gpn_make(SPACE_SYSTEM, (struct vaddr){layout->start + index * PAGE_SIZE});
}

static bool has_holes(enum record_type type)
{
    return type != RECORD_REGION && type != RECORD_TERMINAL;
}

static uint32_t unit_pages(enum record_type type)
{
    return has_holes(type) ? pages_for(&record_layouts[type], 1) : 1;
}

uint32_t record_unit_size(enum record_type type)
{
    uint32_t bytes = record_layouts[type].bytes;

    return bytes < PAGE_SIZE ? PAGE_SIZE / bytes : 1;
}

static uint32_t window_page(enum record_type type, uint32_t page)
{
    return ((record_layouts[type].start - SYSTEM_START) >> PAGE_SHIFT) + page;
}

static bool is_in(const uint32_t *set, uint32_t page)
{
    return (set[page / 32] >> (page % 32) & 1u) != 0;
}

static void put(uint32_t *set, uint32_t page, bool member)
{
    set[page / 32] = (set[page / 32] & ~(1u << page % 32)) | (uint32_t)member << page % 32;
}

static bool is_present(enum record_type type, uint32_t page)
{
    return is_in(present, window_page(type, page));
}

/* Changes what a unit is; its first page stands for it. */
static void set_unit(enum record_type type, uint32_t page, bool is_here, bool is_moving)
{
    put(present, window_page(type, page), is_here);
    put(moving, window_page(type, page), is_moving);
    if (is_here && tables[type].end < page + unit_pages(type)) {
        tables[type].end = page + unit_pages(type);
    }
    while (tables[type].end > 0 && !is_present(type, tables[type].end - unit_pages(type))) {
        tables[type].end -= unit_pages(type);
    }
    changes++;
    wait_queue_wake(&moved, UINT32_MAX);
}

uint32_t record_changes(void)
{
    return changes;
}

/* Records ---------------------------------------------------------------------------------------------------------- */

bool record_is_present(enum record_type type, uint32_t index)
{
    uint32_t page = index / record_unit_size(type) * unit_pages(type);

    return index < record_layouts[type].count && is_present(type, page);
}

void *record_at(enum record_type type, uint32_t index)
{
    const struct record_layout *layout = &record_layouts[type];

    ASSERT(index < layout->count);
    if (has_holes(type) && !record_is_present(type, index)) {
        return (void *)(uintptr_t)absent.bytes;
    }
    return window_pointer((struct vaddr){layout->start + index * layout->bytes});
}

uint32_t record_index(enum record_type type, const void *record)
{
    return (window_address(record).value - record_layouts[type].start) / record_layouts[type].bytes;
}

uint32_t record_committed(enum record_type type)
{
    const struct record_layout *layout = &record_layouts[type];
    uint32_t count = (uint32_t)(((uint64_t)tables[type].end << PAGE_SHIFT) / layout->bytes);

    return count < layout->count ? count : layout->count;
}

/* Pages of it that are still to be given up are found by the record. */
static bool is_free_pipe(const struct pipe_record *pipe)
{
    return pipe->ends[0] == 0 && pipe->ends[1] == 0 && pipe->pages == 0;
}

static bool is_free(enum record_type type, uint32_t index)
{
    const void *record = record_at(type, index);

    switch (type) {
    case RECORD_PROGRAM:
        return ((const struct program_record *)record)->state == PROGRAM_FREE;
    case RECORD_TASK:
        return ((const struct task_record *)record)->state == TASK_FREE;
    case RECORD_FILE:
        return ((const struct file_record *)record)->kind == FILE_FREE;
    case RECORD_SPACE:
        return ((const struct space_record *)record)->state == SPACE_FREE;
    case RECORD_PIPE:
        return is_free_pipe(record);
    default:
        return false;
    }
}

/* The lowest one at or above `from`. */
static bool find_free(enum record_type type, uint32_t from, uint32_t *out)
{
    for (uint32_t index = from; index < record_committed(type); index++) {
        if (record_is_present(type, index) && is_free(type, index)) {
            *out = index;
            return true;
        }
    }
    return false;
}

bool record_find_free(enum record_type type, uint32_t *out_index)
{
    return find_free(type, first_index[type], out_index);
}

/* The budget ------------------------------------------------------------------------------------------------------- */

static uint32_t guaranteed(enum record_type type)
{
    if (type == RECORD_TERMINAL) {
        return pages_for(&record_layouts[type], 1);
    }
    return vm_frame_reserve() / RECORD_SHARE * guaranteed_parts[type] / BUDGET_PARTS;
}

static uint32_t beyond(uint32_t pages, enum record_type type)
{
    return pages > guaranteed(type) ? pages - guaranteed(type) : 0;
}

/* Whether a table may have more pages: its share is not used up, or what no table has for certain is not. */
static bool may_grow(enum record_type type, uint32_t more)
{
    uint32_t shared = vm_frame_reserve() / RECORD_SHARE, used = beyond(tables[type].pages + more, type);

    if (used == 0) {
        return true;
    }
    for (enum record_type other = 0; other < RECORD_TYPES; other++) {
        shared -= guaranteed(other);
        used += other != type ? beyond(tables[other].pages, other) : 0;
    }
    return used <= shared;
}

/* If not, pages that hold nothing are looked for, and those waited for that are on their way out. May sleep then. */
static enum error make_room(enum record_type type, uint32_t more)
{
    if (may_grow(type, more)) {
        return OK;
    }
    record_trim(true);
    while (!may_grow(type, more)) {
        enum error error = pages_leaving > 0 ? wait_queue_sleep(&moved, DEADLINE_NEVER, true) : ERROR_NO_MEMORY;
        if (error != OK && !signal_wait_goes_on(error)) {
            return error;
        }
    }
    return OK;
}

/* In --------------------------------------------------------------------------------------------------------------- */

static enum error wire(struct gpn page)
{
    enum error error;

    do {
        error = vm_wire(page, PMAP_WRITE);
    } while (signal_wait_goes_on(error));
    return error;
}

/* Bring in a unit that is neither present nor moving. */
static enum error bring_in(enum record_type type, uint32_t page)
{
    struct gpn first = table_page(&record_layouts[type], page);
    uint32_t wired = 0, count = unit_pages(type);
    enum error error = OK;

    set_unit(type, page, false, true);
    tables[type].pages += count;
    while (error == OK && wired < count) {
        error = wire((struct gpn){first.number + wired});
        wired += error == OK ? 1 : 0;
    }
    while (error != OK && wired > 0) {
        vm_unwire((struct gpn){first.number + --wired});
    }
    tables[type].pages -= error == OK ? 0 : count;
    set_unit(type, page, error == OK, false);
    return error;
}

/* The first page in [from, end) whose unit is not present. */
static bool find_absent(enum record_type type, uint32_t from, uint32_t end, bool skip_moving, uint32_t *out)
{
    for (*out = from; *out < end; *out += unit_pages(type)) {
        if (!is_present(type, *out) && !(skip_moving && is_in(moving, window_page(type, *out)))) {
            return true;
        }
    }
    return false;
}

static uint32_t count_absent(enum record_type type, uint32_t pages)
{
    uint32_t count = 0, page = 0;

    for (; find_absent(type, page, pages, true, &page); page += unit_pages(type)) {
        count += unit_pages(type);
    }
    return count;
}

/* Others may bring in pages of the same table meanwhile, and take some out: the last look is behind the last sleep. */
static enum error commit_pages(enum record_type type, uint32_t pages)
{
    uint32_t page;

    while (find_absent(type, 0, pages, false, &page)) {
        enum error error = is_in(moving, window_page(type, page)) ? wait_queue_sleep(&moved, DEADLINE_NEVER, true)
                                                                  : bring_in(type, page);
        if (error != OK && !signal_wait_goes_on(error)) {
            return error;
        }
    }
    return OK;
}

enum error record_commit(enum record_type type, uint32_t count)
{
    if (count > record_layouts[type].count) {
        return ERROR_NO_MEMORY;
    }
    uint32_t pages = pages_for(&record_layouts[type], count), missing = 0;
    while (count_absent(type, pages) > missing) { /* making room may take pages of this table, too */
        missing = count_absent(type, pages);
        enum error error = make_room(type, missing);
        if (error != OK) {
            return error;
        }
    }
    return commit_pages(type, pages);
}

/* One more unit, the lowest there is. */
static enum error grow(enum record_type type)
{
    uint32_t from = first_index[type] / record_unit_size(type) * unit_pages(type), page;
    uint32_t end = pages_for(&record_layouts[type], record_layouts[type].count);
    enum error error = make_room(type, unit_pages(type));

    if (error == OK && !find_absent(type, from, end, true, &page)) {
        error = ERROR_NO_MEMORY;
    }
    return error == OK ? bring_in(type, page) : error;
}

enum error record_reserve(enum record_type type, uint32_t count)
{
    uint32_t found = 0, index = first_index[type];
    enum error error = OK;

    while (error == OK && found < count) {
        if (find_free(type, index, &index)) {
            found++;
            index++;
        } else {
            error = grow(type);
            found = 0; /* that may have slept */
            index = first_index[type];
        }
    }
    return error;
}

/* Out -------------------------------------------------------------------------------------------------------------- */

bool record_unit_is_free(enum record_type type, uint32_t index)
{
    for (uint32_t i = index; i < index + record_unit_size(type) && i < record_layouts[type].count; i++) {
        if (!is_free(type, i)) {
            return false;
        }
    }
    return true;
}

/* Nothing is in a unit, and nobody finds it from the first step on. What cannot be discarded holds free records, as it did. */
static void take_out(enum record_type type, uint32_t page)
{
    struct gpn first = table_page(&record_layouts[type], page);
    uint32_t count = unit_pages(type);

    set_unit(type, page, false, true);
    pages_leaving += count;
    for (uint32_t i = 0; i < count; i++) {
        vm_unwire((struct gpn){first.number + i});
    }
    enum error error = vm_discard_in_use(first, count);
    if (error != OK) {
        log_line("record: a page of the table of %s records is not discarded: %s", record_layouts[type].name,
                 error_text(error));
    }
    tables[type].pages -= count;
    pages_leaving -= count;
    set_unit(type, page, false, false);
}

void record_give_back(enum record_type type, uint32_t index)
{
    ASSERT(has_holes(type) && record_is_present(type, index) && record_unit_is_free(type, index));
    take_out(type, index / record_unit_size(type) * unit_pages(type));
}

bool record_give_back_last(enum record_type type, uint32_t count)
{
    ASSERT(!has_holes(type));
    if (tables[type].end <= pages_for(&record_layouts[type], count)) {
        return false;
    }
    take_out(type, tables[type].end - 1);
    return true;
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

/* A page that the image holds. Of a table without holes, all pages up to the end of the record that it belongs to. */
static enum error resume_page(enum record_type type, uint32_t page)
{
    const struct record_layout *layout = &record_layouts[type];

    if (!has_holes(type)) {
        return commit_pages(type, pages_for(layout, (uint32_t)(((uint64_t)page << PAGE_SHIFT) / layout->bytes) + 1));
    }
    page -= page % unit_pages(type);
    return is_present(type, page) ? OK : bring_in(type, page);
}

static enum error resume_table(struct store *store, enum record_type type)
{
    const struct record_layout *layout = &record_layouts[type];
    struct gpn first = table_page(layout, 0), end = table_page(layout, pages_for(layout, layout->count)), page = first;
    struct store_entry entry;
    enum error error;

    while ((error = store_next(store, page, &page, &entry)) == OK && page.number < end.number) {
        error = resume_page(type, page.number - first.number);
        if (error != OK) {
            log_line("record: the table of %s records cannot be read: %s", layout->name, error_text(error));
            return error;
        }
        page.number++;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

enum error record_resume(struct store *store)
{
    enum error error = OK;

    for (enum record_type type = 0; error == OK && type < RECORD_TYPES; type++) {
        error = resume_table(store, type);
    }
    return error;
}
