/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verification of the invariants VM-1 to VM-8 and VM-10 to VM-12.
 *
 * The step looks at chains and each page on them, list neighbours included, and costs what it visits: the kernel runs
 * it before a commit. The whole check also walks the lists and the ring of replacement from end to end, and compares
 * all counts. Both stop at the first violation. They trust pointers to lead to records, and nothing else.
 */
#include "frame_use.h"
#include "internal.h"
#include "links.h"
#include "presence.h"

static bool is_listed(const struct vm_map *map, const struct vm_page *page)
{
    const struct vm_list *list = &map->lists[page->list];
    const struct vm_page *previous = page->list_link.previous;
    const struct vm_page *next = page->list_link.next;

    if (page->list == VM_LIST_NONE) {
        return previous == NULL && next == NULL;
    }
    return (previous == NULL ? list->first : previous->list_link.next) == page &&
           (next == NULL ? list->last : next->list_link.previous) == page;
}

/* VM-10 as far as this page goes. */
static bool is_in_ring_if_it_should(const struct vm_page *page)
{
    const struct vm_page_link *link = &page->replacement_link;

    if (frame_is_none(vm_page_frame(page)) || !vm_is_replaceable(page)) {
        return link->next == NULL && link->previous == NULL;
    }
    return link->next != NULL && link->previous != NULL && link->next->replacement_link.previous == page &&
           link->previous->replacement_link.next == page;
}

/* VM-11 as far as this page goes. */
static bool is_known_by_its_frames(const struct vm_map *map, const struct vm_page *page)
{
    if (vm_page_frame(page).number >= map->frame_end || vm_page_copy_frame(page).number >= map->frame_end) {
        return false;
    }
    return (frame_is_none(vm_page_frame(page)) || vm_frame_page(map, vm_page_frame(page)) == page) &&
           vm_frame_page(map, vm_page_copy_frame(page)) == NULL;
}

/* VM-5 .. VM-8 and VM-10 .. VM-12 as far as this page goes. Returns the invariant that is broken or NULL. */
static const char *check_page(const struct vm_map *map, const struct vm_page *page)
{
    bool has_frame = !frame_is_none(vm_page_frame(page));
    bool has_copy = !frame_is_none(vm_page_copy_frame(page));
    bool dirty = page->state == VM_PAGE_DIRTY || page->state == VM_PAGE_WRITING;

    if (page->list >= VM_LISTS || !is_listed(map, page)) {
        return "VM-8";
    }
    if (page->state > VM_PAGE_WRITING || has_frame != (page->state == VM_PAGE_CLEAN || dirty)) {
        return "VM-5";
    }
    if (page->list == vm_list_open(map) ? !dirty : dirty && !vm_snapshot_has(map, page)) {
        return "VM-6";
    }
    if (vm_snapshot_has(map, page) ? !has_copy && !dirty : has_copy) {
        return "VM-7";
    }
    if (page->list == VM_LIST_WRITING && !has_copy && page->state != VM_PAGE_WRITING) {
        return "VM-7";
    }
    if (!is_known_by_its_frames(map, page)) {
        return "VM-11";
    }
    if (map->is_ordered && !vm_presence_has(map, vm_page_key(page))) {
        return "VM-12";
    }
    return is_in_ring_if_it_should(page) ? NULL : "VM-10";
}

static enum error broken(const char *invariant, const struct vm_page *page, struct vm_map_violation *out)
{
    *out = (struct vm_map_violation){.invariant = invariant};
    if (page != NULL) {
        out->page = vm_page_key(page);
        out->has_page = true;
    }
    return ERROR_INVALID;
}

/* Whether an earlier page of the chain has the same key. */
static bool is_duplicate(const struct vm_page *first, const struct vm_page *page)
{
    while (first != page && !vm_page_is(first, vm_page_key(page))) {
        first = first->hash_next;
    }
    return first != page;
}

static enum error check_chain(const struct vm_map *map, uint32_t bucket, uint32_t *seen, struct vm_map_violation *out)
{
    vm_map_head head = map->heads[bucket];

    if (vm_map_head_first(head) == NULL && head != 0) {
        return broken("VM-1", NULL, out);
    }
    for (const struct vm_page *page = vm_map_head_first(head); page != NULL; page = page->hash_next) {
        uint32_t hash = vm_map_hash(map->seed, vm_page_key(page));
        if (++*seen > map->count) {
            return broken("VM-3", page, out);
        }
        if (vm_bucket(map, hash) != bucket || !vm_map_head_may_have(head, hash)) {
            return broken("VM-1", page, out);
        }
        if (is_duplicate(vm_map_head_first(head), page)) {
            return broken("VM-2", page, out);
        }
        const char *invariant = check_page(map, page);
        if (invariant != NULL) {
            return broken(invariant, page, out);
        }
    }
    return OK;
}

