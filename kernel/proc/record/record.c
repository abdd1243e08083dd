/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of persistent records in the system window: where each record is, and which pages of them are present.
 * (How pages come and go is in record_pages.c.)
 *
 * A page of records that is *present* is wired, so that a record in it can be touched anywhere without sleeping.
 * Records of one table come and go in units: one page with all the records it holds, or one record with all its pages.
 * A unit that is not present holds free records, which read as zeroes, and cannot be written. The region table and the
 * terminals' are present from their beginning up to some page, without holes. After a boot a unit is present if the
 * image holds a page of it.
 */
#include "record.h"
#include "atomic.h"
#include "arch/window.h"
#include "file/pipe.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "record_internal.h"

#define WINDOW_PAGES   ((SYSTEM_END - SYSTEM_START) >> PAGE_SHIFT)
#define UNIT_BYTES_MAX sizeof(struct program_record)

/* Index 0 of these means none. */
static const uint32_t first_index[RECORD_TYPES] = {
    [RECORD_PROGRAM] = 1, [RECORD_FILE] = 1,  [RECORD_MEMORY] = SPACES_FIRST,
    [RECORD_SPACE] = 1,   [RECORD_TIMER] = 1, [RECORD_QUEUE] = 1};

/* A unit holds two to this many records, unless it is of the region table or the terminals', and has so many pages. */
#define SHIFT_OF(type) ((uint8_t)__builtin_ctz(PAGE_SIZE / sizeof(type)))
static const uint8_t unit_shift[RECORD_TYPES] = {
    [RECORD_TASK] = SHIFT_OF(struct task_record),     [RECORD_FILE] = SHIFT_OF(struct file_record),
    [RECORD_MEMORY] = SHIFT_OF(struct memory_record), [RECORD_SPACE] = SHIFT_OF(struct space_record),
    [RECORD_PIPE] = SHIFT_OF(struct pipe_record),     [RECORD_OBJECT] = SHIFT_OF(struct object_record),
    [RECORD_TIMER] = SHIFT_OF(struct timer_record),   [RECORD_LOCK] = SHIFT_OF(struct lock_record)};
static const uint8_t unit_pages[] = {
    [RECORD_PROGRAM] = sizeof(struct program_record) / PAGE_SIZE,
    [RECORD_TASK] = 1,
    [RECORD_FILE] = 1,
    [RECORD_REGION] = 1,
    [RECORD_TERMINAL] = 1,
    [RECORD_MEMORY] = 1,
    [RECORD_PIPE] = 1,
    [RECORD_SPACE] = 1,
    [RECORD_OBJECT] = 1,
    [RECORD_TIMER] = 1,
    [RECORD_QUEUE] = sizeof(struct queue_record) / PAGE_SIZE,
    [RECORD_LOCK] = 1,
};
_Static_assert(sizeof(unit_pages) == RECORD_TYPES, "each type has units");

static uint32_t ends[RECORD_TYPES];       /* of each table: the page behind the last one present. Volatile. */
static uint32_t none_below[RECORD_TYPES]; /* no record below is free. Volatile. */

/* By page of the system window. Volatile. */
static uint32_t present[WINDOW_PAGES / 32], moving[WINDOW_PAGES / 32];
static uint32_t loosened[WINDOW_PAGES / 32]; /* units whose records may all be free, no others are: RECORD-3 */
static uint32_t changes;

/* What a record reads as whose unit is not present. */
static const union {
    uint8_t bytes[UNIT_BYTES_MAX];
    uint64_t aligned;
} absent;

_Static_assert(sizeof(struct program_record) % PAGE_SIZE == 0 && sizeof(struct queue_record) % PAGE_SIZE == 0 &&
                   PAGE_SIZE % sizeof(struct pipe_record) == 0 && PAGE_SIZE % sizeof(struct task_record) == 0 &&
                   PAGE_SIZE % sizeof(struct file_record) == 0 && PAGE_SIZE % sizeof(struct memory_record) == 0 &&
                   PAGE_SIZE % sizeof(struct space_record) == 0 && PAGE_SIZE % sizeof(struct object_record) == 0 &&
                   PAGE_SIZE % sizeof(struct timer_record) == 0,
               "units of records begin and end with a page");

/* Geometry --------------------------------------------------------------------------------------------------------- */

