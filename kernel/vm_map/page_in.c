/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bringing pages in: zeroes, or what the pager has, in clusters.
 *
 * The page that was asked for decides. Its neighbours in the region come along, within an aligned group of
 * VM_CLUSTER_PAGES, if they have no record yet and the pager can read them with the same request. When frames are
 * scarce, that pays only for a program that goes on where its last cluster ended or began: pages that nobody wants
 * would push out pages that somebody does. Neighbours are resident afterwards but not mapped, so an access to one is a
 * fault without I/O, and one that nobody wants goes with the next reclaim. The group is aligned, and not just ahead,
 * because programs walk down as often as up.
 *
 * Neighbours are locked without a sleep after the last look at their region. Whoever takes the region away after that
 * finds their records and waits for them, so no page keeps its old content.
 */
#include "page_in.h"
#include "atomic.h"
#include "arch/frame.h"
#include "internal.h"
#include "log.h"
#include "vm_account.h"
#include "vm_reclaim.h"
#include <string.h>

/* Consecutive pages that are being read together. */
struct cluster {
    uint32_t count;
    uint32_t wanted; /* index of the page that was asked for */
    struct vm_page *pages[VM_CLUSTER_PAGES];
    struct frame frames[VM_CLUSTER_PAGES];
    void *contents[VM_CLUSTER_PAGES];
    bool good[VM_CLUSTER_PAGES];
};

/* Where the last cluster of an object ended and began, unless another one with the same slot came in between. */
#define STREAMS 64u

static struct stream {
    uint64_t after, before; /* numbers of keys */
} streams[STREAMS];

static struct stream *stream_of(struct page_key key)
{
    return &streams[page_key_object(key).number % STREAMS];
}

static bool goes_on(struct page_key key)
{
    const struct stream *stream = stream_of(key);

    return key.number == stream->after || key.number == stream->before;
}

static void cluster_add(struct cluster *cluster, struct vm_page *page, struct frame frame)
{
    vm_page_begin_read(page);
    cluster->pages[cluster->count] = page;
    cluster->frames[cluster->count] = frame;
    cluster->contents[cluster->count] = frame_address(frame);
    cluster->count++;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

/* How many pages from key + step on, going by `step`, have no record. */
static uint32_t count_absent(const struct vm_map *map, struct page_key key, int32_t step, uint32_t count_max)
{
    uint32_t count = 0;

    while (count < count_max &&
           vm_map_find(map, (struct page_key){key.number + (uint64_t)(step * (int64_t)(count + 1))}) == NULL) {
        count++;
    }
    return count;
}

/* How many frames must be free for a neighbour: it gets none that somebody else would have to give up. */
static uint32_t frames_needed(struct page_key wanted)
{
    return vm_frame_reserve() + (goes_on(wanted) ? VM_CLUSTER_PAGES : vm_frame_reserve());
}

/* A neighbour: it gets a record and a frame. Locked then. */
static bool cluster_add_neighbour(struct vm_map *map, struct cluster *cluster, struct page_key key, uint32_t needed)
{
    struct vm_page *page;
    struct frame frame;

    if (frame_count(FRAME_FREE) <= needed || frame_allocate(FRAME_PAGE, &frame) != OK) {
        return false;
    }
    if (vm_map_create(map, key, &page) != OK) {
        frame_free(frame);
        return false;
    }
    bool locked = vm_page_try_lock(page);
    ASSERT(locked);
    cluster_add(cluster, page, frame);
    return true;
}

/* A neighbour becomes resident if its buffer is good; else it is as it was. */
static void finish_neighbour(struct vm_map *map, const struct cluster *cluster, uint32_t i)
{
    struct vm_page *page = cluster->pages[i];

    if (cluster->good[i]) {
        vm_page_make_resident(map, page, cluster->frames[i]);
        vm_account_count(vm_page_window(page), EIDOLON_PAGES_IN);
    } else {
        vm_page_fail_read(page);
        frame_free(cluster->frames[i]);
    }
    vm_page_unlock(page);
    vm_map_forget(map, page);
}

/* The pages below, lowest first: all `count` of them or none. */
static void add_below(struct vm_map *map, struct cluster *cluster, struct page_key key, uint32_t count, uint32_t needed)
{
    for (uint32_t i = count; i > 0; i--) {
        if (!cluster_add_neighbour(map, cluster, (struct page_key){key.number - i}, needed)) {
            while (cluster->count > 0) {
                cluster->count--;
                finish_neighbour(map, cluster, cluster->count);
            }
            return;
        }
    }
}

/* All of the cluster, lowest page first. Does not sleep. */
static void cluster_build(struct vm_map *map, struct cluster *cluster, struct vm_page *page, struct frame frame,
                          const struct vm_cluster_extent *extent)
{
    DOES_NOT_SLEEP();
    uint32_t after = count_absent(map, vm_page_key(page), 1, extent->after);
    uint32_t needed = frames_needed(vm_page_key(page));

    add_below(map, cluster, vm_page_key(page), count_absent(map, vm_page_key(page), -1, extent->before), needed);
    cluster->wanted = cluster->count;
    cluster_add(cluster, page, frame);
    for (uint32_t i = 1; i <= after; i++) {
        if (!cluster_add_neighbour(map, cluster, (struct page_key){vm_page_key(page).number + i}, needed)) {
            return;
        }
    }
}

static void cluster_finish(struct vm_map *map, const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (i != cluster->wanted) {
            finish_neighbour(map, cluster, i);
        }
    }
}

