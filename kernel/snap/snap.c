/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The snapshot thread: stop, gather, write, commit.
 *
 *     stop     capture the tasks, seal the store's open layer, splice the dirty lists, close every chunk. Nothing in it
 *              sleeps, and the kernel is not preempted inside itself, so that this is one instant for every program.
 *     gather   chunk by chunk: dirty bits become list entries, their pages lose write access, the chunk opens. A program
 *              that writes to a closed chunk does this for that chunk itself.
 *     write    the listed pages, in runs, to fresh blocks. A program that writes to one of them first gets a copy.
 *     check    the kernel looks at a piece of its own books; with one that is wrong it panics here.
 *     commit   the store makes it durable and atomic, and frees what no kept generation needs.
 *
 * A snapshot that fails gives its pages back: they are in the next one. Nobody but this thread takes snapshots; the
 * others ask for one with a ticket, the number of the first stop that covers what they did, and wait for it.
 */
#include "snap.h"
#include "arch/clock.h"
#include "arch/pmap.h"
#include "log.h"
#include "snap_check.h"
#include "snap_write.h"
#include "store.h"
#include "thread.h"
#include "vm_fault.h"
#include "vm_growth.h"
#include "vm_map.h"
#include "vm_snapshot.h"

#define NS_PER_MS       1000000ull
#define QUIET_CHANGES   64u /* a snapshot of at most so many leaves time to compact */
#define COMPACTIONS_MAX 64u /* commits after a larger one; so an idle system writes nothing in the end */

static struct store *backing;
static const struct snap_client *client;
static uint64_t interval_ns; /* 0: only on request */

static struct wait_queue request_queue;  /* the snapshot thread sleeps here */
static struct wait_queue finished_queue; /* those who wait for a ticket */
static uint64_t stops_begun;             /* number of the newest stop */
static uint64_t stops_finished;          /* all up to here are durable or have failed */
static uint64_t stops_durable;           /* all up to here are durable, by the newest snapshot that succeeded */
static uint64_t wanted;                  /* newest ticket given out */
static uint64_t generation_wanted;       /* newest one for which there is to be a generation in any case */
static enum error last_error;            /* of the newest attempt */
static bool stopping;                    /* none beyond those that are asked for */
static uint32_t changes;                 /* that the newest snapshot committed; 0 if it committed nothing */
static uint32_t compactions_left;        /* commits that a quiet system may still spend on compaction */
static struct snap_statistics statistics;

/* A snapshot ------------------------------------------------------------------------------------------------------- */

/* ERROR_NO_MEMORY: there was no stop, because the store has not yet taken back the last snapshot, which failed. */
static enum error stop_world(uint8_t *record, uint32_t *record_bytes)
{
    uint64_t begun = clock_boot_ns();

    atomic_begin(); /* SNAP-1: the one instant */
    enum error error = store_snapshot_seal(backing);
    stops_begun++;
    if (error == OK) {
        client->capture();
        *record_bytes = client->system_record(record, STORE_SYSTEM_RECORD_MAX);
        error = vm_stop();
        ASSERT(error == OK);
    }
    atomic_end();
    if (error != OK) {
        return error;
    }
    statistics.stop_ns_last = clock_boot_ns() - begun;
    if (statistics.stop_ns_last > statistics.stop_ns_max) {
        statistics.stop_ns_max = statistics.stop_ns_last;
    }
    store_snapshot_note_stop(backing, statistics.stop_ns_last);
    return OK;
}

static void gather_space(uint32_t space)
{
    struct place chunk = {space << 20};

    while (pmap_next_chunk(chunk, &chunk) && place_space(chunk).number == space) {
        vm_open_chunk(chunk);
        if (thread_should_yield()) {
            thread_yield();
        }
        chunk.number += PMAP_CHUNK_PAGES;
        if (place_space(chunk).number != space) {
            return;
        }
    }
}

/* The first pass, for windows that have views. */
static void collect_space(uint32_t space)
{
    struct place chunk = {space << 20};

    while (pmap_has_views((struct space_id){space}) && pmap_next_chunk(chunk, &chunk) &&
           place_space(chunk).number == space) {
        vm_collect_chunk(chunk);
        if (thread_should_yield()) {
            thread_yield();
        }
        chunk.number += PMAP_CHUNK_PAGES;
        if (place_space(chunk).number != space) {
            return;
        }
    }
}

static void gather(void)
{
    for (uint32_t space = SPACE_NONE.number + 1; space < pmap_space_end().number; space++) {
        collect_space(space);
    }
    vm_end_collecting();
    gather_space(SPACE_SYSTEM.number);
    for (uint32_t space = SPACE_NONE.number + 1; space < pmap_space_end().number; space++) {
        gather_space(space);
    }
}

/*
 * Look at a piece of the kernel's own books. If they are wrong, what it would commit may be wrong too: the machine
 * stops, and the image is as the last commit left it.
 */
static void check_health(void)
{
    struct snap_violation violation;

    if (snap_check_step(&violation) != OK) {
        panic("snap", "%s is broken (page %08llx): nothing more is committed", violation.invariant,
              (unsigned long long)violation.page.number);
    }
}

/* A full disk gives up history first; the pages of the failed attempt are tried once more then. */
static enum error make_room(void)
{
    return store_reclaim(backing, clock_wall_ns());
}

