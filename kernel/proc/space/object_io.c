/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects as files see them: bytes in and out, and the size.
 *
 * The size says what there is, in one instant; pages follow. What an interrupted shrinking has left beyond the size
 * goes before the object grows over it again, so it is never seen (OBJECT-3).
 */
#include "address_space.h"
#include "fs.h"
#include "log.h"
#include "object.h"
#include "program_time.h"
#include "space.h"
#include "task/pending.h"
#include "thread.h"
#include "user_memory.h"
#include "vm_fault.h"
#include "vm_reclaim.h"
#include <string.h>

#define SIZE_MAX_BYTES ((uint64_t)OBJECT_PAGES << PAGE_SHIFT)

/* Who changes an object does so alone, over his sleeps: by its number, and who waits for any of them. Volatile. */
static uint32_t changing[OBJECTS_RECORDED / 32];
static struct wait_queue changed;

static enum error begin_change(struct object_id object)
{
    thread_may_sleep();
    uint32_t index = object_index(object), bit = 1u << index % 32;

    while ((changing[index / 32] & bit) != 0) {
        enum error error = wait_queue_sleep(&changed, DEADLINE_NEVER, true);
        if (error != OK && !task_wait_goes_on(error)) {
            return error;
        }
    }
    changing[index / 32] |= bit;
    return OK;
}

static void end_change(struct object_id object)
{
    uint32_t index = object_index(object);

    changing[index / 32] &= ~(1u << index % 32);
    wait_queue_wake(&changed, UINT32_MAX);
}

/* Who waits for memory: the running program. */
static struct space_id current_window(void)
{
    return space_window(address_space_of(task_current()->program_id));
}

static struct page_key page_of(struct object_id object, uint64_t position)
{
    return page_key_make(object, (uint32_t)(position >> PAGE_SHIFT));
}

