/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See space_family.h. A member is busy while something is done to it that sleeps; nothing else is done to it then, as
 * nothing else is done to a program with one task in a system call.
 */
#include "space_family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/pmap.h"
#include "fake/mmu.h"
#include "fake/pmap_state.h"
#include "log.h"
#include "store.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include "vm_map.h"

#define PROGRAMS  3u
#define TRIES_MAX 10000u
#define WORD      511u /* of a page, that is written to */

enum state { UNUSED, LIVING, SOURCE };

struct member {
    uint8_t state;
    uint8_t source;            /* index + 1; 0: none */
    bool own[FAMILY_PAGES];    /* the page's ticket is zeroes, and not a copy of the source */
    bool leaves[FAMILY_PAGES]; /* being unmapped: what it holds is open */
    uint32_t words[FAMILY_PAGES];
};

struct table {
    struct member members[FAMILY_SPACES];
};

static struct table now;
static struct table *stops; /* by number */
static bool busy[FAMILY_SPACES];
struct family_counters family_counters;

/* Names ------------------------------------------------------------------------------------------------------------ */

static struct space_id space_of(uint32_t member)
{
    return (struct space_id){FAMILY_FIRST + member};
}

/* Pages: eight in a row, eight across the border of two chunks, four at the end of the window. */
static uint32_t number_of(uint32_t page)
{
    if (page < 8) {
        return 0x08048u + page;
    }
    return page < 16 ? 0x403FCu + (page - 8) : (USER_END >> PAGE_SHIFT) - 20 + page;
}

static struct gpn gpn_of(uint32_t member, uint32_t page)
{
    return gpn_make(space_of(member), (struct vaddr){number_of(page) << PAGE_SHIFT});
}

static bool find(struct gpn gpn, uint32_t *member, uint32_t *page)
{
    *member = gpn_space(gpn).number - FAMILY_FIRST;
    for (*page = 0; *page < FAMILY_PAGES && *member < FAMILY_SPACES; (*page)++) {
        if (gpn_of(*member, *page).number == gpn.number) {
            return true;
        }
    }
    return false;
}

static uint32_t children(const struct table *table, uint32_t member)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        count += table->members[i].state != UNUSED && table->members[i].source == member + 1;
    }
    return count;
}

static void note_change(void)
{
    space_world.counters.stores++; /* so that the next stop is committed */
}

/* What the kernel asks ----------------------------------------------------------------------------------------------
 */

static enum error check(struct gpn gpn, enum pmap_access access, struct vm_allowance *out)
{
    uint32_t member, page;

    (void)access;
    if (!find(gpn, &member, &page) || now.members[member].state != LIVING || now.members[member].leaves[page]) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){.may_write = true};
    if (page < 16) { /* the neighbours of the same run */
        out->pages_before = page % 8;
        out->pages_after = 7 - page % 8;
    }
    return OK;
}

static struct space_id source_of(struct gpn gpn)
{
    uint32_t member, page;

    if (!find(gpn, &member, &page) || now.members[member].state == UNUSED || now.members[member].own[page] ||
        now.members[member].source == 0) {
        return SPACE_SHARED;
    }
    return space_of(now.members[member].source - 1u);
}

/* Boots and stops ----------------------------------------------------------------------------------------------------
 */

static void stop(uint64_t number)
{
    if (number == 0) {
        memset(&now, 0, sizeof(now));
        now.members[0].state = LIVING;
        memset(now.members[0].own, true, sizeof(now.members[0].own));
    }
    stops = realloc(stops, (number + 1) * sizeof(*stops));
    ASSERT(stops != NULL);
    stops[number] = now;
}

static void resume(uint64_t number)
{
    now = stops[number];
    memset(busy, 0, sizeof(busy));
}

static bool is_gone(void)
{
    return space_world.slow.is_off;
}

/* Until it succeeds or the power goes. */
static bool discard(struct gpn first, uint32_t count)
{
    while (vm_discard(first, count) != OK) {
        if (is_gone()) {
            return false;
        }
        SPACE_CHECK(space_world.has_faults);
        thread_yield();
    }
    return true;
}

static bool discard_all(uint32_t member)
{
    return discard(gpn_make(space_of(member), (struct vaddr){USER_START}), (USER_END - USER_START) >> PAGE_SHIFT);
}

