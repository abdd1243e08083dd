/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of an ordered map: random pages against an array of flags, every look from anywhere to anywhere; each
 * allocation failing; VM-12 broken in each way and named; and that a look costs the same whatever the range is and
 * others have.
 */
#include "vm_map_fixture.h"

#include "../kernel/vm_map/presence.h"

#include <stdlib.h>
#include <string.h>

#define SPACES 3u
#define SPACE  7u
#define PAGES  (1u << 20) /* of a space */

static struct vm_map map;

static void start_ordered(uint32_t frames)
{
    struct vm_map_options options = {
        .seed = {0x1234567890abcdefu, 0xfedcba0987654321u}, .buckets_max = 1u << 20, .is_ordered = true};

    fake_machine_start(frames);
    assert_int_equal(vm_map_init(&map, &options), OK);
}

static struct page_key page_of(uint32_t space, uint32_t index)
{
    return page_key_make((struct object_id){SPACE + space * OBJECTS_FIRST}, index); /* lower halves are alike */
}

/* Where pages of the test are: both ends of a space, of chunks and of words, and some in between. */
static uint32_t draw_index(uint64_t *random)
{
    static const uint32_t edges[] = {0,     31,    32,        1023,         1024,         1055,
                                     32767, 32768, PAGES / 2, PAGES - 1025, PAGES - 1024, PAGES - 1};
    uint32_t choice = test_random_below(random, 3);

    if (choice == 0) {
        return edges[test_random_below(random, sizeof(edges) / sizeof(edges[0]))];
    }
    return choice == 1 ? 5000 + test_random_below(random, 200) : test_random_below(random, PAGES);
}

static bool naive_next(const uint8_t *present, uint32_t from, uint32_t last, uint32_t *out)
{
    for (uint32_t i = from; i <= last; i++) {
        if (present[i]) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void look(const uint8_t *present, uint32_t space, uint64_t *random)
{
    uint32_t a = draw_index(random), b = draw_index(random), expected = 0;
    uint32_t from = a < b ? a : b, last = a < b ? b : a;
    struct page_key found;

    bool is_there = vm_presence_next(&map, page_of(space, from), page_of(space, last), &found);
    assert_int_equal(is_there, naive_next(present, from, last, &expected));
    if (is_there) {
        assert_int_equal(found.number, page_of(space, expected).number);
    }
}

static void order_is_that_of_a_naive_model(void **unused)
{
    (void)unused;
    static uint8_t present[SPACES][PAGES];
    uint64_t random = test_seed();

    start_ordered(20000);
    memset(present, 0, sizeof(present));
    for (uint32_t turn = 0; turn < 6000; turn++) {
        uint32_t space = test_random_below(&random, SPACES), index = draw_index(&random);
        if (present[space][index]) {
            map_delete(&map, page_of(space, index).number);
        } else {
            map_create(&map, page_of(space, index).number);
        }
        present[space][index] ^= 1;
        if (turn % 8 == 0) {
            look(present[space], space, &random);
        }
        if (turn % 500 == 0) {
            map_check(&map);
        }
    }
    for (uint32_t space = 0; space < SPACES; space++) {
        for (uint32_t i = 0; i < PAGES; i++) {
            if (present[space][i]) {
                map_delete(&map, page_of(space, i).number);
            }
        }
    }
    assert_int_equal(map.presence_nodes.objects_used, 0);
    map_stop(&map);
}

static void expect_no_memory(uint32_t space, uint32_t pages, uint32_t nodes)
{
    struct vm_page *page;
    struct page_key found;

    assert_int_equal(vm_map_create(&map, page_of(space, 9), &page), ERROR_NO_MEMORY);
    fake_fail_allocations(0, 0);
    assert_int_equal(vm_map_count(&map), pages);
    assert_int_equal(map.presence_nodes.objects_used, nodes);
    assert_false(vm_presence_next(&map, page_of(space, 0), page_of(space, PAGES - 1), &found));
    map_check(&map);
}

/* On a 64-bit host a frame has room for 26 nodes: so the page's record, the first node and the second fail in turn. */
static void creation_without_memory_leaves_all_as_it_was(void **unused)
{
    (void)unused;
    start_ordered(64);
    fake_fail_allocations(0, 1);
    expect_no_memory(1, 0, 0);
    fake_fail_allocations(1, 1);
    expect_no_memory(1, 0, 0);
    for (uint32_t chunk = 0; chunk < 24; chunk++) {
        map_create(&map, page_of(0, chunk * VM_PRESENCE_FANOUT).number);
    }
    fake_fail_allocations(0, 1);
    expect_no_memory(1, 24, 25);
    for (uint32_t chunk = 0; chunk < 24; chunk++) {
        map_delete(&map, page_of(0, chunk * VM_PRESENCE_FANOUT).number);
    }
    map_stop(&map);
}

/* What is broken, and put right again ------------------------------------------------------------------------------ */

static struct vm_presence_node *node_of(uint64_t key)
{
    for (uint32_t head = 0; head <= map.presence_head_mask; head++) {
        for (struct vm_presence_node *node = map.presence_heads[head]; node != NULL; node = node->hash_next) {
            if (node->key == key) {
                return node;
            }
        }
    }
    abort(); /* each is there */
}

static void expect_broken(void)
{
    struct vm_map_violation violation;

    assert_int_equal(vm_map_check(&map, &violation), ERROR_INVALID);
    assert_string_equal(violation.invariant, "VM-12");
}

static void wrong_bits_are_named(void **unused)
{
    (void)unused;
    start_ordered(64);
    map_create(&map, page_of(0, 40).number);
    struct vm_presence_node *chunk = node_of(page_of(0, 40).number >> 10);
    struct vm_presence_node *space = node_of(SPACE | UINT64_C(1) << 63);
    uint32_t *const words[] = {&chunk->bits[1], &chunk->bits[2], &chunk->words,
                               &space->bits[0], &space->bits[9], &space->words};
    uint64_t *const keys[] = {&chunk->key, &space->key};

    map_check(&map);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (uint32_t bit = 0; bit < 32; bit++) {
            *words[i] ^= 1u << bit;
            expect_broken();
            *words[i] ^= 1u << bit;
        }
    }
    for (uint32_t i = 0; i < 128; i++) {
        *keys[i / 64] ^= UINT64_C(1) << i % 64;
        expect_broken();
        *keys[i / 64] ^= UINT64_C(1) << i % 64;
    }
    map.presence_nodes.objects_used++;
    expect_broken();
    map.presence_nodes.objects_used--;
    map_delete(&map, page_of(0, 40).number);
    map_stop(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_a_naive_model),
        cmocka_unit_test(creation_without_memory_leaves_all_as_it_was),
        cmocka_unit_test(wrong_bits_are_named),
    };

    return cmocka_run_group_tests_name("vm_presence", tests, NULL, NULL);
}
