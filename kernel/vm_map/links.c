/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links: where else a page is seen than at its own place.
 *
 * The private page of a place, mapped there, needs no link: place and page name each other. Any other entry has one: a
 * page that a source lends, a view of an object. Links are volatile, as mappings are. A link is on the list of the
 * frame that its entry leads to, and on the chain that its place hashes to; both are left in constant time, but for the
 * chain's length. There is a head for every four frames and there are at most four links a frame, so a chain is 16
 * links long on average, at the limit. Places hash by a secret factor: nobody can choose such that collide.
 */
#include "links.h"
#include "arch/frame.h"
#include "atomic.h"
#include "frame_use.h"
#include "internal.h"
#include <string.h>

#define FRAMES_PER_HEAD 4u

static uint32_t counts[SPACES_MAX]; /* of links, by window */

uint32_t vm_links_heads(uint32_t frames)
{
    return vm_heads_for(frames / FRAMES_PER_HEAD);
}

void vm_links_init(struct vm_map *map, void *heads, uint32_t head_count)
{
    map->link_heads = heads;
    map->link_head_mask = head_count - 1;
    map->views_collected = true;
    pool_init(&map->links, sizeof(struct vm_link), FRAME_RECORDS);
    memset(counts, 0, sizeof(counts));
}

struct vm_link **vm_link_head(const struct vm_map *map, struct place place)
{
    return &map->link_heads[vm_map_hash_fold(place.number ^ map->seed[0], map->seed[1]) & map->link_head_mask];
}

bool vm_window_has_links(struct space_id window)
{
    return counts[window.number] > 0;
}

struct vm_link *vm_links_of(const struct vm_map *map, const struct vm_page *page)
{
    return frame_is_none(vm_page_frame(page)) ? NULL : vm_frame_use(map, vm_page_frame(page))->links;
}

bool vm_link_is_held(const struct vm_map *map, const struct vm_link *link)
{
    return vm_frame_page(map, pmap_frame(link->place))->wire_count > 0;
}

/* Take a link off its frame's list and its chain. */
static void detach(struct vm_map *map, struct vm_link *link, struct frame frame)
{
    struct vm_link **at = vm_link_head(map, link->place);

    while (*at != link) {
        at = &(*at)->hash_next;
    }
    *at = link->hash_next;
    counts[place_space(link->place).number]--;
    *(link->previous != NULL ? &link->previous->next : &vm_frame_use(map, frame)->links) = link->next;
    if (link->next != NULL) {
        link->next->previous = link->previous;
    }
}

void vm_link_attach(struct vm_map *map, struct vm_link *link, struct place place, struct frame frame)
{
    struct vm_frame_use *use = vm_frame_use(map, frame);
    struct vm_link **head = vm_link_head(map, place);

    *link = (struct vm_link){.place = place, .next = use->links, .hash_next = *head};
    if (use->links != NULL) {
        use->links->previous = link;
    }
    use->links = link;
    *head = link;
    counts[place_space(place).number]++;
}

/* The link of a place at which a page is mapped that is not its own. */
static struct vm_link *find(const struct vm_map *map, struct place place)
{
    struct vm_link *link = *vm_link_head(map, place);

    while (link->place.number != place.number) {
        link = link->hash_next;
        ASSERT(link != NULL); /* VIEW-1 */
    }
    return link;
}

bool vm_unmap(struct vm_map *map, struct place place)
{
    if (!pmap_query(place, NULL)) {
        return false;
    }
    struct frame frame = pmap_frame(place);
    if (!vm_page_is(vm_frame_page(map, frame), place_key(place))) {
        struct vm_link *link = find(map, place);
        detach(map, link, frame);
        pool_free(&map->links, link);
    }
    return pmap_remove(place);
}

bool vm_unmap_links(struct vm_map *map, const struct vm_page *page)
{
    struct vm_link *link;
    bool dirty = false;

    while ((link = vm_links_of(map, page)) != NULL) {
        dirty |= pmap_remove(link->place);
        detach(map, link, vm_page_frame(page));
        pool_free(&map->links, link);
    }
    return dirty;
}
