/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs do to the object space, each beside the model of it.
 *
 * A program's access and its trace in the model are one step: both happen in the kernel, with no sleep in between, so
 * that a stop sees both or neither.
 */
#include "space_fixture.h"

#include <string.h>

#include "arch/pmap.h"
#include "fake/mmu.h"
#include "fake/pmap_state.h"
#include "snap.h"
#include "store.h"
#include "vm_fault.h"

#define TRIES_MAX 10000u

static struct vaddr address_of(uint32_t page, uint32_t word)
{
    return (struct vaddr){page_key_address(space_world.model.keys[page]).value + space_word_offset(word)};
}

/* The program's space, as the processor sees it whenever its thread runs. */
static void activate(uint32_t space)
{
    if (fake_pmap.active.number != space) {
        pmap_activate((struct space_id){space});
    }
}

static bool is_allowed(uint32_t page, enum pmap_access access)
{
    enum space_access allowed = space_world.model.pages[page].access;

    return allowed == SPACE_WRITE || (allowed == SPACE_READ && access == PMAP_READ);
}

/* The access itself. A stale translation may fault once more than the tables say; the processor drops it then. */
static bool touch(uint32_t space, uint32_t page, uint32_t word, enum pmap_access access, uint32_t *value)
{
    struct vaddr address = address_of(page, word);

    activate(space);
    return access == PMAP_WRITE ? mmu_store(address, *value) : mmu_load(address, value);
}

/* Returns whether the access was made; the model is to follow with no sleep in between. */
static bool access_word(uint32_t space, uint32_t page, uint32_t word, enum pmap_access access, uint32_t *value)
{
    struct space_world *world = &space_world;

    for (uint32_t tries = 0; tries < TRIES_MAX; tries++) {
        if (touch(space, page, word, access, value)) {
            SPACE_CHECK(is_allowed(page, access) || world->model.pages[page].leaving);
            return !world->model.pages[page].leaving;
        }
        world->counters.faults++;
        enum error error = vm_fault(page_key_place(world->model.keys[page]), access);
        if (error == ERROR_DENIED) {
            SPACE_CHECK(!is_allowed(page, access));
            world->counters.refusals++;
            return false;
        }
        if (error == ERROR_INTERRUPTED) {
            world->counters.interruptions++;
            continue;
        }
        if (world->slow.is_off || (error != OK && world->has_faults)) {
            return false;
        }
        if (error != OK) {
            space_fail("fault at page %08llx: %s", (unsigned long long)world->model.keys[page].number,
                       error_text(error));
        }
        SPACE_CHECK(is_allowed(page, access));
        bool done = touch(space, page, word, access, value) || touch(space, page, word, access, value);
        SPACE_CHECK(done);
        return true;
    }
    space_fail("page %08llx cannot be touched", (unsigned long long)world->model.keys[page].number);
}

bool space_store(uint32_t space, uint32_t page, uint32_t word, uint32_t value)
{
    if (space_world.model.pages[page].leaving || !access_word(space, page, word, PMAP_WRITE, &value)) {
        return false;
    }
    space_world.model.pages[page].words[word] = value;
    space_world.counters.stores++;
    return true;
}

bool space_load(uint32_t space, uint32_t page, uint32_t word)
{
    uint32_t value;

    if (space_world.model.pages[page].leaving || !access_word(space, page, word, PMAP_READ, &value)) {
        return false;
    }
    if (value != space_world.model.pages[page].words[word]) {
        space_fail("word %u of page %08llx is %08x, expected %08x", word,
                   (unsigned long long)space_world.model.keys[page].number, value,
                   space_world.model.pages[page].words[word]);
    }
    space_world.counters.loads++;
    return true;
}

void space_store_record(uint32_t page, uint32_t word, uint32_t value)
{
    struct space_world *world = &space_world;
    struct vaddr address = address_of(page, word);

    if (!mmu_store(address, value)) {
        bool opened = vm_fault_record(world->model.keys[page]);
        if (!opened && world->has_faults) {
            return;
        }
        SPACE_CHECK(opened);
        SPACE_CHECK(mmu_store(address, value) || mmu_store(address, value));
    }
    world->model.pages[page].words[word] = value;
    world->counters.records++;
}

static uint64_t region_changes(void)
{
    return space_world.counters.discards + space_world.counters.restrictions;
}

/* A system call that makes a page ready, sleeps, and then finds it ready still, unless there was a stop or its region
 * went. */
static void space_wire(uint32_t space, uint32_t page, uint32_t word, uint32_t value)
{
    struct space_world *world = &space_world;
    struct page_key key = world->model.keys[page];
    struct vm_page *wired;
    enum error error = vm_wire(page_key_place(key), PMAP_WRITE, &wired);

    if (error == ERROR_INTERRUPTED) {
        return;
    }
    if (error != OK) {
        SPACE_CHECK(error == ERROR_DENIED ? !is_allowed(page, PMAP_WRITE) : world->has_faults || world->slow.is_off);
        return;
    }
    uint32_t stops = vm_stops();
    uint64_t changes = region_changes();
    if (space_chance(2)) {
        thread_yield();
    }
    if (vm_stops() == stops && region_changes() == changes && is_allowed(page, PMAP_WRITE)) {
        bool done = touch(space, page, word, PMAP_WRITE, &value) || touch(space, page, word, PMAP_WRITE, &value);
        SPACE_CHECK(done);
        world->model.pages[page].words[word] = value;
        world->counters.stores++;
    }
    vm_unwire(wired);
}

