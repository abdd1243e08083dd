/*
 * What a running snapshot does to the pages it covers.
 *
 * At the stop it takes over both open lists. A page then owes the snapshot exactly one content, found in this order:
 * its copy frame, its written content, its frame. Programs go on meanwhile: a write to a page whose frame is owed makes
 * a copy first, after which page and debt are independent. The debt decides which list the page is on until the commit;
 * what the page itself has become in the meantime is in its state.
 */
#include "internal.h"

enum error vm_snapshot_splice(struct vm_map *map)
{
    if (map->lists[vm_list_snapshot_dirty(map)].count != 0 ||
        map->lists[vm_list_snapshot_uncommitted(map)].count != 0 || map->lists[VM_LIST_COMMITTING].count != 0) {
        return ERROR_BUSY;
    }
    map->open_half ^= 1;
    return OK;
}

struct vm_page *vm_snapshot_first_dirty(const struct vm_map *map)
{
    return map->lists[vm_list_snapshot_dirty(map)].first;
}

uint32_t vm_snapshot_dirty_count(const struct vm_map *map)
{
    return map->lists[vm_list_snapshot_dirty(map)].count;
}

struct vm_page *vm_snapshot_first_uncommitted(const struct vm_map *map)
{
    return map->lists[vm_list_snapshot_uncommitted(map)].first;
}

struct vm_page *vm_snapshot_first_committing(const struct vm_map *map)
{
    return map->lists[VM_LIST_COMMITTING].first;
}

void vm_snapshot_defer(struct vm_map *map, struct vm_page *page)
{
    ASSERT(page->list == vm_list_snapshot_dirty(map));
    vm_list_move(map, vm_list_snapshot_dirty(map), page);
}

bool vm_snapshot_has(const struct vm_map *map, const struct vm_page *page)
{
    return page->list == vm_list_snapshot_dirty(map) || page->list == vm_list_snapshot_uncommitted(map) ||
           page->list == VM_LIST_COMMITTING;
}

bool vm_snapshot_must_copy(const struct vm_map *map, const struct vm_page *page)
{
    return page->list == vm_list_snapshot_dirty(map) && frame_is_none(page->copy_frame);
}

struct block vm_snapshot_add(struct vm_map *map, struct vm_page *page)
{
    /* A page that was put already would be in the transaction with too old a content: gathering comes first. */
    ASSERT(page->state == VM_PAGE_CLEAN && page->list != VM_LIST_COMMITTING);
    ASSERT(page->list != vm_list_snapshot_dirty(map));
    page->state = VM_PAGE_DIRTY;
    vm_list_move(map, vm_list_snapshot_dirty(map), page);
    return vm_page_take_written(page);
}

void vm_snapshot_keep_frame(struct vm_map *map, struct vm_page *page, struct frame copy)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(vm_snapshot_must_copy(map, page) && page->state == VM_PAGE_DIRTY);
    ASSERT(!frame_is_none(copy));
    page->copy_frame = copy;
    page->flags |= VM_PAGE_SUPERSEDED;
}

void vm_snapshot_give_frame(struct vm_map *map, struct vm_page *page, struct frame frame)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(vm_snapshot_must_copy(map, page));
    ASSERT(!frame_is_none(frame));
    page->copy_frame = page->frame;
    page->frame = frame;
    page->state = VM_PAGE_DIRTY;
    page->flags |= VM_PAGE_SUPERSEDED;
}

struct frame vm_snapshot_begin_write(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->list == vm_list_snapshot_dirty(map));
    if (!frame_is_none(page->copy_frame)) {
        return page->copy_frame;
    }
    vm_page_begin_write(page);
    return page->frame;
}

void vm_snapshot_fail_write(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->list == vm_list_snapshot_dirty(map));
    if (frame_is_none(page->copy_frame)) {
        vm_page_fail_write(page);
    }
}

struct frame vm_snapshot_end_write(struct vm_map *map, struct vm_page *page, struct block block, uint64_t checksum,
                                   struct generation generation)
{
    struct frame copy = page->copy_frame;

    ASSERT(vm_page_is_mine(page));
    ASSERT(page->list == vm_list_snapshot_dirty(map));
    if (frame_is_none(copy)) {
        ASSERT(page->state == VM_PAGE_WRITING);
        page->state = VM_PAGE_CLEAN;
    }
    page->copy_frame = FRAME_NONE;
    vm_page_set_written(page, block, checksum, generation);
    vm_list_move(map, VM_LIST_COMMITTING, page);
    return copy;
}

void vm_snapshot_put(struct vm_map *map, struct vm_page *page)
{
    ASSERT(page->list == vm_list_snapshot_uncommitted(map));
    vm_list_move(map, VM_LIST_COMMITTING, page);
}

/* The snapshot has no claim on the page any more. */
static void let_go(struct vm_map *map, struct vm_page *page)
{
    vm_list_remove(map, page);
    page->flags &= (uint8_t)~VM_PAGE_SUPERSEDED;
    if (page->state == VM_PAGE_DIRTY) {
        vm_list_append(map, vm_list_open_dirty(map), page);
    }
}

void vm_snapshot_commit(struct vm_map *map, struct vm_page *page)
{
    ASSERT(page->list == VM_LIST_COMMITTING || page->list == vm_list_open_uncommitted(map));
    page->committed_block = vm_page_take_written(page);
    if (page->state == VM_PAGE_OUT) {
        page->state = VM_PAGE_NEW;
    }
    let_go(map, page);
}

struct vm_remains vm_snapshot_abort(struct vm_map *map, struct vm_page *page)
{
    struct vm_remains remains = {.frame = page->copy_frame};

    ASSERT(vm_snapshot_has(map, page) && page->state != VM_PAGE_WRITING);
    if (vm_page_written_is_content(page)) {
        vm_list_move(map, vm_list_open_uncommitted(map), page);
        return remains;
    }
    page->copy_frame = FRAME_NONE;
    remains.block = vm_page_take_written(page);
    let_go(map, page);
    return remains;
}
