/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checked access to the memory of programs: prepare (fault in and wire) first, touch afterwards. Of the running one at
 * its addresses; of one that is being built page by page through the frames, so that whoever builds it stays the task
 * that it is, with its own signals, however long it sleeps.
 */
#include "user_memory.h"
#include "atomic.h"
#include "arch/window.h"
#include "log.h"
#include "address_space.h"
#include "regions.h"
#include "space_map.h"
#include "task/pending.h"
#include "vm_fault.h"
#include <string.h>

static struct place place_of_current(uint32_t address)
{
    return place_make(task_current()->context.space, (struct vaddr){address});
}

static bool are_present(struct place first, uint32_t count, enum pmap_access access)
{
    while (count > 0 && pmap_allows(first, access)) {
        first.number++;
        count--;
    }
    return count == 0;
}

/*
 * Wired pages stay resident, but a stop that happened while a later one was read has closed the earlier ones to writing
 * again. And where the range shows a page twice, a copy of it for the snapshot through one view takes the other one's
 * entry away. Go over them until no stop came in between and all are there.
 */
static enum error open_all(struct place first, uint32_t count, enum pmap_access access)
{
    uint32_t stops;

    do {
        stops = vm_stops();
        for (uint32_t i = 0; i < count; i++) {
            enum error error = vm_fault((struct place){first.number + i}, access);
            if (error != OK) {
                return error;
            }
        }
    } while (stops != vm_stops() || !are_present(first, count, access));
    return OK;
}

/* Wire all of a range, whose page_count becomes `pages`, or nothing. */
static enum error wire_pages(struct user_range *range, uint32_t pages, enum pmap_access access)
{
    enum error error = OK;

    while (error == OK && range->page_count < pages) {
        error =
            vm_wire((struct place){range->first.number + range->page_count}, access, &range->pages[range->page_count]);
        range->page_count += error == OK ? 1 : 0;
    }
    if (error == OK) {
        error = open_all(range->first, pages, access);
    }
    if (error != OK) {
        user_release(range);
    }
    return error;
}

static uint32_t pages_of(struct vaddr address, uint32_t length)
{
    return ((address.value + length - 1) >> PAGE_SHIFT) - (address.value >> PAGE_SHIFT) + 1;
}

/* Whether a range lies in the window that programs have memory in. */
static bool is_in_window(struct vaddr address, uint32_t length)
{
    uint32_t end = address.value + length;

    return address.value >= USER_START && end >= address.value && end <= USER_END;
}

bool user_is_present(struct vaddr address, uint32_t length, enum pmap_access access)
{
    DOES_NOT_SLEEP();
    if (length == 0) {
        return true;
    }
    if (length > USER_RANGE_MAX || !is_in_window(address, length)) {
        return false;
    }
    return are_present(place_of_current(address.value), pages_of(address, length), access);
}

enum error user_prepare(struct user_range *range, struct vaddr address, uint32_t length, enum pmap_access access)
{
    thread_may_sleep();
    if (length > USER_RANGE_MAX) {
        return ERROR_RANGE;
    }
    range->address = window_pointer(address);
    range->page_count = 0;
    if (length == 0) {
        return OK;
    }
    if (!is_in_window(address, length)) {
        return ERROR_DENIED;
    }
    uint32_t pages = pages_of(address, length);
    struct address_space space = address_space_of_task(task_current());
    enum error error;
    bool goes_on;
    do {
        uint32_t epoch = space_epoch(space);
        range->first = place_of_current(address.value);
        error = wire_pages(range, pages, access);
        goes_on = task_wait_goes_on(error) || regions_growth_goes_on(error);
        if (epoch != space_epoch(space)) { /* EPOCH-3: what was found need not be there any more, nor what was not */
            user_release(range);
            goes_on = true;
        }
    } while (goes_on);
    return error == ERROR_RANGE ? ERROR_DENIED : error; /* beyond the end of an object */
}

void user_release(struct user_range *range)
{
    while (range->page_count > 0) {
        vm_unwire(range->pages[--range->page_count]);
    }
}

enum error user_begin(struct user_range *range, struct vaddr address, uint32_t length, enum pmap_access access)
{
    thread_may_sleep();
    enum error error = OK;

    range->address = window_pointer(address);
    range->page_count = 0;
    if (!user_is_present(address, length, access)) {
        error = user_prepare(range, address, length, access);
    }
    if (error == OK) {
        atomic_begin();
    }
    return error;
}

void user_end(struct user_range *range)
{
    atomic_end();
    user_release(range);
}

enum error user_copy_in(void *destination, struct vaddr source, uint32_t length)
{
    thread_may_sleep();
    if (user_is_present(source, length, PMAP_READ)) {
        memcpy(destination, window_pointer(source), length);
        return OK;
    }
    struct user_range range;
    enum error error = user_prepare(&range, source, length, PMAP_READ);