static void leave_space(uint32_t member)
{
    if (fake_pmap.active.number == space_of(member).number) {
        pmap_activate(SPACE_SYSTEM);
    }
    vm_lineage_set_source(space_of(member), SPACE_SHARED);
    pmap_delete(space_of(member));
    memset(&now.members[member], 0, sizeof(now.members[member]));
    note_change();
}

/* A source without children ends, and so does its own source then. */
static void collect(uint32_t member)
{
    while (now.members[member].state == SOURCE && children(&now, member) == 0) {
        uint32_t source = now.members[member].source;
        if (!discard_all(member)) {
            return;
        }
        leave_space(member);
        if (source == 0) {
            return;
        }
        member = source - 1;
    }
}

static void boot(void)
{
    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        if (now.members[i].state != UNUSED) {
            SPACE_CHECK(pmap_create(space_of(i)) == OK);
        }
    }
    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        if (now.members[i].source != 0) {
            vm_lineage_set_source(space_of(i), space_of(now.members[i].source - 1u));
        }
    }
    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        for (uint32_t page = 0; page < FAMILY_PAGES; page++) {
            if (now.members[i].leaves[page]) {
                SPACE_CHECK(vm_discard(gpn_of(i, page), 1) == OK);
                now.members[i].words[page] = 0;
                now.members[i].leaves[page] = false;
            }
        }
    }
    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        collect(i);
    }
}

static void discard_family(void)
{
    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        if (now.members[i].state == LIVING) {
            family_end(i);
        }
    }
    SPACE_CHECK(family_spaces() == 0);
}

/* Comparison --------------------------------------------------------------------------------------------------------
 */

/* What a store has for a page of a member, seen through its sources. */
static enum error read_through(const struct table *table, struct store *store, uint32_t member, uint32_t page,
                               uint32_t *out)
{
    uint32_t content[PAGE_SIZE / sizeof(uint32_t)];
    struct store_entry entry;
    enum error error;

    while ((error = store_find(store, gpn_of(member, page), &entry)) == ERROR_NOT_FOUND) {
        if (table->members[member].own[page] || table->members[member].source == 0) {
            *out = 0;
            return OK;
        }
        member = table->members[member].source - 1u;
    }
    if (error == OK) {
        error = store_read(store, gpn_of(member, page), &entry, content);
    }
    *out = error == OK ? content[WORD] : 0;
    return error;
}

/* A space that is not in use has nothing in the store. */
static bool is_clean(const struct table *table, struct store *store, char *why, uint32_t room)
{
    struct store_entry entry;
    struct gpn page;

    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        if (table->members[i].state == UNUSED &&
            store_next(store, gpn_make(space_of(i), (struct vaddr){0}), &page, &entry) == OK &&
            gpn_space(page).number == space_of(i).number) {
            snprintf(why, room, "page %08x of a member that is none is there", page.number);
            return false;
        }
    }
    return true;
}

static bool equals(uint64_t number, struct store *store, char *why, uint32_t room)
{
    const struct table *table = &stops[number];

    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        for (uint32_t page = 0; page < FAMILY_PAGES && table->members[i].state == LIVING; page++) {
            uint32_t word;
            enum error error = read_through(table, store, i, page, &word);
            if (error != OK || (word != table->members[i].words[page] && !table->members[i].leaves[page])) {
                snprintf(why, room, "member %u page %u is %08x (%s) and was %08x at stop %llu", i, page, word,
                         error_text(error), table->members[i].words[page], (unsigned long long)number);
                return false;
            }
        }
    }
    return is_clean(table, store, why, room);
}

/* The frame that a mapping must lead to: the page's own, or its lender's (LINEAGE-2). */
static struct frame frame_for(struct gpn gpn, bool *borrowed)
{
    const struct vm_page *page = vm_map_find(vm_object_space(), gpn);

    *borrowed = false;
    while (page == NULL || frame_is_none(page->frame)) {
        struct space_id source = source_of(gpn);
        SPACE_CHECK(source.number != SPACE_SHARED.number);
        gpn = gpn_make(source, gpn_address(gpn));
        page = vm_map_find(vm_object_space(), gpn);
        *borrowed = true;
    }
    return page->frame;
}

static void verify(void)
{
    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        for (uint32_t page = 0; page < FAMILY_PAGES && now.members[i].state != UNUSED; page++) {
            enum pmap_access access;
            bool borrowed;
            if (now.members[i].leaves[page] || !pmap_query(gpn_of(i, page), &access)) {
                continue;
            }
            struct frame frame = frame_for(gpn_of(i, page), &borrowed);
            SPACE_CHECK(*mmu_table_entry(gpn_of(i, page)) >> PAGE_SHIFT == frame.number);
            SPACE_CHECK(!borrowed || (access == PMAP_READ && !pmap_is_dirty(gpn_of(i, page))));
        }
    }
}

