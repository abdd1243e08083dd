/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The length of a stop against what there is in the object space, beside two other ways to stop.
 *
 *     eidolon  the kernel's own: whole directories turn read-only
 *     classic  every page that was written is found by its D bit and protected
 *     phantom  every page in the map is protected
 *
 * The other two are applied to the very same pages just before the kernel's own stop, and taken back; each with the
 * means the kernel has for it. Protecting one page forgets one translation; gathering forgets all of them at once.
 */
#include "arch/interrupt.h"
#include "arch/pmap.h"
#include "rig.h"
#include "selftest.h"
#include "snap.h"
#include "vm_fault.h"
#include "vm_map.h"

#define SPACE         1u
#define REPEATS       3u
#define PAGES_MAX     65536u
#define CHUNKS_MAX    256u
#define PROBE_COUNT   1000u
#define RESIDENT_PAGE 70000u /* the one that is dirty while others are only there */

/* How many cycles the clock counts for instructions that are known to be PROBE_COUNT. */
static void say_clock(void)
{
    bool enabled = interrupt_disable();
    uint64_t before = rig_cycles();
    uint64_t empty = rig_cycles() - before;
    before = rig_cycles();
    __asm__ volatile(".rept 1000\n nop\n .endr");
    uint64_t full = rig_cycles() - before;
    interrupt_restore(enabled);
    rig_say("probe=clock instructions=%u cycles=%u", PROBE_COUNT, (uint32_t)(full - empty));
}

/* The other stops -------------------------------------------------------------------------------------------------- */

static void protect(struct place place, struct frame frame, void *context)
{
    (void)frame;
    (void)context;
    pmap_protect(place, PMAP_READ);
}

static uint64_t classic_stop(void)
{
    struct place chunk = {SPACE << 20};
    bool enabled = interrupt_disable();
    uint64_t begun = rig_cycles();

    while (pmap_next_chunk(chunk, &chunk) && place_space(chunk).number == SPACE) {
        (void)pmap_gather_chunk(chunk, protect, NULL);
        chunk.number += PMAP_CHUNK_PAGES;
    }
    uint64_t cycles = rig_cycles() - begun;
    interrupt_restore(enabled);
    return cycles;
}

static uint64_t phantom_stop(void)
{
    struct vm_map *map = vm_object_space();
    struct vm_map_cursor cursor = {0};
    bool enabled = interrupt_disable();
    uint64_t begun = rig_cycles();

    while (!cursor.done) {
        struct vm_page *page = vm_map_next(map, &cursor);
        if (page != NULL && pmap_query(vm_page_place(page), NULL)) {
            pmap_protect(vm_page_place(page), PMAP_READ);
        }
    }
    uint64_t cycles = rig_cycles() - begun;
    interrupt_restore(enabled);
    return cycles;
}

/* As if no other stop had been. */
static void take_back(void)
{
    struct vm_map *map = vm_object_space();
    struct vm_map_cursor cursor = {0};

    while (!cursor.done) {
        struct vm_page *page = vm_map_next(map, &cursor);
        if (page != NULL && pmap_query(vm_page_place(page), NULL)) {
            pmap_protect(vm_page_place(page), PMAP_WRITE);
            if (pmap_is_dirty(vm_page_place(page))) {
                pmap_mark_dirty(vm_page_place(page));
            }
        }
    }
}

/* The sweeps ------------------------------------------------------------------------------------------------------- */

static void measure(const char *sweep, uint32_t value)
{
    uint64_t classic = classic_stop();
    take_back();
    uint64_t phantom = phantom_stop();
    take_back();
    RIG_OK(snap_sync());
    rig_say("sweep=%s n=%u eidolon=%llu classic=%llu phantom=%llu", sweep, value, (unsigned long long)rig_stop_ns(),
            (unsigned long long)classic, (unsigned long long)phantom);
}

/* Page tables: one page in each, all dirty. */
static void sweep_tables(void)
{
    for (uint32_t tables = 1; tables <= CHUNKS_MAX; tables *= 4) {
        for (uint32_t repeat = 0; repeat < REPEATS; repeat++) {
            for (uint32_t i = 0; i < tables; i++) {
                rig_write(i * RIG_CHUNK_STEP, repeat + 1);
            }
            measure("tables", tables);
        }
    }
}

/* Pages that are there and clean, beside one that is dirty; each has just been made by a write and a snapshot. */
static void sweep_dirty_and_resident(void)
{
    for (uint32_t pages = 1; pages <= PAGES_MAX; pages *= 4) {
        for (uint32_t repeat = 0; repeat < REPEATS; repeat++) {
            for (uint32_t i = 0; i < pages; i++) {
                rig_write(i, repeat + 1);
            }
            measure("dirty", pages);
        }
        for (uint32_t repeat = 0; repeat < REPEATS; repeat++) {
            rig_write(RESIDENT_PAGE, repeat + 1);
            measure("resident", vm_map_count(vm_object_space()));
        }
    }
}

SELFTEST_PANIC(bench_stop)
{
    rig_begin(false);
    rig_enter_space(SPACE);
    say_clock();
    sweep_dirty_and_resident();
    sweep_tables();
    rig_end();
}
