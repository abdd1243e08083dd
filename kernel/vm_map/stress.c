/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stress of the page map; vm_map_stress.h says what it is for.
 *
 * The content of a page is one number, repeated all over its frame, so that a frame that somebody reads while somebody
 * else writes shows two of them. `content` is the model: what the page's last write left. A write in progress is noted
 * in `writing`: a stop in its middle may see it or not. Numbers move between frames and layers outside the kernel.
 * Layers are those of a store: what came after the stop, what came before it and is not committed, and what is
 * committed.
 *
 * Rules that all parts keep, and the kernel proper as well:
 * - a frame is written to only under its page's mutex, after the page was marked dirty, and never while a snapshot must
 *   copy it first;
 * - a snapshot holds the mutex only to begin and to end a write, what it writes is stable in between;
 * - after every sleep the page is looked at anew.
 */
#include "vm_map_stress.h"
#include "arch/frame.h"
#include "internal.h"
#include "thread.h"

#include <string.h>

#define PAGES    6u
#define PROGRAMS 4u
#define WORDS    32u /* of a frame that are looked at */
#define STRIDE   (PAGE_SIZE / sizeof(uint32_t) / WORDS)

struct change {
    bool is_there;
    uint32_t value;
};

static struct world {
    struct vm_map map;
    const struct vm_map_stress_options *options;
    struct vm_map_stress_result result;
    uint64_t random;
    uint32_t running; /* threads */
    struct wait_queue ended;
    bool winding_up; /* nothing fails any more */

    uint32_t next_value;
    uint32_t content[PAGES], content_at_stop[PAGES];
    uint32_t writing[PAGES], writing_at_stop[PAGES];
    struct change open[PAGES], sealed[PAGES];
    uint32_t committed[PAGES];
} world;

#define EXPECT(condition) expect((condition), #condition, __LINE__)

static void expect(bool holds, const char *condition, int line)
{
    if (!holds && world.result.failure == NULL) {
        world.result.failure = condition;
        world.result.line = line;
    }
}

static uint32_t below(uint32_t limit)
{
    world.random ^= world.random >> 12;
    world.random ^= world.random << 25;
    world.random ^= world.random >> 27;
    return (uint32_t)((world.random * 0x2545F4914F6CDD1Du >> 32) * limit >> 32);
}

static bool one_in(uint32_t count)
{
    return !world.winding_up && below(count) == 0;
}

static struct page_key key_of(uint32_t index)
{
    return (struct page_key){0x00100000u + index * 1024};
}

static uint32_t index_of(const struct vm_page *page)
{
    return (page->key_low - 0x00100000u) / 1024;
}

static void check(void)
{
    struct vm_map_violation violation = {.invariant = NULL};
    enum error error = vm_map_check(&world.map, &violation);

    expect(error == OK, violation.invariant, __LINE__);
}

/* Frames ----------------------------------------------------------------------------------------------------------- */

struct transfer {
    uint32_t *words;
    uint32_t value;
    bool torn;
};

static void fill(void *context)
{
    const struct transfer *transfer = context;

    for (uint32_t i = 0; i < WORDS; i++) {
        transfer->words[i * STRIDE] = transfer->value;
    }
}

static void examine(void *context)
{
    struct transfer *transfer = context;

    transfer->value = transfer->words[0];
    for (uint32_t i = 0; i < WORDS; i++) {
        transfer->torn |= transfer->words[i * STRIDE] != transfer->value;
    }
}

static void frame_fill(struct frame frame, uint32_t value)
{
    struct transfer transfer = {.words = frame_address(frame), .value = value};

    world.options->outside(fill, &transfer);
}

static uint32_t frame_value(struct frame frame)
{
    struct transfer transfer = {.words = frame_address(frame)};

    world.options->outside(examine, &transfer);
    EXPECT(!transfer.torn);
    return transfer.value;
}

static void frame_release(struct frame frame)
{
    if (!frame_is_none(frame)) {
        frame_free(frame);
    }
}

/* Store ------------------------------------------------------------------------------------------------------------ */

static uint32_t store_value(uint32_t index)
{
    return world.open[index].is_there     ? world.open[index].value
           : world.sealed[index].is_there ? world.sealed[index].value
                                          : world.committed[index];
}

static bool is_as_at_stop(uint32_t index, uint32_t value)
{
    return value == world.content_at_stop[index] || value == world.writing_at_stop[index];
}

static void store_commit(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        if (world.sealed[i].is_there) {
            world.committed[i] = world.sealed[i].value;
            world.sealed[i].is_there = false;
        }
        EXPECT(is_as_at_stop(i, world.committed[i]));
    }
    world.result.commits++;
}

static void store_abort(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        if (world.sealed[i].is_there && !world.open[i].is_there) {
            world.open[i] = world.sealed[i];
        }
        world.sealed[i].is_there = false;
    }
    world.result.aborts++;
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static void lock(struct vm_page *page)
{
    if (!vm_page_try_lock(page)) {
        world.result.contended++;
        vm_page_lock(page);
    }
}

