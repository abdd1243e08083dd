/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replacement policies against naive models: arrays in the order that the policy is defined by, over the same history
 * of pages that come, are used, are wired and go. The A bits are those of the fake MMU.
 */
#include "vm_map_fixture.h"

#include "fake/mmu.h"
#include "vm_policy.h"

#include <string.h>

#define PAGES   48u
#define TURNS   40000u
#define SPACE   ((struct space_id){1})
#define ADDRESS 0x10000000u
#define SAMPLES 8u /* of lru for each victim, as policy_lru.c has them */

static struct vm_map map;
static struct vm_page *pages[PAGES]; /* NULL: not resident */

/* The naive model: pages in order, oldest first, with the bit that their use leaves. */
static struct {
    uint32_t order[PAGES];
    bool used[PAGES];
    uint32_t sweep_of[PAGES];
    uint32_t count;
    uint32_t hand; /* page, or PAGES */
    uint32_t newcomer;
    uint32_t sweep;
} model;

/* The machine ------------------------------------------------------------------------------------------------------ */

static uint32_t number_of(const struct vm_page *page)
{
    return page_key_index(vm_page_key(page)) - ADDRESS / PAGE_SIZE;
}

static bool may_go(const struct vm_page *page)
{
    return page->wire_count == 0;
}

static bool none_may_go(const struct vm_page *page)
{
    (void)page;
    return false;
}

static bool take_accessed(const struct vm_page *page)
{
    return pmap_query(vm_page_place(page), NULL) && pmap_clear_accessed(vm_page_place(page));
}

static void begin(const struct vm_policy *policy, uint32_t seed)
{
    struct vm_map_options options = {
        .seed = {seed, 1}, .buckets_max = 64, .policy = policy, .take_accessed = take_accessed};

    fake_machine_start(256);
    assert_int_equal(vm_map_init(&map, &options), OK);
    assert_int_equal(pmap_create(SPACE), OK);
    pmap_activate(SPACE);
    memset(pages, 0, sizeof(pages));
    memset(&model, 0, sizeof(model));
    model.hand = model.newcomer = PAGES;
}

static void load(uint32_t number)
{
    uint32_t value;

    assert_true(mmu_load((struct vaddr){ADDRESS + number * PAGE_SIZE}, &value));
}

/* A page comes, and is used by the access that brought it. */
static void bring(uint32_t number)
{
    struct frame frame;

    pages[number] = map_create(&map, page_key_at(SPACE, (struct vaddr){ADDRESS}).number + number);
    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    vm_page_lock(pages[number]);
    vm_page_make_resident(&map, pages[number], frame);
    vm_page_unlock(pages[number]);
    assert_int_equal(pmap_enter(vm_page_place(pages[number]), frame, PMAP_WRITE), OK);
    vm_replacement_mapped(&map.replacement, pages[number]);
    load(number);
}

static void take_away(uint32_t number)
{
    struct vm_page *page = pages[number];
    struct frame frame;

    (void)pmap_remove(vm_page_place(page));
    vm_page_lock(page);
    assert_int_equal(vm_page_drop(&map, page, &frame), OK);
    vm_page_unlock(page);
    frame_free(frame);
    assert_int_equal(vm_map_delete(&map, vm_page_key(page)), OK);
    pages[number] = NULL;
}

static void finish(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        if (pages[i] != NULL) {
            pages[i]->wire_count = 0;
            take_away(i);
        }
    }
    assert_int_equal(map.replacement.count, 0);
    map_check(&map);
    pmap_activate(SPACE_SYSTEM);
    pmap_delete(SPACE);
    assert_int_equal(vm_map_destroy(&map), OK);
    fake_machine_stop();
}

/* What the next victim is, PAGES for none; the page stays where it is. */
static uint32_t victim(void)
{
    struct vm_page *page = vm_replacement_victim(&map.replacement, may_go);

    return page == NULL ? PAGES : number_of(page);
}

/* The models ------------------------------------------------------------------------------------------------------- */

static uint32_t index_of(uint32_t number)
{
    uint32_t i = 0;

    while (model.order[i] != number) {
        i++;
    }
    return i;
}

