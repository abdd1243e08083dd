/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world and its boots. See space_fixture.h.
 */
#include "space_fixture.h"

#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/pmap.h"
#include "snap.h"
#include "snap_check.h"
#include "snap_pager.h"
#include "store.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"

#define PATIENCE 200000u /* turns that nothing takes longer than */

#define SECONDS_MAX 300u /* of a process, where it spins */

/* Frames that are neither kept back nor pages: tables, records, directories, the store. */
#define KERNEL_FRAMES 60u

struct space_world space_world;

/* Randomness, failure, processes ----------------------------------------------------------------------------------- */

static uint64_t next_random(void)
{
    uint64_t *state = &space_world.random;

    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

uint32_t space_below(uint32_t limit)
{
    return (uint32_t)((next_random() >> 32) * limit >> 32);
}

bool space_chance(uint32_t one_in)
{
    return space_below(one_in) == 0;
}

uint32_t space_frames(uint32_t resident)
{
    return 512u + KERNEL_FRAMES + resident;
}

_Noreturn void space_fail(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "space: seed %llu, boot %u, event %u: ", (unsigned long long)space_world.options.seed,
            space_world.boot, space_world.slow.disk == NULL ? 0 : space_world.slow.disk->event_count);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(1);
}

/* Writes down what a process has reached; only there in a build with coverage counters. */
void __gcov_dump(void) __attribute__((weak));

/* A crash ends this process: what runs tests would go on in it with the next one. */
static void end_at_a_crash(void)
{
    static const int crashes[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};

    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        (void)signal(crashes[i], SIG_DFL);
    }
}

