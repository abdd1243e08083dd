/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of objects over the fake machine's frames: what they hand out, what they take, and what they give back.
 */
#include "campaign.h"
#include "arch/frame.h"
#include "fake/machine.h"
#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAMES 16u

static int set_up(void **state)
{
    struct pool *pool = malloc(sizeof(*pool));

    fake_machine_start(FRAMES);
    pool_init(pool, 64, FRAME_RECORDS);
    *state = pool;
    return 0;
}

/* A pool from which all has been freed holds no frame; the machine insists. */
static int tear_down(void **state)
{
    const struct pool *pool = *state;

    assert_int_equal(pool->objects_used, 0);
    assert_int_equal(pool->frames_used, 0);
    assert_null(pool->partial);
    fake_machine_stop();
    free(*state);
    return 0;
}

static void *allocate(struct pool *pool)
{
    void *object = NULL;

    assert_int_equal(pool_allocate(pool, &object), OK);
    assert_non_null(object);
    return object;
}

static bool is_zeroed(const void *object, uint32_t bytes)
{
    const uint8_t *byte = object;

    while (bytes > 0 && *byte == 0) {
        byte++;
        bytes--;
    }
    return bytes == 0;
}

/* How many objects of this pool fill a frame. */
static uint32_t fill_frame(struct pool *pool, void **objects)
{
    uint32_t count = 0;

    do {
        objects[count++] = allocate(pool);
    } while (pool->partial != NULL);
    return count;
}

/* Objects ---------------------------------------------------------------------------------------------------------- */

static void allocate_again_is_zeroed(void **state)
{
    struct pool *pool = *state;
    void *object = allocate(pool), *other = allocate(pool);

    assert_true(is_zeroed(object, 64));
    memset(object, 0xAA, 64);
    pool_free(pool, object);
    assert_ptr_equal(allocate(pool), object);
    assert_true(is_zeroed(object, 64));
    pool_free(pool, object);
    pool_free(pool, other);
}

/* Every size: objects are aligned, apart from each other, and do not touch what the frame keeps for itself. */
static void allocate_every_size_fills_frames(void **state)
{
    static const uint32_t sizes[] = {8, 16, 24, 48, 64, 72, 128, 1000, 1024, 2008, 2016};
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct pool pool;
        void *objects[PAGE_SIZE / 8];
        pool_init(&pool, sizes[i], FRAME_TABLE);
        uint32_t count = fill_frame(&pool, objects);

        assert_in_range(count, 2, PAGE_SIZE / sizes[i]);
        assert_true(count * sizes[i] + 64 + sizes[i] > PAGE_SIZE);
        assert_int_equal(frame_count(FRAME_TABLE), 1);
        for (uint32_t j = 0; j < count; j++) {
            assert_int_equal((uintptr_t)objects[j] % 8, 0);
            assert_true((sizes[i] & (sizes[i] - 1)) != 0 || (uintptr_t)objects[j] % sizes[i] == 0);
            memset(objects[j], (int)j + 1, sizes[i]);
        }
        for (uint32_t j = 0; j < count; j++) {
            uint8_t expected[2016];
            memset(expected, (int)j + 1, sizes[i]);
            assert_memory_equal(objects[j], expected, sizes[i]);
            pool_free(&pool, objects[j]);
        }
        assert_int_equal(frame_count(FRAME_TABLE), 0);
    }
}

/* Frames ----------------------------------------------------------------------------------------------------------- */

static void free_last_object_gives_its_frame_back(void **state)
{
    struct pool *pool = *state;
    void *objects[PAGE_SIZE / 8];
    uint32_t count = fill_frame(pool, objects);
    void *beyond = allocate(pool);

    assert_int_equal(pool->frames_used, 2);
    assert_int_equal(pool->objects_used, count + 1);
    assert_int_equal(frame_count(FRAME_RECORDS), 2);
    pool_free(pool, beyond);
    assert_int_equal(frame_count(FRAME_RECORDS), 1);
    while (count > 0) {
        pool_free(pool, objects[--count]);
    }
    assert_int_equal(frame_count(FRAME_RECORDS), 0);
}

static void free_of_a_full_frame_makes_room_there(void **state)
{
    struct pool *pool = *state;
    void *first[PAGE_SIZE / 8], *second[PAGE_SIZE / 8];
    uint32_t count = fill_frame(pool, first);

    assert_int_equal(fill_frame(pool, second), count);
    pool_free(pool, first[5]);
    assert_ptr_equal(allocate(pool), first[5]);
    assert_null(pool->partial);
    assert_int_equal(pool->frames_used, 2);
    for (uint32_t i = 0; i < count; i++) {
        pool_free(pool, first[i]);
        pool_free(pool, second[count - 1 - i]);
    }
}

