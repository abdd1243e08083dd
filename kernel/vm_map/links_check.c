/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verification of VIEW-1: the links against the frames they are on, the chains they are found by, and all page tables.
 */
#include "frame_use.h"
#include "internal.h"
#include "links.h"

/* Whether a link is what its entry and its page say. */
static bool is_right(const struct vm_map *map, const struct vm_link *link, struct frame frame)
{
    const struct vm_page *page = vm_frame_page(map, frame);

    return page != NULL && !vm_page_is(page, place_key(link->place)) && pmap_query(link->place, NULL) &&
           pmap_frame(link->place).number == frame.number;
}

static bool is_on_its_chain(const struct vm_map *map, const struct vm_link *link)
{
    uint32_t left = map->links.objects_used;
    const struct vm_link *at = *vm_link_head(map, link->place);

    while (at != NULL && at != link && left-- > 0) {
        at = at->hash_next;
    }
    return at == link;
}

/* Links on the lists of frames; *broken: one of them is not right. */
static uint32_t count_on_frames(const struct vm_map *map, const struct vm_page **out, bool *broken)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < map->frame_end && !*broken; i++) {
        const struct vm_link *previous = NULL;
        for (const struct vm_link *link = map->frame_uses[i].links; link != NULL; link = link->next) {
            count++;
            if (link->previous != previous || count > map->links.objects_used ||
                !is_right(map, link, (struct frame){i}) || !is_on_its_chain(map, link)) {
                *out = map->frame_uses[i].page;
                *broken = true;
                break;
            }
            previous = link;
        }
    }
    return count;
}

/* Entries of a space's tables that are not the private page of their place. */
static uint32_t count_in_tables(const struct vm_map *map, uint32_t space)
{
    struct place chunk = {space << 20};
    uint32_t count = 0;

    while (pmap_next_chunk(chunk, &chunk) && place_space(chunk).number == space) {
        for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++) {
            struct place place = {chunk.number + i};
            if (pmap_query(place, NULL)) {
                const struct vm_page *page = vm_frame_page(map, pmap_frame(place));
                count += page == NULL || !vm_page_is(page, place_key(place));
            }
        }
        chunk.number += PMAP_CHUNK_PAGES;
        if (place_space(chunk).number != space) {
            break;
        }
    }
    return count;
}

enum error vm_links_check(const struct vm_map *map, const struct vm_page **out)
{
    bool broken = false;
    uint32_t entries = 0;

    *out = NULL;
    uint32_t links = count_on_frames(map, out, &broken);
    if (broken || links != map->links.objects_used) {
        return ERROR_INVALID;
    }
    for (uint32_t space = 0; space < pmap_space_end().number; space++) {
        entries += count_in_tables(map, space);
    }
    return entries == links ? OK : ERROR_INVALID;
}
