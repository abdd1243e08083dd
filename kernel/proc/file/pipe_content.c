/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in pipes: rings of pages in SPACE_PIPES.
 *
 * No program runs in that space and no page of it is seen anywhere: bytes are copied between a program's memory and the
 * frame of a page (vm_content()). Otherwise they are pages like any others: they fault in, are owed to snapshots, and
 * go out when memory is short. Each pipe has the first pages of its ring, all there are as long as nobody asks for
 * more, beside those of other pipes, so that many pipes share a page table; the rest lies further up.
 *
 * A ring is read and written where it stands: the byte `i` of a pipe is at (start + i) % capacity. A pipe that becomes
 * empty starts over at 0, so little in it always is in the same page.
 */
#include "atomic.h"
#include "log.h"
#include "pipe_internal.h"
#include "task/pending.h"
#include "vm_fault.h"
#include <string.h>

_Static_assert(PIPE_FAR_START + PIPES_MAX * PIPE_FAR_PAGES <= USER_END >> PAGE_SHIFT,
               "the rings of all pipes fit their space");
_Static_assert(PIPE_NEAR_START % VM_CLUSTER_PAGES == 0, "what is read together belongs to one pipe");

void pipe_content_allow(struct page_key page, struct vm_allowance *out)
{
    uint32_t number = page_key_address(page).value >> PAGE_SHIFT;
    bool is_far = number >= PIPE_FAR_START;
    uint32_t place = is_far ? (number - PIPE_FAR_START) % PIPE_FAR_PAGES : (number - PIPE_NEAR_START) % PIPE_NEAR_PAGES;

    *out = (struct vm_allowance){.may_write = true,
                                 .pages_before = place,
                                 .pages_after = (is_far ? PIPE_FAR_PAGES : PIPE_NEAR_PAGES) - 1 - place};
}

/* Taking and giving ------------------------------------------------------------------------------------------------ */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Where in the ring the next byte is read, or written. */
static uint32_t position(const struct pipe_record *record, enum pipe_end end)
{
    uint32_t at = end == PIPE_READER ? record->start : record->start + record->length;

    return at & (record->capacity - 1);
}

/* The part of `length` bytes from a place on that lies in one page of the ring. */
static uint32_t part_in_page(uint32_t at, uint32_t length)
{
    return least(length, PAGE_SIZE - (at & PAGE_MASK));
}

uint32_t pipe_part(struct pipe_id pipe, enum pipe_end end, uint32_t length)
{
    return part_in_page(position(pipe_record(pipe), end), length);
}

/* The content of the pages that `length` bytes from a place on lie in, in order; false: one is not there. */
static bool find_pages(struct pipe_id pipe, uint32_t at, uint32_t length, enum pmap_access access,
                       uint8_t *pages[PIPE_HOLD_PAGES])
{
    uint32_t mask = pipe_record(pipe)->capacity - 1;

    for (uint32_t count = 0; length > 0; count++) {
        uint32_t part = part_in_page(at, length);
        pages[count] = vm_content(pipe_page(pipe, at >> PAGE_SHIFT), access);
        if (pages[count] == NULL) {
            return false;
        }
        length -= part;
        at = (at + part) & mask;
    }
    return true;
}

bool pipe_read(struct pipe_id pipe, uint8_t *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    struct pipe_record *record = pipe_record(pipe);
    uint8_t *pages[PIPE_HOLD_PAGES];
    uint32_t at = position(record, PIPE_READER), done = 0;

    ASSERT(length <= PIPE_PIECE && length <= record->length);
    if (pipe_at(pipe)->is_locked || !find_pages(pipe, at, length, PMAP_READ, pages)) {
        return false;
    }
    for (uint32_t count = 0; done < length; count++) {
        uint32_t part = part_in_page(at + done, length - done);
        memcpy(bytes + done, pages[count] + ((at + done) & PAGE_MASK), part);
        done += part;
    }
    record->length -= length;
    record->start = record->length > 0 ? (at + length) & (record->capacity - 1) : 0;
    if (record->length == 0) {
        pipe_trim_later(pipe);
    }
    pipe_wake(pipe, PIPE_WRITER);
    return true;
}

/* PIPE-3: the highest page of the ring that the bytes from a place on touch is to be below `pages`. */
static void note_pages(struct pipe_record *record, uint32_t at, uint32_t length)
{
    uint32_t end = at + length <= record->capacity ? at + length : record->capacity;
    uint32_t pages = (end + PAGE_MASK) >> PAGE_SHIFT;

    if (pages > record->pages) {
        record->pages = pages;
    }
}

bool pipe_write(struct pipe_id pipe, const uint8_t *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    struct pipe_record *record = pipe_record(pipe);
    uint8_t *pages[PIPE_HOLD_PAGES];
    uint32_t at = position(record, PIPE_WRITER), done = 0;

    ASSERT(length <= PIPE_PIECE && length <= record->capacity - record->length);
    if (pipe_at(pipe)->is_locked || !find_pages(pipe, at, length, PMAP_WRITE, pages)) {
        return false;
    }
    for (uint32_t count = 0; done < length; count++) {
        uint32_t part = part_in_page(at + done, length - done);
        /* NOLINT(clang-analyzer-core.*): find_pages() has found as many as there are parts */
        uint8_t *page = pages[count];
        memcpy(page + ((at + done) & PAGE_MASK), bytes + done, part);
        done += part;
    }
    note_pages(record, at, length);
    record->length += length;
    pipe_wake(pipe, PIPE_READER);
    return true;
}