static enum error write_and_commit(const uint8_t *record, uint32_t record_bytes)
{
    struct snap_write_totals totals;
    enum error error = snap_write_pages(backing, &totals);

    if (error != OK) { /* SNAP-3 */
        store_snapshot_abort(backing);
        return error;
    }
    check_health();
    changes = store_sealed_changes(backing);
    error = store_snapshot_commit(backing, record, record_bytes, clock_wall_ns());
    if (error == OK) {
        statistics.pages_written += totals.pages;
        statistics.bytes_written += totals.bytes;
        statistics.snapshots++;
        statistics.committed = store_committed(backing);
    }
    return error;
}

static enum error try_snapshot(void)
{
    static uint8_t record[STORE_SYSTEM_RECORD_MAX];
    uint32_t record_bytes;
    enum error error = stop_world(record, &record_bytes);

    if (error != OK) {
        return error;
    }
    gather();
    bool is_same = vm_snapshot_count(vm_object_space()) == 0 && store_sealed_is_empty(backing);
    bool is_wanted = generation_wanted > stops_durable && generation_wanted <= stops_begun;
    if (is_same && !is_wanted) {
        store_snapshot_abort(backing);
        return OK;
    }
    error = write_and_commit(record, record_bytes);
    if (error != OK) {
        snap_return_pages();
    }
    return error;
}

static enum error take_snapshot(void)
{
    changes = 0;
    enum error error = try_snapshot();

    if (error == ERROR_NO_SPACE && make_room() == OK) {
        error = try_snapshot();
    }
    return error;
}

/* The thread ------------------------------------------------------------------------------------------------------- */

static void finish(enum error error)
{
    if (error != OK) {
        statistics.failures++;
    } else {
        stops_durable = stops_begun;
        if (client->durable != NULL) {
            atomic_begin();
            client->durable();
            atomic_end();
        }
    }
    if (last_error != error && client->changed != NULL) {
        client->changed(error);
    }
    last_error = error;
    vm_growth_note_snapshot(error);
    stops_finished = stops_begun;
    if (client->finished != NULL) {
        atomic_begin();
        client->finished(error);
        atomic_end();
    }
    wait_queue_wake(&finished_queue, UINT32_MAX);
}

/* Once little changes, shorten what the next recovery has to read. Nobody waits for this. */
static void compact(void)
{
    if (changes > QUIET_CHANGES) {
        compactions_left = COMPACTIONS_MAX;
    } else if (interval_ns != 0 && compactions_left > 0 && !stopping && !store_is_compact(backing)) {
        compactions_left = store_compact(backing, clock_wall_ns()) == OK ? compactions_left - 1 : 0;
        statistics.committed = store_committed(backing);
    }
}

static void snapshot_thread(void *unused)
{
    uint64_t next_ns = clock_boot_ns() + interval_ns;

    (void)unused;
    while (!stopping || wanted > stops_finished) {
        uint64_t deadline = interval_ns == 0 ? DEADLINE_NEVER : next_ns;
        while (wanted <= stops_finished && clock_boot_ns() < deadline) {
            enum error error = wait_queue_sleep(&request_queue, deadline, false);
            ASSERT(error == OK || error == ERROR_TIMED_OUT);
        }
        next_ns = clock_boot_ns() + interval_ns;
        finish(take_snapshot());
        compact();
        store_expect_commits(backing, interval_ns != 0 || wanted > stops_finished);
    }
}

enum error snap_start(struct store *store, const struct snap_client *snap_client, uint32_t interval_ms)
{
    struct thread *thread;

    backing = store;
    client = snap_client;
    interval_ns = interval_ms * NS_PER_MS;
    stops_begun = stops_finished = stops_durable = wanted = generation_wanted = 0;
    last_error = OK;
    compactions_left = COMPACTIONS_MAX; /* of what was left when the power went */
    stopping = false;
    statistics = (struct snap_statistics){.committed = store_committed(store)};
    store_expect_commits(store, interval_ns != 0);
    return thread_create("snapshot", snapshot_thread, NULL, &thread);
}

uint64_t snap_request(void)
{
    uint64_t ticket = stops_begun + 1;

    if (ticket > wanted) {
        wanted = ticket;
        store_expect_commits(backing, true);
        wait_queue_wake(&request_queue, 1);
    }
    return ticket;
}

uint64_t snap_request_generation(void)
{
    DOES_NOT_SLEEP();
    generation_wanted = snap_request();
    return generation_wanted;
}

bool snap_is_over(uint64_t ticket, enum error *result)
{
    DOES_NOT_SLEEP();
    if (stops_finished < ticket) {
        return false;
    }
    *result = stops_durable >= ticket ? OK : last_error;
    return true;
}

enum error snap_wait(uint64_t ticket)
{
    while (stops_finished < ticket) {
        enum error error = wait_queue_sleep(&finished_queue, DEADLINE_NEVER, true);
        if (error != OK) {
            return error;
        }
    }
    return stops_durable >= ticket ? OK : last_error;
}

enum error snap_sync(void)
{
    return backing != NULL ? snap_wait(snap_request()) : ERROR_BUSY;
}

enum error snap_stop(void)
{
    stopping = true;
    return snap_sync();
}

void snap_statistics(struct snap_statistics *out)
{
    struct store_statistics image = {.blocks = 0};

    *out = statistics;
    if (backing != NULL) {
        store_statistics(backing, &image);
    }
    out->blocks = image.blocks;
    out->blocks_used = image.blocks_used;
}
