/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ordered map in memory and the layers of change, against naive models.
 */
#include <stdlib.h>
#include <string.h>

#include "store_fixture.h"
#include "store_layer.h"

#define PAGES 256u

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(random_state * UINT64_C(0x2545F4914F6CDD1D) >> 33) % limit;
}

#define PLACE (PAGES / 4)

/*
 * Keys of the model, in four places: the end of an object, the beginning of the next one, the pages of another object
 * that differ from these in the upper bits alone, and the end of all keys.
 */
static uint64_t key_of(uint32_t index)
{
    uint64_t starts[] = {6ull * OBJECT_PAGES - PLACE, 6ull * OBJECT_PAGES, (6ull + 4096) * OBJECT_PAGES,
                         PAGE_KEYS - PLACE};
    return starts[index / PLACE] + index % PLACE;
}

static uint32_t object_end(uint32_t index)
{
    return index / PLACE * PLACE + PLACE - 1;
}

enum word { SILENT, DELETED, FIRST_CONTENT };

struct model {
    struct layer layer;
    uint32_t word[PAGES];
};

static void expect_same(const struct model *model)
{
    store_layer_check(&model->layer);
    for (uint32_t i = 0; i < PAGES; i++) {
        struct disk_map_entry entry;
        enum layer_answer answer = store_layer_find(&model->layer, key_of(i), &entry);
        uint32_t word = answer == LAYER_SILENT ? SILENT : answer == LAYER_DELETED ? DELETED : entry.block;
        assert_int_equal(word, model->word[i]);
    }
}

static void change(struct model *model, uint32_t steps)
{
    for (uint32_t k = 0; k < steps; k++) {
        uint32_t index = below(PAGES);
        if (below(3) == 0) {
            uint32_t last = index + below(1 + below(PAGES - index));
            last = last < object_end(index) ? last : object_end(index);
            assert_int_equal(store_layer_delete(&model->layer, key_of(index), key_of(last), NULL, NULL), OK);
            for (uint32_t i = index; i <= last; i++) {
                model->word[i] = DELETED;
            }
        } else {
            struct disk_map_entry replaced;
            struct disk_map_entry entry = {.key = key_of(index), .block = FIRST_CONTENT + below(1000), .when = 1};
            assert_int_equal(store_layer_put(&model->layer, &entry, &replaced), OK);
            model->word[index] = entry.block;
        }
    }
}

static void ignore(void *context, const struct disk_map_entry *entry)
{
    (void)context;
    (void)entry;
}

static void layer_random_changes_agree_with_the_model(void **state)
{
    (void)state;
    fake_machine_start(4096);
    for (random_state = 1; random_state < 200; random_state++) {
        uint64_t seed = random_state;
        struct model model = {0};
        for (uint32_t i = 0; i < 40; i++) {
            change(&model, 1 + below(10));
            expect_same(&model);
        }
        store_layer_clear(&model.layer);
        random_state = seed;
    }
    fake_machine_stop();
}

static void layer_merge_agrees_with_the_model(void **state)
{
    (void)state;
    fake_machine_start(4096);
    for (uint64_t seed = 1; seed < 2000; seed++) {
        random_state = seed * 77;
        struct model into = {0}, from = {0};
        change(&into, below(40));
        change(&from, below(40));
        bool over = below(2) == 0;
        assert_int_equal(store_layer_reserve(&into.layer, &from.layer), OK);
        if (over) {
            store_layer_merge_over(&into.layer, &from.layer);
        } else {
            store_layer_merge_under(&into.layer, &from.layer, ignore, NULL);
        }
        for (uint32_t i = 0; i < PAGES; i++) {
            bool take = over ? from.word[i] != SILENT : into.word[i] == SILENT;
            into.word[i] = take ? from.word[i] : into.word[i];
        }
        expect_same(&into);
        store_layer_clear(&into.layer);
        store_layer_clear(&from.layer);
    }
    fake_machine_stop();
}

/* What was put into a slot is taken out again by emptying it, as layers do. */
static void index_random_slots_agree_with_the_model(void **state)
{
    (void)state;
    fake_machine_start(4096);
    static bool there[20000];
    for (uint64_t seed = 1; seed < 6; seed++) {
        random_state = seed;
        memset(there, 0, sizeof(there));
        struct index index = {0};
        for (uint32_t i = 0; i < 20000; i++) {
            uint32_t page = seed == 1 ? i : seed == 2 ? 19999 - i : below(20000);
            struct disk_map_entry *slot;
            bool empties = there[page] && below(4) == 0;
            assert_int_equal(store_index_slot(&index, page, &slot), OK);
            assert_int_equal(slot->key, page);
            assert_int_equal(store_entry_is_empty(slot), !there[page]);
            slot->when = !empties;
            there[page] = !empties;
        }
        store_index_check(&index);
        uint32_t next = UINT32_MAX;
        for (uint32_t page = 20000; page > 0; page--) {
            const struct disk_map_entry *found = store_index_find(&index, page - 1);
            assert_int_equal(found != NULL && !store_entry_is_empty(found), there[page - 1]);
            next = there[page - 1] ? page - 1 : next;
            const struct disk_map_entry *after = store_index_next(&index, page - 1);
            assert_int_equal(after == NULL ? UINT32_MAX : after->key, next);
        }
        uint32_t previous = UINT32_MAX;
        for (uint32_t page = 0; page < 20000; page++) {
            previous = there[page] ? page : previous;
            const struct disk_map_entry *before = store_index_previous(&index, page);
            assert_int_equal(before == NULL ? UINT32_MAX : before->key, previous);
        }
        store_index_clear(&index);
    }
    fake_machine_stop();
}

static void index_without_memory_keeps_what_it_has(void **state)
{
    (void)state;
    fake_machine_start(8);
    struct index index = {0};
    uint32_t page = 0;
    struct disk_map_entry *slot;
    enum error error;
    while ((error = store_index_slot(&index, page, &slot)) == OK) {
        slot->when = 1;
        page++;
    }
    assert_int_equal(error, ERROR_NO_MEMORY);
    store_index_check(&index);
    for (uint32_t i = 0; i < page; i++) {
        assert_non_null(store_index_find(&index, i));
    }
    assert_null(store_index_find(&index, page));
    store_index_clear(&index);
    fake_machine_stop();
}

/* Pages that go one after the other leave one range, and nothing to step over. */
static void pages_deleted_in_order_are_one_slot(void **state)
{
    (void)state;
    struct layer layer = {0};
    uint64_t first, last;

    fake_machine_start(64);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(store_layer_delete(&layer, 7ull * OBJECT_PAGES + i, 7ull * OBJECT_PAGES + i, NULL, NULL), OK);
    }
    assert_int_equal(layer.deleted.slots, 1);
    assert_true(store_layer_range_at(&layer, 0, &first, &last));
    assert_int_equal(last - first, 4999);
    store_layer_clear(&layer);
    fake_machine_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_random_slots_agree_with_the_model),
        cmocka_unit_test(index_without_memory_keeps_what_it_has),
        cmocka_unit_test(layer_random_changes_agree_with_the_model),
        cmocka_unit_test(pages_deleted_in_order_are_one_slot),
        cmocka_unit_test(layer_merge_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