/* Holding pages ---------------------------------------------------------------------------------------------------- */

static enum error wire(struct pipe_hold *hold, struct page_key page, enum pmap_access access)
{
    struct vm_page *wired;
    enum error error;

    do {
        error = vm_wire(page_key_place(page), access, &wired);
    } while (task_wait_goes_on(error));
    if (error == OK) {
        hold->pages[hold->count++] = page;
    }
    return error;
}

/* A stop that came while a later page was waited for has closed the earlier ones to writing again. */
static enum error open_all(const struct pipe_hold *hold, enum pmap_access access)
{
    enum error error = OK;
    uint32_t stops;

    do {
        stops = vm_stops();
        for (uint32_t i = 0; error == OK && i < hold->count; i++) {
            do {
                error = vm_fault(page_key_place(hold->pages[i]), access);
            } while (task_wait_goes_on(error));
        }
    } while (error == OK && stops != vm_stops());
    return error;
}

enum error pipe_hold(struct pipe_hold *hold, struct pipe_id pipe, enum pipe_end end, uint32_t length)
{
    thread_may_sleep();
    enum pmap_access access = end == PIPE_READER ? PMAP_READ : PMAP_WRITE;
    struct pipe_record *record = pipe_record(pipe);
    enum error error = pipe_wait_unlocked(pipe);

    if (error != OK) {
        return error;
    }
    *hold = (struct pipe_hold){.pipe = pipe};
    pipe_at(pipe)->holds++; /* from before the first page is waited for, so that nobody gives it up meanwhile */
    uint32_t at = position(record, end);
    note_pages(record, at, length);
    while (error == OK && length > 0) {
        uint32_t part = part_in_page(at, length);
        error = wire(hold, pipe_page(pipe, at >> PAGE_SHIFT), access);
        length -= part;
        at = (at + part) & (record->capacity - 1);
    }
    if (error == OK) {
        error = open_all(hold, access);
    }
    if (error != OK) {
        pipe_let_go(hold);
    }
    return error;
}

void pipe_let_go(struct pipe_hold *hold)
{
    struct pipe *pipe = pipe_at(hold->pipe);

    while (hold->count > 0) {
        vm_unwire_own(hold->pages[--hold->count]);
    }
    pipe->holds--;
    if (pipe->holds == 0) {
        wait_queue_wake(&pipe->unlocked, UINT32_MAX);
        if (pipe_length(hold->pipe) == 0) {
            pipe_trim_later(hold->pipe);
        }
    }
}

/* Another capacity ------------------------------------------------------------------------------------------------- */

/* Copy part of a page of the ring to the same place in another one, in which nothing of the pipe's lies there. */
static enum error move_part(struct pipe_id pipe, uint32_t from, uint32_t to, uint32_t length)
{
    struct pipe_hold source = {.count = 0}, target = {.count = 0};
    enum error error = wire(&source, pipe_page(pipe, from >> PAGE_SHIFT), PMAP_READ);

    if (error == OK) {
        error = wire(&target, pipe_page(pipe, to >> PAGE_SHIFT), PMAP_WRITE);
    }
    if (error == OK) {
        error = open_all(&target, PMAP_WRITE);
    }
    if (error == OK) {
        uint8_t *content = vm_content(target.pages[0], PMAP_WRITE);
        ASSERT(content != NULL);
        memcpy(content + (to & PAGE_MASK), (uint8_t *)vm_content(source.pages[0], PMAP_READ) + (from & PAGE_MASK),
               length);
    }
    while (source.count + target.count > 0) {
        vm_unwire_own(target.count > 0 ? target.pages[--target.count] : source.pages[--source.count]);
    }
    return error;
}

/*
 * The bytes of a pipe to where they belong with another capacity, in which byte `i` is at (start + i) % capacity as
 * well. As both are powers of two and the smaller one holds all bytes, no byte's new place is where another one is now:
 * so the ring is right as it was until the capacity changes.
 */
static enum error move_bytes(struct pipe_id pipe, uint32_t capacity)
{
    struct pipe_record *record = pipe_record(pipe);
    enum error error = OK;

    for (uint32_t done = 0; error == OK && done < record->length;) {
        uint32_t from = (record->start + done) & (record->capacity - 1);
        uint32_t to = (record->start + done) & (capacity - 1);
        uint32_t part = part_in_page(from, record->length - done);
        if (from != to) {
            if (record->pages < (to >> PAGE_SHIFT) + 1) {
                record->pages = (to >> PAGE_SHIFT) + 1;
            }
            error = move_part(pipe, from, to, part);
        }
        done += part;
    }
    return error;
}

enum error pipe_set_capacity(struct pipe_id pipe, uint32_t capacity)
{
    thread_may_sleep();
    struct pipe_record *record = pipe_record(pipe);
    enum error error = pipe_lock(pipe);

    if (error != OK) {
        return error;
    }
    error = record->length > capacity ? ERROR_BUSY : move_bytes(pipe, capacity);
    if (error == OK) {
        program_call_commit();
        record->start &= capacity - 1;
        record->capacity = capacity;
    }
    pipe_unlock(pipe);
    pipe_wake(pipe, PIPE_WRITER);
    return error;
}
