/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See space_case.h.
 */
#include "space_case.h"

#include "snap.h"
#include "vm_fault.h"
#include "vm_map.h"

static void play(void *context)
{
    const struct space_case *scene = context;
    struct space_options options = {
        .extension = scene->extension,
        .seed = 1,
        .frames = space_frames(scene->frames == 0 ? 1000 : scene->frames),
        .blocks = scene->blocks == 0 ? SPACE_DISK_BLOCKS : scene->blocks,
        .tuning = scene->tuning,
    };

    space_world_start(&options);
    space_boot();
    scene->play();
    space_shut_down();
    space_crash(1 + space_world.slow.disk->event_count / 250, 4);
    space_world_free();
}

bool space_case_holds(struct space_case scene)
{
    return space_in_child(play, &scene, false);
}

uint32_t space_first_page(void)
{
    struct space_id space = {SPACE_CASE_PROGRAM};

    return space_model_find(&space_world.model, page_key_at(space, (struct vaddr){0x08048000u}));
}

struct vm_page *space_record_of(uint32_t page)
{
    return vm_map_find(vm_object_space(), space_world.model.keys[page]);
}

void space_store_pages(uint32_t count, uint32_t value)
{
    for (uint32_t i = 0; i < count; i++) {
        SPACE_CHECK(space_store(SPACE_CASE_PROGRAM, space_first_page() + i, 0, value));
    }
}

bool space_is_writing(void)
{
    const struct vm_page *page = space_record_of(space_first_page());

    return page != NULL && page->state == VM_PAGE_WRITING;
}

void space_begin_snapshot(void)
{
    space_world.slow.holds_writes = true;
    (void)snap_request();
    space_wait_until(space_is_writing);
}

void space_finish_snapshot(void)
{
    space_world.slow.holds_writes = false;
    SPACE_CHECK(space_sync());
}

void space_reboot(void)
{
    SPACE_CHECK(space_sync());
    space_shut_down();
    space_keep();
    space_boot();
}

void space_start(void (*function)(void *unused))
{
    struct thread *thread;

    space_world.programs++;
    SPACE_CHECK(thread_create("case", function, NULL, &thread) == OK);
    thread_yield();
}