    if (error == OK) {
        memcpy(destination, range.address, length);
        user_release(&range);
    }
    return error;
}

enum error user_copy_out(struct vaddr destination, const void *source, uint32_t length)
{
    thread_may_sleep();
    if (user_is_present(destination, length, PMAP_WRITE)) {
        memcpy(window_pointer(destination), source, length);
        return OK;
    }
    struct user_range range;
    enum error error = user_prepare(&range, destination, length, PMAP_WRITE);

    if (error == OK) {
        memcpy(range.address, source, length);
        user_release(&range);
    }
    return error;
}

static bool all_are_present(const struct user_range *ranges, uint32_t count)
{
    while (count > 0 && are_present(ranges[count - 1].first, ranges[count - 1].page_count, PMAP_WRITE)) {
        count--;
    }
    return count == 0;
}

/*
 * What was made ready first may have been closed to writing again, or be about to be: over all of them until none is.
 */
static enum error open_all_of(const struct user_range *ranges, uint32_t count)
{
    enum error error = OK;
    uint32_t stops;

    do {
        stops = vm_stops();
        for (uint32_t i = 0; error == OK && i < count; i++) {
            do {
                error = open_all(ranges[i].first, ranges[i].page_count, PMAP_WRITE);
            } while (task_wait_goes_on(error));
        }
    } while (error == OK && (stops != vm_stops() || !all_are_present(ranges, count)));
    return error;
}

static void release_all(struct user_range *ranges, uint32_t count)
{
    while (count > 0) {
        user_release(&ranges[--count]);
    }
}

/* `ready` of them are to be released, whatever the result. */
static enum error prepare_all(const struct user_output *outputs, uint32_t count, struct user_range *ranges,
                              uint32_t *ready)
{
    enum error error = OK;

    *ready = 0;
    while (error == OK && *ready < count) {
        error = user_prepare(&ranges[*ready], outputs[*ready].destination, outputs[*ready].length, PMAP_WRITE);
        *ready += error == OK ? 1 : 0;
    }
    return error == OK ? open_all_of(ranges, *ready) : error;
}

enum error user_copy_out_all(const struct user_output *outputs, uint32_t count)
{
    thread_may_sleep();
    struct user_range ranges[USER_OUTPUTS_MAX];
    struct address_space space = address_space_of_task(task_current());
    uint32_t ready;
    enum error error;
    bool holds;

    ASSERT(count <= USER_OUTPUTS_MAX);
    do {
        uint32_t epoch = space_epoch(space);
        error = prepare_all(outputs, count, ranges, &ready);
        holds = epoch == space_epoch(space);
        if (!holds) {
            release_all(ranges, ready);
        }
    } while (!holds);
    if (error == OK) {
        program_call_commit();
    }
    for (uint32_t i = 0; error == OK && i < count; i++) {
        memcpy(ranges[i].address, outputs[i].source, outputs[i].length);
    }
    release_all(ranges, ready);
    return error;
}

static enum error copy_into_page(struct page_key page, uint32_t offset, const void *bytes, uint32_t length)
{
    struct vm_page *wired;
    enum error error;

    do {
        error = vm_wire(page_key_place(page), PMAP_WRITE, &wired);
    } while (task_wait_goes_on(error));
    if (error == OK) {
        vm_write(page, offset, bytes, length);
        vm_unwire(wired);
    }
    return error;
}

enum error user_copy_into(struct space_id space, struct vaddr destination, const void *source, uint32_t length)
{
    thread_may_sleep();
    const uint8_t *bytes = source;
    enum error error = OK;

    if (destination.value < USER_START || destination.value > USER_END || length > USER_END - destination.value) {
        return ERROR_DENIED;
    }
    for (uint32_t done = 0; error == OK && done < length;) {
        struct vaddr to = {destination.value + done};
        uint32_t offset = to.value & PAGE_MASK;
        uint32_t piece = length - done < PAGE_SIZE - offset ? length - done : PAGE_SIZE - offset;
        error = copy_into_page(page_key_at(space, to), offset, bytes + done, piece);
        done += piece;
    }
    return error;
}

enum error user_copy_string(char *destination, struct vaddr source, uint32_t capacity)
{
    for (uint32_t copied = 0; copied < capacity;) {
        struct vaddr from = {source.value + copied};
        uint32_t piece = PAGE_SIZE - (from.value & PAGE_MASK);
        if (piece > capacity - copied) {
            piece = capacity - copied;
        }
        enum error error = user_copy_in(destination + copied, from, piece);
        if (error != OK) {
            return error;
        }
        if (memchr(destination + copied, 0, piece) != NULL) {
            return OK;
        }
        copied += piece;
    }
    return ERROR_RANGE;
}
