/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What things cost, counted in blocks: metadata beside the pages, a commit of one page, a recovery, and whether
 * anything is left over after ten thousand snapshots. The pages' content is of no account here and is not written.
 */
#include <stdio.h>

#include "store_fixture.h"

static struct fake_disk disk;
static struct store *store;
static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(random_state * UINT64_C(0x2545F4914F6CDD1D) >> 33) % limit;
}

static void open_store(void)
{
    struct store_open_options options = {.user = 1};
    struct store_report report;
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
}

static void start(uint32_t blocks)
{
    random_state = 12345;
    fake_machine_start(16384);
    fake_disk_start(&disk, blocks);
    disk.is_recording = false;
    disk.is_frugal = true;
    struct store_format_options options = {.space_id = {1, 2}};
    assert_int_equal(store_format(&disk.device, &options), OK);
    open_store();
}

static void stop(void)
{
    assert_int_equal(store_close(store), OK);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void put(uint32_t page)
{
    struct extent extent;
    enum error error = store_allocate(store, 1, &extent);
    if (error != OK) {
        fail_msg("allocate: %s", error_text(error));
    }
    struct store_entry entry = {.block = extent.first, .checksum = page, .generation = store_sealed_generation(store)};
    assert_int_equal(store_snapshot_put(store, (struct page_key){page}, &entry), OK);
}

/* Commit `count` pages, consecutive or scattered over `space`; returns the blocks written besides them. */
static uint64_t commit(uint32_t first, uint32_t count, uint32_t space)
{
    uint64_t before = disk.writes;
    assert_int_equal(store_snapshot_seal(store), OK);
    for (uint32_t i = 0; i < count; i++) {
        put(space == 0 ? first + i : below(space));
    }
    enum error error = store_snapshot_commit(store, "record", 6, 1);
    if (error != OK) {
        fail_msg("commit: %s", error_text(error));
    }
    return disk.writes - before;
}

static void expect_sound(void)
{
    char why[200] = "";
    if (!store_is_sound(store, false, why, sizeof(why))) {
        fail_msg("%s", why);
    }
}

/* A space of so many pages, a few thousand a commit. */
static void fill(uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i += 4096) {
        (void)commit(i, pages - i < 4096 ? pages - i : 4096, 0);
    }
}

static void store_commit_of_many_pages_adds_less_than_5_percent(void **state)
{
    (void)state;
    start(1u << 18);
    uint32_t changed = 0;
    uint64_t metadata = 0;
    for (uint32_t round = 0; round < 100; round++) {
        uint64_t blocks = commit(0, 1000, 0);
        assert_in_range(blocks, 1, 50);
        metadata += blocks;
        changed += 1000;
    }
    printf("1000 pages in order: %.2f %% metadata\n", (double)metadata * 100 / changed);
    expect_sound();
    stop();
}

static void scattered(uint32_t pages)
{
    start(4 * pages + 100000);
    fill(pages);
    uint64_t metadata = 0, most = 0;
    uint32_t commits = 0, changed = 0;
    for (; commits < 300; commits++) {
        uint64_t blocks = commit(0, 1000, pages);
        metadata += blocks;
        most = blocks > most ? blocks : most;
        changed += 1000;
    }
    struct store_statistics statistics;
    store_statistics(store, &statistics);
    printf("1000 of %u pages at random: %.1f %% metadata, merging included; at most %llu blocks in one commit; "
           "%u pages of memory\n",
           pages, (double)metadata * 100 / changed, (unsigned long long)most, statistics.memory_pages);
    assert_true(metadata * 100 / changed < 15);
    expect_sound();
    stop();
}

static void store_scattered_pages_add_less_than_15_percent_with_merging(void **state)
{
    (void)state;
    scattered(10000);
    scattered(100000);
    scattered(524288);
}

static void store_commit_of_one_page_writes_a_handful(void **state)
{
    (void)state;
    for (uint32_t pages = 16; pages <= 262144; pages *= 128) {
        start(4 * pages + 50000);
        fill(pages);
        for (uint32_t i = 0; i < 200; i++) {
            (void)commit(0, 1, pages); /* what the filling left to merge is merged */
        }
        uint64_t all = 0, most = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            uint64_t blocks = commit(0, 1, pages);
            all += blocks;
            most = blocks > most ? blocks : most;
        }
        printf("one of %u pages: %.1f blocks of metadata, root included; at most %llu\n", pages, (double)all / 1000,
               (unsigned long long)most);
        assert_in_range(most, 1, 11);
        assert_in_range(all / 1000, 1, 8);
        stop();
    }
}

/* Each of these commits gives up the oldest generation; all blocks read and written for it are counted. */
static void store_history_goes_at_a_cost_that_follows_the_changes(void **state)
{
    (void)state;
    static const uint32_t changes[] = {1, 10, 100};
    for (uint32_t pages = 1024; pages <= 262144; pages *= 16) {
        start(4 * pages + 50000);
        fill(pages);
        for (uint32_t i = 0; i < 3; i++) {
            for (uint32_t k = 0; k < 200; k++) {
                (void)commit(0, changes[i], pages); /* the history is of such generations now */
            }
            uint64_t before = disk.reads + disk.writes;
            for (uint32_t k = 0; k < 100; k++) {
                (void)commit(0, changes[i], pages);
            }
            uint64_t blocks = (disk.reads + disk.writes - before) / 100;
            printf("%u of %u pages change: %llu blocks read and written\n", changes[i], pages,
                   (unsigned long long)blocks);
            assert_in_range(blocks, 1, 20 + 3 * changes[i]);
        }
        stop();
    }
}