static uint32_t follower(uint32_t number)
{
    return model.order[(index_of(number) + 1) % model.count];
}

static void model_append(uint32_t number)
{
    model.order[model.count++] = number;
}

static void model_cut(uint32_t number)
{
    uint32_t i = index_of(number);

    memmove(&model.order[i], &model.order[i + 1], (model.count - i - 1) * sizeof(model.order[0]));
    model.count--;
}

static bool take_used(uint32_t number)
{
    bool was = model.used[number];

    model.used[number] = false;
    return was;
}

static void to_end(uint32_t number)
{
    if (model.hand == number) {
        model.hand = follower(number);
    }
    model_cut(number);
    model_append(number);
    model.sweep_of[number] = model.sweep;
}

static uint32_t model_fifo(void)
{
    for (uint32_t looks = model.count; looks > 0; looks--) {
        uint32_t number = model.order[0];
        to_end(number);
        if (pages[number]->wire_count == 0) {
            return number;
        }
    }
    return PAGES;
}

static uint32_t model_second_chance(void)
{
    for (uint32_t looks = 2 * model.count; looks > 0; looks--) {
        uint32_t number = model.order[0];
        to_end(number);
        if (pages[number]->wire_count == 0 && !take_used(number)) {
            return number;
        }
    }
    return PAGES;
}

static uint32_t model_sieve(void)
{
    for (uint32_t looks = 2 * model.count; looks > 0; looks--) {
        uint32_t number = model.hand == PAGES ? model.order[0] : model.hand;
        model.hand = follower(number);
        if (pages[number]->wire_count == 0 && !take_used(number)) {
            return number;
        }
    }
    return PAGES;
}

static uint32_t model_lru(void)
{
    for (uint32_t i = 0; i < SAMPLES && model.count > 0; i++) {
        if (model.hand == PAGES || model.sweep_of[model.hand] == model.sweep) {
            model.sweep++;
            model.hand = model.order[0];
        }
        uint32_t number = model.hand;
        model.hand = follower(number);
        model.sweep_of[number] = model.sweep;
        if (take_used(number)) {
            to_end(number);
        }
    }
    return model_second_chance();
}

static void model_bring(uint32_t number, bool is_sieve)
{
    model_append(number);
    model.sweep_of[number] = model.sweep;
    model.used[number] = true;
    if (is_sieve && model.newcomer != PAGES) {
        model.used[model.newcomer] = false;
    }
    model.newcomer = number;
}

static void model_take_away(uint32_t number)
{
    if (model.hand == number) {
        model.hand = model.count > 1 ? follower(number) : PAGES;
    }
    model.newcomer = model.newcomer == number ? PAGES : model.newcomer;
    model_cut(number);
}

/* Random histories ------------------------------------------------------------------------------------------------- */

static void turn(uint64_t *state, uint32_t (*expected)(void), bool is_sieve)
{
    uint32_t number = test_random_below(state, PAGES);
    uint32_t what = test_random_below(state, 16);

    if (pages[number] == NULL) {
        bring(number);
        model_bring(number, is_sieve);
    } else if (what < 10) {
        load(number);
        model.used[number] = true;
    } else if (what == 10) {
        pages[number]->wire_count ^= 1;
    } else if (what == 11 && pages[number]->wire_count == 0) {
        take_away(number);
        model_take_away(number);
    } else {
        uint32_t chosen = expected();
        assert_int_equal(victim(), chosen);
        if (chosen != PAGES && what > 12) { /* else whoever asked could not take it after all */
            take_away(chosen);
            model_take_away(chosen);
        }
    }
}

static void compare(const char *name, uint32_t (*expected)(void))
{
    uint64_t state = test_seed();
    const struct vm_policy *policy = vm_policy_find(name);

    assert_non_null(policy);
    begin(policy, 1);
    for (uint32_t i = 0; i < TURNS; i++) {
        turn(&state, expected, strcmp(name, "sieve") == 0);
        if (i % 512 == 0) {
            map_check(&map);
        }
    }
    finish();
}

static void fifo_chooses_as_its_model_does(void **unused)
{
    (void)unused;
    compare("fifo", model_fifo);
}

