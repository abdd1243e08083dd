/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading: the file of a program is an object, and a space begins with private views of it. So all programs of one file
 * have the frames in common that they do not write to, and a segment costs a region.
 *
 * What the file does not say byte by byte is written into the program's own pages: zeroes from the end of a segment's
 * bytes to the end of their page, and the second of two segments that have a page in common.
 */
#include "elf_load.h"
#include "space/address_space.h"
#include "space/object.h"
#include "space/space.h"
#include "space/user_memory.h"
#include <string.h>

#define PIECE_BYTES 256u

/* Keeping ---------------------------------------------------------------------------------------------------------- */

enum error elf_keep(const char *name, const void *bytes, uint32_t size, struct space_id payer, struct object_id *out)
{
    thread_may_sleep();
    struct object_id file;
    enum error error = object_reserve();

    if (error == OK) {
        error = object_create(size, &file);
    }
    if (error != OK) {
        return error;
    }
    object_refer(file, 1);
    object_set_name(file, name);
    error = object_put(file, 0, bytes, size, payer);
    if (error != OK) {
        object_refer(file, -1);
        object_collect();
        return error;
    }
    *out = file;
    return OK;
}

/* Judging ---------------------------------------------------------------------------------------------------------- */

struct kept {
    struct object_id file;
    struct space_id payer;
};

static enum error read_kept(const struct elf_file *file, uint32_t offset, void *to, uint32_t length)
{
    const struct kept *kept = file->context;

    return object_get(kept->file, offset, to, length, kept->payer);
}

enum error elf_examine_kept(struct object_id file, struct space_id payer, struct elf_plan *out, const char **complaint)
{
    thread_may_sleep();
    const struct kept kept = {file, payer};
    uint64_t size = object_at(file)->size;
    const struct elf_file bytes = {
        .size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX, .read = read_kept, .context = &kept};

    return elf_examine(&bytes, out, complaint);
}

/* Mapping ---------------------------------------------------------------------------------------------------------- */

static uint32_t page_of(uint32_t address)
{
    return address >> PAGE_SHIFT;
}

static uint32_t page_behind(uint32_t address)
{
    return (address + PAGE_MASK) >> PAGE_SHIFT;
}

static uint32_t file_end(const struct elf_segment *segment)
{
    return segment->address + segment->file_bytes;
}

static uint32_t memory_end(const struct elf_segment *segment)
{
    return segment->address + segment->memory_bytes;
}

/* Whether zeroes follow the bytes of a segment in their last page. */
static bool has_tail(const struct elf_segment *segment)
{
    return segment->memory_bytes > segment->file_bytes && (file_end(segment) & PAGE_MASK) != 0;
}

/* Whether a segment begins in the last page of the one before it, and shows another page of the file there. */
static bool is_in_a_foreign_page(const struct elf_segment *segment, uint32_t mapped_end)
{
    const struct elf_segment *before = segment - 1;

    return page_of(segment->address) < mapped_end &&
           (before->memory_bytes > before->file_bytes ||
            segment->address - segment->file_offset != before->address - before->file_offset);
}

/* Pages [first, end) of a segment, those that are not mapped yet. */
static enum error map_segment(struct address_space space, struct object_id file, const struct elf_segment *segment,
                              uint32_t mapped_end, uint8_t protection)
{
    uint32_t begin = page_of(segment->address), first = begin < mapped_end ? mapped_end : begin;
    uint32_t shown_end = segment->file_bytes > 0 ? page_behind(file_end(segment)) : begin;
    uint32_t offset = page_of(segment->file_offset) + first - begin;
    enum error error = OK;

    if (first < shown_end) {
        error =
            address_space_map(space, first, shown_end - first, address_space_private_view(protection, file, offset));
        first = shown_end;
    }
    if (error == OK && first < page_behind(memory_end(segment))) {
        error = address_space_map(space, first, page_behind(memory_end(segment)) - first,
                                  address_space_zeroes(protection, 0));
    }
    return error;
}

