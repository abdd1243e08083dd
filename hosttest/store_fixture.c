/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world: random programs over a store, and the model they are compared with.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/frame.h"
#include "log.h"

uint64_t world_random(struct world *world)
{
    world->random ^= world->random >> 12;
    world->random ^= world->random << 25;
    world->random ^= world->random >> 27;
    return world->random * UINT64_C(0x2545F4914F6CDD1D);
}

uint32_t world_below(struct world *world, uint32_t limit)
{
    return (uint32_t)(world_random(world) >> 33) % limit;
}

void content_fill(content_id id, uint8_t *page)
{
    memset(page, 0, PAGE_SIZE);
    if (id <= 1) {
        return;
    }
    uint32_t *words = (uint32_t *)(void *)page;
    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        words[i] = id * 2654435761u + i * 40503u;
    }
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Where a new cluster begins, given where the last one ended. */
static uint64_t cluster_choose(struct world *world, uint64_t at)
{
    uint64_t anywhere = world_random(world) & (PAGE_KEYS - 1);
    switch (world_below(world, 4)) {
    case 0:
        return (anywhere | (OBJECT_PAGES - 1)) - world_below(world, 4); /* over the end of an object */
    case 1:
        return (at + (UINT64_C(1) << 32)) &
               (PAGE_KEYS - 1); /* the same page of another object: other upper bits only */
    case 2:
        return anywhere & UINT32_MAX;
    default:
        return anywhere;
    }
}

/* Clusters of neighbours at random places, the ends of all keys among them. */
static void pages_choose(struct world *world)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < world->page_count; i++) {
        at = world_below(world, 4) == 0 ? cluster_choose(world, at) : (at + 1) & (PAGE_KEYS - 1);
        world->keys[i] = at;
    }
    world->keys[0] = 0;
    world->keys[1] = PAGE_KEYS - 1;
    qsort(world->keys, world->page_count, sizeof(world->keys[0]), compare_keys);
    for (uint32_t i = 1; i < world->page_count; i++) {
        if (world->keys[i] <= world->keys[i - 1]) {
            world->keys[i] = world->keys[i - 1] + 1;
        }
    }
    for (uint32_t i = world->page_count; i-- > 0;) { /* what was pushed over the end goes below it */
        uint64_t limit = i + 1 == world->page_count ? PAGE_KEYS : world->keys[i + 1];
        if (world->keys[i] >= limit) {
            world->keys[i] = limit - 1;
        }
    }
}

static void generation_add(struct world *world, uint64_t number, uint32_t started_at)
{
    world->generations = realloc(world->generations, (world->generation_count + 1) * sizeof(*world->generations));
    struct world_generation *generation = &world->generations[world->generation_count++];
    *generation = (struct world_generation){
        .number = number,
        .started_at = started_at,
        .confirmed_at = UINT32_MAX,
        .pages = malloc(world->page_count * sizeof(content_id)),
        .record = (uint32_t)world_random(world),
    };
    memcpy(generation->pages, world->sealed, world->page_count * sizeof(content_id));
}

void world_start(struct world *world, struct fake_disk *disk, uint32_t page_count, uint64_t seed)
{
    *world = (struct world){.disk = disk, .random = seed * 2 + 1, .page_count = page_count, .next_content = 2};
    for (int i = 0; i < 8; i++) {
        (void)world_random(world);
    }
    pages_choose(world);
    generation_add(world, 0, 0);
    world->generations[0].confirmed_at = 0;
    struct store_format_options options = {.space_id = {seed, 42}, .wall_time_ns = 1};
    assert_int_equal(store_format(&disk->device, &options), OK);
}

void world_stop(struct world *world)
{
    for (uint32_t i = 0; i < world->generation_count; i++) {
        free(world->generations[i].pages);
    }
    free(world->generations);
}

const struct world_generation *world_generation(const struct world *world, uint64_t number)
{
    for (uint32_t i = world->generation_count; i > 0; i--) {
        if (world->generations[i - 1].number == number) {
            return &world->generations[i - 1];
        }
    }
    return NULL;
}

