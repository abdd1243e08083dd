/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages and snapshots against a naive model of their content.
 *
 * A page's content is one word. The model knows for each page what programs have written last, and what that was at the
 * stop. A small store keeps blocks; what it has after a commit must be what the model says it was at the stop, whatever
 * happened in between in whatever order: writes (noted by hardware or known at once), page-outs, drops, reads back,
 * discarded pages, writes of the snapshot that are in flight, aborts. At the end no frame and no block is left over.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"

#include <stdlib.h>
#include <string.h>

#define PAGES  16u
#define BLOCKS 4096u

/* What a layer of the store says of a page. */
struct change {
    bool is_there;
    struct block block; /* BLOCK_NONE: zeroes, or deleted */
};

struct world {
    struct vm_map map;
    uint64_t random;

    /* The model. */
    uint32_t content[PAGES];
    uint32_t content_at_stop[PAGES];
    uint32_t next_content;

    /* The processor: pages written since their D bit was cleared. */
    bool hardware_dirty[PAGES];

    /*
     * The store: blocks, and which of them each page's content is in: committed, and in two layers over that, which a
     * deletion is part of as well.
     */
    uint32_t blocks[BLOCKS];
    bool block_used[BLOCKS];
    struct block committed[PAGES];
    struct change open[PAGES];   /* since the stop */
    struct change sealed[PAGES]; /* before it, and not committed */
    bool running;                /* a snapshot */

    /* A write of the snapshot that is in flight. */
    struct vm_page *in_flight;
    struct frame in_flight_frame;
    uint32_t in_flight_content;
};

static struct page_key key_of(uint32_t index)
{
    return (struct page_key){0x00100000u + index * 1024};
}

static uint32_t index_of(const struct vm_page *page)
{
    return (page->key_low - 0x00100000u) / 1024;
}

static uint32_t *word(struct frame frame)
{
    return frame_address(frame);
}

/* Store ------------------------------------------------------------------------------------------------------------ */

static struct block block_new(struct world *world, uint32_t content)
{
    if (content == 0) {
        return BLOCK_NONE;
    }
    for (uint32_t i = 1; i < BLOCKS; i++) {
        if (!world->block_used[i]) {
            world->block_used[i] = true;
            world->blocks[i] = content;
            return (struct block){i};
        }
    }
    fail_msg("no block is free: they leak");
    return BLOCK_NONE;
}

static void block_release(struct world *world, struct block block)
{
    if (!block_is_none(block)) {
        assert_true(world->block_used[block.number]);
        world->block_used[block.number] = false;
    }
}

static uint32_t block_content(const struct world *world, struct block block)
{
    if (block_is_none(block)) {
        return 0;
    }
    assert_true(world->block_used[block.number]);
    return world->blocks[block.number];
}

/* A layer's newest word of a page. */
static void store_put(struct world *world, struct change *layer, uint32_t index, struct block block)
{
    if (layer[index].is_there) {
        block_release(world, layer[index].block);
    }
    layer[index] = (struct change){.is_there = true, .block = block};
}

/* What a page without a frame is. */
static uint32_t store_content(const struct world *world, uint32_t index)
{
    const struct change *open = &world->open[index];
    const struct change *sealed = &world->sealed[index];

    return block_content(world, open->is_there     ? open->block
                                : sealed->is_there ? sealed->block
                                                   : world->committed[index]);
}

static void store_commit(struct world *world)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        if (world->sealed[i].is_there) {
            block_release(world, world->committed[i]);
            world->committed[i] = world->sealed[i].block;
            world->sealed[i].is_there = false;
        }
        assert_int_equal(block_content(world, world->committed[i]), world->content_at_stop[i]);
    }
    world->running = false;
}

static void store_abort(struct world *world)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        if (world->sealed[i].is_there && world->open[i].is_there) {
            block_release(world, world->sealed[i].block);
        } else if (world->sealed[i].is_there) {
            world->open[i] = world->sealed[i];
        }
        world->sealed[i].is_there = false;
    }
    world->running = false;
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static struct frame frame_new(void)
{
    struct frame frame;

    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    return frame;
}

static void frame_release(struct frame frame)
{
    if (!frame_is_none(frame)) {
        frame_free(frame);
    }
}

/* The page, resident and locked. */
static struct vm_page *fault_in(struct world *world, uint32_t index)
{
    struct vm_page *page = vm_map_find(&world->map, key_of(index));

    if (page == NULL) {
        assert_int_equal(vm_map_create(&world->map, key_of(index), &page), OK);
    }
    vm_page_lock(page);
    if (page->state == VM_PAGE_NEW) {
        struct frame frame = frame_new();
        vm_page_begin_read(page);
        if (test_random_below(&world->random, 4) == 0) {
            vm_page_fail_read(page);
            assert_int_equal(page->state, VM_PAGE_NEW);
            vm_page_begin_read(page);
        }
        *word(frame) = store_content(world, index);
        vm_page_make_resident(&world->map, page, frame);
    }
    return page;
}

