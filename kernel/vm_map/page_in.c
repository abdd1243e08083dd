/*
 * Bringing pages in: zeroes, or what the pager has, with read-ahead.
 *
 * The page that was asked for decides. Its followers in the region come along if they have no record yet, the pager can
 * get them with the same request, and frames are plentiful; they are resident afterwards and not mapped, so that an access to
 * one of them is a fault without I/O, and one that nobody wanted goes with the next reclaim.
 */
#include "page_in.h"
#include "arch/frame.h"
#include "log.h"
#include "vm_reclaim.h"
#include <string.h>

/* Pages that are being read together; [0] is the one that was asked for. */
struct cluster {
    struct vm_map *map;
    uint32_t count;
    struct vm_page *pages[VM_READ_AHEAD_PAGES];
    struct frame frames[VM_READ_AHEAD_PAGES];
    void *contents[VM_READ_AHEAD_PAGES];
};

void page_in_forget(struct vm_map *map, struct gpn gpn)
{
    struct vm_page *page = vm_map_find(map, gpn);

    if (page != NULL && page->state == VM_PAGE_NEW) {
        enum error error = vm_map_delete(map, gpn);
        ASSERT(error == OK || error == ERROR_BUSY);
    }
}

static void cluster_add(struct cluster *cluster, struct vm_page *page, struct frame frame)
{
    vm_page_begin_read(page);
    cluster->pages[cluster->count] = page;
    cluster->frames[cluster->count] = frame;
    cluster->contents[cluster->count] = frame_address(frame);
    cluster->count++;
}

/* Add the page after the last one, if it has no record and a frame is to be had without taking it from anyone. */
static bool cluster_extend(struct cluster *cluster)
{
    struct gpn next = {cluster->pages[0]->gpn.number + cluster->count};
    struct vm_page *page;
    struct frame frame;

    if (vm_map_find(cluster->map, next) != NULL || frame_count(FRAME_FREE) <= 2 * vm_frame_reserve()) {
        return false;
    }
    if (frame_allocate(FRAME_PAGE, &frame) != OK) {
        return false;
    }
    if (vm_map_create(cluster->map, next, &page) != OK) {
        frame_free(frame);
        return false;
    }
    bool locked = vm_page_try_lock(page);
    ASSERT(locked);
    cluster_add(cluster, page, frame);
    return true;
}

/* Pages [0, filled) are resident, the others as if nothing had been. The mutex of page 0 stays with the caller. */
static void cluster_finish(struct cluster *cluster, uint32_t filled)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct vm_page *page = cluster->pages[i];
        struct gpn gpn = page->gpn;
        if (i < filled) {
            vm_page_make_resident(page, cluster->frames[i]);
        } else {
            vm_page_fail_read(page);
            frame_free(cluster->frames[i]);
        }
        if (i > 0) {
            vm_page_unlock(page);
        }
        if (i > 0 && i >= filled) {
            page_in_forget(cluster->map, gpn);
        }
    }
}

enum error page_in(struct vm_map *map, const struct vm_pager *pager, struct vm_page *page, uint32_t following)
{
    struct cluster cluster = {.map = map};
    struct gpn gpn = page->gpn;
    struct frame frame;
    uint32_t worthwhile;
    uint32_t filled = 0;
    enum error error = pager->measure(gpn, following + 1, &worthwhile);

    if (error == OK) {
        error = vm_frame_take(&frame);
    }
    if (error != OK) {
        return error;
    }
    cluster_add(&cluster, page, frame);
    if (worthwhile == 0) {
        memset(cluster.contents[0], 0, PAGE_SIZE);
        cluster_finish(&cluster, 1);
        return OK;
    }
    while (cluster.count < worthwhile && cluster_extend(&cluster)) {
    }
    error = pager->read(gpn, cluster.count, cluster.contents, &filled);
    if (error != OK) {
        log_line("vm_map: page %08x cannot be read: %s", gpn.number, error_text(error));
        filled = 0;
    }
    cluster_finish(&cluster, filled);
    return error;
}