static void world_open_at(struct world *world, uint64_t number)
{
    struct store_open_options options = {
        .user = world_random(world) | 1,
        .kernel_version = "test",
        .generation = {number},
        .tuning = world->tuning,
    };
    struct store_report report;
    enum error error = store_open(&world->disk->device, &options, &world->store, &report);
    if (error != OK) {
        fail_msg("open: %s (%s)", error_text(error), report.reason);
    }
    const struct world_generation *generation = world_generation(world, store_committed(world->store).number);
    if (generation == NULL) {
        fail_msg("open: generation %llu was never committed", (unsigned long long)store_committed(world->store).number);
        return;
    }
    memcpy(world->now, generation->pages, world->page_count * sizeof(content_id));
    memset(world->dirty, 0, sizeof(world->dirty));
}

void world_open(struct world *world)
{
    world_open_at(world, 0);
}

void world_branch(struct world *world, uint64_t number)
{
    world_close(world);
    world_open_at(world, number);
}

uint64_t world_kept(struct world *world)
{
    struct store_kept kept = {0};
    uint32_t count = 1 + world_below(world, world->clock_is_random ? 20 : 8);
    struct generation before = {0};
    for (uint32_t i = 0; i < count && store_kept_before(world->store, before, &kept) == OK; i++) {
        before = kept.generation;
    }
    return kept.generation.number;
}

void world_pin(struct world *world)
{
    char name[STORE_NAME_BYTES];
    struct generation generation;
    uint32_t index = world_below(world, 4);
    if (world_below(world, 2) == 0 && store_pin_at(world->store, index, &generation, name) == OK) {
        assert_int_equal(store_unpin(world->store, name), OK);
        return;
    }
    snprintf(name, sizeof(name), "pin-%u", world_below(world, 6));
    generation.number = world_kept(world);
    enum error error = store_pin(world->store, generation, name);
    assert_true(error == OK || error == ERROR_EXISTS || error == ERROR_NOT_FOUND);
}

void world_close(struct world *world)
{
    assert_int_equal(store_close(world->store), OK);
    world->store = NULL;
}

static content_id content_next(struct world *world)
{
    return world_below(world, 12) == 0 ? 1 : world->next_content++;
}

void world_write(struct world *world, uint32_t count)
{
    uint32_t at = world_below(world, world->page_count);
    for (uint32_t i = 0; i < count; i++) {
        at = world_below(world, 3) == 0 ? world_below(world, world->page_count) : (at + 1) % world->page_count;
        world->now[at] = content_next(world);
        world->dirty[at] = true;
    }
}

/* Ranges are of one object: some end with it, whether there is a page or not. */
void world_delete(struct world *world)
{
    uint32_t first = world_below(world, world->page_count);
    uint32_t count = 1 + world_below(world, 12), last = first;
    struct page_key from = {world->keys[first]};
    uint64_t object_end = (uint64_t)page_key_object(from).number * OBJECT_PAGES + OBJECT_PAGES;
    while (last + 1 < world->page_count && last + 1 - first < count && world->keys[last + 1] < object_end) {
        last++;
    }
    bool is_last = last + 1 == world->page_count || world->keys[last + 1] >= object_end;
    uint64_t end = is_last && world_below(world, 2) == 0 ? object_end : world->keys[last] + 1;
    assert_int_equal(store_delete(world->store, from, (uint32_t)(end - from.number)), OK);
    for (uint32_t i = first; i <= last; i++) {
        world->now[i] = 0;
        world->dirty[i] = false;
    }
}

/* A block with the content, trying others if the disk refuses one. */
static enum error block_fill(struct world *world, void *bytes, struct block *out)
{
    enum error error = OK;
    for (uint32_t i = 0; i < 3; i++) {
        struct extent extent;
        error = store_allocate(world->store, 1, &extent);
        if (error != OK) {
            return error;
        }
        error = block_write(&world->disk->device, extent.first, bytes);
        if (error == OK) {
            *out = extent.first;
            return OK;
        }
        store_retire(world->store, extent);
    }
    return error;
}

