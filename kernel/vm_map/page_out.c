/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page-out: freeing frames when dropping clean pages does not do. The victims are written first.
 *
 * Replacement names the victims, dirty or not. A page that the running snapshot owes is left alone, because the
 * snapshot will clean it anyway. Each victim is locked and unmapped before it is written, so a program that touches it
 * waits for its mutex and brings it in again. They are written in page order: neighbours in the space become neighbours
 * on the disk, and come back with one request.
 *
 * One thread does this at a time. The others find frames when their turn comes. So programs that dirty pages faster
 * than the disk takes them queue here, in the order in which they came.
 */
#include "arch/frame.h"
#include "arch/pmap.h"
#include "log.h"
#include "object_space.h"
#include "thread.h"
#include "victim.h"
#include "views.h"
#include "vm_account.h"
#include "vm_reclaim.h"
#include "vm_reserve.h"
#include "vm_snapshot.h"

#define ENOUGH    16u                    /* frames above the reserve; a batch fills up to VM_PAGE_OUT_MAX */
#define LOOKS_MAX (4u * VM_PAGE_OUT_MAX) /* at victims that turn out to be the snapshot's */

static struct mutex turn;
static uint64_t paged_out;

uint64_t vm_paged_out(void)
{
    return paged_out;
}

/* Lock and unmap a victim. Returns whether it is dirty and so has to be written; else it is gone, or left alone. */
static bool take(struct vm_map *map, struct vm_page *page, uint32_t *dropped)
{
    bool locked = vm_page_try_lock(page);

    ASSERT(locked);
    if (vm_page_has_place(page)) {
        vm_open_chunk(vm_page_place(page));
    }
    vm_collect(map, page);
    if (vm_snapshot_has(map, page)) {
        vm_page_unlock(page);
        return false;
    }
    if (vm_views_unmap(map, page)) {
        vm_page_mark_dirty(map, page);
    }
    if (page->state == VM_PAGE_CLEAN) {
        vm_victim_drop(map, page);
        *dropped += 1;
        return false;
    }
    return true;
}

static void insert_in_order(struct vm_page *pages[], uint32_t count, struct vm_page *page)
{
    uint32_t at = count;

    while (at > 0 && vm_page_key(pages[at - 1]).number > vm_page_key(page).number) {
        pages[at] = pages[at - 1];
        at--;
    }
    pages[at] = page;
}

/* Fill a batch with victims that are dirty; those that are clean are dropped at once. */
static uint32_t collect(struct vm_map *map, struct vm_page *pages[], uint32_t *dropped)
{
    uint32_t count = 0;

    for (uint32_t looks = 0; looks < LOOKS_MAX && count + *dropped < VM_PAGE_OUT_MAX; looks++) {
        struct vm_page *page = vm_replacement_victim(&map->replacement, vm_victim_may_go);
        if (page == NULL) {
            break;
        }
        if (take(map, page, dropped)) {
            insert_in_order(pages, count++, page);
        }
    }
    return count;
}

/* Pages that were written go, pages that could not be written stay. */
static uint32_t finish(struct vm_map *map, struct vm_page *const pages[], uint32_t count)
{
    uint32_t gone = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (pages[i]->state == VM_PAGE_CLEAN) {
            vm_account_count(vm_page_window(pages[i]), EIDOLON_PAGES_WRITTEN);
        }
        if (pages[i]->state == VM_PAGE_CLEAN) { /* and not wired: that takes the page's mutex */
            vm_victim_drop(map, pages[i]);
            gone++;
        } else {
            vm_page_unlock(pages[i]);
        }
    }
    return gone;
}

enum error vm_page_out(uint32_t *freed)
{
    struct vm_map *map = &vm_objects.map;
    struct vm_page *pages[VM_PAGE_OUT_MAX];
    enum error error = OK;

    *freed = 0;
    mutex_lock(&turn, LOCK_PAGE_OUT);
    if (frame_count(FRAME_FREE) <= vm_frame_reserve() + ENOUGH) {
        uint32_t count = collect(map, pages, freed);
        error = count == 0 ? OK : vm_objects.pager->page_out(pages, count);
        uint32_t gone = finish(map, pages, count);
        paged_out += gone;
        *freed += gone;
    }
    mutex_unlock(&turn, LOCK_PAGE_OUT);
    return error;
}
