/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading records and memory out of an image.
 */
#include "image_records.h"
#include "system_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TREE_DEPTH_MAX 64u /* of a tree of regions; a sound one is at most 28 deep */

static bool state_is_known(const struct system_state *state, uint32_t length)
{
    return length >= SYSTEM_STATE_BYTES_MIN && state->magic == SYSTEM_STATE_MAGIC &&
           state->version == SYSTEM_STATE_VERSION;
}

union state_record {
    struct system_state state;
    uint8_t room[STORE_SYSTEM_RECORD_MAX];
};

bool records_are_known(const struct image *image)
{
    union state_record record;
    uint32_t length = sizeof(record);

    if (store_system_record(image->store, &record, &length) != OK || !state_is_known(&record.state, length)) {
        return false;
    }
    for (uint32_t type = 0; type < RECORD_TYPES; type++) {
        if (record.state.records[type].version != record_layouts[type].version ||
            record.state.records[type].bytes != record_layouts[type].bytes) {
            return false;
        }
    }
    return true;
}

int records_check(const struct image *image)
{
    union state_record record;
    uint32_t length = sizeof(record);
    enum error error = store_system_record(image->store, &record, &length);
    if (error != OK) {
        complain("%s: %s", image->path, error == ERROR_NOT_FOUND ? "no generation yet" : error_text(error));
        return error == ERROR_NOT_FOUND ? STATUS_NOT_RUN : STATUS_FOUND;
    }
    if (!state_is_known(&record.state, length)) {
        complain("%s: its system record is of another version than this tool reads", image->path);
        return STATUS_NOT_RUN;
    }
    for (uint32_t type = 0; type < RECORD_TYPES; type++) {
        const struct record_layout *layout = &record_layouts[type];
        if (record.state.records[type].version != layout->version ||
            record.state.records[type].bytes != layout->bytes) {
            complain("%s: its %s records are of version %u, this tool reads %u; use the tool that came with the kernel",
                     image->path, layout->name, record.state.records[type].version, layout->version);
            return STATUS_NOT_RUN;
        }
    }
    return STATUS_SOUND;
}

/* The region of a tree that holds a page. ERROR_NOT_FOUND: none does. */
static enum error region_find(const struct image *image, uint32_t root, uint32_t number, struct vm_region *out)
{
    for (uint32_t index = root, depth = 0; index != 0; depth++) {
        enum error error =
            depth < TREE_DEPTH_MAX ? image_record_read(image, RECORD_REGION, index, out) : ERROR_FORMAT_DAMAGED;
        if (error != OK) {
            return error == ERROR_RANGE ? ERROR_FORMAT_DAMAGED : error;
        }
        if (number - out->first_page < out->page_count) {
            return OK;
        }
        index = out->child[number < out->first_page ? VM_REGION_BELOW : VM_REGION_ABOVE];
    }
    return ERROR_NOT_FOUND;
}

enum error image_memory_source(const struct image *image, struct space_id window, struct space_id *out)
{
    struct memory_record record = {0};
    enum error error =
        window.number != SPACE_NONE.number ? image_record_read(image, RECORD_MEMORY, window.number, &record) : OK;

    *out = record.source;
    return error == OK && out->number >= SPACES_MAX ? ERROR_FORMAT_DAMAGED : error;
}

enum error image_memory_depth(const struct image *image, struct space_id window, uint32_t *out)
{
    enum error error;

    *out = 0;
    while ((error = image_memory_source(image, window, &window)) == OK && window.number != 0) {
        if (++*out == SPACES_MAX) {
            return ERROR_FORMAT_DAMAGED;
        }
    }
    return error;
}

/* The page that a region shows of its object at a page number of the space. */
static enum error object_page_find(const struct image *image, const struct vm_region *region, uint32_t number,
                                   struct page_key *page, struct store_entry *entry)
{
    *page = page_key_make(region->backing.object, region->backing.offset + number - region->first_page);
    return store_find(image->store, *page, entry);
}

enum error image_page_find(const struct image *image, const struct space_record *space, struct page_key *page,
                           struct store_entry *entry)
{
    struct space_id window = page_key_window(*page);
    struct vm_region region;
    uint32_t depth;
    enum error error = store_find(image->store, *page, entry);

    if (error != ERROR_NOT_FOUND || window.number == SPACE_NONE.number) {
        return error;
    }
    uint32_t number = page_key_address(*page).value >> PAGE_SHIFT;
    error = region_find(image, space->region_root, number, &region);
    if (error == OK && region.backing.kind == VM_BACKING_OBJECT) {
        return object_page_find(image, &region, number, page, entry);
    }
    if (error == OK) {
        error = image_memory_depth(image, window, &depth);
    }
    if (error != OK || region.backing.kind == VM_BACKING_NONE) {
        return error != OK ? error : ERROR_NOT_FOUND;
    }
    while (depth-- > region.backing.depth) {
        error = image_memory_source(image, window, &window);
        if (error != OK) {
            return error;
        }
        *page = page_key_at(window, page_key_address(*page));
        error = store_find(image->store, *page, entry);
        if (error != ERROR_NOT_FOUND) {
            return error;
        }
    }
    return vm_backing_has_object(&region.backing) ? object_page_find(image, &region, number, page, entry)
                                                  : ERROR_NOT_FOUND;
}

