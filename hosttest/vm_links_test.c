/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links: pages that are seen elsewhere than at their own place, against a plain table of what is mapped where; the
 * limit; shortage; and the check of VIEW-1, which names each way in which links can be wrong.
 */
#include "vm_map_fixture.h"

#include "../kernel/vm_map/links.h"

#include "arch/frame.h"
#include "arch/pmap.h"

#include <string.h>

#define FRAMES       96u
#define PAGES        6u
#define WINDOWS      3u
#define PLACES       40u /* of each window, in two chunks */
#define FIRST_WINDOW 2u
#define ROUNDS       20000u
#define NOBODY       PAGES

static struct vm_map map;
static struct vm_page *pages[PAGES];
static uint32_t seen[WINDOWS][PLACES]; /* which page */

/* Places of a window lie on both sides of the border of two chunks. The pages' own places are the first of window 0. */
static struct place place_at(uint32_t window, uint32_t index)
{
    return (struct place){(FIRST_WINDOW + window) << 20 | (2 * PMAP_CHUNK_PAGES - PLACES / 2 + index)};
}

static int start(void **unused)
{
    (void)unused;
    map_start(&map, FRAMES, 1);
    for (uint32_t window = 0; window < WINDOWS; window++) {
        assert_int_equal(pmap_create((struct space_id){FIRST_WINDOW + window}), OK);
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        struct frame frame;
        pages[i] = map_create(&map, place_key(place_at(0, i)).number);
        vm_page_lock(pages[i]);
        assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
        vm_page_make_resident(&map, pages[i], frame);
    }
    for (uint32_t i = 0; i < WINDOWS * PLACES; i++) {
        seen[i / PLACES][i % PLACES] = NOBODY;
    }
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < PAGES; i++) {
        (void)vm_unmap_links(&map, pages[i]);
        (void)vm_unmap(&map, vm_page_place(pages[i]));
        frame_free(vm_page_detach(&map, pages[i]));
        vm_page_unlock(pages[i]);
        map_delete(&map, vm_page_key(pages[i]).number);
    }
    for (uint32_t window = 0; window < WINDOWS; window++) {
        pmap_delete((struct space_id){FIRST_WINDOW + window});
    }
    map_stop(&map);
    return 0;
}

static bool is_own(uint32_t window, uint32_t place)
{
    return window == 0 && place < PAGES;
}

static enum error enter(uint32_t window, uint32_t place, uint32_t page)
{
    if (is_own(window, place)) {
        return page == place ? pmap_enter(place_at(window, place), vm_page_frame(pages[page]), PMAP_WRITE)
                             : ERROR_DENIED;
    }
    return window == 1 ? vm_link_enter_view(&map, place_at(window, place), pages[page], PMAP_READ)
                       : vm_link_enter(&map, place_at(window, place), pages[page]);
}

/* How many links a page has, each of them where the model has the page. */
static uint32_t count_links(uint32_t page)
{
    uint32_t count = 0;

    for (const struct vm_link *link = vm_links_of(&map, pages[page]); link != NULL; link = link->next) {
        uint32_t window = place_space(link->place).number - FIRST_WINDOW;
        uint32_t place = link->place.number - place_at(window, 0).number;
        assert_true(window < WINDOWS && place < PLACES);
        assert_int_equal(seen[window][place], page);
        count++;
    }
    return count;
}

static void check_model(void)
{
    uint32_t expected[PAGES + 1] = {0};

    for (uint32_t i = 0; i < WINDOWS * PLACES; i++) {
        uint32_t window = i / PLACES, place = i % PLACES, page = seen[window][place];
        assert_int_equal(pmap_query(place_at(window, place), NULL), page != NOBODY);
        if (page != NOBODY) {
            assert_int_equal(pmap_frame(place_at(window, place)).number, vm_page_frame(pages[page]).number);
        }
        expected[page] += !is_own(window, place);
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        assert_int_equal(count_links(page), expected[page]);
    }
    map_check(&map);
}

