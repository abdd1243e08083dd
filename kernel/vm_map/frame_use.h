/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: what a frame is used for, by its number.
 */
#ifndef VM_FRAME_USE_H
#define VM_FRAME_USE_H

#include "log.h"
#include "vm_map.h"

/*
 * Room for the uses of all frames of the machine.
 * - ERROR_NO_MEMORY.
 */
MUST_CHECK enum error vm_frame_uses_init(struct vm_map *map);
void vm_frame_uses_release(struct vm_map *map);

static inline struct vm_frame_use *vm_frame_use(const struct vm_map *map, struct frame frame)
{
    ASSERT(frame.number < map->frame_end);
    return &map->frame_uses[frame.number];
}

/* The page whose frame it is, or NULL. */
static inline struct vm_page *vm_frame_page(const struct vm_map *map, struct frame frame)
{
    return vm_frame_use(map, frame)->page;
}

/* A page gets a frame, or loses the one it has. */
static inline void vm_frame_give(struct vm_map *map, struct frame frame, struct vm_page *page)
{
    struct vm_frame_use *use = vm_frame_use(map, frame);

    ASSERT(use->page == NULL);
    use->page = page;
    vm_page_set_frame(page, frame);
}

static inline struct frame vm_frame_take_back(struct vm_map *map, struct vm_page *page)
{
    struct frame frame = vm_page_frame(page);

    if (!frame_is_none(frame)) {
        ASSERT(vm_frame_use(map, frame)->links == NULL); /* nothing leads to it any more */
        vm_frame_use(map, frame)->page = NULL;
        vm_page_set_frame(page, FRAME_NONE);
    }
    return frame;
}

#endif