/* Write the content of a page to a block of its own; zeroes take none. */
static enum error content_write(struct world *world, uint32_t page, content_id content, struct generation generation,
                                struct store_entry *entry)
{
    struct frame frame;
    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    uint8_t *bytes = frame_address(frame);
    content_fill(content, bytes);
    *entry = (struct store_entry){.generation = generation};
    entry->checksum = store_checksum(world->store, (struct page_key){world->keys[page]}, generation, bytes);
    enum error error = content == 1 ? OK : block_fill(world, bytes, &entry->block);
    frame_free(frame);
    return error;
}

void world_page_out(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t page = world_below(world, world->page_count);
        if (!world->dirty[page]) {
            continue;
        }
        struct store_entry entry;
        struct generation generation = store_open_generation(world->store);
        if (content_write(world, page, world->now[page], generation, &entry) != OK) {
            continue;
        }
        assert_int_equal(store_put(world->store, (struct page_key){world->keys[page]}, &entry), OK);
        world->dirty[page] = false;
    }
}

static void record_fill(uint32_t seed, uint8_t *record, uint32_t *length)
{
    *length = seed % (STORE_SYSTEM_RECORD_MAX + 1);
    for (uint32_t i = 0; i < *length; i++) {
        record[i] = (uint8_t)(seed >> i % 24);
    }
}

/* Write what the running snapshot owes. */
static enum error snapshot_write(struct world *world, bool busy)
{
    struct generation generation = store_sealed_generation(world->store);
    for (uint32_t i = 0; i < world->page_count; i++) {
        if (!world->to_write[i]) {
            continue;
        }
        struct store_entry entry;
        enum error error = content_write(world, i, world->sealed[i], generation, &entry);
        if (error != OK) {
            return error;
        }
        error = store_snapshot_put(world->store, (struct page_key){world->keys[i]}, &entry);
        if (error != OK) {
            return error;
        }
        world->to_write[i] = false;
        if (busy && world_below(world, 8) == 0) {
            world_write(world, 2);
            world_page_out(world, 3);
            if (world_below(world, 4) == 0) {
                world_delete(world);
            }
        }
    }
    return OK;
}

void world_ladder(struct world *world)
{
    struct store_rules rules = {
        .newest = world_below(world, 2) == 0 ? 0 : 2 + world_below(world, 4),
        .minutes = world_below(world, 6),
        .hours = world_below(world, 4),
        .days = world_below(world, 3),
        .percent = 1 + world_below(world, 40),
    };
    assert_int_equal(store_rules_set(world->store, &rules), OK);
    world->clock_is_random = true;
}

/* A moment later; now and then much later, or earlier. */
static uint64_t clock_next(struct world *world)
{
    const uint64_t second = 1000000000;
    if (!world->clock_is_random) {
        return world->clock_ns += 1000;
    }
    world->clock_ns += world_below(world, 45) * second;
    uint32_t jump = world_below(world, 24);
    world->clock_ns += jump < 3 ? 3000 * second : jump == 3 ? 86400 * second : 0;
    world->clock_ns -= jump == 4 && world->clock_ns > 9000 * second ? 9000 * second : 0;
    return world->clock_ns;
}

enum error world_snapshot(struct world *world, bool busy)
{
    enum error error = store_snapshot_seal(world->store);
    if (error != OK) {
        return error;
    }
    memcpy(world->sealed, world->now, sizeof(world->now));
    memcpy(world->to_write, world->dirty, sizeof(world->dirty));
    memset(world->dirty, 0, sizeof(world->dirty));
    error = snapshot_write(world, busy);
    if (error != OK) {
        store_snapshot_abort(world->store);
    } else {
        uint8_t record[STORE_SYSTEM_RECORD_MAX];
        uint32_t length;
        generation_add(world, store_sealed_generation(world->store).number, world->disk->event_count);
        struct world_generation *generation = &world->generations[world->generation_count - 1];
        record_fill(generation->record, record, &length);
        error = store_snapshot_commit(world->store, record, length, clock_next(world));
        generation = &world->generations[world->generation_count - 1];
        if (error == OK) {
            generation->confirmed_at = world->disk->event_count;
        }
    }
    for (uint32_t i = 0; i < world->page_count; i++) {
        world->dirty[i] = world->dirty[i] || (world->to_write[i] && world->now[i] == world->sealed[i]);
    }
    return error;
}

