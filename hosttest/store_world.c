/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An image with a past, and a list of what is in it, for readers of the format that share nothing with the store.
 *
 *     store_world SEED SNAPSHOTS DAMAGED IMAGE
 *
 * A random world (store_fixture.h) lives on a store: snapshots, deletions, page-outs, pins, branches, reopenings,
 * blocks that are retired. The disk is then written to IMAGE, and what each kept generation holds to standard output:
 *
 *     generation NUMBER RECORD
 *     page NUMBER CONTENT
 *
 * RECORD and CONTENT are the numbers that record and page were made from (record_fill(), content_fill()); pages not
 * listed have no content. With DAMAGED not 0, in the midst of its life so many nodes of its trees lose a bit; CONTENT
 * is `lost` for pages that the store then cannot read. In either case the program ends with a failure if the store has
 * anything else than the world.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_format.h"
#include "store_fixture.h"

#define DISK_BLOCKS (2 * STORE_BLOCKS_MIN)
#define PAGES       400u

static struct world world;
static struct fake_disk disk;

static void something_else(void)
{
    struct extent extent;
    switch (world_below(&world, 16)) {
    case 0:
        world_close(&world);
        world_open(&world);
        break;
    case 1:
    case 2:
        world_pin(&world);
        break;
    case 3:
        world_branch(&world, world_kept(&world));
        break;
    case 4:
        assert_int_equal(store_allocate(world.store, 1, &extent), OK);
        store_retire(world.store, extent);
        break;
    default:
        break;
    }
}

static void live(uint32_t snapshots)
{
    for (uint32_t i = 0; i < snapshots; i++) {
        world_write(&world, 1 + world_below(&world, world_below(&world, 4) == 0 ? 200 : 12));
        if (world_below(&world, 3) == 0) {
            world_delete(&world);
        }
        world_page_out(&world, world_below(&world, 6));
        assert_int_equal(world_snapshot(&world, world_below(&world, 2) == 0), OK);
        something_else();
    }
}

/* Flip a bit in some of the disk's leaves, in use or not. */
static void damage(uint32_t count)
{
    world_close(&world);
    for (uint32_t tries = 0; count > 0 && tries < 100000; tries++) {
        uint32_t block = world_below(&world, DISK_BLOCKS);
        struct disk_node node;
        memcpy(&node, fake_disk_block(&disk, block), sizeof(node));
        if (node.magic == DISK_NODE_MAGIC && node.level == 0) {
            fake_disk_flip(&disk, block, world_below(&world, PAGE_SIZE), 1);
            count--;
        }
    }
    world_open(&world);
}

static void page_list(struct store *store, uint32_t page, content_id content)
{
    static uint8_t expected[PAGE_SIZE], found[PAGE_SIZE];
    struct page_key key = {world.keys[page]};
    struct store_entry entry;
    enum error error = store_find(store, key, &entry);
    if (error == ERROR_NOT_FOUND && content == 0) {
        return;
    }
    if (error == OK) {
        error = store_read(store, key, &entry, found);
    }
    if (error != OK) {
        printf("page %llu lost\n", (unsigned long long)key.number);
        return;
    }
    content_fill(content, expected);
    assert_int_not_equal(content, 0);
    assert_memory_equal(found, expected, PAGE_SIZE);
    printf("page %llu %u\n", (unsigned long long)key.number, content);
}

static void generation_list(struct generation number)
{
    struct store_open_options options = {.read_only = true, .generation = number};
    struct store_report report;
    struct store *store;
    const struct world_generation *generation = world_generation(&world, number.number);
    assert_non_null(generation);
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    printf("generation %llu %u\n", (unsigned long long)number.number, generation->record);
    for (uint32_t i = 0; i < world.page_count; i++) {
        page_list(store, i, generation->pages[i]);
    }
    assert_int_equal(store_close(store), OK);
}

static void image_write(const char *path)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (uint32_t block = 0; block < DISK_BLOCKS; block++) {
        assert_int_equal(fwrite(fake_disk_block(&disk, block), PAGE_SIZE, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: store_world SEED SNAPSHOTS DAMAGED IMAGE\n");
        return 2;
    }
    uint32_t snapshots = number(argv[2]), damaged = number(argv[3]);
    fake_machine_start(8192);
    fake_disk_start(&disk, DISK_BLOCKS);
    disk.is_recording = false;
    world_start(&world, &disk, PAGES, number(argv[1]));
    world.tuning = (struct store_tuning){
        .history = 2 + world_below(&world, 8), .log_records = 2 + world_below(&world, 20), .log_entries = 300};
    world_open(&world);
    if (world_below(&world, 2) == 0) {
        world_ladder(&world);
    }
    live(snapshots / 2);
    if (damaged > 0) {
        damage(damaged);
    }
    live(snapshots - snapshots / 2);
    struct store_kept kept = {0};
    while (store_kept_before(world.store, kept.generation, &kept) == OK) {
        generation_list(kept.generation);
    }
    world_close(&world);
    image_write(argv[4]);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
    return 0;
}