/* The page that was asked for. If it was not good in its cluster, it is read alone, and that is final. */
static enum error finish_wanted(struct vm_map *map, const struct vm_pager *pager, const struct cluster *cluster)
{
    struct vm_page *page = cluster->pages[cluster->wanted];
    struct frame frame = cluster->frames[cluster->wanted];
    enum error error = OK;

    if (!cluster->good[cluster->wanted]) {
        error = pager->read_one(vm_page_key(page), frame_address(frame));
    }
    if (error != OK) {
        log_line("vm_map: page %08llx cannot be read: %s", (unsigned long long)vm_page_key(page).number,
                 error_text(error));
        vm_page_fail_read(page);
        frame_free(frame);
        return error;
    }
    vm_page_make_resident(map, page, frame);
    vm_account_count(vm_page_window(page), EIDOLON_PAGES_IN);
    return OK;
}

enum error vm_page_in_measure(const struct vm_pager *pager, const struct vm_page *page,
                              const struct vm_allowance *allowance, struct vm_cluster_extent *out)
{
    uint32_t place = vm_page_key(page).number % VM_CLUSTER_PAGES;

    return pager->measure(vm_page_key(page), at_most(allowance->pages_before, place),
                          at_most(allowance->pages_after, VM_CLUSTER_PAGES - 1 - place), out);
}

enum error vm_page_in(struct vm_map *map, const struct vm_pager *pager, struct vm_page *page,
                      const struct vm_cluster_extent *extent, const struct vm_allowance *allowance)
{
    struct vm_cluster_extent allowed = {
        .before = at_most(extent->before, allowance->pages_before),
        .after = at_most(extent->after, allowance->pages_after),
    };
    struct cluster cluster = {.count = 0};
    struct frame frame;
    enum error error = vm_frame_take(&frame);

    if (error != OK) {
        return error;
    }
    if (extent->is_zero) {
        memset(frame_address(frame), 0, PAGE_SIZE);
        vm_page_begin_read(page);
        vm_page_make_resident(map, page, frame);
        return OK;
    }
    cluster_build(map, &cluster, page, frame, &allowed);
    *stream_of(vm_page_key(page)) = (struct stream){
        .after = vm_page_key(cluster.pages[cluster.count - 1]).number + 1,
        .before = vm_page_key(cluster.pages[0]).number - 1,
    };
    pager->read(vm_page_key(cluster.pages[0]), cluster.count, cluster.contents, cluster.good);
    cluster_finish(map, &cluster);
    return finish_wanted(map, pager, &cluster);
}
