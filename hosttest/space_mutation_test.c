/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tests of the object space must fail when the kernel or the machine is wrong: each mutation takes one step away,
 * and some world must notice. Without a mutation the same worlds are sound.
 *
 * Steps of the kernel are taken away by the linker (--wrap), invalidations by the fake MMU. Of those, the kernel does
 * not depend on the ones at clearing a D bit and at gathering: all translations of the pages in question are read-only
 * by then, and are dropped at the next write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "space_fixture.h"

#include "arch/pmap.h"
#include "block_device.h"
#include "fake/mmu.h"
#include "vm_map.h"

#define WORLDS 8u /* tried for each mutation */

static bool no_copies, no_protection, no_marks, no_flushes, no_clearing;

bool __real_vm_snapshot_must_copy(const struct vm_map *map, const struct vm_page *page);
bool __wrap_vm_snapshot_must_copy(const struct vm_map *map, const struct vm_page *page);
void __real_pmap_stop(void);
void __wrap_pmap_stop(void);
void __real_pmap_mark_dirty(struct page_key page);
void __wrap_pmap_mark_dirty(struct page_key page);
bool __real_pmap_clear_dirty(struct page_key page);
bool __wrap_pmap_clear_dirty(struct page_key page);
enum error __real_block_flush(struct block_device *device);
enum error __wrap_block_flush(struct block_device *device);

bool __wrap_vm_snapshot_must_copy(const struct vm_map *map, const struct vm_page *page)
{
    return !no_copies && __real_vm_snapshot_must_copy(map, page);
}

void __wrap_pmap_stop(void)
{
    if (!no_protection) {
        __real_pmap_stop();
    }
}

void __wrap_pmap_mark_dirty(struct page_key page)
{
    if (!no_marks) {
        __real_pmap_mark_dirty(page);
    }
}

bool __wrap_pmap_clear_dirty(struct page_key page)
{
    return no_clearing ? pmap_is_dirty(page_key_place(page)) : __real_pmap_clear_dirty(page);
}

enum error __wrap_block_flush(struct block_device *device)
{
    return no_flushes ? OK : __real_block_flush(device);
}

static void (*mutation)(void);

static void run_world(void *context)
{
    struct space_life life = {
        .seed = *(const uint64_t *)context, .boots = 2, .turns = 2000, .cut_one_in = 32, .mutate = mutation};

    space_live(&life);
}

/* How many of the worlds are sound. */
static uint32_t count_sound(void (*mutate)(void), bool until_noticed)
{
    uint32_t sound = 0;

    mutation = mutate;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        if (space_in_child(run_world, &seed, mutate != NULL)) {
            sound++;
        } else if (until_noticed) {
            break;
        }
    }
    return sound;
}

static void space_worlds_without_mutation_are_sound(void **state)
{
    (void)state;
    assert_int_equal(count_sound(NULL, false), WORLDS);
}

#define MUTATION(name, statement)                                                                                      \
    static void mutate_##name(void)                                                                                    \
    {                                                                                                                  \
        statement;                                                                                                     \
    }                                                                                                                  \
    static void space_without_##name##_is_noticed(void **state)                                                        \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        assert_int_not_equal(count_sound(mutate_##name, true), WORLDS);                                                \
    }

MUTATION(copies, no_copies = true)
MUTATION(protection_at_the_stop, no_protection = true)
MUTATION(dirty_marks, no_marks = true)
MUTATION(clearing, no_clearing = true)
MUTATION(flushes, no_flushes = true)
MUTATION(invalidation_at_activation, mmu_forget(MMU_ACTIVATE))
MUTATION(invalidation_at_the_stop, mmu_forget(MMU_STOP))
MUTATION(invalidation_of_removed_pages, mmu_forget(MMU_REMOVE))
MUTATION(invalidation_of_protected_pages, mmu_forget(MMU_PROTECT))

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_worlds_without_mutation_are_sound),
        cmocka_unit_test(space_without_copies_is_noticed),
        cmocka_unit_test(space_without_protection_at_the_stop_is_noticed),
        cmocka_unit_test(space_without_dirty_marks_is_noticed),
        cmocka_unit_test(space_without_clearing_is_noticed),
        cmocka_unit_test(space_without_flushes_is_noticed),
        cmocka_unit_test(space_without_invalidation_at_activation_is_noticed),
        cmocka_unit_test(space_without_invalidation_at_the_stop_is_noticed),
        cmocka_unit_test(space_without_invalidation_of_removed_pages_is_noticed),
        cmocka_unit_test(space_without_invalidation_of_protected_pages_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
