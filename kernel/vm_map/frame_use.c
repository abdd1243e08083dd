/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames and their pages: one array over all frames of the machine, made with the map, and behind it the heads of the
 * chains of links (links.c) and of those of presence (presence.c).
 *
 * A page names its frame and the frame its page (VM-11), so what a table entry leads to is known without asking at what
 * place it stands.
 */
#include "frame_use.h"
#include "links.h"
#include "presence.h"

static uint32_t pages_for(uint64_t bytes)
{
    return (uint32_t)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
}

enum error vm_frame_uses_init(struct vm_map *map)
{
    uint32_t heads = vm_links_heads(frame_limit());
    uint32_t presence_heads = vm_presence_heads(frame_limit());
    uint64_t uses_bytes = (uint64_t)frame_limit() * sizeof(struct vm_frame_use);
    uint32_t pages = pages_for(uses_bytes + (uint64_t)(heads + presence_heads) * sizeof(void *));
    enum error error = arena_reserve(&map->frame_arena, pages, FRAME_TABLE);

    if (error != OK) {
        return error;
    }
    while (error == OK && map->frame_arena.committed_pages < pages) {
        error = arena_grow(&map->frame_arena);
    }
    if (error != OK) {
        arena_release(&map->frame_arena);
        return error;
    }
    ASSERT(frame_limit() <= VM_FRAMES_MAX);
    map->frame_uses = map->frame_arena.base;
    map->frame_end = frame_limit();
    vm_links_init(map, map->frame_uses + map->frame_end, heads);
    vm_presence_init(map, map->link_heads + heads, presence_heads);
    return OK;
}

void vm_frame_uses_release(struct vm_map *map)
{
    arena_release(&map->frame_arena);
}