const struct space_extension family_extension = {
    .check = check,
    .source = source_of,
    .stop = stop,
    .resume = resume,
    .boot = boot,
    .verify = verify,
    .discard = discard_family,
    .equals = equals,
};

/* What programs do --------------------------------------------------------------------------------------------------
 */

static bool touch(uint32_t member, uint32_t page, enum pmap_access access, uint32_t *value)
{
    struct vaddr address = {(number_of(page) << PAGE_SHIFT) + WORD * (uint32_t)sizeof(uint32_t)};

    if (fake_pmap.active.number != space_of(member).number) {
        pmap_activate(space_of(member));
    }
    return access == PMAP_WRITE ? mmu_store(address, *value) : mmu_load(address, value);
}

static bool access_word(uint32_t member, uint32_t page, enum pmap_access access, uint32_t *value)
{
    for (uint32_t tries = 0; tries < TRIES_MAX; tries++) {
        if (touch(member, page, access, value)) {
            return true;
        }
        enum error error = vm_fault(gpn_of(member, page), access);
        if (error == OK || error == ERROR_INTERRUPTED) {
            continue;
        }
        if (!is_gone() && !space_world.has_faults) {
            space_fail("fault at page %08x: %s", gpn_of(member, page).number, error_text(error));
        }
        return false;
    }
    space_fail("page %08x cannot be touched", gpn_of(member, page).number);
}

bool family_store(uint32_t member, uint32_t page, uint32_t value)
{
    if (!access_word(member, page, PMAP_WRITE, &value)) {
        return false;
    }
    now.members[member].words[page] = value;
    family_counters.stores++;
    note_change();
    return true;
}

bool family_load(uint32_t member, uint32_t page)
{
    uint32_t value;

    if (!access_word(member, page, PMAP_READ, &value)) {
        return false;
    }
    if (value != now.members[member].words[page]) {
        space_fail("page %u of member %u is %08x, expected %08x", page, member, value, now.members[member].words[page]);
    }
    family_counters.loads++;
    return true;
}

bool family_unmap(uint32_t member, uint32_t page)
{
    struct member *found = &now.members[member];

    found->leaves[page] = true;
    found->own[page] = true;
    note_change();
    if (!discard(gpn_of(member, page), 1)) {
        return false;
    }
    found->words[page] = 0;
    found->leaves[page] = false;
    family_counters.unmappings++;
    note_change();
    return true;
}

bool family_replace(uint32_t member, uint32_t page)
{
    now.members[member].own[page] = true;
    now.members[member].words[page] = 0;
    note_change();
    return discard(gpn_of(member, page), 1);
}

/* Whether an error is one that the world may have. */
static bool is_excused(enum error error)
{
    if (error != OK && error != ERROR_INTERRUPTED && !is_gone() && !space_world.has_faults) {
        space_fail("settle: %s", error_text(error));
    }
    return error == OK;
}

/* The source gets the member's regions that are no copies of it; then it has what the member has. */
static bool settle_regions(uint32_t member, uint32_t source)
{
    for (uint32_t page = 0; page < FAMILY_PAGES; page++) {
        if (!now.members[member].own[page]) {
            continue;
        }
        if (!discard(gpn_of(source, page), 1)) {
            return false;
        }
        now.members[source].own[page] = true;
        now.members[member].own[page] = false;
        note_change();
    }
    return true;
}

static void become_source(uint32_t member, uint32_t source)
{
    now.members[source].state = LIVING;
    memcpy(now.members[source].words, now.members[member].words, sizeof(now.members[source].words));
    busy[source] = busy[member];
    busy[member] = false;
    leave_space(member);
    family_counters.settled++;
}

bool family_settle(uint32_t *member)
{
    while (now.members[*member].source != 0) {
        uint32_t source = now.members[*member].source - 1u;
        if (children(&now, source) != 1) {
            return true;
        }
        if (!settle_regions(*member, source) || !is_excused(vm_give_to_source(space_of(*member))) ||
            !discard_all(*member)) {
            return false;
        }
        become_source(*member, source);
        *member = source;
    }
    return true;
}