static void second_chance_chooses_as_its_model_does(void **unused)
{
    (void)unused;
    compare("second-chance", model_second_chance);
}

static void lru_chooses_as_its_model_does(void **unused)
{
    (void)unused;
    compare("lru", model_lru);
}

static void sieve_chooses_as_its_model_does(void **unused)
{
    (void)unused;
    compare("sieve", model_sieve);
}

/* What distinguishes them ------------------------------------------------------------------------------------------ */

/* Twelve pages come in order, each replaced one brings another; page 5 is used all the time. Whether it stays. */
static bool keeps_the_page_in_use(const char *name)
{
    bool kept = true;

    begin(vm_policy_find(name), 1);
    for (uint32_t i = 0; i < 12; i++) {
        bring(i);
    }
    for (uint32_t i = 0; kept && i < 36; i++) {
        load(5);
        uint32_t gone = victim();
        assert_true(gone < PAGES);
        kept = gone != 5;
        take_away(gone);
        bring(gone >= 12 ? gone - 12 : gone + 12);
    }
    finish();
    return kept;
}

static void page_in_use_stays_but_for_fifo(void **unused)
{
    (void)unused;
    assert_false(keeps_the_page_in_use("fifo"));
    assert_true(keeps_the_page_in_use("second-chance"));
    assert_true(keeps_the_page_in_use("lru"));
    assert_true(keeps_the_page_in_use("sieve"));
}

/* The pages of a working set and then a scan: what sieve is for. How many of the set are left. */
static uint32_t left_after_scan(const char *name)
{
    uint32_t left = 0;

    begin(vm_policy_find(name), 1);
    for (uint32_t i = 0; i < 16; i++) {
        bring(i);
    }
    for (uint32_t i = 0; i < 8; i++) {
        load(i); /* a second use of half of them */
    }
    for (uint32_t i = 16; i < PAGES; i++) {
        take_away(victim());
        bring(i);
    }
    for (uint32_t i = 0; i < 8; i++) {
        left += pages[i] != NULL;
    }
    finish();
    return left;
}

static void scan_leaves_the_working_set_to_sieve_alone(void **unused)
{
    (void)unused;
    assert_int_equal(left_after_scan("fifo"), 0);
    assert_int_equal(left_after_scan("second-chance"), 0);
    assert_true(left_after_scan("sieve") >= 7);
}

/* A page that was read ahead and is mapped later has been used once by that. */
static void first_mapping_of_a_page_read_ahead_is_no_visit_to_sieve(void **unused)
{
    (void)unused;

    begin(vm_policy_find("sieve"), 1);
    for (uint32_t i = 0; i < 8; i++) {
        bring(i);
    }
    for (uint32_t i = 0; i < 8; i++) { /* as if they had come together and were mapped one by one */
        (void)pmap_remove(vm_page_place(pages[i]));
    }
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(pmap_enter(vm_page_place(pages[i]), vm_page_frame(pages[i]), PMAP_WRITE), OK);
        vm_replacement_mapped(&map.replacement, pages[i]);
        load(i);
    }
    load(0); /* this one is a visit */
    assert_int_equal(victim(), 1);
    finish();
}

/* With a whole sweep between uses, lru is exact. */
static void lru_takes_pages_in_the_order_of_their_last_use(void **unused)
{
    (void)unused;
    uint32_t order[SAMPLES];
    uint64_t state = test_seed();

    begin(vm_policy_find("lru"), 1);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        order[i] = i;
        bring(i);
    }
    assert_null(vm_replacement_victim(&map.replacement, none_may_go));
    for (uint32_t i = SAMPLES; i > 0; i--) { /* Fisher and Yates */
        uint32_t other = test_random_below(&state, i), swapped = order[other];
        order[other] = order[i - 1];
        order[i - 1] = swapped;
    }
    for (uint32_t i = 0; i < SAMPLES; i++) {
        load(order[i]);
        assert_null(vm_replacement_victim(&map.replacement, none_may_go));
    }
    for (uint32_t i = 0; i < SAMPLES; i++) {
        assert_int_equal(victim(), order[i]);
        take_away(order[i]);
    }
    finish();
}

