/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pictures of memory for programs: whose each frame is, and where each page of a program is.
 *
 * There is no map from frames to pages, and the picture is no reason to keep one: whoever asks for frames has the
 * records of all pages gone through, a few buckets at a time, with turns for others in between. What has changed by the
 * end shows as it was when it was looked at. Nothing is changed by looking, not even an accessed bit.
 *
 * All three calls write into the program's memory only what they have found without sleeping, and begin anew if they
 * are issued again after a boot.
 */
#include "arch/frame.h"
#include "calls.h"
#include "log.h"
#include "snap_pager.h"
#include "space/address_space.h"
#include "space/space.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include "vm_map.h"
#include <string.h>

#define PIECE_PAGES 512u /* of a window that are looked at without a break */

/* Where a program wants it: anywhere. */
typedef uint16_t unaligned_uint16 __attribute__((aligned(1), may_alias));

static bool is_program(struct program_id id)
{
    return id.number > 0 && program_is_in_table(id) && program_at(id)->space.number != 0;
}

/* Whether memory holds something newer than the store. The processor may be the only one who knows yet. */
static bool is_newer(const struct vm_page *page)
{
    return page->state == VM_PAGE_DIRTY || page->state == VM_PAGE_WRITING ||
           (vm_page_has_place(page) && pmap_query(vm_page_place(page), NULL) && pmap_is_dirty(vm_page_place(page)));
}

/* Frames ----------------------------------------------------------------------------------------------------------- */

static const uint8_t kinds[FRAME_OWNERS] = {
    [FRAME_FREE] = EIDOLON_FRAME_FREE,       [FRAME_FIRMWARE] = EIDOLON_FRAME_FIRMWARE,
    [FRAME_KERNEL] = EIDOLON_FRAME_KERNEL,   [FRAME_PAGE_TABLE] = EIDOLON_FRAME_PAGE_TABLE,
    [FRAME_RECORDS] = EIDOLON_FRAME_RECORDS, [FRAME_TABLE] = EIDOLON_FRAME_TABLE,
    [FRAME_PAGE] = EIDOLON_FRAME_ARRIVING,   [FRAME_COPY] = EIDOLON_FRAME_ARRIVING,
    [FRAME_STORE] = EIDOLON_FRAME_STORE,
};

/* Where the frames go, and which they are. */
struct frame_picture {
    struct user_range range;
    uint32_t address; /* of the array */
    uint32_t first, count;
};

/* The program whose page it is; 0: clones share it, or all do. */
static uint32_t program_of(struct page_key page)
{
    struct space_id space = page_key_window(page);

    if (!page_key_has_place(page)) {
        return 0;
    }
    return space.number == SPACE_SYSTEM.number || space.number == SPACE_PIPES.number
               ? EIDOLON_PROGRAM_KERNEL
               : space_owner(memory_space(space)).number;
}

static void set_frame(const struct frame_picture *picture, struct frame frame, enum eidolon_frame_kind kind,
                      struct page_key page)
{
    unaligned_uint16 *out = picture->range.address;

    if (frame.number - picture->first < picture->count) {
        out[frame.number - picture->first] = EIDOLON_FRAME(kind, program_of(page));
    }
}

static enum eidolon_frame_kind kind_of(const struct vm_page *page)
{
    if (page->state == VM_PAGE_WRITING) {
        return EIDOLON_FRAME_WRITING;
    }
    if (page->wire_count > 0) {
        return EIDOLON_FRAME_WIRED;
    }
    return is_newer(page) ? EIDOLON_FRAME_DIRTY : EIDOLON_FRAME_CLEAN;
}

static void set_page(const struct frame_picture *picture, const struct vm_page *page)
{
    if (!frame_is_none(vm_page_frame(page))) {
        set_frame(picture, vm_page_frame(page), kind_of(page), vm_page_key(page));
    }
    if (!frame_is_none(vm_page_copy_frame(page))) {
        set_frame(picture, vm_page_copy_frame(page), EIDOLON_FRAME_COPY, vm_page_key(page));
    }
}

/* The array has to be made ready again after a sleep: a stop may have closed it. */
static enum error prepare(struct frame_picture *picture)
{
    return user_prepare(&picture->range, (struct vaddr){picture->address}, picture->count * (uint32_t)sizeof(uint16_t),
                        PMAP_WRITE);
}

static enum error let_others_run(struct frame_picture *picture)
{
    if (!thread_should_yield()) {
        return OK;
    }
    user_release(&picture->range);
    thread_yield();
    return prepare(picture);
}

static enum error paint(struct frame_picture *picture)
{
    struct vm_map_cursor cursor = {0};
    unaligned_uint16 *out = picture->range.address;
    enum error error = OK;

    for (uint32_t i = 0; i < picture->count; i++) {
        out[i] = EIDOLON_FRAME(kinds[frame_owner((struct frame){picture->first + i})], 0);
    }
    while (error == OK && !cursor.done) {
        const struct vm_page *page = vm_map_next(vm_object_space(), &cursor);
        if (page != NULL) {
            set_page(picture, page);
        } else {
            error = let_others_run(picture);
        }
    }
    return error;
}

int32_t call_eidolon_frames(const struct system_call *call)
{
    uint32_t first = call->arguments[0], count = call->arguments[1];
    uint32_t there = first < frame_limit() ? frame_limit() - first : 0;

    if (count > EIDOLON_FRAMES_MAX) {
        return -EINVAL;
    }
    struct frame_picture picture = {
        .address = call->arguments[2], .first = first, .count = count < there ? count : there};
    enum error error = prepare(&picture);
    if (error == OK) {
        error = paint(&picture);
    }
    if (error != OK) {
        return system_call_errno(error);
    }
    user_release(&picture.range);
    return (int32_t)picture.count;
}

