/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies for the running snapshot: a page is about to be written while the snapshot still needs what it holds.
 *
 * The page gets a fresh frame with a copy, and the old frame stays with the snapshot, which may have it on its way to
 * the disk already. There is a limit to such copies. Who would exceed it waits until the snapshot has written the page,
 * which it does next.
 */
#include "snapshot_copy.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "internal.h"
#include "links.h"
#include "object_space.h"
#include "thread.h"
#include "vm_reclaim.h"
#include "views.h"
#include "vm_snapshot.h"
#include <string.h>

static uint64_t copies;
static struct wait_queue progress; /* of the running snapshot: who must not copy any more sleeps here */

void vm_copy_clear(void)
{
    copies = 0;
    progress = (struct wait_queue){0};
}

uint64_t vm_copies(void)
{
    return copies;
}

/* A frame to copy a page to. The kernel's own records must not wait for one, so they take of the reserve. */
static enum error take_copy_frame(struct page_key key, struct frame *out)
{
    if (page_key_object(key).number == SPACE_SYSTEM.number) {
        return frame_allocate(FRAME_PAGE, out);
    }
    if (frame_count(FRAME_COPY) >= vm_copies_max() || vm_frame_take(out) != OK) {
        return ERROR_BUSY;
    }
    return OK;
}

enum error vm_copy_frame_for_snapshot(struct vm_page *page)
{
    DOES_NOT_SLEEP();
    struct frame fresh;
    enum error error = take_copy_frame(vm_page_key(page), &fresh);

    if (error != OK) {
        return error;
    }
    memcpy(frame_address(fresh), frame_address(vm_page_frame(page)), PAGE_SIZE);
    (void)vm_views_unmap(&vm_objects.map, page); /* what any D knew is from before the stop: VIEW-3 */
    frame_set_owner(vm_page_frame(page), FRAME_COPY);
    vm_snapshot_give_frame(&vm_objects.map, page, fresh);
    copies++;
    return OK;
}

enum error vm_copy_for_snapshot(struct vm_page *page, struct place place)
{
    DOES_NOT_SLEEP();
    enum error error = vm_copy_frame_for_snapshot(page);

    if (error != OK) {
        return error;
    }
    error = vm_enter_page(&vm_objects.map, place, page, PMAP_WRITE);
    if (error == OK) {
        pmap_mark_dirty(place);
    }
    return error;
}

/* The snapshot writes this page next, and then it need not be copied any more. */
enum error vm_copy_wait(struct page_key key)
{
    struct vm_page *page = vm_map_find(&vm_objects.map, key);

    if (page == NULL || !vm_snapshot_must_copy(&vm_objects.map, page)) {
        return OK;
    }
    if (page->state != VM_PAGE_WRITING) {
        vm_snapshot_expedite(&vm_objects.map, page);
    }
    return wait_queue_sleep(&progress, DEADLINE_NEVER, true);
}

void vm_snapshot_progressed(void)
{
    wait_queue_wake(&progress, UINT32_MAX);
}
