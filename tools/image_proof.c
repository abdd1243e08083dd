/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own proof of records (record_proof.c), on those of a generation in an image.
 *
 * The kernel's tables lie in one window of addresses. Here it is memory of this process, which the pages of the
 * generation are read into; what the generation has none of reads as zeroes, which are free records. So the very code
 * that a boot runs is run, except for what it changes or needs programs for.
 */
#include "image_proof.h"
#include "arch/window.h"
#include "image_records.h"
#include "log.h"
#include "record/record_internal.h"

#include <string.h>
#include <sys/mman.h>

#define WINDOW_BYTES (SYSTEM_END - SYSTEM_START)

static char *window; /* SYSTEM_START .. SYSTEM_END */

void *window_pointer(struct vaddr address)
{
    ASSERT(window != NULL && address.value >= SYSTEM_START && address.value < SYSTEM_END);
    return window + (address.value - SYSTEM_START);
}

struct vaddr window_address(const void *pointer)
{
    return (struct vaddr){SYSTEM_START + (uint32_t)((const char *)pointer - window)};
}

/* Reading --------------------------------------------------------------------------------------------------------- */

/* Which table a page of the window belongs to, and which page of it. False: none. */
static bool find_table(uint32_t address, enum record_type *type, uint32_t *page)
{
    for (*type = 0; *type < RECORD_TYPES; ++*type) {
        const struct record_layout *layout = &record_layouts[*type];
        *page = (address - layout->start) >> PAGE_SHIFT;
        if (address >= layout->start && *page < record_pages_for(layout, layout->count)) {
            return true;
        }
    }
    return false;
}

/* As a boot has it: of a table without holes everything up to the page is there. */
static void note_present(enum record_type type, uint32_t page)
{
    if (record_has_holes(type)) {
        record_set_unit(type, page - page % record_unit_pages(type), true, false);
        return;
    }
    uint32_t bytes = record_layouts[type].bytes;
    uint32_t end = record_pages_for(&record_layouts[type], (uint32_t)(((uint64_t)page << PAGE_SHIFT) / bytes) + 1);
    for (uint32_t i = record_end_page(type); i < end; i++) {
        record_set_unit(type, i, true, false);
    }
}

static enum error read_records(const struct image *image)
{
    struct object_id records = {SPACE_SYSTEM.number};
    struct page_key from = page_key_make(records, SYSTEM_START >> PAGE_SHIFT), page;
    struct store_entry entry;
    enum error error;

    while ((error = store_next(image->store, from, &page, &entry)) == OK &&
           page_key_object(page).number == records.number && page_key_index(page) < SYSTEM_END >> PAGE_SHIFT) {
        enum record_type type;
        uint32_t address = page_key_index(page) << PAGE_SHIFT, number;
        if (find_table(address, &type, &number)) {
            note_present(type, number);
            error = block_is_none(entry.block)
                        ? OK
                        : store_read(image->store, page, &entry, window_pointer((struct vaddr){address}));
        }
        if (error != OK) {
            return error;
        }
        from.number = page.number + 1;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

static void forget_records(void)
{
    for (enum record_type type = 0; type < RECORD_TYPES; type++) {
        for (uint32_t page = record_end_page(type); page > 0; page = record_end_page(type)) {
            record_set_unit(type, page - record_unit_pages(type), false, false);
        }
    }
}

/* Proof ----------------------------------------------------------------------------------------------------------- */

/* All of the window is memory. */
static enum error commit_nothing(struct vm_region_table *table, uint32_t count)
{
    (void)table;
    (void)count;
    return OK;
}

/* Every tree of regions is one, and each record in use is in one of them. */
static enum error prove_regions(void)
{
    struct vm_region_table table = {.records = record_at(RECORD_REGION, 0),
                                    .capacity = record_layouts[RECORD_REGION].count,
                                    .commit = commit_nothing,
                                    .committed = record_committed(RECORD_REGION)};
    enum error error = vm_region_table_adopt(&table);

    for (uint32_t i = 1; error == OK && i < record_committed(RECORD_SPACE); i++) {
        const struct space_record *space = record_at(RECORD_SPACE, i);
        error = space->state != SPACE_FREE ? vm_region_adopt(&table, space->region_root) : OK;
    }
    if (error == OK && !vm_region_table_is_whole(&table)) {
        error = ERROR_FORMAT_DAMAGED;
    }
    if (error != OK) {
        log_line("record: the table of regions is not sound");
    }
    return error;
}

enum error image_records_prove(const struct image *image)
{
    if (!records_are_known(image)) {
        return ERROR_FORMAT_VERSION;
    }
    window = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (window == MAP_FAILED) {
        window = NULL;
        return ERROR_NO_MEMORY;
    }
    enum error error = read_records(image);
    if (error == OK) {
        error = record_prove_all();
    }
    if (error == OK) {
        error = prove_regions();
    }
    forget_records();
    munmap(window, WINDOW_BYTES);
    window = NULL;
    return error;
}