/* Of a space, or of the kernel's own records if it is NULL. */
static enum error page_read(const struct image *image, const struct space_record *space, struct page_key page,
                            void *content)
{
    struct store_entry entry;
    enum error error =
        space != NULL ? image_page_find(image, space, &page, &entry) : store_find(image->store, page, &entry);
    if (error == ERROR_NOT_FOUND || (error == OK && block_is_none(entry.block))) {
        memset(content, 0, PAGE_SIZE);
        return OK;
    }
    return error == OK ? store_read(image->store, page, &entry, content) : error;
}

static enum error window_read(const struct image *image, const struct space_record *space, uint32_t address,
                              uint32_t length, void *out)
{
    struct space_id window = space != NULL ? space->memory : SPACE_SYSTEM;

    if ((uint64_t)address + length > (uint64_t)1 << 32) {
        return ERROR_RANGE;
    }
    uint8_t *to = out;
    while (length > 0) {
        uint8_t content[PAGE_SIZE];
        uint32_t offset = address & PAGE_MASK;
        uint32_t part = PAGE_SIZE - offset < length ? PAGE_SIZE - offset : length;
        struct page_key page = page_key_at(window, (struct vaddr){address});
        enum error error = page_read(image, space, page, content);
        if (error != OK) {
            return error;
        }
        memcpy(to, content + offset, part);
        to += part;
        address += part;
        length -= part;
    }
    return OK;
}

enum error image_program_read(const struct image *image, const struct space_record *space, uint32_t address,
                              uint32_t length, void *out)
{
    return window_read(image, space, address, length, out);
}

enum error image_record_read(const struct image *image, enum record_type type, uint32_t index, void *out)
{
    const struct record_layout *layout = &record_layouts[type];
    if (index >= layout->count) {
        return ERROR_RANGE;
    }
    return window_read(image, NULL, layout->start + index * layout->bytes, layout->bytes, out);
}

/* Where a walk through a tree is: the regions whose own turn and whose upper subtree are still to come. */
struct walk {
    const struct image *image;
    struct vm_region waiting[TREE_DEPTH_MAX];
    uint32_t depth;
};

/* Go down along the lower children. */
static enum error descend(struct walk *walk, uint32_t index)
{
    while (index != 0) {
        if (walk->depth == TREE_DEPTH_MAX) {
            return ERROR_FORMAT_DAMAGED;
        }
        struct vm_region *region = &walk->waiting[walk->depth];
        enum error error = image_record_read(walk->image, RECORD_REGION, index, region);
        if (error != OK) {
            return error == ERROR_RANGE ? ERROR_FORMAT_DAMAGED : error;
        }
        walk->depth++;
        index = region->child[VM_REGION_BELOW];
    }
    return OK;
}

enum error regions_walk(const struct image *image, const struct space_record *space, region_visit *visit, void *context)
{
    struct walk walk = {.image = image};
    uint32_t end = 0;
    enum error error = descend(&walk, space->region_root);
    while (error == OK && walk.depth > 0) {
        struct vm_region region = walk.waiting[--walk.depth];
        /* Ascending order is what ends a walk through a tree that has a cycle. */
        if (region.page_count == 0 || region.first_page < end || region.first_page >= VM_REGION_PAGES ||
            region.page_count > VM_REGION_PAGES - region.first_page) {
            return ERROR_FORMAT_DAMAGED;
        }
        end = vm_region_end(&region);
        error = visit(&region, context);
        if (error == OK) {
            error = descend(&walk, region.child[VM_REGION_ABOVE]);
        }
    }
    return error;
}

enum error image_space_read(const struct image *image, struct address_space number, struct space_record *out)
{
    *out = (struct space_record){0};
    return number.number == 0 ? OK : image_record_read(image, RECORD_SPACE, number.number, out);
}

/* Its own, or its lender's. */
static enum error space_of(const struct image *image, const struct program_record *program, struct space_record *out)
{
    struct program_record lender = {0};

    if (program->lender.number == 0) {
        return image_space_read(image, program->space, out);
    }
    if (program->lender.number > PROGRAMS_MAX) {
        return ERROR_FORMAT_DAMAGED;
    }
    enum error error = image_record_read(image, RECORD_PROGRAM, program->lender.number, &lender);
    return error == OK ? image_space_read(image, lender.space, out) : error;
}

enum error program_find(const struct image *image, uint32_t index, struct program_record *out,
                        struct space_record *out_space)
{
    enum error error = image_record_read(image, RECORD_PROGRAM, index, out);
    return error == OK ? space_of(image, out, out_space) : error;
}

int program_named(const struct image *image, const char *text, uint32_t *out_index, struct program_record *out,
                  struct space_record *out_space)
{
    char *end;
    errno = 0;
    unsigned long index = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || index < 1 || index > PROGRAMS_MAX) {
        complain("%s: not the number of a program (1 to %u)", text, PROGRAMS_MAX);
        return STATUS_NOT_RUN;
    }
    enum error error = program_find(image, (uint32_t)index, out, out_space);
    if (error != OK) {
        complain("%s: the record of program %lu: %s", image->path, index, error_text(error));
        return STATUS_FOUND;
    }
    if (out->state == PROGRAM_FREE) {
        complain("%s: there is no program %lu; image programs lists them", image->path, index);
        return STATUS_NOT_RUN;
    }
    *out_index = (uint32_t)index;
    return STATUS_SOUND;
}