/* Delete a record that holds nothing. Only whoever uses it may be in the way. */
static void forget(uint32_t index)
{
    struct vm_page *page = vm_map_find(&world.map, key_of(index));

    if (page == NULL || page->state != VM_PAGE_NEW || page->list != VM_LIST_NONE) {
        return;
    }
    bool in_use = page->reference_count > 0 || page->wire_count > 0 || !mutex_is_free(&page->mutex);
    EXPECT(vm_map_delete(&world.map, key_of(index)) == (in_use ? ERROR_BUSY : OK));
    world.result.deletes += !in_use;
}

/* The page, locked, and resident unless there is no frame for it. */
static struct vm_page *fault_in(uint32_t index)
{
    struct vm_page *page = vm_map_find(&world.map, key_of(index));
    struct frame frame;

    if (page == NULL && vm_map_create(&world.map, key_of(index), &page) != OK) {
        return NULL;
    }
    lock(page);
    if (page->state != VM_PAGE_NEW || frame_allocate(FRAME_PAGE, &frame) != OK) {
        return page;
    }
    vm_page_begin_read(page);
    frame_fill(frame, store_value(index));
    if (one_in(8)) {
        vm_page_fail_read(page);
        frame_free(frame);
    } else {
        vm_page_make_resident(&world.map, page, frame);
    }
    return page;
}

/* A copy for the snapshot, if it needs the page as it is. False: there is no frame for one. */
static bool copy_if_needed(struct vm_page *page)
{
    struct frame frame;

    if (!vm_snapshot_must_copy(&world.map, page)) {
        return true;
    }
    if (frame_allocate(FRAME_PAGE, &frame) != OK) {
        return false;
    }
    frame_fill(frame, frame_value(vm_page_frame(page)));
    EXPECT(vm_snapshot_must_copy(&world.map, page)); /* nobody could end its write without the mutex */
    vm_snapshot_give_frame(&world.map, page, frame);
    world.result.copies++;
    return true;
}

static void write_page(struct vm_page *page, uint32_t index)
{
    if (!copy_if_needed(page)) {
        return;
    }
    vm_page_mark_dirty(&world.map, page);
    world.writing[index] = ++world.next_value;
    frame_fill(vm_page_frame(page), world.writing[index]);
    world.content[index] = world.writing[index];
    world.result.writes++;
}

static void read_page(const struct vm_page *page, uint32_t index)
{
    EXPECT(frame_value(vm_page_frame(page)) == world.content[index]);
    EXPECT(vm_page_is_mine(page));
    world.result.reads++;
}

/* A page that is referenced or wired stays while nobody has it locked. */
static void hold_page(struct vm_page *page, bool wired)
{
    vm_page_reference(page);
    if (wired) {
        EXPECT(vm_page_wire(page) == OK);
    }
    vm_page_unlock(page);
    thread_yield();
    EXPECT(vm_map_find(&world.map, vm_page_key(page)) == page);
    lock(page);
    if (wired) {
        vm_page_unwire(page);
    }
    vm_page_release(page);
}

static void run_program_once(void)
{
    uint32_t index = below(PAGES);
    struct vm_page *page = fault_in(index);

    if (page == NULL) {
        return;
    }
    if (one_in(8)) {
        hold_page(page, one_in(2));
    }
    if (page->state != VM_PAGE_NEW) {
        if (below(3) != 0) {
            write_page(page, index);
        } else {
            read_page(page, index);
        }
    }
    vm_page_unlock(page);
    forget(index);
}

static void discard(uint32_t index)
{
    struct vm_page *page = vm_map_find(&world.map, key_of(index));

    if (page != NULL) {
        lock(page);
        frame_release(vm_page_detach(&world.map, page));
    }
    world.content[index] = 0;
    world.writing[index] = 0;
    world.open[index] = (struct change){.is_there = true, .value = 0};
    world.result.discards++;
    if (page != NULL) {
        vm_page_unlock(page);
        forget(index);
    }
}

/* Page-out --------------------------------------------------------------------------------------------------------- */

/* The write of a page-out has ended. If a stop came meanwhile, the page is the snapshot's and goes to its layer. */
static void end_page_out(struct vm_page *page, uint32_t value)
{
    bool for_snapshot = vm_snapshot_has(&world.map, page);
    struct change *layer = for_snapshot ? world.sealed : world.open;

    if (one_in(4)) {
        vm_page_fail_write(page);
        return;
    }
    layer[index_of(page)] = (struct change){.is_there = true, .value = value};
    if (for_snapshot) {
        EXPECT(frame_is_none(vm_snapshot_end_write(&world.map, page)));
    } else {
        vm_page_end_write(&world.map, page);
    }
    world.result.page_outs++;
}

static void page_out(void)
{
    struct vm_page *page = vm_dirty_first(&world.map);

    if (page == NULL) {
        return;
    }
    lock(page);
    if (page->state == VM_PAGE_DIRTY && !vm_snapshot_has(&world.map, page)) {
        vm_page_begin_write(page);
        end_page_out(page, frame_value(vm_page_frame(page)));
    }
    vm_page_unlock(page);
}

