/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the store share: a world of pages that lives on a store on a faulty disk, and its model.
 *
 * The world plays the part of memory and programs: it changes pages, pages some out, deletes ranges, takes snapshots,
 * all at random from a seed. It knows the content of every page in every generation it committed, so a recovered image
 * can be compared byte for byte.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake/disk.h"
#include "fake/machine.h"
#include "store.h"
#include "store_check.h"

#define WORLD_PAGES_MAX 4096u

/* Content of a page by number: 0: none, 1: zeroes, others: bytes made from the number. */
typedef uint32_t content_id;

struct world_generation {
    uint64_t number;
    uint32_t started_at, confirmed_at; /* events of the disk; UINT32_MAX: never */
    content_id *pages;
    uint32_t record; /* content of the system record */
};

struct world {
    struct fake_disk *disk;
    struct store *store;
    uint64_t random;
    uint32_t page_count;
    uint64_t keys[WORLD_PAGES_MAX];  /* ascending */
    content_id now[WORLD_PAGES_MAX]; /* what programs see */
    content_id sealed[WORLD_PAGES_MAX];
    bool dirty[WORLD_PAGES_MAX];
    bool to_write[WORLD_PAGES_MAX]; /* by the running snapshot */
    content_id next_content;
    struct store_tuning tuning;
    uint64_t clock_ns;    /* the wall clock */
    bool clock_is_random; /* it jumps, ahead and back */
    struct world_generation *generations;
    uint32_t generation_count;
};

uint64_t world_random(struct world *world);
uint32_t world_below(struct world *world, uint32_t limit);

/* An empty world of `page_count` pages spread over all objects, on a newly formatted image. */
void world_start(struct world *world, struct fake_disk *disk, uint32_t page_count, uint64_t seed);
void world_stop(struct world *world);

/* Open the store of the world's disk, as a program would after a boot: memory is what the image says. */
void world_open(struct world *world);
void world_close(struct world *world);

/* Close it, open the kept generation `number`, and go on from there. */
void world_branch(struct world *world, uint64_t number);

/* A random kept generation. */
uint64_t world_kept(struct world *world);

/* Pin or unpin something. */
void world_pin(struct world *world);

const struct world_generation *world_generation(const struct world *world, uint64_t number);

/* Have the open store keep a short ladder, by rules drawn at random, and the wall clock go in minutes, hours and days. */
void world_ladder(struct world *world);

/* Programs write to `count` random pages. */
void world_write(struct world *world, uint32_t count);
void world_delete(struct world *world);
void world_page_out(struct world *world, uint32_t count);

/* A whole snapshot, with things going on beside it if `busy`. Returns what the commit said. */
enum error world_snapshot(struct world *world, bool busy);

/* A generation as the last one, made only to merge the log. Returns what the commit said. */
enum error world_compact(struct world *world);

/* Whether the store holds exactly the state of a generation; on a difference says what in `why`. */
bool world_equals(const struct world *world, struct store *store, const struct world_generation *generation, char *why,
                  size_t room);

/* Fail the test if the store's check finds anything. */
bool store_is_sound(struct store *store, bool read_pages, char *why, size_t room);

void content_fill(content_id id, uint8_t *page);

#endif