static void check_content(struct world *world, uint32_t index)
{
    struct vm_page *page = fault_in(world, index);

    assert_int_equal(*word(vm_page_frame(page)), world->content[index]);
    vm_page_unlock(page);
}

/* A write of a program: copied first if the snapshot needs the page as it is, else noted by hardware or at once. */
static void write(struct world *world, uint32_t index)
{
    struct vm_page *page = fault_in(world, index);

    if (vm_snapshot_must_copy(&world->map, page)) {
        struct frame frame = frame_new();
        *word(frame) = *word(vm_page_frame(page));
        vm_snapshot_give_frame(&world->map, page, frame);
    }
    world->content[index] = test_random_below(&world->random, 8) == 0 ? 0 : ++world->next_content;
    *word(vm_page_frame(page)) = world->content[index];
    if (page->state != VM_PAGE_CLEAN || test_random_below(&world->random, 2) == 0) {
        vm_page_mark_dirty(&world->map, page);
    } else {
        world->hardware_dirty[index] = true;
    }
    vm_page_unlock(page);
}

/* Known to be dirty, if the hardware says so. */
static void look_at_hardware(struct world *world, struct vm_page *page)
{
    if (world->hardware_dirty[index_of(page)]) {
        world->hardware_dirty[index_of(page)] = false;
        vm_page_mark_dirty(&world->map, page);
    }
}

static void page_out(struct world *world)
{
    struct vm_page *page = vm_dirty_first(&world->map);

    if (page == NULL) {
        return;
    }
    vm_page_lock(page);
    vm_page_begin_write(page);
    if (test_random_below(&world->random, 4) == 0) {
        vm_page_fail_write(page);
    } else {
        world->hardware_dirty[index_of(page)] = false;
        store_put(world, world->open, index_of(page), block_new(world, *word(vm_page_frame(page))));
        vm_page_end_write(&world->map, page);
    }
    vm_page_unlock(page);
}

static void drop(struct world *world, uint32_t index)
{
    struct vm_page *page = vm_map_find(&world->map, key_of(index));
    struct frame frame;

    if (page == NULL || page->state != VM_PAGE_CLEAN) {
        return;
    }
    vm_page_lock(page);
    look_at_hardware(world, page);
    if (page->state == VM_PAGE_CLEAN) {
        assert_int_equal(vm_page_drop(&world->map, page, &frame), OK);
        frame_free(frame);
    }
    vm_page_unlock(page);
}

static void delete_if_possible(struct world *world, uint32_t index)
{
    struct vm_page *page = vm_map_find(&world->map, key_of(index));

    if (page != NULL) {
        bool possible = page->state == VM_PAGE_NEW && page->list == VM_LIST_NONE;
        assert_int_equal(vm_map_delete(&world->map, key_of(index)), possible ? OK : ERROR_BUSY);
    }
}

static void discard(struct world *world, uint32_t index)
{
    struct vm_page *page = vm_map_find(&world->map, key_of(index));

    if (page != NULL) {
        vm_page_lock(page);
        frame_release(vm_page_detach(&world->map, page));
        vm_page_unlock(page);
    }
    world->hardware_dirty[index] = false;
    store_put(world, world->open, index, BLOCK_NONE);
    world->content[index] = 0;
}

/* Snapshot --------------------------------------------------------------------------------------------------------- */

static void stop(struct world *world)
{
    if (world->running) {
        if (vm_snapshot_first(&world->map) != NULL || world->in_flight != NULL) {
            assert_int_equal(vm_snapshot_splice(&world->map), ERROR_BUSY);
        }
        return;
    }
    assert_int_equal(vm_snapshot_splice(&world->map), OK);
    world->running = true;
    memcpy(world->content_at_stop, world->content, sizeof(world->content));
    memcpy(world->sealed, world->open, sizeof(world->open));
    memset(world->open, 0, sizeof(world->open));
    /* Gathering. */
    for (uint32_t i = 0; i < PAGES; i++) {
        struct vm_page *page = vm_map_find(&world->map, key_of(i));
        if (world->hardware_dirty[i]) {
            world->hardware_dirty[i] = false;
            if (page->state == VM_PAGE_CLEAN) {
                vm_snapshot_add(&world->map, page);
            }
        }
    }
}

static void begin_write(struct world *world)
{
    struct vm_page *page = vm_snapshot_first(&world->map);

    if (page == NULL || world->in_flight != NULL) {
        return;
    }
    if (test_random_below(&world->random, 4) == 0) {
        vm_snapshot_defer(&world->map, page);
        page = vm_snapshot_first(&world->map);
    }
    if (test_random_below(&world->random, 4) == 0) {
        page = world->map.lists[page->list].last;
        vm_snapshot_expedite(&world->map, page);
        assert_ptr_equal(vm_snapshot_first(&world->map), page);
    }
    vm_page_lock(page);
    world->in_flight = page;
    world->in_flight_frame = vm_snapshot_begin_write(&world->map, page);
    world->in_flight_content = *word(world->in_flight_frame);
    vm_page_unlock(page);
}