static void drop(uint32_t index)
{
    struct vm_page *page = vm_map_find(&world.map, key_of(index));
    struct frame frame;

    if (page == NULL) {
        return;
    }
    lock(page);
    if (page->state == VM_PAGE_CLEAN) {
        bool wired = page->wire_count > 0;
        enum error error = vm_page_drop(&world.map, page, &frame);
        EXPECT(error == (wired ? ERROR_BUSY : OK));
        if (error == OK) {
            frame_free(frame);
            world.result.drops++;
        }
    }
    vm_page_unlock(page);
    forget(index);
}

static void run_pager_once(void)
{
    switch (below(4)) {
    case 0:
        discard(below(PAGES));
        break;
    case 1:
        page_out();
        break;
    default:
        drop(below(PAGES));
    }
}

/* Snapshot --------------------------------------------------------------------------------------------------------- */

static void write_for_snapshot(struct vm_page *page)
{
    uint32_t index = index_of(page);

    if (!vm_page_try_lock(page)) {
        world.result.contended++;
        if (one_in(2)) {
            vm_snapshot_defer(&world.map, page);
            thread_yield();
            return;
        }
        vm_page_lock(page);
        if (!vm_snapshot_has(&world.map, page)) {
            vm_page_unlock(page); /* paged out while we waited */
            return;
        }
        vm_snapshot_expedite(&world.map, page);
    }
    struct frame frame = vm_snapshot_begin_write(&world.map, page);
    vm_page_unlock(page);
    uint32_t value = frame_value(frame);
    lock(page);
    EXPECT(is_as_at_stop(index, value));
    if (one_in(8)) {
        vm_snapshot_fail_write(&world.map, page);
    } else {
        world.sealed[index] = (struct change){.is_there = true, .value = value};
        frame_release(vm_snapshot_end_write(&world.map, page));
    }
    vm_page_unlock(page);
    forget(index);
}

static void give_up(void)
{
    struct vm_page *page;

    while ((page = vm_snapshot_first(&world.map)) != NULL) {
        lock(page);
        if (vm_snapshot_has(&world.map, page)) {
            frame_release(vm_snapshot_abort(&world.map, page));
        }
        vm_page_unlock(page);
        forget(index_of(page));
    }
    store_abort();
}

static void run_snapshot_once(void)
{
    bool gives_up = one_in(4);
    struct vm_page *page;

    EXPECT(vm_snapshot_splice(&world.map) == OK);
    memcpy(world.content_at_stop, world.content, sizeof(world.content));
    memcpy(world.writing_at_stop, world.writing, sizeof(world.writing));
    memcpy(world.sealed, world.open, sizeof(world.open));
    memset(world.open, 0, sizeof(world.open));
    while ((page = vm_snapshot_first(&world.map)) != NULL) {
        if (gives_up && one_in(3)) {
            give_up();
            return;
        }
        write_for_snapshot(page);
    }
    store_commit();
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

static void repeat(void (*once)(void))
{
    for (uint32_t turn = 0; turn < world.options->turns && world.result.failure == NULL; turn++) {
        once();
        check();
        if (one_in(2)) {
            thread_yield();
        }
    }
    world.running--;
    (void)wait_queue_wake(&world.ended, 1);
}

static void run_program(void *unused)
{
    (void)unused;
    repeat(run_program_once);
}

static void run_pager(void *unused)
{
    (void)unused;
    repeat(run_pager_once);
}

static void run_snapshots(void *unused)
{
    (void)unused;
    repeat(run_snapshot_once);
}

static void start(const char *name, void (*entry)(void *))
{
    struct thread *thread;
    enum error error = thread_create(name, entry, NULL, &thread);

    EXPECT(error == OK);
    world.running += error == OK;
}

static void run_all(void)
{
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        start("stress program", run_program);
    }
    start("stress pager", run_pager);
    start("stress snapshot", run_snapshots);
    while (world.running > 0) {
        EXPECT(wait_queue_sleep(&world.ended, DEADLINE_NEVER, false) == OK);
    }
}

/* Read everything once more, discard it, commit that: nothing must be left. */
static void wind_up(void)
{
    world.winding_up = true;
    for (uint32_t i = 0; i < PAGES; i++) {
        struct vm_page *page = fault_in(i);

        EXPECT(page != NULL && page->state != VM_PAGE_NEW);
        if (page != NULL) {
            read_page(page, i);
            vm_page_unlock(page);
        }
        discard(i);
    }
    run_snapshot_once();
    check();
    for (uint32_t i = 0; i < PAGES; i++) {
        EXPECT(world.committed[i] == 0);
    }
    EXPECT(vm_map_count(&world.map) == 0);
    EXPECT(vm_map_destroy(&world.map) == OK);
}

void vm_map_stress(const struct vm_map_stress_options *options, struct vm_map_stress_result *out)
{
    struct vm_map_options map_options = {.seed = {options->seed, ~options->seed}, .buckets_max = 1};

    memset(&world, 0, sizeof(world));
    world.options = options;
    world.random = options->seed * 2 + 1;
    EXPECT(vm_map_init(&world.map, &map_options) == OK);
    if (world.result.failure == NULL) {
        run_all();
    }
    if (world.result.failure == NULL) {
        wind_up();
    }
    *out = world.result;
}