static void allocate_without_frames_fails_and_later_succeeds(void **state)
{
    struct pool *pool = *state;
    void *object = NULL;

    fake_fail_allocations(0, 2);
    assert_int_equal(pool_allocate(pool, &object), ERROR_NO_MEMORY);
    assert_int_equal(pool_allocate(pool, &object), ERROR_NO_MEMORY);
    assert_null(object);
    assert_int_equal(pool->frames_used, 0);
    object = allocate(pool);
    fake_fail_allocations(0, UINT64_MAX);
    void *other = allocate(pool); /* there is room in the frame it has */
    pool_free(pool, object);
    pool_free(pool, other);
}

static void allocate_until_memory_is_full_fails_and_gives_all_back(void **state)
{
    struct pool *pool = *state;
    void *objects[FRAMES * PAGE_SIZE / 64], *object = NULL;
    uint32_t count = 0;

    while (pool_allocate(pool, &object) == OK) {
        objects[count++] = object;
    }
    assert_int_equal(frame_count(FRAME_FREE), 0);
    assert_int_equal(pool->objects_used, count);
    for (uint32_t i = 0; i < count; i += 2) {
        pool_free(pool, objects[i]);
    }
    for (uint32_t i = 1; i < count; i += 2) {
        pool_free(pool, objects[i]);
    }
}

/* Two pools on one machine keep to their own frames and owners. */
static void two_pools_share_no_frame(void **state)
{
    struct pool *pool = *state, other;
    void *object = allocate(pool);

    pool_init(&other, 64, FRAME_STORE);
    void *stranger = allocate(&other);
    assert_int_not_equal(frame_containing(object).number, frame_containing(stranger).number);
    assert_int_equal(frame_owner(frame_containing(object)), FRAME_RECORDS);
    assert_int_equal(frame_owner(frame_containing(stranger)), FRAME_STORE);
    pool_free(pool, object);
    pool_free(&other, stranger);
}

/* Against a model -------------------------------------------------------------------------------------------------- */

/* Objects come and go at random; each keeps the number written into it for as long as it is in use. */
static void random_use_keeps_every_object_apart(void **state)
{
    struct pool *pool = *state;
    uint64_t *objects[500] = {NULL};
    uint64_t seed = campaign_seed(1);
    uint32_t used = 0;

    print_message("EIDOLON_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t round = 0; round < 100000; round++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t i = (uint32_t)(seed >> 33) % 500;
        if (objects[i] == NULL) {
            objects[i] = allocate(pool);
            assert_true(is_zeroed(objects[i], 64));
            objects[i][0] = objects[i][7] = i + 1;
            used++;
        } else {
            assert_int_equal(objects[i][0], i + 1);
            assert_int_equal(objects[i][7], i + 1);
            pool_free(pool, objects[i]);
            objects[i] = NULL;
            used--;
        }
        assert_int_equal(pool->objects_used, used);
        assert_int_equal(frame_count(FRAME_RECORDS), pool->frames_used);
    }
    for (uint32_t i = 0; i < 500; i++) {
        if (objects[i] != NULL) {
            pool_free(pool, objects[i]);
        }
    }
}

/* Program errors --------------------------------------------------------------------------------------------------- */

static void free_of_what_is_no_object_panics(void **state)
{
    struct pool *pool = *state, other;
    char *object = allocate(pool);

    pool_init(&other, 64, FRAME_RECORDS);
    assert_true(fake_panics(pool_free(pool, object + 8)));
    assert_true(fake_panics(pool_free(pool, object + 64)));
    assert_true(fake_panics(pool_free(&other, object)));
    pool_free(pool, object);
}

static void init_with_a_size_out_of_range_panics(void **state)
{
    struct pool *pool = *state;

    assert_true(fake_panics(pool_init(pool, 0, FRAME_RECORDS)));
    assert_true(fake_panics(pool_init(pool, 12, FRAME_RECORDS)));
    assert_true(fake_panics(pool_init(pool, 2024, FRAME_RECORDS)));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(allocate_again_is_zeroed),
        TEST(allocate_every_size_fills_frames),
        TEST(free_last_object_gives_its_frame_back),
        TEST(free_of_a_full_frame_makes_room_there),
        TEST(allocate_without_frames_fails_and_later_succeeds),
        TEST(allocate_until_memory_is_full_fails_and_gives_all_back),
        TEST(two_pools_share_no_frame),
        TEST(random_use_keeps_every_object_apart),
        TEST(free_of_what_is_no_object_panics),
        TEST(init_with_a_size_out_of_range_panics),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
