/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking pages and rights away: what munmap, mprotect and the end of a program come to.
 */
#include "discard.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "frame_use.h"
#include "internal.h"
#include "links.h"
#include "views.h"
#include "object_space.h"
#include "presence.h"
#include "thread.h"
#include "vm_snapshot.h"

/* Every place of the range at which a page is mapped; the cost follows the chunks that have page tables. */
static void visit_mapped(struct place first, uint32_t count, void (*visit)(struct place place))
{
    struct place place = first, last = {first.number + (count - 1)};

    while (pmap_next_mapped(place, last, &place)) {
        visit(place);
        if (place.number++ == last.number) {
            return;
        }
    }
}

/* Whether or not the chunk is closed: what was written before the stop is the snapshot's. */
static void forbid_access(struct place place)
{
    vm_view_unmap(&vm_objects.map, place);
}

/* What is seen at a place though it is another page. */
static void unmap_linked(struct place place)
{
    const struct vm_page *page = vm_frame_page(&vm_objects.map, pmap_frame(place));

    if (!vm_page_is(page, place_key(place))) {
        forbid_access(place);
    }
}

/*
 * The caller has the page's mutex, and loses it. A stop may have come before the mutex did: what was written before it
 * is the snapshot's, and its chunk says so.
 */
void vm_discard_page(struct vm_page *page)
{
    if (vm_page_has_place(page)) {
        vm_open_chunk(vm_page_place(page));
    }
    vm_collect(&vm_objects.map, page);
    if (vm_page_has_place(page)) {
        (void)vm_unmap(&vm_objects.map, vm_page_place(page));
    }
    (void)vm_unmap_links(&vm_objects.map, page);
    struct frame frame = vm_page_detach(&vm_objects.map, page);
    if (!frame_is_none(frame)) {
        frame_free(frame);
    } else if (!frame_is_none(vm_page_copy_frame(page))) {
        frame_set_owner(vm_page_copy_frame(page), FRAME_COPY);
    }
    vm_page_unlock(page);
    vm_map_forget(&vm_objects.map, page);
}

static void discard_page(struct vm_page *page)
{
    vm_page_lock(page);
    vm_discard_page(page);
}

static void discard_pages(struct page_key first, struct page_key last)
{
    struct page_key at = first;

    while (vm_presence_next(&vm_objects.map, at, last, &at)) {
        discard_page(vm_map_find(&vm_objects.map, at));
        if (at.number++ == last.number) {
            return;
        }
        thread_give_way();
    }
}

/* Frames that the range has borrowed, and views; no record tells of them. */
static void give_back_linked(struct place first, uint32_t count)
{
    if (vm_window_has_links(place_space(first))) {
        visit_mapped(first, count, unmap_linked);
    }
}

enum error vm_discard(struct page_key first, uint32_t count)
{
    thread_may_sleep();
    ASSERT(vm_map_range_is_valid(first, count));
    if (page_key_has_place(first)) {
        give_back_linked(page_key_place(first), count);
    }
    discard_pages(first, (struct page_key){first.number + (count - 1)});
    return vm_objects.pager->discard(first, count);
}

/* What has a record may be on its way to the store, which then must hear that it ends. */
enum error vm_discard_if_any(struct page_key first, uint32_t count)
{
    thread_may_sleep();
    ASSERT(vm_map_range_is_valid(first, count));
    struct page_key last = {first.number + (count - 1)}, found;

    if (vm_presence_next(&vm_objects.map, first, last, &found)) {
        return vm_discard(first, count);
    }
    if (page_key_has_place(first)) {
        give_back_linked(page_key_place(first), count);
    }
    enum error error = vm_objects.pager->next(first, &found);
    if (error == ERROR_NOT_FOUND || (error == OK && found.number > last.number)) {
        return OK;
    }
    return error == OK ? vm_discard(first, count) : error;
}

enum error vm_discard_in_use(struct page_key first, uint32_t count)
{
    thread_may_sleep();
    ASSERT(vm_map_range_is_valid(first, count));
    enum error error = vm_objects.pager->discard(first, count);

    return error == OK ? vm_discard(first, count) : error;
}

/* Whether or not the chunk is closed: what was written before the stop is found by its D bit, which stays. */
static void forbid_writing(struct place place)
{
    pmap_protect(place, PMAP_READ);
}

void vm_restrict(struct place first, uint32_t count, bool readable, bool writable)
{
    ASSERT(vm_map_range_is_valid(place_key(first), count));
    if (!readable) {
        visit_mapped(first, count, forbid_access);
    } else if (!writable) {
        visit_mapped(first, count, forbid_writing);
    }
}
