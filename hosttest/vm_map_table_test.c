/*
 * The table against a naive model: an array that says for each key whether it is there.
 */
#include "vm_map_fixture.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 6000u

/* Keys of the model are spread over the space: dense runs, strides and scattered ones. */
static uint32_t key(uint32_t index)
{
    switch (index % 3) {
    case 0:
        return index;
    case 1:
        return index << 10;
    default:
        return index * 2654435761u;
    }
}

static void compare_with_model(const struct vm_map *map, const uint8_t *present, uint32_t count)
{
    map_check(map);
    assert_int_equal(vm_map_count(map), count);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct vm_page *page = vm_map_find(map, (struct gpn){key(i)});

        assert_int_equal(page != NULL, present[i]);
        assert_true(page == NULL || page->gpn.number == key(i));
    }
}

static void table_random_operations_agree_with_model(void **unused)
{
    (void)unused;
    uint64_t random = test_seed();
    uint8_t present[KEYS] = {0};
    uint32_t count = 0;
    struct vm_map map;

    map_start(&map, 4096, random);
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t bias = test_random_below(&random, 100); /* percent of creations */

        for (uint32_t i = 0; i < 2000; i++) {
            uint32_t index = test_random_below(&random, KEYS);
            struct gpn gpn = {key(index)};
            struct vm_page *page = NULL;

            if (test_random_below(&random, 100) < bias) {
                assert_int_equal(vm_map_create(&map, gpn, &page), present[index] ? ERROR_EXISTS : OK);
                assert_int_equal(page == NULL, present[index]);
                count += !present[index];
                present[index] = 1;
            } else {
                assert_int_equal(vm_map_delete(&map, gpn), present[index] ? OK : ERROR_NOT_FOUND);
                count -= present[index];
                present[index] = 0;
            }
        }
        compare_with_model(&map, present, count);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        if (present[i]) {
            map_delete(&map, key(i));
        }
    }
    map_stop(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_random_operations_agree_with_model),
    };

    return cmocka_run_group_tests_name("vm_map_table", tests, NULL, NULL);
}
