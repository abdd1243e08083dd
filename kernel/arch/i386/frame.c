/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: one byte of ownership for each, and a list of the free ones.
 *
 * The list is doubly linked through the free frames themselves, so it costs no memory, and any frame can leave it
 * when a physically adjacent run is wanted. The frame freed last is handed out first: it may still be in the
 * processor's caches. Frames that were never handed out are not on the list: they begin at `untouched`, so that booting
 * does not write to all of memory. Interrupt handlers take and give no frames.
 */
#include "arch/frame.h"
#include "log.h"
#include "memory.h"

/* What a free frame holds; 0 ends the list in both directions. */
struct free_frame {
    uint32_t next, previous;
};

static uint8_t owners[FRAMES_MAX];
static uint32_t counts[FRAME_OWNERS];
static uint32_t limit;
static uint32_t first_free;
static uint32_t untouched = 1; /* no free frame from here on is on the list */

static struct free_frame *free_frame(uint32_t number)
{
    return frame_address((struct frame){number});
}

static void list_add(uint32_t number)
{
    *free_frame(number) = (struct free_frame){.next = first_free, .previous = 0};
    if (first_free != 0) {
        free_frame(first_free)->previous = number;
    }
    first_free = number;
}

static void list_remove(uint32_t number)
{
    const struct free_frame *frame = free_frame(number);
    if (frame->next != 0) {
        free_frame(frame->next)->previous = frame->previous;
    }
    if (frame->previous != 0) {
        free_frame(frame->previous)->next = frame->next;
    } else {
        first_free = frame->next;
    }
}

static void set_owner(uint32_t number, enum frame_owner owner)
{
    counts[owners[number]]--;
    owners[number] = (uint8_t)owner;
    counts[owner]++;
}

void frame_boot_set(uint32_t first, uint32_t end, enum frame_owner owner)
{
    if (end > FRAMES_MAX) {
        end = FRAMES_MAX;
    }
    if (owner == FRAME_FREE && end > limit) {
        for (uint32_t number = limit; number < end; number++) {
            owners[number] = FRAME_FIRMWARE;
            counts[FRAME_FIRMWARE]++;
        }
        limit = end;
    }
    if (end > limit) {
        end = limit;
    }
    for (uint32_t number = first; number < end; number++) {
        set_owner(number, owner);
    }
}

/* Put the free frames below `end` on the list. */
static void touch_below(uint32_t end)
{
    for (; untouched < end; untouched++) {
        if (owners[untouched] == FRAME_FREE) {
            list_add(untouched);
        }
    }
}

/* Put the lowest frame that was never handed out on the list, if there is one. */
static void touch_next(void)
{
    while (first_free == 0 && untouched < limit) {
        touch_below(untouched + 1);
    }
}

enum error frame_allocate(enum frame_owner owner, struct frame *out)
{
    ASSERT(owner > FRAME_FIRMWARE && owner < FRAME_OWNERS);
    touch_next();
    uint32_t number = first_free;
    if (number == 0) {
        return ERROR_NO_MEMORY;
    }
    ASSERT(owners[number] == FRAME_FREE);
    list_remove(number);
    set_owner(number, owner);
    *out = (struct frame){number};
    return OK;
}

/* The first of `count` adjacent free frames, or 0. */
static uint32_t find_run(uint32_t count)
{
    uint32_t length = 0;
    for (uint32_t number = 1; number < limit; number++) {
        length = owners[number] == FRAME_FREE ? length + 1 : 0;
        if (length == count) {
            return number - count + 1;
        }
    }
    return 0;
}

enum error frame_allocate_run(enum frame_owner owner, uint32_t count, struct frame *first)
{
    ASSERT(owner > FRAME_FIRMWARE && owner < FRAME_OWNERS && count > 0);
    uint32_t start = find_run(count);
    if (start == 0) {
        return ERROR_NO_MEMORY;
    }
    touch_below(start + count);
    for (uint32_t number = start; number < start + count; number++) {
        list_remove(number);
        set_owner(number, owner);
    }
    *first = (struct frame){start};
    return OK;
}

void frame_free(struct frame frame)
{
    ASSERT(frame.number > 0 && frame.number < limit);
    ASSERT(owners[frame.number] > FRAME_FIRMWARE);
    set_owner(frame.number, FRAME_FREE);
    if (frame.number < untouched) {
        list_add(frame.number);
    }
}

void frame_free_run(struct frame first, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        frame_free((struct frame){first.number + i});
    }
}

void *frame_address(struct frame frame)
{
    return memory_at(frame.number << PAGE_SHIFT);
}

struct frame frame_containing(const void *address)
{
    struct frame frame = {memory_physical(address) >> PAGE_SHIFT};
    ASSERT((uint32_t)address >= KERNEL_START && frame.number < limit);
    return frame;
}

enum frame_owner frame_owner(struct frame frame)
{
    ASSERT(frame.number < limit);
    return (enum frame_owner)owners[frame.number];
}

void frame_set_owner(struct frame frame, enum frame_owner owner)
{
    ASSERT(frame.number < limit && owners[frame.number] > FRAME_FIRMWARE);
    ASSERT(owner > FRAME_FIRMWARE && owner < FRAME_OWNERS);
    set_owner(frame.number, owner);
}

uint32_t frame_limit(void)
{
    return limit;
}

uint32_t frame_count(enum frame_owner owner)
{
    ASSERT(owner < FRAME_OWNERS);
    return counts[owner];
}
