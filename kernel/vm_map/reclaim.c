/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reclaiming frames from the pages that the policy of replacement names (policy.c).
 *
 * It begins when no more frames are free than the reserve. A clean victim is dropped, which costs nothing and does not
 * sleep. If the next victim is dirty, the fault waits for a batch of victims to be written (page_out.c): being dirty
 * does not save a page, and pages in use stay, clean or not. If nothing can be written ahead, a snapshot makes dirty
 * pages clean, and as a last resort clean pages go out of turn. On a full disk nothing becomes clean any more: then
 * growth.c decides who does without.
 */
#include "vm_reclaim.h"
#include "arch/clock.h"
#include "arch/pmap.h"
#include "log.h"
#include "object_space.h"
#include "thread.h"
#include "victim.h"
#include "views.h"
#include "vm_growth.h"
#include "vm_reserve.h"
#include "vm_snapshot.h"

#define BATCH_FRAMES      64u /* dropped at a time, so that the next faults find some */
#define DISK_FULL_WAIT_NS 250000000u
#define WAITS_MAX         8u /* snapshots without a gain or that failed, before memory counts as full */
#define FULL_SNAPSHOTS    2u /* that found no room in one wait, before it is decided who does without */
/* are looked at, so that who asks for little at a time is refused before it is stopped */
#define PROMISE_PAGES_MIN 64u
/* At most: a page that is lent, the copy of it, and a slab each for their records, presence nodes and links. */
#define FRAMES_OF_A_FAULT 5u

static uint64_t dropped;

uint64_t vm_reclaim_dropped(void)
{
    return dropped;
}

static void drop(struct vm_map *map, struct vm_page *page)
{
    (void)vm_views_unmap(map, page);
    bool locked = vm_page_try_lock(page);
    ASSERT(locked);
    vm_victim_drop(map, page);
    dropped++;
}

/* Drop victims as long as they are clean. */
static uint32_t drop_some(struct vm_map *map, vm_may_go *may_go)
{
    uint32_t got = 0;
    struct vm_page *page;

    while (got < BATCH_FRAMES && (page = vm_replacement_victim(&map->replacement, may_go)) != NULL &&
           vm_victim_may_drop(page)) {
        drop(map, page);
        got++;
    }
    return got;
}

enum error vm_frame_take(struct frame *out)
{
    DOES_NOT_SLEEP();
    if (frame_count(FRAME_FREE) <= vm_frame_reserve() && drop_some(&vm_objects.map, vm_victim_may_go) == 0) {
        return ERROR_NO_MEMORY;
    }
    return frame_allocate(FRAME_PAGE, out);
}

/* Whether a fault finds the frames it needs, or `got` of them have just been freed for it. */
static bool is_enough_free(struct space_id space, uint32_t got)
{
    bool is_enough = got >= FRAMES_OF_A_FAULT || frame_count(FRAME_FREE) >= vm_frame_reserve() + FRAMES_OF_A_FAULT;

    return is_enough && !vm_growth_stands_back(space);
}

static enum error wait_for_frames(struct space_id space, bool *is_waiting)
{
    uint32_t full = 0;

    for (uint32_t waits = 0; waits < WAITS_MAX; waits++) {
        uint32_t freed;
        (void)(vm_page_out(&freed) == OK); /* what it has freed counts */
        if (is_enough_free(space, freed)) {
            return OK;
        }
        enum error error = vm_objects.pager->clean();
        if (error == ERROR_NO_SPACE && ++full >= FULL_SNAPSHOTS && vm_growth_decide(space) != OK) {
            return ERROR_NO_MEMORY;
        }
        if (error == ERROR_NO_SPACE && !*is_waiting && !vm_growth_would_pay(space)) {
            *is_waiting = true;
            vm_growth_begin_wait();
        }
        if (error == ERROR_NO_SPACE) {
            error = thread_sleep_until(clock_boot_ns() + DISK_FULL_WAIT_NS);
            waits = 0;
        }
        if (error == ERROR_INTERRUPTED) {
            return error;
        }
        if (is_enough_free(space, 0) || is_enough_free(space, drop_some(&vm_objects.map, vm_victim_may_drop))) {
            return OK;
        }
    }
    return ERROR_NO_MEMORY;
}

enum error vm_reclaim_wait(struct space_id space)
{
    bool is_waiting = false;
    enum error error = wait_for_frames(space, &is_waiting);

    if (is_waiting) {
        vm_growth_end_wait();
    }
    return error;
}

/* Drop clean pages until so many frames are free, or none is left that may go. */
static bool drop_until_free(uint32_t wanted)
{
    while (frame_count(FRAME_FREE) < wanted) {
        if (drop_some(&vm_objects.map, vm_victim_may_drop) == 0) {
            return false;
        }
    }
    return true;
}

enum error vm_may_promise(struct space_id space, uint32_t count)
{
    thread_may_sleep();
    uint32_t looked_at = count < PROMISE_PAGES_MIN ? PROMISE_PAGES_MIN : count;
    uint32_t wanted = vm_frame_reserve() + (looked_at < VM_PROMISE_PAGES_MAX ? looked_at : VM_PROMISE_PAGES_MAX);

    if (!vm_growth_disk_is_full() || !vm_growth_would_pay(space) || drop_until_free(wanted)) {
        return OK;
    }
    bool is_full = vm_objects.pager->clean() == ERROR_NO_SPACE;
    return is_full && !drop_until_free(wanted) && vm_growth_would_pay(space) ? ERROR_NO_MEMORY : OK;
}