/* Regions ---------------------------------------------------------------------------------------------------------- */

static bool any_leaving(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (space_world.model.pages[i].leaving) {
            return true;
        }
    }
    return false;
}

static void set_access(uint32_t first, uint32_t count, enum space_access access)
{
    for (uint32_t i = first; i < first + count; i++) {
        space_world.model.pages[i].access = (uint8_t)access;
    }
}

static void set_leaving(uint32_t first, uint32_t count, bool leaving)
{
    for (uint32_t i = first; i < first + count; i++) {
        space_world.model.pages[i].leaving = leaving;
    }
}

void space_discard(uint32_t first, uint32_t count)
{
    struct space_world *world = &space_world;
    struct space_model *model = &world->model;
    struct page_key from = model->keys[first];
    uint32_t length = (uint32_t)(model->keys[first + count - 1].number - from.number + 1);

    if (any_leaving(first, count)) {
        return;
    }
    set_access(first, count, SPACE_NOTHING);
    set_leaving(first, count, true);
    while (vm_discard(from, length) != OK) {
        if (world->slow.is_off) {
            return;
        }
        SPACE_CHECK(world->has_faults);
        thread_yield();
    }
    for (uint32_t i = first; i < first + count; i++) {
        memset(model->pages[i].words, 0, sizeof(model->pages[i].words));
        SPACE_CHECK(!pmap_query(page_key_place(model->keys[i]), NULL));
    }
    set_leaving(first, count, false);
    set_access(first, count, SPACE_WRITE);
    world->counters.discards++;
}

void space_restrict(uint32_t first, uint32_t count, enum space_access access)
{
    struct space_world *world = &space_world;

    if (any_leaving(first, count)) {
        return;
    }
    set_access(first, count, access);
    if (access != SPACE_WRITE) {
        vm_restrict(page_key_place(world->model.keys[first]), count, access == SPACE_READ, false);
    }
    world->counters.restrictions++;
}

bool space_sync(void)
{
    struct space_world *world = &space_world;
    uint64_t wanted = world->model.stop_count;
    enum error error = snap_sync();

    if (error == ERROR_INTERRUPTED) {
        world->counters.interruptions++;
        return false;
    }
    if (error != OK) {
        if (!world->slow.is_off && !world->has_faults) {
            space_fail("sync: %s", error_text(error));
        }
        world->counters.syncs_failed++;
        return false;
    }
    world->counters.syncs++;
    if (!space_confirm(wanted)) {
        space_fail("sync returned, and generation %llu is not what stop %llu was",
                   (unsigned long long)store_committed(world->store).number, (unsigned long long)wanted);
    }
    return true;
}

/* A program at random ---------------------------------------------------------------------------------------------- */

/* A page of the program's own space or of the shared one; some are much more popular than others. */
static uint32_t pick_page(uint32_t space)
{
    const struct space_model *model = &space_world.model;

    for (;;) {
        uint32_t page = space_below(model->record_first);
        uint32_t owner = page_key_window(model->keys[page]).number;
        if (owner == space && (page % 4 == 0 || space_chance(3))) {
            return page;
        }
    }
}

static uint32_t pick_range(uint32_t page)
{
    uint32_t most = space_model_run(&space_world.model, page);

    most = most < 16 ? most : 16;
    return 1 + space_below(most);
}

/* Everything a space has: the end of a program. */
static void discard_space(uint32_t space)
{
    const struct space_model *model = &space_world.model;
    uint32_t first = 0;
    uint32_t count = 0;

    while (page_key_window(model->keys[first]).number != space) {
        first++;
    }
    while (page_key_window(model->keys[first + count]).number == space) {
        count++;
    }
    space_discard(first, count);
}

static void step(uint32_t space)
{
    uint32_t dice = space_below(1000);
    uint32_t page = pick_page(space);
    uint32_t word = space_below(SPACE_WORDS);

    if (dice < 560) {
        uint32_t value = space_chance(4) ? 0 : space_below(UINT32_MAX);
        (void)space_store(space, page, word, value);
    } else if (dice < 760) {
        (void)space_load(space, page, word);
    } else if (dice < 800) {
        uint32_t record = space_world.model.record_first + space_below(6);
        space_store_record(record, 1 + space_below(SPACE_WORDS - 1), space_below(UINT32_MAX));
    } else if (dice < 815) {
        space_wire(space, page, word, space_below(UINT32_MAX));
    } else if (dice < 830) {
        space_discard(page, pick_range(page));
    } else if (dice < 860) {
        space_restrict(page, pick_range(page), space_below(2));
    } else if (dice < 940) {
        space_restrict(page, pick_range(page), SPACE_WRITE);
    } else if (dice < 942) {
        discard_space(space);
    } else if (dice < 950) {
        (void)space_sync();
    } else {
        thread_yield();
    }
}

static void program(void *argument)
{
    uint32_t space = (uint32_t)(uintptr_t)argument;

    while (!space_world.is_ending && !space_world.slow.is_off) {
        step(space);
        space_check();
    }
    space_world.programs--;
}

struct thread *space_start_program(uint32_t space)
{
    struct thread *thread;

    space_world.programs++;
    SPACE_CHECK(thread_create("program", program, (void *)(uintptr_t)space, &thread) == OK);
    return thread;
}