static void end_write(struct world *world)
{
    struct vm_page *page = world->in_flight;

    if (page == NULL) {
        return;
    }
    vm_page_lock(page);
    /* Whatever happened to the page meanwhile, what is in flight has not changed. */
    assert_int_equal(*word(world->in_flight_frame), world->in_flight_content);
    if (test_random_below(&world->random, 4) == 0) {
        vm_snapshot_fail_write(&world->map, page);
    } else {
        struct block block = block_new(world, world->in_flight_content);
        store_put(world, world->sealed, index_of(page), block);
        frame_release(vm_snapshot_end_write(&world->map, page));
    }
    vm_page_unlock(page);
    world->in_flight = NULL;
}

static void commit(struct world *world)
{
    if (world->running && vm_snapshot_first(&world->map) == NULL && world->in_flight == NULL) {
        store_commit(world);
    }
}

static void abort_snapshot(struct world *world)
{
    struct vm_page *page;

    if (!world->running || world->in_flight != NULL) {
        return;
    }
    while ((page = vm_snapshot_first(&world->map)) != NULL) {
        vm_page_lock(page);
        frame_release(vm_snapshot_abort(&world->map, page));
        vm_page_unlock(page);
    }
    store_abort(world);
}

static void step(struct world *world)
{
    uint32_t index = test_random_below(&world->random, PAGES);

    switch (test_random_below(&world->random, 24)) {
    case 0:
    case 1:
    case 2:
    case 3:
        write(world, index);
        break;
    case 4:
        check_content(world, index);
        break;
    case 5:
    case 6:
        page_out(world);
        break;
    case 7:
    case 8:
        drop(world, index);
        break;
    case 9:
        delete_if_possible(world, index);
        break;
    case 10:
        discard(world, index);
        break;
    case 11:
    case 12:
        stop(world);
        break;
    case 13:
    case 14:
    case 15:
        begin_write(world);
        break;
    case 16:
    case 17:
    case 18:
        end_write(world);
        break;
    case 19:
    case 20:
    case 21:
    case 22:
        commit(world);
        break;
    default:
        if (test_random_below(&world->random, 8) == 0) {
            abort_snapshot(world);
        }
    }
    map_check(&world->map);
}

/* Finish what runs, discard everything, commit that: nothing must be left. */
static void wind_up(struct world *world)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        check_content(world, i);
        discard(world, i);
    }
    for (uint32_t round = 0; round < 2; round++) {
        if (!world->running) {
            stop(world);
        }
        while (world->in_flight != NULL || vm_snapshot_first(&world->map) != NULL) {
            begin_write(world);
            end_write(world);
        }
        commit(world);
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        delete_if_possible(world, i);
        assert_true(block_is_none(world->committed[i]));
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        assert_false(world->block_used[i]);
    }
    map_stop(&world->map);
}

static void snapshot_of_random_histories_is_the_content_at_the_stop(void **unused)
{
    (void)unused;
    uint64_t random = test_seed();
    struct world *world = malloc(sizeof(*world));

    for (uint32_t history = 0; history < 200; history++) {
        memset(world, 0, sizeof(*world));
        world->random = test_random(&random) | 1;
        map_start(&world->map, 256, history);
        for (uint32_t i = 0; i < 600; i++) {
            step(world);
        }
        wind_up(world);
    }
    free(world);
}

static void snapshot_takes_the_lists_over_in_constant_time(void **unused)
{
    (void)unused;
    const uint32_t count = 1000;
    struct vm_map map;

    map_start(&map, 4096, 1);
    for (uint32_t i = 0; i < count; i++) {
        struct vm_page *page = map_create(&map, i);
        vm_page_lock(page);
        vm_page_make_resident(&map, page, frame_new());
        vm_page_mark_dirty(&map, page);
        vm_page_unlock(page);
    }
    assert_int_equal(vm_dirty_open(&map), count);
    assert_int_equal(vm_snapshot_splice(&map), OK);
    assert_int_equal(vm_dirty_open(&map), 0);
    assert_int_equal(vm_snapshot_count(&map), count);
    map_check(&map);
    assert_int_equal(vm_snapshot_splice(&map), ERROR_BUSY);
    for (uint32_t i = 0; i < count; i++) {
        struct vm_page *page = vm_map_find(&map, (struct page_key){i});
        assert_ptr_equal(vm_snapshot_first(&map), page); /* in the order they became dirty */
        vm_page_lock(page);
        frame_release(vm_snapshot_abort(&map, page));
        frame_release(vm_page_detach(&map, page));
        vm_page_unlock(page);
        map_delete(&map, i);
    }
    map_stop(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshot_of_random_histories_is_the_content_at_the_stop),
        cmocka_unit_test(snapshot_takes_the_lists_over_in_constant_time),
    };

    return cmocka_run_group_tests_name("vm_map_snapshot", tests, NULL, NULL);
}