static enum error check_shape(const struct vm_map *map, struct vm_map_violation *out)
{
    uint64_t room = (uint64_t)map->arena.committed_pages * PAGE_SIZE / sizeof(vm_map_head);

    if (map->heads != map->arena.base || map->bucket_count > room || map->bucket_count == 0 ||
        (map->mask_high & (map->mask_high + 1)) != 0 || map->bucket_count - 1 > map->mask_high ||
        map->bucket_count - 1 <= map->mask_high >> 1) {
        return broken("VM-4", NULL, out);
    }
    if (map->count != map->records.objects_used) {
        return broken("VM-3", NULL, out);
    }
    return OK;
}

enum error vm_map_check_step(const struct vm_map *map, uint32_t *position, uint32_t buckets,
                             struct vm_map_violation *out)
{
    enum error error = check_shape(map, out);
    uint32_t seen = 0;

    for (uint32_t i = 0; error == OK && i < buckets; i++) {
        if (*position >= map->bucket_count) {
            *position = 0;
            break;
        }
        error = check_chain(map, (*position)++, &seen, out);
    }
    return error;
}

static enum error check_list(const struct vm_map *map, enum vm_list_id id, struct vm_map_violation *out)
{
    const struct vm_list *list = &map->lists[id];
    const struct vm_page *last = NULL;
    uint32_t count = 0;

    for (const struct vm_page *page = list->first; page != NULL; page = page->list_link.next) {
        if (page->list != id || page->list_link.previous != last || ++count > list->count) {
            return broken("VM-8", page, out);
        }
        last = page;
    }
    return count == list->count && list->last == last ? OK : broken("VM-8", NULL, out);
}

/* Each page of the ring has a frame and is in it once: so a ring of as many pages as have frames is whole. */
static enum error check_ring(const struct vm_map *map, uint32_t replaceable, struct vm_map_violation *out)
{
    const struct vm_page *page = map->replacement.first;
    uint32_t count = 0;

    while (page != NULL && count < replaceable) {
        count++;
        page = page->replacement_link.next == map->replacement.first ? NULL : page->replacement_link.next;
    }
    return page == NULL && count == replaceable && count == map->replacement.count ? OK : broken("VM-10", NULL, out);
}

/* Each page that has a frame is known by it: so as many frames as there are such pages are all that know one. */
static enum error check_frames(const struct vm_map *map, uint32_t frames, struct vm_map_violation *out)
{
    uint32_t known = 0;

    for (uint32_t i = 0; i < map->frame_end; i++) {
        known += map->frame_uses[i].page != NULL;
    }
    return known == frames ? OK : broken("VM-11", NULL, out);
}

static enum error check_links(const struct vm_map *map, struct vm_map_violation *out)
{
    const struct vm_page *page;

    return vm_links_check(map, &page) == OK ? OK : broken("VIEW-1", page, out);
}

enum error vm_map_check(const struct vm_map *map, struct vm_map_violation *out)
{
    uint32_t listed[VM_LISTS] = {0};
    uint32_t resident = 0, replaceable = 0;
    uint32_t seen = 0;
    enum error error = check_shape(map, out);

    for (uint32_t i = 0; error == OK && i < map->bucket_count; i++) {
        error = check_chain(map, i, &seen, out);
        for (const struct vm_page *page = vm_map_head_first(map->heads[i]); error == OK && page != NULL;
             page = page->hash_next) {
            listed[page->list]++;
            resident += vm_page_is_resident(page);
            replaceable += vm_page_is_resident(page) && vm_is_replaceable(page);
        }
    }
    if (error == OK && seen != map->count) {
        error = broken("VM-3", NULL, out);
    }
    for (uint32_t id = VM_LIST_NONE + 1; error == OK && id < VM_LISTS; id++) {
        error = check_list(map, (enum vm_list_id)id, out);
        if (error == OK && listed[id] != map->lists[id].count) {
            error = broken("VM-8", NULL, out);
        }
    }
    if (error == OK) {
        error = check_ring(map, replaceable, out);
    }
    if (error == OK) {
        error = check_frames(map, resident, out);
    }
    if (error == OK && !vm_presence_is_whole(map, map->is_ordered ? map->count : 0)) {
        error = broken("VM-12", NULL, out);
    }
    if (error == OK) {
        error = check_links(map, out);
    }
    return error;
}
