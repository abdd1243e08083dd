/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract of pmap (include/arch/pmap.h) on the fake machine: what the other tests of the map stand on.
 *
 * Each promise is a function that says whether it is kept. All of them hold; and for every reason that a pmap has to
 * invalidate translations, with those invalidations forgotten, the promise that depends on them is seen to be broken.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"
#include "arch/pmap.h"
#include "fake/mmu.h"

#define ADDRESS       0x00400000u
#define OTHER_CHUNK   0x00800000u
#define SYSTEM        (SYSTEM_START + 0x3000u)
#define SPACE_ONE     ((struct space_id){1})
#define SPACE_TWO     ((struct space_id){2})
#define CONTENT_ONE   0x11111111u
#define CONTENT_TWO   0x22222222u
#define FRAMES_PLENTY 64u

static struct frame frames[4]; /* that hold content; they end with the machine */

static struct place place_at(struct space_id space, uint32_t address)
{
    return place_make(space, (struct vaddr){address});
}

/* A machine with two spaces, the first of them active, each with a writable page at ADDRESS. */
static void begin(void)
{
    fake_machine_start(FRAMES_PLENTY);
    for (uint32_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        assert_int_equal(frame_allocate(FRAME_PAGE, &frames[i]), OK);
    }
    assert_int_equal(pmap_create(SPACE_ONE), OK);
    assert_int_equal(pmap_create(SPACE_TWO), OK);
    assert_int_equal(pmap_enter(place_at(SPACE_ONE, ADDRESS), frames[0], PMAP_WRITE), OK);
    assert_int_equal(pmap_enter(place_at(SPACE_TWO, ADDRESS), frames[1], PMAP_WRITE), OK);
    *(uint32_t *)frame_address(frames[0]) = CONTENT_ONE;
    *(uint32_t *)frame_address(frames[1]) = CONTENT_TWO;
    pmap_activate(SPACE_ONE);
}

static void end(void)
{
    fake_machine_abandon();
}

static bool loads(uint32_t address, uint32_t expected)
{
    uint32_t value = ~expected;

    return mmu_load((struct vaddr){address}, &value) && value == expected;
}

static bool stores(uint32_t address)
{
    return mmu_store((struct vaddr){address}, 0x77777777u);
}

/* After a right was given: the translation without it may cost one more fault. */
static bool stores_by_now(uint32_t address)
{
    return stores(address) || stores(address);
}

static void count_visit(struct place place, struct frame frame, void *context)
{
    assert_int_equal(frame.number, frames[0].number);
    assert_int_equal(place.number, place_at(SPACE_ONE, ADDRESS).number);
    ++*(uint32_t *)context;
}

/* Promises --------------------------------------------------------------------------------------------------------- */

static bool activated_space_is_the_one_seen(void)
{
    bool kept = loads(ADDRESS, CONTENT_ONE);

    pmap_activate(SPACE_TWO);
    kept &= loads(ADDRESS, CONTENT_TWO);
    pmap_activate(SPACE_SYSTEM);
    return kept && !stores(ADDRESS);
}

static bool removed_page_is_gone(void)
{
    bool kept = loads(ADDRESS, CONTENT_ONE) && !pmap_remove(place_at(SPACE_ONE, ADDRESS));

    kept &= !loads(ADDRESS, CONTENT_ONE) && !stores(ADDRESS);
    assert_int_equal(pmap_enter(place_at(SPACE_ONE, ADDRESS), frames[1], PMAP_READ), OK);
    return kept && loads(ADDRESS, CONTENT_TWO);
}

static bool protected_page_is_not_written(void)
{
    bool kept = stores(ADDRESS);

    pmap_protect(place_at(SPACE_ONE, ADDRESS), PMAP_READ);
    kept &= !stores(ADDRESS) && loads(ADDRESS, 0x77777777u);
    pmap_protect(place_at(SPACE_ONE, ADDRESS), PMAP_WRITE);
    return kept && stores_by_now(ADDRESS);
}

static bool access_after_clearing_is_noted_again(void)
{
    struct place place = place_at(SPACE_ONE, ADDRESS);
    bool kept = loads(ADDRESS, CONTENT_ONE) && pmap_clear_accessed(place) && !pmap_clear_accessed(place);

    return kept && loads(ADDRESS, CONTENT_ONE) && pmap_clear_accessed(place);
}

/* PMAP-2 */
static bool write_after_clearing_is_noted_again(void)
{
    struct place place = place_at(SPACE_ONE, ADDRESS);
    bool kept = loads(ADDRESS, CONTENT_ONE) && !pmap_is_dirty(place);

    kept &= stores(ADDRESS) && pmap_is_dirty(place);
    kept &= pmap_clear_dirty(place) && !pmap_is_dirty(place) && !pmap_clear_dirty(place);
    return kept && stores(ADDRESS) && pmap_is_dirty(place);
}