static uint32_t pages_of(uint64_t size)
{
    return (uint32_t)((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

static enum error hold(struct page_key key, struct space_id payer, struct vm_page **out)
{
    enum error error;

    do {
        error = vm_object_hold(key, payer, out);
    } while (task_wait_goes_on(error));
    return error;
}

static enum error wait_for(struct vm_page *page)
{
    enum error error;

    do {
        error = vm_object_wait(page);
    } while (task_wait_goes_on(error));
    return error;
}

/* Of a file: now. */
static void note_change(struct object_id object)
{
    if (fs_is_file(object)) {
        object_at(object)->modify_ns = time_of_base_ns(TIME_WALL);
    }
}

static uint32_t at_most(uint64_t value, uint32_t limit)
{
    return value < limit ? (uint32_t)value : limit;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

/* What is left of a piece, now: the object may have become shorter. */
static uint32_t left(struct object_id object, uint64_t position, uint32_t length)
{
    uint64_t size = object_at(object)->size;

    return position < size ? at_most(size - position, length) : 0;
}

enum error object_read(struct object_id object, uint64_t position, struct vaddr to, uint32_t length, uint32_t *moved)
{
    thread_may_sleep();
    uint32_t offset = (uint32_t)position & PAGE_MASK;
    struct user_range range;
    struct vm_page *page;
    const uint8_t *bytes = NULL;
    enum error error = OK;

    length = left(object, position, at_most(length, PAGE_SIZE - offset));
    while (error == OK && length > 0 && bytes == NULL) {
        error = hold(page_of(object, position), current_window(), &page);
        if (error != OK) {
            break;
        }
        error = user_prepare(&range, to, length, PMAP_WRITE);
        length = left(object, position, length);
        bytes = vm_object_bytes(page);
        if (error == OK && bytes != NULL) {
            memcpy(range.address, bytes + offset, length);
        }
        if (error == OK) {
            user_release(&range);
        }
        vm_unwire(page);
    }
    *moved = error == OK ? length : 0;
    return error;
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

/* Bytes of a page that are to change: to what the running program or the kernel has somewhere, or to zeroes. */
struct change {
    struct page_key key;
    struct space_id payer;
    uint32_t offset, length;
    enum { TO_ZEROES, TO_BYTES, TO_USER } kind;
    const void *bytes;
    struct vaddr from;
    struct user_range source;
};

/* Now. ERROR_NOT_FOUND, ERROR_BUSY: see vm_object_write(); BUSY too if the source was a view of this very page. */
static enum error make(const struct change *change, struct vm_page *page)
{
    void *bytes;
    enum error error = vm_object_write(page, &bytes);

    if (error != OK) {
        return error;
    }
    uint8_t *to = (uint8_t *)bytes + change->offset;
    switch (change->kind) {
    case TO_ZEROES:
        memset(to, 0, change->length);
        return OK;
    case TO_BYTES:
        memcpy(to, change->bytes, change->length);
        return OK;
    case TO_USER:
        if (!user_is_present(change->from, change->length, PMAP_READ)) {
            return ERROR_BUSY;
        }
        memcpy(to, change->source.address, change->length);
    }
    return OK;
}

static enum error try_change(struct change *change)
{
    struct vm_page *page;
    enum error error = hold(change->key, change->payer, &page);

    if (error != OK) {
        return error;
    }
    if (change->kind == TO_USER) {
        error = user_prepare(&change->source, change->from, change->length, PMAP_READ);
    }
    if (error == OK) {
        error = make(change, page);
        if (change->kind == TO_USER) {
            user_release(&change->source);
        }
    }
    enum error waited = error == ERROR_BUSY ? wait_for(page) : OK;
    vm_unwire(page);
    return waited != OK ? waited : error;
}

static enum error change_page(struct change *change)
{
    enum error error;

    do {
        error = try_change(change);
    } while (error == ERROR_BUSY || error == ERROR_NOT_FOUND);
    return error;
}

/* The size --------------------------------------------------------------------------------------------------------- */

/* From `size` on the page that it is in holds zeroes. */
static enum error clear_tail(struct object_id object, uint64_t size)
{
    uint32_t offset = (uint32_t)size & PAGE_MASK;

    return change_page(&(struct change){.key = page_of(object, size),
                                        .payer = current_window(),
                                        .offset = offset,
                                        .length = PAGE_SIZE - offset,
                                        .kind = TO_ZEROES});
}

/* Nothing is at or beyond a size. */
static enum error clear_beyond(struct object_id object, uint64_t size)
{
    uint32_t first = pages_of(size);
    enum error error = OK;

    if (((uint32_t)size & PAGE_MASK) != 0) {
        error = clear_tail(object, size);
    }
    while (error == OK && first < OBJECT_PAGES) {
        error = vm_discard_if_any(page_key_make(object, first), OBJECT_PAGES - first);
        if (error != ERROR_NO_MEMORY) {
            break;
        }
        error = vm_reclaim_wait(current_window());
    }
    return error;
}

static enum error resize_alone(struct object_id object, uint64_t size)
{
    uint64_t old = object_at(object)->size;

    if (size < old) {
        object_at(object)->size = size;
        note_change(object);
        return clear_beyond(object, size);
    }
    enum error error = clear_beyond(object, old);
    if (error == OK && object_at(object)->size < size) {
        object_at(object)->size = size;
        note_change(object);
    }
    return error;
}

/* What others call ------------------------------------------------------------------------------------------------- */

static enum error write_alone(struct object_id object, uint64_t position, struct vaddr from, uint32_t length,
                              uint32_t *moved)
{
    uint32_t offset = (uint32_t)position & PAGE_MASK;
    enum error error = position < SIZE_MAX_BYTES ? OK : ERROR_RANGE;

    length = at_most(length, PAGE_SIZE - offset);
    if (error == OK && position > object_at(object)->size) {
        error = resize_alone(object, position);
    }
    if (error == OK) {
        error = change_page(&(struct change){.key = page_of(object, position),
                                             .payer = current_window(),
                                             .offset = offset,
                                             .length = length,
                                             .kind = TO_USER,
                                             .from = from});
    }
    if (error == OK && object_at(object)->size < position + length) {
        object_at(object)->size = position + length;
    }
    if (error == OK) {
        note_change(object);
    }
    *moved = error == OK ? length : 0;
    return error;
}

enum error object_write(struct object_id object, uint64_t position, struct vaddr from, uint32_t length, uint32_t *moved)
{
    thread_may_sleep();
    enum error error = begin_change(object);

    *moved = 0;
    if (error == OK) {
        error = write_alone(object, position, from, length, moved);
        end_change(object);
    }
    return error;
}

enum error object_resize(struct object_id object, uint64_t size)
{
    thread_may_sleep();
    enum error error = size <= SIZE_MAX_BYTES ? begin_change(object) : ERROR_RANGE;

    if (error == OK) {
        error = resize_alone(object, size);
        end_change(object);
    }
    return error;
}

/* For the kernel --------------------------------------------------------------------------------------------------- */

static bool is_within(struct object_id object, uint64_t position, uint32_t length)
{
    uint64_t size = object_at(object)->size;

    return position <= size && length <= size - position;
}

/* A piece, which is in one page. */
static enum error get_piece(struct page_key key, uint32_t offset, void *to, uint32_t length, struct space_id payer)
{
    const uint8_t *bytes;
    struct vm_page *page;

    do {
        enum error error = hold(key, payer, &page);
        if (error != OK) {
            return error;
        }
        bytes = vm_object_bytes(page);
        if (bytes != NULL) {
            memcpy(to, bytes + offset, length);
        }
        vm_unwire(page);
    } while (bytes == NULL);
    return OK;
}

enum error object_get(struct object_id object, uint64_t position, void *to, uint32_t length, struct space_id payer)
{
    thread_may_sleep();
    enum error error = is_within(object, position, length) ? OK : ERROR_RANGE;

    for (uint32_t done = 0; error == OK && done < length;) {
        uint32_t offset = (uint32_t)(position + done) & PAGE_MASK;
        uint32_t piece = at_most(length - done, PAGE_SIZE - offset);
        error = get_piece(page_of(object, position + done), offset, (uint8_t *)to + done, piece, payer);
        done += piece;
    }
    return error;
}

enum error object_put(struct object_id object, uint64_t position, const void *from, uint32_t length,
                      struct space_id payer)
{
    thread_may_sleep();
    enum error error = is_within(object, position, length) ? OK : ERROR_RANGE;

    for (uint32_t done = 0; error == OK && done < length;) {
        uint32_t offset = (uint32_t)(position + done) & PAGE_MASK;
        uint32_t piece = at_most(length - done, PAGE_SIZE - offset);
        error = change_page(&(struct change){.key = page_of(object, position + done),
                                             .payer = payer,
                                             .offset = offset,
                                             .length = piece,
                                             .kind = TO_BYTES,
                                             .bytes = (const uint8_t *)from + done});
        done += piece;
        thread_give_way();
    }
    return error;
}