static void draw(uint32_t seed, uint32_t draws, uint32_t *out)
{
    begin(vm_policy_find("random"), seed);
    for (uint32_t i = 0; i < PAGES; i++) {
        bring(i);
    }
    for (uint32_t i = 0; i < draws; i++) {
        out[i] = victim();
        take_away(out[i]);
        bring(out[i]);
    }
    finish();
}

static void random_takes_each_page_as_often_and_repeats_with_its_seed(void **unused)
{
    (void)unused;
    static uint32_t first[PAGES * 400u], again[PAGES * 400u];
    uint32_t counts[PAGES] = {0};

    draw(7, PAGES * 400, first);
    draw(7, PAGES * 400, again);
    assert_memory_equal(first, again, sizeof(first));
    draw(8, PAGES * 400, again);
    assert_memory_not_equal(first, again, sizeof(first));
    for (uint32_t i = 0; i < PAGES * 400; i++) {
        counts[first[i]]++;
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        assert_in_range(counts[i], 320, 480); /* four standard deviations */
    }
}

/* For all of them -------------------------------------------------------------------------------------------------- */

static void every_policy_finds_the_only_page_that_may_go(void **unused)
{
    (void)unused;
    const struct vm_policy *policy;

    for (uint32_t p = 0; (policy = vm_policy_at(p)) != NULL; p++) {
        begin(policy, 3);
        assert_int_equal(victim(), PAGES); /* an empty ring */
        for (uint32_t i = 0; i < PAGES; i++) {
            bring(i);
            pages[i]->wire_count = 1;
        }
        for (uint32_t i = 0; i < PAGES; i++) {
            assert_int_equal(victim(), PAGES);
            pages[i]->wire_count = 0;
            load(i);
            assert_int_equal(victim(), i);
            pages[i]->wire_count = 1;
        }
        finish();
    }
}

static void every_policy_names_all_pages_if_none_is_taken(void **unused)
{
    (void)unused;
    const struct vm_policy *policy;

    for (uint32_t p = 0; (policy = vm_policy_at(p)) != NULL; p++) {
        bool named[PAGES] = {false};
        uint32_t different = 0;

        begin(policy, 3);
        for (uint32_t i = 0; i < PAGES; i++) {
            bring(i);
        }
        for (uint32_t asked = 0; asked < 64 * PAGES; asked++) {
            uint32_t number = victim();
            different += !named[number];
            named[number] = true;
        }
        assert_int_equal(different, PAGES);
        finish();
    }
}

static void policies_are_found_by_name_and_no_other(void **unused)
{
    (void)unused;
    static const char *const names[] = {"random", "fifo", "second-chance", "lru", "sieve"};

    for (uint32_t i = 0; i < 5; i++) {
        assert_string_equal(vm_policy_at(i)->name, names[i]);
        assert_ptr_equal(vm_policy_find(names[i]), vm_policy_at(i));
    }
    assert_null(vm_policy_at(5));
    assert_null(vm_policy_find("clock"));
    assert_null(vm_policy_find(""));
    assert_non_null(vm_policy_find(vm_policy_default()->name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifo_chooses_as_its_model_does),
        cmocka_unit_test(second_chance_chooses_as_its_model_does),
        cmocka_unit_test(lru_chooses_as_its_model_does),
        cmocka_unit_test(sieve_chooses_as_its_model_does),
        cmocka_unit_test(page_in_use_stays_but_for_fifo),
        cmocka_unit_test(scan_leaves_the_working_set_to_sieve_alone),
        cmocka_unit_test(first_mapping_of_a_page_read_ahead_is_no_visit_to_sieve),
        cmocka_unit_test(lru_takes_pages_in_the_order_of_their_last_use),
        cmocka_unit_test(random_takes_each_page_as_often_and_repeats_with_its_seed),
        cmocka_unit_test(every_policy_finds_the_only_page_that_may_go),
        cmocka_unit_test(every_policy_names_all_pages_if_none_is_taken),
        cmocka_unit_test(policies_are_found_by_name_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