static uint32_t sources_above(uint32_t member)
{
    uint32_t count = 0;

    while (now.members[member].source != 0) {
        member = now.members[member].source - 1u;
        count++;
    }
    return count;
}

/* The member does without its nearest source, which may have lost its other children meanwhile. */
static void leave_source(uint32_t member)
{
    uint32_t source = now.members[member].source - 1u;
    uint32_t above = now.members[source].source;

    for (uint32_t page = 0; page < FAMILY_PAGES; page++) {
        now.members[member].own[page] |= now.members[source].own[page];
    }
    now.members[member].source = (uint8_t)above;
    vm_lineage_set_source(space_of(member), above == 0 ? SPACE_SHARED : space_of(above - 1u));
    note_change();
    family_counters.bounded++;
    collect(source);
}

static bool bound_sources(uint32_t member)
{
    if (sources_above(member) < FAMILY_SOURCES) {
        return true;
    }
    while (now.members[member].source != 0) {
        if (!is_excused(vm_take_from_source(space_of(member)))) {
            return false;
        }
        leave_source(member);
    }
    return true;
}

static bool find_unused(uint32_t *out)
{
    for (*out = 0; *out < FAMILY_SPACES; (*out)++) {
        if (now.members[*out].state == UNUSED) {
            return true;
        }
    }
    return false;
}

static bool make_copy(uint32_t source, uint32_t *out)
{
    if (!find_unused(out) || pmap_create(space_of(*out)) != OK) {
        return false;
    }
    now.members[*out] = (struct member){.state = LIVING, .source = (uint8_t)(source + 1)};
    memcpy(now.members[*out].words, now.members[source].words, sizeof(now.members[source].words));
    vm_lineage_set_source(space_of(*out), space_of(source));
    return true;
}

bool family_clone(uint32_t *member, uint32_t *out_child)
{
    uint32_t again;

    if (!family_settle(member) || !bound_sources(*member) || !make_copy(*member, &again)) {
        return false;
    }
    if (!make_copy(*member, out_child)) {
        vm_lineage_set_source(space_of(again), SPACE_SHARED);
        pmap_delete(space_of(again));
        memset(&now.members[again], 0, sizeof(now.members[again]));
        return false;
    }
    now.members[*member].state = SOURCE;
    busy[again] = busy[*member];
    busy[*member] = false;
    *member = again;
    note_change();
    family_counters.clones++;
    return true;
}

void family_end(uint32_t member)
{
    now.members[member].state = SOURCE;
    note_change();
    collect(member);
    family_counters.ends++;
}

uint32_t family_count(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        count += now.members[i].state == LIVING;
    }
    return count;
}

uint32_t family_spaces(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < FAMILY_SPACES; i++) {
        count += now.members[i].state != UNUSED;
    }
    return count;
}

/* Programs at random ------------------------------------------------------------------------------------------------
 */

static bool pick_member(uint32_t *out)
{
    for (uint32_t tries = 0; tries < 3 * FAMILY_SPACES; tries++) {
        *out = space_below(FAMILY_SPACES);
        if (now.members[*out].state == LIVING && !busy[*out]) {
            return true;
        }
    }
    return false;
}

static void step(void)
{
    uint32_t dice = space_below(1000);
    uint32_t page = space_below(FAMILY_PAGES);
    uint32_t member, child;

    if (!pick_member(&member)) {
        thread_yield();
        return;
    }
    busy[member] = true;
    if (dice < 450) {
        (void)family_store(member, page, space_chance(4) ? 0 : space_below(UINT32_MAX));
    } else if (dice < 750) {
        (void)family_load(member, page);
    } else if (dice < 780) {
        (void)family_unmap(member, page);
    } else if (dice < 860) {
        (void)family_clone(&member, &child);
    } else if (dice < 900) {
        (void)family_settle(&member);
    } else if (dice < 960 && family_count() > 1) {
        busy[member] = false; /* it is no member any more, and its number may be another one's before this returns */
        family_end(member);
        return;
    } else {
        thread_yield();
    }
    busy[member] = false;
}

static void program(void *unused)
{
    (void)unused;
    while (!space_world.is_ending && !space_world.slow.is_off) {
        step();
        space_check();
    }
    space_world.programs--;
}

void family_start_programs(void)
{
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        struct thread *thread;
        space_world.programs++;
        SPACE_CHECK(thread_create("family", program, NULL, &thread) == OK);
    }
}