enum error world_compact(struct world *world)
{
    struct world_generation last = world->generations[world->generation_count - 1];
    memcpy(world->sealed, last.pages, world->page_count * sizeof(content_id));
    uint64_t number = store_open_generation(world->store).number;
    generation_add(world, number, world->disk->event_count);
    struct world_generation *generation = &world->generations[world->generation_count - 1];
    generation->record = last.record;
    enum error error = store_compact(world->store, clock_next(world));
    if (error == OK) {
        generation->confirmed_at = world->disk->event_count;
    }
    return error;
}

static bool record_equals(struct store *store, uint32_t seed)
{
    uint8_t expected[STORE_SYSTEM_RECORD_MAX], found[STORE_SYSTEM_RECORD_MAX];
    uint32_t length, room = sizeof(found);
    record_fill(seed, expected, &length);
    return store_system_record(store, found, &room) == OK && room == length && memcmp(expected, found, length) == 0;
}

static bool page_equals(const struct world *world, struct store *store, uint32_t index, content_id content,
                        uint8_t *page, char *why, size_t room)
{
    static uint8_t expected[PAGE_SIZE];
    struct page_key key = {world->keys[index]};
    struct store_entry entry;
    enum error error = store_find(store, key, &entry);
    if (content == 0 && error == ERROR_NOT_FOUND) {
        return true;
    }
    if (error == OK) {
        error = store_read(store, key, &entry, page);
    }
    if (error != OK || content == 0) {
        snprintf(why, room, "page %llx: %s, expected content %u", (unsigned long long)key.number, error_text(error),
                 content);
        return false;
    }
    content_fill(content, expected);
    if (memcmp(page, expected, PAGE_SIZE) != 0) {
        snprintf(why, room, "page %llx: other content than %u", (unsigned long long)key.number, content);
        return false;
    }
    return true;
}

/* Every page the store lists is one of the world's. */
static bool listing_equals(const struct world *world, struct store *store, const struct world_generation *generation,
                           char *why, size_t room)
{
    uint32_t index = 0;
    struct page_key from = {0}, page;
    struct store_entry entry;
    enum error error;
    while ((error = store_next(store, from, &page, &entry)) == OK) {
        while (index < world->page_count && (world->keys[index] < page.number || generation->pages[index] == 0)) {
            if (generation->pages[index++] != 0) {
                snprintf(why, room, "page %llx is not listed", (unsigned long long)world->keys[index - 1]);
                return false;
            }
        }
        if (index == world->page_count || world->keys[index] != page.number) {
            snprintf(why, room, "page %llx is listed", (unsigned long long)page.number);
            return false;
        }
        index++;
        from.number = page.number + 1;
    }
    if (error != ERROR_NOT_FOUND) {
        snprintf(why, room, "listing: %s", error_text(error));
    }
    return error == ERROR_NOT_FOUND;
}

bool world_equals(const struct world *world, struct store *store, const struct world_generation *generation, char *why,
                  size_t room)
{
    if (generation->number == 0) {
        return listing_equals(world, store, generation, why, room);
    }
    if (!record_equals(store, generation->record)) {
        snprintf(why, room, "other system record");
        return false;
    }
    struct frame frame;
    if (frame_allocate(FRAME_PAGE, &frame) != OK) {
        snprintf(why, room, "no memory for the comparison");
        return false;
    }
    bool equal = true;
    for (uint32_t i = 0; i < world->page_count && equal; i++) {
        equal = page_equals(world, store, i, generation->pages[i], frame_address(frame), why, room);
    }
    frame_free(frame);
    return equal && listing_equals(world, store, generation, why, room);
}

struct findings {
    char *why;
    size_t room;
};

static void note_finding(void *context, const char *text)
{
    const struct findings *findings = context;
    if (findings->why[0] == 0) {
        snprintf(findings->why, findings->room, "check: %s", text);
    }
}

bool store_is_sound(struct store *store, bool read_pages, char *why, size_t room)
{
    struct findings findings = {why, room};
    struct store_check_options options = {.context = &findings, .read_pages = read_pages, .finding = note_finding};
    struct store_check_result result;
    enum error error = store_check(store, &options, &result);
    if (error != OK) {
        snprintf(why, room, "check: %s", error_text(error));
    }
    return error == OK && result.findings == 0;
}