static void links_at_random_are_what_is_mapped(void **unused)
{
    (void)unused;
    uint64_t random = test_seed();

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t window = test_random_below(&random, WINDOWS), place = test_random_below(&random, PLACES);
        uint32_t page = is_own(window, place) ? place : test_random_below(&random, PAGES);
        uint32_t what = test_random_below(&random, 40);

        if (what == 0) { /* everywhere but at its own place */
            (void)vm_unmap_links(&map, pages[page]);
            for (uint32_t i = 0; i < WINDOWS * PLACES; i++) {
                bool goes = seen[i / PLACES][i % PLACES] == page && !is_own(i / PLACES, i % PLACES);
                seen[i / PLACES][i % PLACES] = goes ? NOBODY : seen[i / PLACES][i % PLACES];
            }
        } else if (what < 24) {
            bool is_free = seen[window][place] == NOBODY;
            assert_int_equal(enter(window, place, page), is_free ? OK : ERROR_EXISTS);
            seen[window][place] = is_free ? page : seen[window][place];
        } else {
            (void)vm_unmap(&map, place_at(window, place));
            seen[window][place] = NOBODY;
        }
        if (round % 16 == 0) {
            check_model();
        }
    }
}

static void unmapping_says_whether_the_page_was_written(void **unused)
{
    (void)unused;
    assert_false(vm_unmap(&map, place_at(1, 0)));
    assert_int_equal(vm_link_enter_view(&map, place_at(1, 0), pages[0], PMAP_WRITE), OK);
    assert_int_equal(vm_link_enter_view(&map, place_at(2, 0), pages[0], PMAP_WRITE), OK);
    pmap_mark_dirty(place_at(1, 0));
    assert_true(vm_unmap_links(&map, pages[0]));
    assert_int_equal(vm_link_enter_view(&map, place_at(1, 0), pages[0], PMAP_WRITE), OK);
    assert_false(vm_unmap_links(&map, pages[0]));
    assert_int_equal(enter(0, 0, 0), OK);
    pmap_mark_dirty(place_at(0, 0));
    assert_true(vm_unmap(&map, place_at(0, 0)));
}

/* The limit: four for each frame of the machine. What shows a wired page stays, and any other place gives its link. */
static void link_beyond_the_limit_is_taken_from_an_entry_that_nobody_has_wired(void **unused)
{
    (void)unused;
    const uint32_t limit = VM_LINKS_PER_FRAME * map.frame_end;
    struct place first = {(FIRST_WINDOW + 1) << 20 | PMAP_CHUNK_PAGES};

    assert_true(limit < PMAP_CHUNK_PAGES / 2 && 2 * limit / PAGES < limit);
    assert_int_equal(vm_page_wire(pages[0]), OK);
    for (uint32_t i = 0; i < 2 * limit; i++) {
        assert_int_equal(vm_link_enter(&map, (struct place){first.number + i}, pages[i % PAGES]), OK);
        assert_int_equal(map.links.objects_used, i < limit ? i + 1 : limit);
        assert_true(pmap_query((struct place){first.number + i}, NULL));
    }
    for (uint32_t i = 0; i < 2 * limit; i += PAGES) {
        assert_true(pmap_query((struct place){first.number + i}, NULL));
    }
    map_check(&map);
    vm_page_unwire(pages[0]);
}

static void link_that_finds_all_others_wired_is_refused(void **unused)
{
    (void)unused;
    const uint32_t limit = VM_LINKS_PER_FRAME * map.frame_end;
    struct place first = {(FIRST_WINDOW + 1) << 20 | PMAP_CHUNK_PAGES};

    assert_int_equal(vm_page_wire(pages[0]), OK);
    for (uint32_t i = 0; i < limit; i++) {
        assert_int_equal(vm_link_enter(&map, (struct place){first.number + i}, pages[0]), OK);
    }
    assert_int_equal(vm_link_enter(&map, (struct place){first.number + limit}, pages[0]), ERROR_NO_MEMORY);
    assert_false(pmap_query((struct place){first.number + limit}, NULL));
    map_check(&map);
    vm_page_unwire(pages[0]);
}

