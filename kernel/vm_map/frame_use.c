/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames and their pages: one array over all frames of the machine, made with the map.
 *
 * A page names its frame and the frame its page (VM-11), so what a table entry leads to is known without asking at what
 * place it stands.
 */
#include "frame_use.h"

static uint32_t pages_for(uint32_t frames)
{
    return (uint32_t)(((uint64_t)frames * sizeof(struct vm_frame_use) + PAGE_SIZE - 1) / PAGE_SIZE);
}

enum error vm_frame_uses_init(struct vm_map *map)
{
    uint32_t pages = pages_for(frame_limit());
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
    map->frame_uses = map->frame_arena.base;
    map->frame_end = frame_limit();
    return OK;
}

void vm_frame_uses_release(struct vm_map *map)
{
    arena_release(&map->frame_arena);
}
