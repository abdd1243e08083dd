/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making entries that have links. A link is had before the entry is made: what can fail comes first.
 *
 * There are at most VM_LINKS_PER_FRAME links for each frame of the machine. Beyond that another entry goes: it is only
 * a cache of what a fault finds. A hand goes round the chains, and the first entry behind it whose page nobody has
 * wired wired gives its link to who asks.
 */
#include "atomic.h"
#include "internal.h"
#include "links.h"
#include "views.h"

/* Take an entry away whose page nobody has wired, and its link. False: all are wired. */
static bool give_up_another(struct vm_map *map)
{
    for (uint32_t i = 0; i <= map->link_head_mask; i++) {
        struct vm_link *link = map->link_heads[map->link_hand++ & map->link_head_mask];
        while (link != NULL && vm_link_is_held(map, link)) {
            link = link->hash_next;
        }
        if (link != NULL) {
            vm_view_unmap(map, link->place);
            return true;
        }
    }
    return false;
}

static enum error reserve(struct vm_map *map, void **out)
{
    if (map->links.objects_used >= VM_LINKS_PER_FRAME * map->frame_end && !give_up_another(map)) {
        return ERROR_NO_MEMORY;
    }
    return pool_allocate(&map->links, out);
}

static inline enum error enter(struct vm_map *map, struct place place, struct vm_page *page, enum pmap_access access,
                               bool is_view)
{
    void *link;
    enum error error = reserve(map, &link);

    if (error != OK) {
        return error;
    }
    error =
        is_view ? pmap_enter_view(place, vm_page_frame(page), access) : pmap_enter(place, vm_page_frame(page), access);
    if (error != OK) {
        pool_free(&map->links, link);
        return error;
    }
    vm_link_attach(map, link, place, vm_page_frame(page));
    return OK;
}

enum error vm_link_enter(struct vm_map *map, struct place place, struct vm_page *page)
{
    DOES_NOT_SLEEP();
    return enter(map, place, page, PMAP_READ, false);
}

enum error vm_link_enter_view(struct vm_map *map, struct place place, struct vm_page *page, enum pmap_access access)
{
    DOES_NOT_SLEEP();
    return enter(map, place, page, access, true);
}