/* Regions ---------------------------------------------------------------------------------------------------------- */

static struct eidolon_region describe_region(struct space_id window, const struct vm_region *region)
{
    struct space_id source = vm_lineage_source(window);
    bool is_copy = region->backing.kind == VM_BACKING_MEMORY &&
                   (vm_backing_has_object(&region->backing) ||
                    (source.number != 0 && region->backing.depth <= vm_lineage_depth(source)));

    return (struct eidolon_region){
        .first_page = region->first_page,
        .page_count = region->page_count,
        .protection = region->protection,
        .flags = region->flags,
        .backing = is_copy ? EIDOLON_BACKING_COPY : (uint8_t)region->backing.kind,
    };
}

int32_t call_eidolon_regions(const struct system_call *call)
{
    struct eidolon_region found[EIDOLON_REGIONS_MAX];
    struct program_id program = {call->arguments[0]};
    uint32_t page = call->arguments[1], wanted = call->arguments[3];
    uint32_t count = 0;

    if (wanted > EIDOLON_REGIONS_MAX) {
        return -EINVAL;
    }
    if (!is_program(program)) {
        return -ESRCH;
    }
    while (count < wanted) {
        const struct vm_region *region =
            vm_region_next(&region_table, space_at(program_at(program)->space)->region_root, page);
        if (region == NULL) {
            break;
        }
        found[count++] = describe_region(space_window(program_at(program)->space), region);
        page = vm_region_end(region);
    }
    int32_t result = copy_out(call->arguments[2], found, count * (uint32_t)sizeof(found[0]));
    return result != 0 ? result : (int32_t)count;
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

/* Pages of a window that are looked at together. */
struct piece {
    struct program_id program;
    uint32_t first, count;
    uint8_t states[PIECE_PAGES];
};

static struct page_key page_of(const struct piece *piece, uint32_t i)
{
    return page_key_at(space_window(program_at(piece->program)->space),
                       (struct vaddr){(piece->first + i) << PAGE_SHIFT});
}

/* What the store has, as EIDOLON_PAGE_OUT; the rest becomes 0. Sleeps. */
static enum error ask_store(struct piece *piece)
{
    struct page_key page = page_of(piece, 0), first = page;
    enum error error;

    memset(piece->states, 0, sizeof(piece->states));
    while ((error = snap_pager_next(page, &page)) == OK && page.number - first.number < piece->count) {
        piece->states[page.number - first.number] = EIDOLON_PAGE_OUT;
        page.number++;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

static uint8_t state_in_memory(const struct vm_page *page)
{
    uint8_t state = is_newer(page) ? EIDOLON_PAGE_DIRTY : EIDOLON_PAGE_CLEAN;

    return state | (page->wire_count > 0 ? EIDOLON_PAGE_WIRED : 0);
}

static bool is_owed(const struct vm_page *page)
{
    return vm_snapshot_has(vm_object_space(), page);
}

/* What memory has goes over what the store has. */
static void ask_memory(struct piece *piece)
{
    for (uint32_t i = 0; i < piece->count; i++) {
        const struct vm_page *page = vm_map_find(vm_object_space(), page_of(piece, i));
        if (page != NULL && !frame_is_none(vm_page_frame(page))) {
            piece->states[i] = state_in_memory(page);
        } else if (piece->states[i] == 0 && piece->first + i < USER_END_PAGE &&
                   pmap_query(page_key_place(page_of(piece, i)), NULL)) {
            piece->states[i] = EIDOLON_PAGE_SHARED;
        }
        if (page != NULL && is_owed(page)) {
            piece->states[i] |= EIDOLON_PAGE_OWED;
        }
    }
}

/* A page in a region is untouched at least, and one in none is nothing. */
static void ask_regions(struct piece *piece)
{
    uint32_t root = space_at(program_at(piece->program)->space)->region_root;
    const struct vm_region *region = NULL;

    for (uint32_t i = 0; i < piece->count; i++) {
        uint32_t page = piece->first + i;
        if (region == NULL || page >= vm_region_end(region)) {
            region = vm_region_next(&region_table, root, page);
        }
        if (region == NULL) {
            memset(piece->states + i, EIDOLON_PAGE_NOTHING, piece->count - i);
            return;
        }
        if (page < region->first_page || region->backing.kind == VM_BACKING_NONE) {
            piece->states[i] = EIDOLON_PAGE_NOTHING;
        } else if (piece->states[i] == 0) {
            piece->states[i] = EIDOLON_PAGE_UNTOUCHED;
        }
    }
}

static int32_t describe_piece(struct piece *piece, uint32_t out)
{
    enum error error = ask_store(piece);

    if (error != OK) {
        return system_call_errno(error);
    }
    if (!is_program(piece->program)) {
        return -ESRCH; /* it ended meanwhile */
    }
    ask_memory(piece);
    ask_regions(piece);
    return copy_out(out, piece->states, piece->count);
}

int32_t call_eidolon_pages(const struct system_call *call)
{
    uint32_t first = call->arguments[1], count = call->arguments[2];
    struct piece piece = {.program = {call->arguments[0]}};
    int32_t result = 0;

    if (count > EIDOLON_PAGES_MAX || first > VM_REGION_PAGES || count > VM_REGION_PAGES - first) {
        return -EINVAL;
    }
    if (!is_program(piece.program)) {
        return -ESRCH;
    }
    for (uint32_t done = 0; done < count && result == 0; done += piece.count) {
        piece.first = first + done;
        piece.count = count - done < PIECE_PAGES ? count - done : PIECE_PAGES;
        result = describe_piece(&piece, call->arguments[3] + done);
        call_let_others_run();
    }
    return result != 0 ? result : (int32_t)count;
}
