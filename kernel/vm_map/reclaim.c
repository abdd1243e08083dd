/*
 * Reclaiming frames from the pages that the policy of replacement names (policy.c).
 *
 * It begins when no more frames are free than the reserve. A victim that is clean is dropped, which costs nothing and
 * does not sleep. When the next victim is dirty, whoever wants a frame has to wait for a batch of victims to be written
 * (page_out.c); so a page's dirtiness does not save it, and what is in use stays, clean or not. If nothing can be
 * written ahead, dirty pages become clean by being committed, and as the last resort clean ones go whatever their turn.
 */
#include "vm_reclaim.h"
#include "arch/clock.h"
#include "arch/pmap.h"
#include "borrow.h"
#include "log.h"
#include "page_out.h"
#include "thread.h"
#include "vm_account.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_snapshot.h"

#define RESERVE_SHARE      16u  /* of all frames */
#define RESERVE_FRAMES_MIN 512u /* 2 MiB */
#define COPIES_SHARE       16u  /* of all frames */
#define BATCH_FRAMES       64u  /* dropped at a time, so that the next faults find some */
#define DISK_FULL_WAIT_NS  250000000u
#define WAITS_MAX          8u /* snapshots without a gain or that failed, before memory counts as full */
#define FRAMES_OF_A_FAULT  2u /* at most: a page that is lent, and the copy of it */

static uint64_t dropped;

uint64_t vm_reclaim_dropped(void)
{
    return dropped;
}

uint32_t vm_frame_reserve(void)
{
    uint32_t share = frame_limit() / RESERVE_SHARE;

    return share > RESERVE_FRAMES_MIN ? share : RESERVE_FRAMES_MIN;
}

uint32_t vm_copies_max(void)
{
    return frame_limit() / COPIES_SHARE;
}

/* Clean beyond doubt, and nobody has to do with it. */
static bool may_drop(const struct vm_page *page)
{
    return page->state == VM_PAGE_CLEAN && page->wire_count == 0 && page->reference_count == 0 &&
           page->list == VM_LIST_NONE && mutex_is_free(&page->mutex) &&
           !(pmap_query(page->gpn, NULL) && pmap_is_dirty(page->gpn)) && !borrowers_hold(page->gpn);
}

static void drop(struct vm_map *map, struct vm_page *page)
{
    struct gpn gpn = page->gpn;
    struct frame frame;

    if (pmap_query(gpn, NULL)) {
        (void)pmap_remove(gpn);
    }
    borrowers_unmap(gpn);
    bool locked = vm_page_try_lock(page);
    ASSERT(locked);
    enum error error = vm_page_drop(map, page, &frame);
    ASSERT(error == OK);
    vm_page_unlock(page);
    frame_free(frame);
    error = vm_map_delete(map, gpn);
    ASSERT(error == OK);
    dropped++;
    vm_account_count(gpn, EIDOLON_PAGES_OUT);
}

/* Drop victims as long as they are clean. */
static uint32_t drop_some(struct vm_map *map, vm_may_go *may_go)
{
    uint32_t got = 0;
    struct vm_page *page;

    while (got < BATCH_FRAMES && (page = vm_replacement_victim(&map->replacement, may_go)) != NULL && may_drop(page)) {
        drop(map, page);
        got++;
    }
    return got;
}

enum error vm_frame_take(struct frame *out)
{
    if (frame_count(FRAME_FREE) <= vm_frame_reserve() && drop_some(vm_object_space(), page_out_may_go) == 0) {
        return ERROR_NO_MEMORY;
    }
    return frame_allocate(FRAME_PAGE, out);
}

static bool is_enough_free(void)
{
    return frame_count(FRAME_FREE) >= vm_frame_reserve() + FRAMES_OF_A_FAULT;
}

enum error vm_reclaim_wait(void)
{
    for (uint32_t waits = 0; waits < WAITS_MAX; waits++) {
        uint32_t freed;
        enum error error = vm_page_out(&freed);
        if (freed >= FRAMES_OF_A_FAULT || is_enough_free()) {
            return OK;
        }
        error = vm_clean_pages();
        if (error == ERROR_NO_SPACE) {
            error = thread_sleep_until(clock_boot_ns() + DISK_FULL_WAIT_NS);
            waits = 0;
        }
        if (error == ERROR_INTERRUPTED) {
            return error;
        }
        if (is_enough_free() || drop_some(vm_object_space(), may_drop) >= FRAMES_OF_A_FAULT || is_enough_free()) {
            return OK;
        }
    }
    return ERROR_NO_MEMORY;
}