/* Bytes of the file into pages of the program's own. */
static enum error copy(struct space_id window, struct object_id file, uint32_t address, uint32_t offset,
                       uint32_t length)
{
    uint8_t piece[PIECE_BYTES];
    enum error error = OK;

    for (uint32_t done = 0; error == OK && done < length; done += PIECE_BYTES) {
        uint32_t bytes = length - done < PIECE_BYTES ? length - done : PIECE_BYTES;
        error = object_get(file, offset + done, piece, bytes, window);
        if (error == OK) {
            error = user_copy_into(window, (struct vaddr){address + done}, piece, bytes);
        }
    }
    return error;
}

static enum error clear(struct space_id window, uint32_t address, uint32_t length)
{
    static const uint8_t zeroes[PIECE_BYTES];
    enum error error = OK;

    for (uint32_t done = 0; error == OK && done < length; done += PIECE_BYTES) {
        error = user_copy_into(window, (struct vaddr){address + done}, zeroes,
                               length - done < PIECE_BYTES ? length - done : PIECE_BYTES);
    }
    return error;
}

/* What the views do not show as it is to be. The pages can be written. */
static enum error complete(struct space_id window, struct object_id file, const struct elf_segment *segment,
                           bool is_foreign)
{
    uint32_t to_end = PAGE_SIZE - (segment->address & PAGE_MASK);
    enum error error = OK;

    if (is_foreign) {
        error = copy(window, file, segment->address, segment->file_offset,
                     segment->file_bytes < to_end ? segment->file_bytes : to_end);
    }
    if (error == OK && has_tail(segment)) {
        error = clear(window, file_end(segment), PAGE_SIZE - (file_end(segment) & PAGE_MASK));
    }
    return error;
}

/* The rights of a page that a segment shares with the one before it are both's. */
static enum error protect(struct address_space space, const struct elf_segment *segment, uint32_t mapped_end)
{
    uint32_t first = page_of(segment->address);
    enum error error =
        address_space_protect(space, first, page_behind(memory_end(segment)) - first, segment->protection);

    if (error == OK && first < mapped_end) {
        error = address_space_protect(space, first, 1, segment->protection | (segment - 1)->protection);
    }
    return error;
}

static enum error load_segment(struct address_space space, struct object_id file, const struct elf_segment *segment,
                               uint32_t mapped_end)
{
    bool is_joined = page_of(segment->address) < mapped_end;
    bool is_foreign = is_joined && is_in_a_foreign_page(segment, mapped_end);
    bool is_written = is_foreign || has_tail(segment);
    uint8_t protection = segment->protection | (is_written ? VM_READ | VM_WRITE : 0);
    enum error error = map_segment(space, file, segment, mapped_end, protection);

    if (error == OK && is_foreign) {
        error = address_space_protect(space, page_of(segment->address), 1, VM_READ | VM_WRITE);
    }
    if (error == OK) {
        error = complete(space_window(space), file, segment, is_foreign);
    }
    if (error == OK && (is_joined || protection != segment->protection)) {
        error = protect(space, segment, mapped_end);
    }
    return error;
}

enum error elf_map_interpreter(struct address_space space, struct object_id file, const struct elf_plan *plan)
{
    thread_may_sleep();
    uint32_t mapped_end = 0;
    enum error error = OK;

    for (uint32_t i = 0; error == OK && i < plan->segment_count; i++) {
        error = load_segment(space, file, &plan->segments[i], mapped_end);
        mapped_end = page_behind(memory_end(&plan->segments[i]));
    }
    return error;
}

enum error elf_map(struct address_space space, struct object_id file, const struct elf_plan *plan)
{
    thread_may_sleep();
    space_set_image(space, file);
    enum error error = elf_map_interpreter(space, file, plan);
    struct space_record *record = space_at(space);
    record->image_end = plan->image_end;
    record->break_start = record->break_end = (plan->image_end + PAGE_MASK) & ~PAGE_MASK;
    return error;
}