static bool write_after_gathering_is_found_by_the_next(void)
{
    struct place place = place_at(SPACE_ONE, ADDRESS);
    uint32_t visits = 0;
    bool kept = stores(ADDRESS) && pmap_gather_chunk(place, count_visit, &visits) == PMAP_CHUNK_PAGES && visits == 1;

    kept &= pmap_gather_chunk(place, count_visit, &visits) == 0 && visits == 1;
    kept &= stores(ADDRESS);
    return kept && pmap_gather_chunk(place, count_visit, &visits) == PMAP_CHUNK_PAGES && visits == 2;
}

static bool use_after_sampling_is_found_by_the_next(void)
{
    struct place place = place_at(SPACE_ONE, ADDRESS);
    struct pmap_sample sample;
    bool kept = loads(ADDRESS, CONTENT_ONE);

    pmap_sample_chunk(place, &sample);
    kept &= sample.mapped == 1 && sample.accessed == 1;
    pmap_sample_chunk(place, &sample);
    kept &= sample.mapped == 1 && sample.accessed == 0;
    kept &= loads(ADDRESS, CONTENT_ONE);
    pmap_sample_chunk(place, &sample);
    return kept && sample.accessed == 1;
}

/* PMAP-4 */
static bool stop_closes_what_is_seen(void)
{
    struct place place = place_at(SPACE_ONE, ADDRESS);
    bool kept = stores(ADDRESS) && !pmap_is_closed(place);

    pmap_stop();
    kept &= pmap_is_closed(place) && !stores(ADDRESS) && loads(ADDRESS, 0x77777777u);
    pmap_open(place);
    return kept && !pmap_is_closed(place) && stores_by_now(ADDRESS);
}

static const struct promise {
    enum mmu_reason reason; /* of the invalidations that it depends on: PMAP-3 */
    bool (*is_kept)(void);
} promises[] = {
    {MMU_ACTIVATE, activated_space_is_the_one_seen},
    {MMU_REMOVE, removed_page_is_gone},
    {MMU_PROTECT, protected_page_is_not_written},
    {MMU_CLEAR_DIRTY, write_after_clearing_is_noted_again},
    {MMU_CLEAR_ACCESSED, access_after_clearing_is_noted_again},
    {MMU_GATHER, write_after_gathering_is_found_by_the_next},
    {MMU_SAMPLE, use_after_sampling_is_found_by_the_next},
    {MMU_STOP, stop_closes_what_is_seen},
};

#define PROMISES (sizeof(promises) / sizeof(promises[0]))

static bool is_kept(const struct promise *promise, enum mmu_reason forgotten)
{
    begin();
    mmu_forget(forgotten);
    bool kept = promise->is_kept();
    end();
    return kept;
}

static void pmap_keeps_its_promises(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PROMISES; i++) {
        assert_true(is_kept(&promises[i], MMU_REASONS));
    }
}

static void pmap_that_forgets_an_invalidation_breaks_the_promise_that_needs_it(void **unused)
{
    (void)unused;
    assert_int_equal(PROMISES, MMU_REASONS);
    for (size_t i = 0; i < PROMISES; i++) {
        for (enum mmu_reason forgotten = 0; forgotten < MMU_REASONS; forgotten++) {
            assert_int_equal(is_kept(&promises[i], forgotten), forgotten != promises[i].reason);
        }
    }
}

/* The rest of the contract ----------------------------------------------------------------------------------------- */

static void pmap_write_needs_the_right_at_both_levels(void **unused)
{
    (void)unused;
    struct place place = place_at(SPACE_ONE, ADDRESS);

    begin();
    pmap_protect(place, PMAP_READ);
    assert_false(stores(ADDRESS)); /* directory yes, table no */
    pmap_stop();
    assert_false(stores(ADDRESS)); /* neither */
    pmap_protect(place, PMAP_WRITE);
    assert_false(stores(ADDRESS)); /* directory no, table yes */
    assert_false(pmap_is_dirty(place));
    pmap_open(place);
    assert_true(stores(ADDRESS)); /* both */
    assert_true(pmap_is_dirty(place));
    end();
}

static void pmap_stop_reaches_the_other_spaces_when_they_are_activated_or_opened(void **unused)
{
    (void)unused;
    begin();
    assert_int_equal(pmap_enter(place_at(SPACE_TWO, OTHER_CHUNK), frames[2], PMAP_WRITE), OK);
    assert_int_equal(pmap_enter(place_at(SPACE_SYSTEM, SYSTEM), frames[3], PMAP_WRITE), OK);
    pmap_stop();
    assert_true(pmap_is_closed(place_at(SPACE_TWO, ADDRESS)) && pmap_is_closed(place_at(SPACE_SYSTEM, SYSTEM)));
    assert_false(stores(SYSTEM));
    pmap_open(place_at(SPACE_TWO, ADDRESS));
    pmap_activate(SPACE_TWO);
    assert_true(stores(ADDRESS));
    assert_false(stores(OTHER_CHUNK));
    pmap_open(place_at(SPACE_SYSTEM, SYSTEM));
    assert_true(stores(SYSTEM));
    end();
}

