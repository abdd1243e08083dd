/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots against the disk they are written to: durable bytes a second beside the same pages written raw, one block
 * after the other, by the same driver in turn; and what is written beyond the pages.
 *
 * The raw area is taken from the store itself, so both write to the same disk and neither to the other's blocks.
 */
#include "arch/clock.h"
#include "arch/frame.h"
#include "block_device.h"
#include "rig.h"
#include "selftest.h"
#include "snap.h"
#include "store.h"
#include "vm_fault.h"
#include "vm_map.h"

#define SPACE         1u
#define PAGES_MAX     32768u
#define ROUNDS        7u
#define IN_FLIGHT     8u
#define EXTENTS_MAX   64u
#define SCATTER_OVER  32768u
#define SCATTER_PAGES 1000u
#define SCATTER_TIMES 64u
#define SYNCS         100u
#define BURST_PAGES   4096u

static uint32_t next_random(void)
{
    static uint32_t state = 1;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void dirty(uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        rig_write(i, next_random() | 1);
    }
}

/* Raw -------------------------------------------------------------------------------------------------------------- */

static struct extent raw_area[EXTENTS_MAX];
static uint32_t raw_extents;
static void *contents[PAGES_MAX];

static void take_raw_area(void)
{
    for (uint32_t have = 0; have < PAGES_MAX;) {
        ASSERT(raw_extents < EXTENTS_MAX);
        RIG_OK(store_allocate(rig_store(), PAGES_MAX - have, &raw_area[raw_extents]));
        have += raw_area[raw_extents++].count;
    }
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

/* The same frames that the snapshot wrote. */
static void find_contents(uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        struct vaddr address = {RIG_ADDRESS + i * PAGE_SIZE};
        struct page_key key = page_key_at((struct space_id){SPACE}, address);
        contents[i] = frame_address(vm_page_frame(vm_map_find(vm_object_space(), key)));
    }
}

/* A limit of bytes a second may let requests pass on credit, which whoever comes next pays: end with nothing owed. */
static void pay_debt(void)
{
    RIG_OK(block_write(rig_disk(), raw_area[0].first, contents[0]));
}

static uint64_t raw_ns(uint32_t pages)
{
    static struct block_request requests[IN_FLIGHT];
    uint64_t begun = clock_boot_ns();
    uint32_t submitted = 0;

    for (uint32_t extent = 0, done = 0; done < pages; extent++) {
        for (uint32_t at = 0; at < raw_area[extent].count && done < pages;) {
            struct block_request *request = &requests[submitted % IN_FLIGHT];
            if (submitted >= IN_FLIGHT) {
                RIG_OK(block_wait(rig_disk(), request));
            }
            *request = (struct block_request){
                .operation = BLOCK_WRITE,
                .first = {raw_area[extent].first.number + at},
                .count = at_most(at_most(BLOCK_REQUEST_PAGES_MAX, raw_area[extent].count - at), pages - done),
                .pages = &contents[done],
            };
            block_submit(rig_disk(), request);
            at += request->count;
            done += request->count;
            submitted++;
        }
    }
    for (uint32_t i = 0; i < at_most(submitted, IN_FLIGHT); i++) {
        RIG_OK(block_wait(rig_disk(), &requests[i]));
    }
    pay_debt();
    RIG_OK(block_flush(rig_disk()));
    return clock_boot_ns() - begun;
}

/* A disk that allows short bursts beyond its speed has none left afterwards. */
static void use_up_burst(void)
{
    find_contents(BURST_PAGES);
    (void)raw_ns(BURST_PAGES);
}

/* Snapshots -------------------------------------------------------------------------------------------------------- */

static void compare(uint32_t pages)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        use_up_burst();
        dirty(pages);
        struct rig_traffic before = rig_traffic();
        uint64_t begun = clock_boot_ns();
        RIG_OK(snap_sync());
        uint64_t snapshot_ns = clock_boot_ns() - begun;
        struct rig_traffic after = rig_traffic();
        use_up_burst();
        find_contents(pages);
        uint64_t raw = raw_ns(pages);
        rig_say("disk=sequential n=%u snapshot_ns=%llu raw_ns=%llu blocks=%llu requests=%llu flushes=%llu", pages,
                (unsigned long long)snapshot_ns, (unsigned long long)raw,
                (unsigned long long)(after.blocks - before.blocks),
                (unsigned long long)(after.requests - before.requests),
                (unsigned long long)(after.flushes - before.flushes));
    }
}

SELFTEST_PANIC(bench_disk)
{
    rig_begin(false);
    rig_enter_space(SPACE);
    dirty(PAGES_MAX);
    RIG_OK(snap_sync());
    take_raw_area();
    find_contents(PAGES_MAX);
    (void)raw_ns(PAGES_MAX); /* the host has given the blocks a place from now on */
    for (uint32_t pages = 1; pages <= PAGES_MAX; pages *= 8) {
        compare(pages);
    }
    compare(1000);
    compare(10000);
    rig_end();
}

/* Pages at random places, again and again: merging is in it. */
static void scatter(void)
{
    uint64_t pages = 0;
    struct rig_traffic before = rig_traffic();

    for (uint32_t time = 0; time < SCATTER_TIMES; time++) {
        for (uint32_t i = 0; i < SCATTER_PAGES; i++) {
            rig_write(next_random() % SCATTER_OVER, next_random() | 1);
        }
        RIG_OK(snap_sync());
        struct store_kept kept;
        RIG_OK(store_kept_before(rig_store(), (struct generation){0}, &kept));
        pages += kept.pages_changed;
    }
    struct rig_traffic after = rig_traffic();
    rig_say("disk=scattered pages=%llu blocks=%llu flushes=%llu", (unsigned long long)pages,
            (unsigned long long)(after.blocks - before.blocks), (unsigned long long)(after.flushes - before.flushes));
}

SELFTEST_PANIC(bench_scattered)
{
    rig_begin(false);
    rig_enter_space(SPACE);
    dirty(SCATTER_OVER);
    RIG_OK(snap_sync());
    scatter();
    rig_end();
}

/* A page and a sync, again and again; beside it a flush of one raw block. */
SELFTEST_PANIC(bench_sync)
{
    rig_begin(false);
    rig_enter_space(SPACE);
    dirty(1);
    RIG_OK(snap_sync());
    take_raw_area();
    find_contents(1);
    for (uint32_t i = 0; i < SYNCS; i++) {
        rig_write(0, i + 1);
        uint64_t begun = clock_boot_ns();
        RIG_OK(snap_sync());
        uint64_t sync_ns = clock_boot_ns() - begun;
        uint64_t raw = raw_ns(1);
        rig_say("disk=sync sync_ns=%llu raw_ns=%llu", (unsigned long long)sync_ns, (unsigned long long)raw);
    }
    rig_end();
}