uint32_t record_pages_for(const struct record_layout *layout, uint32_t count)
{
    return (uint32_t)(((uint64_t)count * layout->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

struct page_key record_page(const struct record_layout *layout, uint32_t index)
{
    return page_key_at(SPACE_SYSTEM, (struct vaddr){layout->start + index * PAGE_SIZE});
}

bool record_has_holes(enum record_type type)
{
    return type != RECORD_REGION && type != RECORD_TERMINAL;
}

uint32_t record_unit_pages(enum record_type type)
{
    return unit_pages[type];
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

bool record_page_is_present(enum record_type type, uint32_t page)
{
    return is_in(present, window_page(type, page));
}

bool record_page_is_moving(enum record_type type, uint32_t page)
{
    return is_in(moving, window_page(type, page));
}

uint32_t record_end_page(enum record_type type)
{
    return ends[type];
}

void record_set_unit(enum record_type type, uint32_t page, bool is_here, bool is_moving)
{
    put(present, window_page(type, page), is_here);
    put(moving, window_page(type, page), is_moving);
    if (is_here && ends[type] < page + record_unit_pages(type)) {
        ends[type] = page + record_unit_pages(type);
    }
    record_freed(type, page / record_unit_pages(type) * record_unit_size(type));
    while (ends[type] > 0 && !record_page_is_present(type, ends[type] - record_unit_pages(type))) {
        ends[type] -= record_unit_pages(type);
    }
    changes++;
}

uint32_t record_changes(void)
{
    return changes;
}

/* Records ---------------------------------------------------------------------------------------------------------- */

/*
 * Whether the record at an address is there, of a table that may have holes: its first page is its unit's (or all of
 * it).
 */
static inline bool is_there(uint32_t address)
{
    return is_in(present, (address - SYSTEM_START) >> PAGE_SHIFT);
}

bool record_is_present(enum record_type type, uint32_t index)
{
    const struct record_layout *layout = &record_layouts[type];

    if (index >= layout->count) {
        return false;
    }
    return record_has_holes(type) ? is_there(layout->start + index * layout->bytes)
                                  : record_page_is_present(type, index / record_unit_size(type) * unit_pages[type]);
}

void *record_at(enum record_type type, uint32_t index)
{
    const struct record_layout *layout = &record_layouts[type];

    ASSERT(index < layout->count);
    uint32_t address = layout->start + index * layout->bytes;
    if (record_has_holes(type) && !is_there(address)) {
        return (void *)(uintptr_t)absent.bytes;
    }
    return window_pointer((struct vaddr){address});
}

uint32_t record_index(enum record_type type, const void *record)
{
    return (window_address(record).value - record_layouts[type].start) / record_layouts[type].bytes;
}

uint32_t record_committed(enum record_type type)
{
    const struct record_layout *layout = &record_layouts[type];
    uint32_t count = record_has_holes(type) ? ends[type] / unit_pages[type] << unit_shift[type]
                                            : (ends[type] << PAGE_SHIFT) / layout->bytes;

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
    case RECORD_MEMORY:
        return ((const struct memory_record *)record)->state == MEMORY_FREE;
    case RECORD_SPACE:
        return ((const struct space_record *)record)->state == SPACE_FREE;
    case RECORD_PIPE:
        return is_free_pipe(record);
    case RECORD_OBJECT:
        return ((const struct object_record *)record)->state == OBJECT_FREE;
    case RECORD_TIMER:
        return ((const struct timer_record *)record)->program.number == 0;
    case RECORD_QUEUE:
        return ((const struct queue_record *)record)->state == QUEUE_FREE;
    case RECORD_LOCK:
        return ((const struct lock_record *)record)->object.number == 0;
    default:
        return false;
    }
}

/* The lowest one at or above `from`. */
bool record_find_free_from(enum record_type type, uint32_t from, uint32_t *out)
{
    uint32_t end = record_committed(type);

    for (uint32_t index = from; index < end; index++) {
        if (record_is_present(type, index) && is_free(type, index)) {
            *out = index;
            return true;
        }
    }
    return false;
}

uint32_t record_first_index(enum record_type type)
{
    return first_index[type];
}

uint32_t record_first_free(enum record_type type)
{
    return none_below[type] > first_index[type] ? none_below[type] : first_index[type];
}

bool record_find_free(enum record_type type, uint32_t *out_index)
{
    DOES_NOT_SLEEP();
    bool found = record_find_free_from(type, record_first_free(type), out_index);

    none_below[type] = found ? *out_index : record_committed(type);
    return found;
}

void record_freed(enum record_type type, uint32_t index)
{
    DOES_NOT_SLEEP();
    if (index < none_below[type]) {
        none_below[type] = index;
    }
    if (record_has_holes(type)) {
        put(loosened, window_page(type, (index >> unit_shift[type]) * unit_pages[type]), true);
    }
}

bool record_next_loosened(enum record_type type, uint32_t *page)
{
    uint32_t at = window_page(type, *page), end = window_page(type, ends[type]);

    while (at < end && !is_in(loosened, at)) {
        at = loosened[at / 32] >> at % 32 == 0 ? (at | 31) + 1 : at + 1;
    }
    *page += at - window_page(type, *page);
    return at < end;
}

void record_is_in_use(enum record_type type, uint32_t page)
{
    put(loosened, window_page(type, page), false);
}

bool record_unit_is_free(enum record_type type, uint32_t index)
{
    for (uint32_t i = index; i < index + record_unit_size(type) && i < record_layouts[type].count; i++) {
        if (!is_free(type, i)) {
            return false;
        }
    }
    return true;
}
