/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of the tables of records: making them usable, and giving back those that hold nothing.
 *
 * A page of records that a snapshot owes is copied to a frame of the kernel's reserve when it is written to, and that
 * cannot wait. So tables that grow never have more pages than half of the reserve, and the terminal's record, which is
 * there from the beginning, comes out of the other half: every one of them could be copied at once. Each table that
 * grows has a guaranteed share of that budget, and what is left over is for whoever comes first.
 */
#include "atomic.h"
#include "log.h"
#include "record_internal.h"
#include "store.h"
#include "task/pending.h"
#include "vm_fault.h"
#include "vm_reserve.h"

#define RECORD_SHARE 2u  /* of the reserve's frames, one in so many may be matched by pages of records */
#define BUDGET_PARTS 64u /* of which a table has some for certain */

static const uint32_t guaranteed_parts[RECORD_TYPES] = {
    [RECORD_PROGRAM] = 8, [RECORD_TASK] = 2,  [RECORD_FILE] = 2,  [RECORD_REGION] = 14,
    [RECORD_MEMORY] = 1,  [RECORD_PIPE] = 2,  [RECORD_SPACE] = 1, [RECORD_OBJECT] = 1,
    [RECORD_TIMER] = 1,   [RECORD_QUEUE] = 1, [RECORD_LOCK] = 1,
};

/* Volatile. */
static uint32_t pages_of[RECORD_TYPES]; /* pages that are present, on their way in or out */
static uint32_t pages_leaving;
static struct wait_queue moved; /* who waits until a page is moving no more */
static record_trimmer *trimmer; /* of the table of regions, once there is one */

static void set_unit(enum record_type type, uint32_t page, bool is_here, bool is_moving)
{
    record_set_unit(type, page, is_here, is_moving);
    wait_queue_wake(&moved, UINT32_MAX);
}

/* The budget ------------------------------------------------------------------------------------------------------- */

static uint32_t guaranteed(enum record_type type)
{
    if (type == RECORD_TERMINAL) {
        return record_pages_for(&record_layouts[type], 1);
    }
    return vm_frame_reserve() / RECORD_SHARE * guaranteed_parts[type] / BUDGET_PARTS;
}

static uint32_t beyond(uint32_t pages, enum record_type type)
{
    return pages > guaranteed(type) ? pages - guaranteed(type) : 0;
}

/* Whether a table may have more pages (RECORD-2): its share is not used up, or what no table has for certain is not. */
static bool may_grow(enum record_type type, uint32_t more)
{
    uint32_t shared = vm_frame_reserve() / RECORD_SHARE, used = beyond(pages_of[type] + more, type);

    if (used == 0) {
        return true;
    }
    for (enum record_type other = 0; other < RECORD_TYPES; other++) {
        shared -= other != RECORD_TERMINAL ? guaranteed(other) : 0; /* that one is beside the budget */
        used += other != type ? beyond(pages_of[other], other) : 0;
    }
    return used <= shared;
}

/* If not, pages that hold nothing are looked for, and those waited for that are on their way out. May sleep then. */
static enum error make_room(enum record_type type, uint32_t more)
{
    thread_may_sleep();
    if (may_grow(type, more)) {
        return OK;
    }
    record_trim(true);
    while (!may_grow(type, more)) {
        enum error error = pages_leaving > 0 ? wait_queue_sleep(&moved, DEADLINE_NEVER, true) : ERROR_NO_MEMORY;
        if (error != OK && !task_wait_goes_on(error)) {
            return error;
        }
    }
    return OK;
}

/* In --------------------------------------------------------------------------------------------------------------- */

static enum error wire(struct page_key page)
{
    struct vm_page *wired;
    enum error error;

    do {
        error = vm_wire(page_key_place(page), PMAP_WRITE, &wired);
    } while (task_wait_goes_on(error));
    return error;
}

/* Bring in a unit that is neither present nor moving. */
static enum error bring_in(enum record_type type, uint32_t page)
{
    struct page_key first = record_page(&record_layouts[type], page);
    uint32_t wired = 0, count = record_unit_pages(type);
    enum error error = OK;

    atomic_begin();
    set_unit(type, page, false, true);
    pages_of[type] += count;
    atomic_end();
    while (error == OK && wired < count) {
        error = wire((struct page_key){first.number + wired});
        wired += error == OK ? 1 : 0;
    }
    while (error != OK && wired > 0) {
        vm_unwire_own((struct page_key){first.number + --wired});
    }
    atomic_begin();
    pages_of[type] -= error == OK ? 0 : count;
    set_unit(type, page, error == OK, false);
    atomic_end();
    return error;
}

/* The first page in [from, end) whose unit is not present. */
static bool find_absent(enum record_type type, uint32_t from, uint32_t end, bool skip_moving, uint32_t *out)
{
    for (*out = from; *out < end; *out += record_unit_pages(type)) {
        if (!record_page_is_present(type, *out) && !(skip_moving && record_page_is_moving(type, *out))) {
            return true;
        }
    }
    return false;
}

static uint32_t count_absent(enum record_type type, uint32_t pages)
{
    uint32_t count = 0, page = 0;

    for (; find_absent(type, page, pages, true, &page); page += record_unit_pages(type)) {
        count += record_unit_pages(type);
    }
    return count;
}

/* Others may bring in pages of the same table meanwhile, and take some out: the last look is behind the last sleep. */
static enum error commit_pages(enum record_type type, uint32_t pages)
{
    uint32_t page;

    while (find_absent(type, 0, pages, false, &page)) {
        enum error error =
            record_page_is_moving(type, page) ? wait_queue_sleep(&moved, DEADLINE_NEVER, true) : bring_in(type, page);
        if (error != OK && !task_wait_goes_on(error)) {
            return error;
        }
    }
    return OK;
}