/* Its record is hundreds of blocks long, and is read some at a time. */
static void store_large_generation_goes_with_few_requests(void **state)
{
    (void)state;
    start(1u << 20);
    for (uint32_t k = 0; k < 40; k++) {
        (void)commit(0, 32768, 0);
    }
    uint64_t requests = disk.requests, reads = disk.reads;
    (void)commit(0, 32768, 0);
    printf("%llu requests, %llu blocks read\n", (unsigned long long)(disk.requests - requests),
           (unsigned long long)(disk.reads - reads));
    assert_in_range(disk.reads - reads, 200, 1000);
    assert_in_range(disk.requests - requests, 1, (disk.reads - reads) / 8);
    expect_sound();
    stop();
}

static void store_recovery_takes_as_much_whatever_the_size(void **state)
{
    (void)state;
    for (uint32_t pages = 4096; pages <= 524288; pages *= 128) {
        start(4 * pages + 50000);
        fill(pages);
        uint64_t most = 0;
        for (uint32_t i = 0; i < 40; i++) {
            for (uint32_t k = 0; k < 5; k++) {
                (void)commit(0, 1 + below(50), pages);
            }
            assert_int_equal(store_close(store), OK);
            uint64_t before = disk.requests;
            open_store();
            struct store_entry entry;
            assert_int_equal(store_find(store, (struct page_key){below(pages)}, &entry), OK);
            most = disk.requests - before > most ? disk.requests - before : most;
        }
        printf("%u pages: recovery and the first page take at most %llu requests\n", pages, (unsigned long long)most);
        assert_in_range(most, 1, 400);
        stop();
    }
}

/* Writes until nothing is left to merge, as an idle system does. Returns the number of commits. */
static uint32_t compact(void)
{
    uint32_t commits = 0;
    while (!store_is_compact(store) && commits < 1000) {
        assert_int_equal(store_compact(store, 1), OK);
        commits++;
    }
    return commits;
}

/*
 * Pages that were put all at once or one by one, side by side or scattered: few commits of nothing later a recovery
 * reads next to nothing, and every page is where it was.
 */
static void store_compacts_in_few_commits(void **state)
{
    (void)state;
    for (uint32_t pages = 4096; pages <= 524288; pages *= 128) {
        start(4 * pages + 50000);
        (void)commit(0, pages / 2, 0);
        fill(pages);
        (void)commit(0, pages / 16, pages);
        assert_false(store_is_compact(store));
        uint32_t commits = compact();
        assert_in_range(commits, 1, 64);
        assert_true(store_is_compact(store));
        expect_sound();
        assert_int_equal(store_close(store), OK);
        uint64_t before = disk.requests;
        open_store();
        uint64_t requests = disk.requests - before;
        struct store_statistics statistics;
        store_statistics(store, &statistics);
        printf("%u pages: compact after %u commits; recovery takes %llu requests, finds %llu pages in the log\n", pages,
               commits, (unsigned long long)requests, (unsigned long long)statistics.log_entries);
        assert_in_range(statistics.log_entries, 0, 1024);
        assert_in_range(requests, 1, 100);
        assert_int_equal(statistics.pages, pages);
        struct store_entry entry;
        for (uint32_t page = 0; page < pages; page++) {
            assert_int_equal(store_find(store, (struct page_key){page}, &entry), OK);
            assert_int_equal(entry.checksum, page);
        }
        stop();
    }
}

static void store_ten_thousand_snapshots_leave_nothing_behind(void **state)
{
    (void)state;
    start(8192);
    fill(1000);
    uint32_t used = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        (void)commit(0, 1 + below(8), 1000);
        if (below(50) == 0) {
            assert_int_equal(store_close(store), OK);
            open_store();
        }
        if (i % 1000 == 999) {
            struct store_statistics statistics;
            store_statistics(store, &statistics);
            expect_sound();
            printf("after %u snapshots: %u blocks, %u pages of memory\n", i + 1, statistics.blocks_used,
                   statistics.memory_pages);
            used = used == 0 ? statistics.blocks_used : used;
            assert_in_range(statistics.blocks_used, used * 3 / 4, used * 5 / 4);
        }
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_commit_of_many_pages_adds_less_than_5_percent),
        cmocka_unit_test(store_scattered_pages_add_less_than_15_percent_with_merging),
        cmocka_unit_test(store_commit_of_one_page_writes_a_handful),
        cmocka_unit_test(store_history_goes_at_a_cost_that_follows_the_changes),
        cmocka_unit_test(store_large_generation_goes_with_few_requests),
        cmocka_unit_test(store_recovery_takes_as_much_whatever_the_size),
        cmocka_unit_test(store_compacts_in_few_commits),
        cmocka_unit_test(store_ten_thousand_snapshots_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