bool space_in_child(void (*run)(void *context), void *context, bool quietly)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        end_at_a_crash();
        alarm(SECONDS_MAX);
        if (quietly && (freopen("/dev/null", "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)) {
            _exit(2);
        }
        run(context);
        fflush(NULL);
        if (__gcov_dump != NULL) {
            __gcov_dump(); /* _exit() does not */
        }
        _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return false;
    }
    if (WIFSIGNALED(status) && !quietly) {
        fprintf(stderr, "space: signal %d\n", WTERMSIG(status));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What the kernel asks of its surroundings ------------------------------------------------------------------------- */

/* Pages side by side that allow the same are a region. */
static bool is_same_region(const struct space_model *model, uint32_t page, uint32_t next)
{
    return next < model->page_count && model->keys[next].number == model->keys[page].number + 1 &&
           model->pages[next].access == model->pages[page].access;
}

static const struct space_extension *extension(void)
{
    return space_world.options.extension;
}

static bool is_of_extension(struct place place)
{
    uint32_t space = place_space(place).number;

    return extension() != NULL && space > SPACE_PROGRAMS && space != SPACE_SYSTEM.number;
}

static enum error check_access(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    const struct space_model *model = &space_world.model;
    uint32_t index = space_model_find(model, place_key(place));

    if (is_of_extension(place)) {
        return extension()->check(place, access, out);
    }
    if (index == model->page_count) {
        return ERROR_DENIED;
    }
    enum space_access allowed = model->pages[index].access;
    if (allowed == SPACE_NOTHING || (access == PMAP_WRITE && allowed != SPACE_WRITE)) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){.may_write = allowed == SPACE_WRITE};
    while (is_same_region(model, index + out->pages_after, index + out->pages_after + 1)) {
        out->pages_after++;
    }
    while (index > out->pages_before &&
           is_same_region(model, index - out->pages_before - 1, index - out->pages_before)) {
        out->pages_before++;
    }
    return OK;
}

/* A record that is completed after the stop, but as of it; behind the protection of its chunk. */
static void complete_record(struct place chunk)
{
    struct space_world *world = &space_world;
    uint32_t record = world->model.record_first;

    if (world->is_record_due && place_space(chunk).number == SPACE_SYSTEM.number) {
        uint8_t *content = vm_content_at_stop(world->model.keys[record]);
        memcpy(content + space_word_offset(0), &world->model.pages[record].words[0], sizeof(uint32_t));
        world->is_record_due = false;
    }
}

static struct space_id source_of(struct place place, struct space_id at)
{
    return is_of_extension(place) ? extension()->source(place, at) : SPACE_NONE;
}

/* Nobody ends here; whoever waits for that waits on, until a case or a snapshot makes room. */
static bool note_stop(struct space_id space)
{
    space_world.told_to_end = space.number;
    return true;
}

static const struct vm_fault_policy policy = {
    .check = check_access, .opening = complete_record, .source = source_of, .stop = note_stop};

/* What is due from a task's record at a stop is written in it or later, in turn. */
static void capture_record(uint32_t number)
{
    struct space_world *world = &space_world;

    if (number % 2 == 0) {
        space_store_record(world->model.record_first, 0, number);
    } else {
        world->model.pages[world->model.record_first].words[0] = number;
        world->is_record_due = true;
    }
}

/* The instant of the stop: everything is noted. Records change only if something else has. */
static void capture(void)
{
    struct space_world *world = &space_world;
    uint64_t changes = world->counters.stores + world->counters.records + world->counters.discards;

    SPACE_CHECK(!world->is_record_due);
    if (changes != world->changes_captured) {
        capture_record((uint32_t)world->model.stop_count);
        world->changes_captured = world->counters.stores + world->counters.records + world->counters.discards;
    }
    if (extension() != NULL) {
        extension()->stop(world->model.stop_count);
    }
    space_model_stop(&world->model, store_sealed_generation(world->store).number, world->slow.disk->event_count);
}

static uint32_t system_record(void *record, uint32_t capacity)
{
    uint64_t number = space_world.model.stop_count - 1;

    SPACE_CHECK(capacity >= sizeof(number));
    memcpy(record, &number, sizeof(number));
    return sizeof(number);
}

static const struct snap_client client = {.capture = capture, .system_record = system_record};

/* The store as the pager, as slow as if its page map were on the disk. */
static struct vm_pager pager;
static const struct vm_pager *store_pager;

static void look_up(void)
{
    space_disk_delay(&space_world.slow);
    while (space_world.slow.holds_lookups) {
        thread_yield();
    }
}

static enum error slow_measure(struct page_key page, uint32_t before_max, uint32_t after_max,
                               struct vm_cluster_extent *out)
{
    look_up();
    enum error error = store_pager->measure(page, before_max, after_max, out);
    look_up();
    return error;
}

static enum error slow_discard(struct page_key first, uint32_t count)
{
    look_up();
    enum error error = store_pager->discard(first, count);
    while (space_world.slow.holds_discards) {
        thread_yield();
    }
    look_up();
    return error;
}

static const struct vm_pager *slow_pager(void)
{
    store_pager = snap_pager(space_world.store);
    pager = *store_pager;
    pager.measure = slow_measure;
    pager.discard = slow_discard;
    return &pager;
}

/* Boots ------------------------------------------------------------------------------------------------------------ */

void space_world_start(const struct space_options *options)
{
    struct space_world *world = &space_world;
    struct store_format_options format = {.space_id = {options->seed, 77}, .wall_time_ns = 1};

    memset(world, 0, sizeof(*world));
    world->options = *options;
    world->random = (options->seed + 1) * 0x9E3779B97F4A7C15u;
    for (uint32_t i = 0; i < SPACE_BOOTS_MAX; i++) {
        fake_disk_start(&world->disks[i], options->blocks);
        fake_disk_start(&world->bases[i], options->blocks);
    }
    space_model_start(&world->model);
    world->model.foreign = options->extension != NULL;
    if (options->extension != NULL) {
        options->extension->stop(0);
    }
    fake_machine_start(options->frames);
    SPACE_CHECK(store_format(&world->disks[0].device, &format) == OK);
    fake_machine_stop();
}

void space_world_free(void)
{
    for (uint32_t i = 0; i < SPACE_BOOTS_MAX; i++) {
        fake_disk_stop(&space_world.disks[i]);
        fake_disk_stop(&space_world.bases[i]);
    }
    space_model_free(&space_world.model);
}

bool space_equals(const struct space_stop *stop, struct store *store, char *why, uint32_t room)
{
    return space_model_equals(&space_world.model, stop, store, why, room) &&
           (extension() == NULL || extension()->equals(stop->number, store, why, room));
}

/* What is opened must be one instant of all programs. */
static void resume(void)
{
    struct space_world *world = &space_world;
    const struct space_stop *stop = space_model_opened(&world->model, world->store, UINT32_MAX);
    char why[100] = "there was no such stop";

    if (stop == NULL || !space_equals(stop, world->store, why, sizeof(why))) {
        space_fail("resumed generation %llu: %s", (unsigned long long)store_committed(world->store).number, why);
    }
    uint64_t number = stop->number;
    space_model_resume(&world->model, stop);
    if (extension() != NULL) {
        extension()->resume(number);
    }
}

/* What a call was doing at the stop is done again. */
static void finish_discards(void)
{
    struct space_model *model = &space_world.model;

    for (uint32_t i = 0; i < model->page_count; i++) {
        if (model->pages[i].leaving) {
            SPACE_CHECK(vm_discard(model->keys[i], 1) == OK);
            memset(model->pages[i].words, 0, sizeof(model->pages[i].words));
            model->pages[i].leaving = false;
        }
    }
}

/* Each boot of a random world has another one. */
static const struct vm_policy *replacement_policy(const struct space_world *world)
{
    const struct vm_policy *chosen = vm_policy_at((uint32_t)(world->options.seed + world->boot) % VM_POLICIES);

    return world->options.is_random ? chosen : vm_policy_default();
}

void space_boot(void)
{
    struct vm_page *wired;
    struct space_world *world = &space_world;
    struct fake_disk *disk = &world->disks[world->boot];
    struct store_open_options options = {
        .user = next_random() | 1, .kernel_version = "test", .tuning = world->options.tuning};
    struct store_report report;

    fake_machine_start(world->options.frames);
    fake_schedule(world->options.is_random ? next_random() | 1 : 0);
    memcpy(world->bases[world->boot].blocks, disk->blocks, world->options.blocks * sizeof(*disk->blocks));
    fake_disk_settle(disk);
    space_disk_start(&world->slow, disk, world->options.is_random ? next_random() | 1 : 0);
    world->has_faults = false;
    world->is_ending = false;
    world->is_record_due = false;

    enum error error = store_open(&world->slow.device, &options, &world->store, &report);
    if (error != OK) {
        space_fail("open: %s (%s)", error_text(error), report.reason);
    }
    resume();
    SPACE_CHECK(vm_fault_initialise(slow_pager(), &policy, replacement_policy(world)) == OK);
    for (uint32_t space = 1; space <= SPACE_PROGRAMS; space++) {
        SPACE_CHECK(pmap_create((struct space_id){space}) == OK);
    }
    finish_discards();
    if (extension() != NULL) {
        extension()->boot();
    }
    for (uint32_t i = world->model.record_first; i < world->model.page_count; i++) {
        SPACE_CHECK(vm_wire(page_key_place(world->model.keys[i]), PMAP_WRITE, &wired) == OK);
    }
    SPACE_CHECK(snap_start(world->store, &client, world->options.interval_ms) == OK);
}

static void note_counters(void)
{
    struct space_counters *counters = &space_world.counters;
    struct snap_statistics statistics;

    snap_statistics(&statistics);
    counters->copies += vm_copies();
    counters->drops += vm_reclaim_dropped();
    counters->page_outs += vm_paged_out();
    counters->snapshots += statistics.snapshots;
    counters->snapshots_failed += statistics.failures;
}

/* Nothing is left behind when everything is discarded: no record, no frame, no block. */
static void discard_everything(void)
{
    struct space_model *model = &space_world.model;

    for (uint32_t i = model->record_first; i < model->page_count; i++) {
        vm_unwire_own(model->keys[i]);
    }
    for (uint32_t i = 0; i < model->page_count; i++) {
        SPACE_CHECK(vm_discard(model->keys[i], 1) == OK);
    }
    if (extension() != NULL) {
        extension()->discard();
    }
    SPACE_CHECK(vm_map_count(vm_object_space()) == 0);
    SPACE_CHECK(frame_count(FRAME_PAGE) == 0 && frame_count(FRAME_COPY) == 0);
}

bool space_confirm(uint64_t wanted)
{
    struct space_world *world = &space_world;
    const struct space_stop *durable = space_model_opened(&world->model, world->store, UINT32_MAX);

    return durable != NULL &&
           space_model_confirm(&world->model, wanted, durable->number, world->slow.disk->event_count);
}

/*
 * When the last snapshot is durable and nothing has run since, nothing may count as dirty: an idle system writes
 * nothing.
 */
static bool all_is_clean(void)
{
    struct vm_map_cursor cursor = {0};

    while (!cursor.done) {
        const struct vm_page *page = vm_map_next(vm_object_space(), &cursor);
        if (page != NULL && (page->state == VM_PAGE_DIRTY ||
                             (pmap_query(vm_page_place(page), NULL) && pmap_is_dirty(vm_page_place(page))))) {
            return false;
        }
    }
    return true;
}

static void machine_off(void)
{
    arena_release(&vm_object_space()->arena);
    fake_machine_abandon();
}

void space_shut_down(void)
{
    struct space_world *world = &space_world;

    fake_fail_allocations(0, 0);
    world->slow.disk->fault.armed = false;
    uint64_t wanted = world->model.stop_count;
    SPACE_CHECK(snap_stop() == OK);
    fake_threads_join();
    SPACE_CHECK(all_is_clean());
    space_check();
    SPACE_CHECK(space_confirm(wanted));
    note_counters();
    world->slow.delays = 0;
    discard_everything();
    SPACE_CHECK(store_close(world->store) == OK);
    SPACE_CHECK(frame_count(FRAME_STORE) == 0);
    machine_off();
}

void space_power_off(void)
{
    space_world.slow.is_off = true;
    (void)!snap_stop();
    fake_threads_join();
    note_counters();
    machine_off();
}

void space_keep(void)
{
    struct space_world *world = &space_world;

    SPACE_CHECK(world->boot + 1 < SPACE_BOOTS_MAX);
    fake_disk_copy(&world->disks[world->boot + 1], &world->disks[world->boot]);
    world->boot++;
}

static bool no_programs(void)
{
    return space_world.programs == 0;
}

void space_wait_until(bool (*condition)(void))
{
    for (uint32_t turn = 0; !condition(); turn++) {
        if (turn == PATIENCE) {
            space_fail("it takes too long");
        }
        if (turn % 64 == 63) {
            fake_clock_advance(1000000);
        }
        thread_yield();
    }
}

void space_wait_programs(void)
{
    space_wait_until(no_programs);
}

/* Invariants ------------------------------------------------------------------------------------------------------- */

/* VM-9, and that a mapping leads to the page's own frame and gives no more than the page's region and the snapshot do.
 */
static void check_mapping(struct page_key key, uint32_t index)
{
    const struct vm_map *map = vm_object_space();
    const struct vm_page *page = vm_map_find(map, key);
    enum pmap_access access;

    if (!pmap_query(page_key_place(key), &access)) {
        return;
    }
    SPACE_CHECK(page != NULL && !frame_is_none(vm_page_frame(page)));
    if (pmap_is_closed(page_key_place(key)) || access == PMAP_READ) {
        return;
    }
    SPACE_CHECK(!vm_snapshot_must_copy(map, page));
    SPACE_CHECK(page->state != VM_PAGE_DIRTY || pmap_is_dirty(page_key_place(key)));
    SPACE_CHECK(space_world.model.pages[index].access == SPACE_WRITE || space_world.model.pages[index].leaving);
}

void space_check(void)
{
    struct snap_violation violation;

    if (snap_check(&violation) != OK) {
        space_fail("%s is broken at page %08llx", violation.invariant, (unsigned long long)violation.page.number);
    }
    for (uint32_t i = 0; i < space_world.model.page_count; i++) {
        check_mapping(space_world.model.keys[i], i);
    }
    if (space_world.slow.saw_changes) {
        space_fail("a page changed on its way to the disk");
    }
}