enum error record_commit(enum record_type type, uint32_t count)
{
    thread_may_sleep();
    if (count > record_layouts[type].count) {
        return ERROR_NO_MEMORY;
    }
    uint32_t pages = record_pages_for(&record_layouts[type], count), missing = 0;
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
    uint32_t from = record_first_index(type) / record_unit_size(type) * record_unit_pages(type), page;
    uint32_t end = record_pages_for(&record_layouts[type], record_layouts[type].count);
    enum error error = make_room(type, record_unit_pages(type));

    if (error == OK && !find_absent(type, from, end, true, &page)) {
        error = ERROR_NO_MEMORY;
    }
    return error == OK ? bring_in(type, page) : error;
}

enum error record_reserve(enum record_type type, uint32_t count)
{
    uint32_t found = 0, index;
    enum error error = OK;

    if (count == 1 && record_find_free(type, &index)) {
        return OK;
    }
    index = record_first_free(type);
    while (error == OK && found < count) {
        if (record_find_free_from(type, index, &index)) {
            found++;
            index++;
        } else {
            error = grow(type);
            found = 0; /* that may have slept */
            index = record_first_free(type);
        }
    }
    return error;
}

#define ROUNDS_MAX 16u

void record_round_begin(struct record_rounds *rounds)
{
    rounds->before = record_changes();
}

bool record_round_again(struct record_rounds *rounds, enum error *error)
{
    if (*error != OK || record_changes() == rounds->before) {
        return false;
    }
    if (++rounds->count == ROUNDS_MAX) {
        *error = ERROR_NO_MEMORY;
    }
    return *error == OK;
}

/* Out -------------------------------------------------------------------------------------------------------------- */

/*
 * Nothing is in a unit, and nobody finds it from the first step on. What cannot be discarded holds free records, as it
 * did.
 */
static void take_out(enum record_type type, uint32_t page)
{
    struct page_key first = record_page(&record_layouts[type], page);
    uint32_t count = record_unit_pages(type);

    atomic_begin();
    set_unit(type, page, false, true);
    pages_leaving += count;
    for (uint32_t i = 0; i < count; i++) {
        vm_unwire_own((struct page_key){first.number + i});
    }
    atomic_end();
    enum error error = vm_discard_in_use(first, count);
    if (error != OK) {
        log_line("record: a page of the table of %s records is not discarded: %s", record_layouts[type].name,
                 error_text(error));
    }
    atomic_begin();
    pages_of[type] -= count;
    pages_leaving -= count;
    set_unit(type, page, false, false);
    atomic_end();
}

static void give_back(enum record_type type, uint32_t index)
{
    ASSERT(record_has_holes(type) && record_is_present(type, index) && record_unit_is_free(type, index));
    take_out(type, index / record_unit_size(type) * record_unit_pages(type));
}

bool record_give_back_last(enum record_type type, uint32_t count)
{
    ASSERT(!record_has_holes(type));
    if (record_end_page(type) <= record_pages_for(&record_layouts[type], count)) {
        return false;
    }
    take_out(type, record_end_page(type) - 1);
    return true;
}

/*
 * Free records are looked for when a table needs a page and the budget has none, when a program has ended, and once
 * after a boot. A unit that holds free records only goes, wherever in its table it is.
 */
static void trim_units(enum record_type type, uint32_t spare)
{
    for (uint32_t page = 0; record_next_loosened(type, &page); page += record_unit_pages(type)) {
        uint32_t index = page / record_unit_pages(type) * record_unit_size(type);
        if (!record_page_is_present(type, page) || !record_unit_is_free(type, index)) {
            record_is_in_use(type, page);
        } else if (spare > 0) {
            spare--;
        } else {
            give_back(type, index);
        }
    }
}

void record_trim(bool all)
{
    thread_may_sleep();
    static const enum record_type with_holes[] = {RECORD_PROGRAM, RECORD_TASK,  RECORD_FILE,   RECORD_MEMORY,
                                                  RECORD_PIPE,    RECORD_SPACE, RECORD_OBJECT, RECORD_TIMER,
                                                  RECORD_QUEUE,   RECORD_LOCK};

    for (uint32_t i = 0; i < sizeof(with_holes) / sizeof(with_holes[0]); i++) {
        trim_units(with_holes[i], all ? 0 : 1);
    }
    if (trimmer != NULL) {
        trimmer(all);
    }
}

void record_set_trimmer(record_trimmer *of_regions)
{
    trimmer = of_regions;
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

/* A page that the image holds. Of a table without holes, all pages up to the end of the record that it belongs to. */
static enum error resume_page(enum record_type type, uint32_t page)
{
    const struct record_layout *layout = &record_layouts[type];

    if (!record_has_holes(type)) {
        return commit_pages(type,
                            record_pages_for(layout, (uint32_t)(((uint64_t)page << PAGE_SHIFT) / layout->bytes) + 1));
    }
    page -= page % record_unit_pages(type);
    return record_page_is_present(type, page) ? OK : bring_in(type, page);
}

static enum error resume_table(struct store *store, enum record_type type)
{
    const struct record_layout *layout = &record_layouts[type];
    struct page_key first = record_page(layout, 0), end = record_page(layout, record_pages_for(layout, layout->count)),
                    page = first;
    struct store_entry entry;
    enum error error;

    while ((error = store_next(store, page, &page, &entry)) == OK && page.number < end.number) {
        error = resume_page(type, (uint32_t)(page.number - first.number));
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
    thread_may_sleep();
    enum error error = OK;

    for (enum record_type type = 0; error == OK && type < RECORD_TYPES; type++) {
        error = resume_table(store, type);
    }
    return error;
}