/* PMAP-1 */
static void pmap_entering_what_is_mapped_or_without_memory_changes_nothing(void **unused)
{
    (void)unused;
    struct place place = place_at(SPACE_ONE, ADDRESS);
    struct place other = place_at(SPACE_ONE, OTHER_CHUNK);
    enum pmap_access access;

    begin();
    assert_int_equal(pmap_enter(place, frames[2], PMAP_READ), ERROR_EXISTS);
    assert_true(pmap_query(place, &access) && access == PMAP_WRITE && loads(ADDRESS, CONTENT_ONE));
    assert_int_equal(pmap_create(SPACE_ONE), ERROR_EXISTS);
    fake_fail_allocations(0, 2);
    assert_int_equal(pmap_enter(other, frames[2], PMAP_READ), ERROR_NO_MEMORY);
    assert_false(pmap_query(other, NULL));
    assert_int_equal(pmap_create((struct space_id){3}), ERROR_NO_MEMORY);
    assert_int_equal(pmap_enter(other, frames[2], PMAP_READ), OK);
    assert_true(pmap_query(other, &access) && access == PMAP_READ);
    end();
}

static void pmap_notes_use_and_finds_chunks(void **unused)
{
    (void)unused;
    struct place place = place_at(SPACE_ONE, ADDRESS);
    struct place chunk;
    uint32_t visits = 0;

    begin();
    assert_false(pmap_clear_accessed(place));
    assert_true(loads(ADDRESS, CONTENT_ONE) && pmap_clear_accessed(place));
    assert_int_equal(pmap_gather_chunk(place, count_visit, &visits), PMAP_CHUNK_PAGES);
    assert_int_equal(visits, 0);
    pmap_mark_dirty(place);
    assert_int_equal(pmap_gather_chunk(place, count_visit, &visits), PMAP_CHUNK_PAGES);
    assert_int_equal(visits, 1);
    assert_true(pmap_next_chunk(place_at(SPACE_ONE, 0), &chunk));
    assert_int_equal(chunk.number, place.number);
    assert_false(pmap_next_chunk(place_at(SPACE_ONE, OTHER_CHUNK), &chunk));
    struct place other = place_at(SPACE_ONE, OTHER_CHUNK);
    assert_true(pmap_next_mapped(place_at(SPACE_ONE, 0), other, &chunk) && chunk.number == place.number);
    assert_true(pmap_next_mapped(place, place, &chunk) && chunk.number == place.number);
    assert_false(pmap_next_mapped((struct place){place.number + 1}, other, &chunk));
    assert_false(pmap_next_mapped(place_at(SPACE_ONE, 0), (struct place){place.number - 1}, &chunk));
    assert_int_equal(pmap_gather_chunk(place_at(SPACE_ONE, OTHER_CHUNK), count_visit, &visits), 0);
    assert_true(pmap_remove(place)); /* D was set */
    assert_false(pmap_remove(place));
    end();
}

static void pmap_sampling_is_not_noticed_by_who_clears_the_accessed_bit(void **unused)
{
    (void)unused;
    struct place place = place_at(SPACE_ONE, ADDRESS);
    struct pmap_sample sample;

    begin();
    assert_true(loads(ADDRESS, CONTENT_ONE));
    pmap_sample_chunk(place, &sample);
    pmap_sample_chunk(place, &sample);
    assert_true(pmap_clear_accessed(place));
    assert_false(pmap_clear_accessed(place));
    pmap_sample_chunk(place_at(SPACE_ONE, OTHER_CHUNK), &sample);
    assert_int_equal(sample.mapped, 0);
    end();
}

static void pmap_clearing_the_accessed_bit_is_not_noticed_by_who_samples(void **unused)
{
    (void)unused;
    struct place place = place_at(SPACE_ONE, ADDRESS);
    struct pmap_sample sample;

    begin();
    assert_true(loads(ADDRESS, CONTENT_ONE));
    assert_true(pmap_clear_accessed(place));
    assert_false(pmap_clear_accessed(place));
    pmap_sample_chunk(place, &sample);
    assert_int_equal(sample.accessed, 1);
    assert_false(pmap_clear_accessed(place)); /* nor does the sample bring it back */
    pmap_sample_chunk(place, &sample);
    assert_int_equal(sample.accessed, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pmap_keeps_its_promises),
        cmocka_unit_test(pmap_that_forgets_an_invalidation_breaks_the_promise_that_needs_it),
        cmocka_unit_test(pmap_write_needs_the_right_at_both_levels),
        cmocka_unit_test(pmap_stop_reaches_the_other_spaces_when_they_are_activated_or_opened),
        cmocka_unit_test(pmap_entering_what_is_mapped_or_without_memory_changes_nothing),
        cmocka_unit_test(pmap_notes_use_and_finds_chunks),
        cmocka_unit_test(pmap_sampling_is_not_noticed_by_who_clears_the_accessed_bit),
        cmocka_unit_test(pmap_clearing_the_accessed_bit_is_not_noticed_by_who_samples),
    };

    return cmocka_run_group_tests_name("vm_map_pmap", tests, NULL, NULL);
}