/*
 * A link needs a frame for itself and one for a page table at most: each fails in turn, and nothing has changed then.
 */
static void link_without_memory_leaves_everything_as_it_was(void **unused)
{
    (void)unused;
    uint32_t failures = 0;
    enum error error;

    do {
        uint32_t used = fake_frames_used();
        fake_fail_allocations(failures, 1);
        error = vm_link_enter(&map, place_at(1, 0), pages[0]);
        fake_fail_allocations(0, 0);
        if (error != OK) {
            assert_int_equal(error, ERROR_NO_MEMORY);
            assert_int_equal(fake_frames_used(), used);
            failures++;
        }
        seen[1][0] = error == OK ? 0 : NOBODY;
        check_model();
    } while (error != OK);
    assert_int_equal(failures, 2);
}

/* Ways to be wrong ------------------------------------------------------------------------------------------------- */

static struct vm_link *link_of(uint32_t page)
{
    return map.frame_uses[vm_page_frame(pages[page]).number].links;
}

static void lose_an_entry(void)
{
    (void)pmap_remove(link_of(0)->place);
}

static void enter_without_a_link(void)
{
    assert_int_equal(pmap_enter(place_at(2, 9), vm_page_frame(pages[0]), PMAP_READ), OK);
}

static void lead_to_another_page(void)
{
    struct place place = link_of(0)->place;

    (void)pmap_remove(place);
    assert_int_equal(pmap_enter(place, vm_page_frame(pages[1]), PMAP_READ), OK);
}

static void forget_the_links_of_a_frame(void)
{
    map.frame_uses[vm_page_frame(pages[0]).number].links = NULL;
}

static void cut_a_link_backwards(void)
{
    link_of(0)->next->previous = NULL;
}

static void take_a_link_off_its_chain(void)
{
    struct vm_link **head = vm_link_head(&map, link_of(0)->place);

    *head = *head == link_of(0) ? link_of(0)->hash_next : NULL;
}

static void link_a_page_at_its_own_place(void)
{
    struct place place = link_of(0)->place;

    (void)pmap_remove(place);
    link_of(0)->place = vm_page_place(pages[0]);
    assert_int_equal(pmap_enter(link_of(0)->place, vm_page_frame(pages[0]), PMAP_READ), OK);
}

static void check_names_each_wrong_link(void **unused)
{
    static void (*const breakages[])(void) = {
        lose_an_entry,        enter_without_a_link,      lead_to_another_page,         forget_the_links_of_a_frame,
        cut_a_link_backwards, take_a_link_off_its_chain, link_a_page_at_its_own_place,
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
        struct vm_map_violation violation;

        (void)start(NULL);
        for (uint32_t place = 0; place < 3; place++) {
            assert_int_equal(vm_link_enter(&map, place_at(1, place), pages[0]), OK);
        }
        map_check(&map);
        breakages[i]();
        assert_int_equal(vm_map_check(&map, &violation), ERROR_INVALID);
        assert_string_equal(violation.invariant, "VIEW-1");
        fake_machine_abandon();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_at_random_are_what_is_mapped, start, stop),
        cmocka_unit_test_setup_teardown(unmapping_says_whether_the_page_was_written, start, stop),
        cmocka_unit_test_setup_teardown(link_beyond_the_limit_is_taken_from_an_entry_that_nobody_has_wired, start,
                                        stop),
        cmocka_unit_test_setup_teardown(link_that_finds_all_others_wired_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(link_without_memory_leaves_everything_as_it_was, start, stop),
        cmocka_unit_test(check_names_each_wrong_link),
    };

    return cmocka_run_group_tests_name("vm_links", tests, NULL, NULL);
}
