/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmap on the real page tables: what the processor notes and refuses.
 *
 * Accesses go through cpu_copy_guarded(), so that a refused one is an answer and not the end.
 */
#include "arch/cpu.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "paging.h"
#include "pmap_internal.h"
#include "selftest.h"

#include <string.h>

#define ADDRESS      0x10000000u
#define OTHER_CHUNK  (ADDRESS + 0x400000u)
#define RECORDS      0xF3C00000u /* in the system window, behind all tables */
#define FIRST_SPACE  ((struct space_id){4000})
#define SECOND_SPACE ((struct space_id){4001})
#define VISITS_MAX   8u

static struct place place_at(struct space_id space, uint32_t address)
{
    return place_make(space, (struct vaddr){address});
}

static struct place first_place(uint32_t address)
{
    return place_at(FIRST_SPACE, address);
}

static bool can_read(uint32_t address, uint32_t *value)
{
    return cpu_copy_guarded(value, (const void *)address, sizeof(*value));
}

static bool can_write(uint32_t address, uint32_t value)
{
    return cpu_copy_guarded((void *)address, &value, sizeof(value));
}

static struct frame enter(struct place place, enum pmap_access access)
{
    struct frame frame = FRAME_NONE;
    SELFTEST_EXPECT(frame_allocate(FRAME_PAGE, &frame) == OK);
    memset(frame_address(frame), 0, PAGE_SIZE);
    SELFTEST_EXPECT(pmap_enter(place, frame, access) == OK);
    return frame;
}

static bool leave(struct place place, struct frame frame)
{
    bool dirty = pmap_remove(place);
    frame_free(frame);
    return dirty;
}

static void begin_space(struct space_id space)
{
    SELFTEST_EXPECT(pmap_create(space) == OK);
    pmap_activate(space);
}

static void end_space(struct space_id space)
{
    pmap_activate(SPACE_SYSTEM);
    pmap_delete(space);
}

struct visits {
    uint32_t count;
    struct place places[VISITS_MAX];
    bool clear;
};

static void visit(struct place place, struct frame frame, void *context)
{
    SELFTEST_EXPECT(frame.number == pmap_frame(place).number);
    struct visits *visits = context;
    if (visits->count < VISITS_MAX) {
        visits->places[visits->count] = place;
    }
    visits->count++;
    if (visits->clear) {
        SELFTEST_EXPECT(pmap_clear_dirty(place));
    }
}

SELFTEST(pmap_read_only_page_refuses_writes)
{
    uint32_t value = 1;
    begin_space(FIRST_SPACE);
    SELFTEST_EXPECT(!can_read(ADDRESS, &value));
    struct frame frame = enter(first_place(ADDRESS), PMAP_READ);
    SELFTEST_EXPECT(can_read(ADDRESS, &value) && value == 0);
    SELFTEST_EXPECT(!can_write(ADDRESS, 7));
    SELFTEST_EXPECT(!pmap_allows(first_place(ADDRESS), PMAP_WRITE) && pmap_allows(first_place(ADDRESS), PMAP_READ));
    SELFTEST_EXPECT(!pmap_allows(first_place(ADDRESS + PAGE_SIZE), PMAP_READ));
    SELFTEST_EXPECT(!pmap_allows(first_place(OTHER_CHUNK), PMAP_READ));
    pmap_protect(first_place(ADDRESS), PMAP_WRITE);
    SELFTEST_EXPECT(pmap_allows(first_place(ADDRESS), PMAP_WRITE));
    SELFTEST_EXPECT(can_write(ADDRESS, 7) && *(uint32_t *)frame_address(frame) == 7);
    pmap_protect(first_place(ADDRESS), PMAP_READ);
    SELFTEST_EXPECT(!can_write(ADDRESS, 8) && *(uint32_t *)frame_address(frame) == 7);
    SELFTEST_EXPECT(can_read(ADDRESS, &value) && value == 7); /* the processor knows the page when it goes */
    SELFTEST_EXPECT(leave(first_place(ADDRESS), frame));
    SELFTEST_EXPECT(!can_read(ADDRESS, &value));
    end_space(FIRST_SPACE);
}

SELFTEST(pmap_entering_twice_is_refused)
{
    begin_space(FIRST_SPACE);
    SELFTEST_EXPECT(pmap_create(FIRST_SPACE) == ERROR_EXISTS);
    struct frame frame = enter(first_place(ADDRESS), PMAP_READ);
    SELFTEST_EXPECT(pmap_enter(first_place(ADDRESS), frame, PMAP_WRITE) == ERROR_EXISTS);
    enum pmap_access access = PMAP_WRITE;
    SELFTEST_EXPECT(pmap_query(first_place(ADDRESS), &access) && access == PMAP_READ);
    SELFTEST_EXPECT(!pmap_query(first_place(ADDRESS + PAGE_SIZE), NULL));
    SELFTEST_EXPECT(!leave(first_place(ADDRESS), frame));
    end_space(FIRST_SPACE);
}

SELFTEST(pmap_dirty_bit_is_set_again_after_it_was_cleared)
{
    uint32_t value;
    begin_space(FIRST_SPACE);
    struct place place = first_place(ADDRESS);
    struct frame frame = enter(place, PMAP_WRITE);
    SELFTEST_EXPECT(can_read(ADDRESS, &value) && !pmap_is_dirty(place));
    SELFTEST_EXPECT(can_write(ADDRESS, 1) && pmap_is_dirty(place));
    SELFTEST_EXPECT(pmap_clear_dirty(place) && !pmap_is_dirty(place) && !pmap_clear_dirty(place));
    SELFTEST_EXPECT(can_write(ADDRESS, 2) && pmap_is_dirty(place));
    SELFTEST_EXPECT(pmap_clear_accessed(place) && !pmap_clear_accessed(place));
    SELFTEST_EXPECT(can_read(ADDRESS, &value) && pmap_clear_accessed(place));
    SELFTEST_EXPECT(leave(place, frame));
    end_space(FIRST_SPACE);
}

SELFTEST(pmap_sampling_finds_what_was_used_since_the_last_sample)
{
    uint32_t value;
    struct pmap_sample sample;
    begin_space(FIRST_SPACE);
    struct place place = first_place(ADDRESS);
    struct frame used = enter(place, PMAP_READ);
    struct frame unused = enter(first_place(ADDRESS + PAGE_SIZE), PMAP_WRITE);
    pmap_sample_chunk(place, &sample);
    SELFTEST_EXPECT(sample.mapped == 2 && sample.accessed == 0);
    for (uint32_t i = 0; i < 3; i++) {
        SELFTEST_EXPECT(can_read(ADDRESS, &value));
        pmap_sample_chunk(place, &sample);
        SELFTEST_EXPECT(sample.mapped == 2 && sample.accessed == 1);
        pmap_sample_chunk(place, &sample);
        SELFTEST_EXPECT(sample.mapped == 2 && sample.accessed == 0);
    }
    SELFTEST_EXPECT(pmap_clear_accessed(place) && !pmap_clear_accessed(place));
    SELFTEST_EXPECT(can_read(ADDRESS, &value) && pmap_clear_accessed(place)); /* which a sample does not notice */
    pmap_sample_chunk(place, &sample);
    SELFTEST_EXPECT(sample.accessed == 1 && !pmap_clear_accessed(place));
    pmap_sample_chunk(place, &sample);
    SELFTEST_EXPECT(sample.accessed == 0);
    pmap_sample_chunk(first_place(OTHER_CHUNK), &sample);
    SELFTEST_EXPECT(sample.mapped == 0);
    leave(place, used);
    leave(first_place(ADDRESS + PAGE_SIZE), unused);
    end_space(FIRST_SPACE);
}

SELFTEST(pmap_gathering_visits_what_was_written)
{
    uint32_t value;
    struct visits visits = {.clear = true};
    begin_space(FIRST_SPACE);
    struct frame read = enter(first_place(ADDRESS), PMAP_WRITE);
    struct frame written = enter(first_place(ADDRESS + 5 * PAGE_SIZE), PMAP_WRITE);
    SELFTEST_EXPECT(pmap_gather_chunk(first_place(ADDRESS), visit, &visits) == 0);
    SELFTEST_EXPECT(can_read(ADDRESS, &value) && can_write(ADDRESS + 5 * PAGE_SIZE, 3));
    SELFTEST_EXPECT(pmap_gather_chunk(first_place(ADDRESS), visit, &visits) == PMAP_CHUNK_PAGES);
    SELFTEST_EXPECT(visits.count == 1 && visits.places[0].number == first_place(ADDRESS + 5 * PAGE_SIZE).number);
    SELFTEST_EXPECT(pmap_gather_chunk(first_place(ADDRESS), visit, &visits) == 0);

    visits.count = 0;
    SELFTEST_EXPECT(can_write(ADDRESS + 5 * PAGE_SIZE, 4));
    SELFTEST_EXPECT(pmap_gather_chunk(first_place(ADDRESS), visit, &visits) == PMAP_CHUNK_PAGES && visits.count == 1);
    visits.count = 0;
    pmap_mark_dirty(first_place(ADDRESS));
    SELFTEST_EXPECT(pmap_gather_chunk(first_place(ADDRESS), visit, &visits) == PMAP_CHUNK_PAGES && visits.count == 1);
    SELFTEST_EXPECT(!leave(first_place(ADDRESS), read) && !leave(first_place(ADDRESS + 5 * PAGE_SIZE), written));
    end_space(FIRST_SPACE);
}

SELFTEST(pmap_gathering_frees_an_empty_table)
{
    struct visits visits = {0};
    struct place chunk;
    begin_space(FIRST_SPACE);
    uint32_t tables = frame_count(FRAME_PAGE_TABLE);
    struct frame frame = enter(first_place(ADDRESS), PMAP_WRITE);
    SELFTEST_EXPECT(frame_count(FRAME_PAGE_TABLE) == tables + 1);
    SELFTEST_EXPECT(pmap_next_chunk(first_place(0), &chunk) && chunk.number == first_place(ADDRESS).number);
    SELFTEST_EXPECT(!pmap_next_chunk(first_place(OTHER_CHUNK), &chunk));
    struct place end = first_place(OTHER_CHUNK);
    SELFTEST_EXPECT(pmap_next_mapped(first_place(0), end, &chunk) && chunk.number == first_place(ADDRESS).number);
    SELFTEST_EXPECT(!pmap_next_mapped(first_place(ADDRESS + PAGE_SIZE), end, &chunk));
    leave(first_place(ADDRESS), frame);
    SELFTEST_EXPECT(pmap_gather_chunk(first_place(ADDRESS), visit, &visits) == PMAP_CHUNK_PAGES && visits.count == 0);
    SELFTEST_EXPECT(frame_count(FRAME_PAGE_TABLE) == tables);
    SELFTEST_EXPECT(!pmap_next_chunk(first_place(0), &chunk));
    end_space(FIRST_SPACE);
}

SELFTEST(pmap_stop_closes_every_chunk_until_it_is_opened)
{
    uint32_t value;
    begin_space(FIRST_SPACE);
    struct frame frame = enter(first_place(ADDRESS), PMAP_WRITE);
    struct frame other = enter(first_place(OTHER_CHUNK), PMAP_WRITE);
    SELFTEST_EXPECT(can_write(ADDRESS, 1) && can_write(OTHER_CHUNK, 1));
    pmap_stop();
    SELFTEST_EXPECT(pmap_is_closed(first_place(ADDRESS)) && pmap_is_closed(first_place(OTHER_CHUNK)));
    SELFTEST_EXPECT(!can_write(ADDRESS, 2) && can_read(ADDRESS, &value) && value == 1);
    SELFTEST_EXPECT(!pmap_allows(first_place(ADDRESS), PMAP_WRITE) && pmap_allows(first_place(ADDRESS), PMAP_READ));
    pmap_open(first_place(ADDRESS));
    SELFTEST_EXPECT(!pmap_is_closed(first_place(ADDRESS)) && can_write(ADDRESS, 3));
    SELFTEST_EXPECT(pmap_is_closed(first_place(OTHER_CHUNK)) && !can_write(OTHER_CHUNK, 2));
    pmap_open(first_place(OTHER_CHUNK));
    SELFTEST_EXPECT(can_write(OTHER_CHUNK, 4));
    leave(first_place(ADDRESS), frame);
    leave(first_place(OTHER_CHUNK), other);
    end_space(FIRST_SPACE);
}

SELFTEST(pmap_stop_reaches_spaces_that_are_not_active)
{
    begin_space(SECOND_SPACE);
    struct frame second = enter(place_at(SECOND_SPACE, ADDRESS), PMAP_WRITE);
    SELFTEST_EXPECT(can_write(ADDRESS, 1));
    begin_space(FIRST_SPACE);
    struct frame first = enter(first_place(ADDRESS), PMAP_WRITE);
    pmap_stop();
    SELFTEST_EXPECT(pmap_is_closed(place_at(SECOND_SPACE, ADDRESS)));
    pmap_open(place_at(SECOND_SPACE, ADDRESS));
    pmap_stop();
    pmap_activate(SECOND_SPACE); /* nobody has asked for the chunk since */
    SELFTEST_EXPECT(!can_write(ADDRESS, 2));
    pmap_open(first_place(ADDRESS));
    SELFTEST_EXPECT(!can_write(ADDRESS, 2));
    pmap_open(place_at(SECOND_SPACE, ADDRESS));
    SELFTEST_EXPECT(can_write(ADDRESS, 2) && *(uint32_t *)frame_address(second) == 2);
    pmap_activate(FIRST_SPACE);
    SELFTEST_EXPECT(can_write(ADDRESS, 9) && *(uint32_t *)frame_address(first) == 9);
    leave(first_place(ADDRESS), first);
    leave(place_at(SECOND_SPACE, ADDRESS), second);
    end_space(FIRST_SPACE);
    end_space(SECOND_SPACE);
}

/* Both locks on the kernel's records: a program reaches neither their table nor their pages, whatever is open. */
SELFTEST(pmap_records_are_closed_by_a_stop_and_open_to_no_program)
{
    struct visits visits = {.clear = true};
    struct place place = place_at(SPACE_SYSTEM, RECORDS);
    begin_space(FIRST_SPACE);
    struct frame frame = enter(place, PMAP_WRITE);
    const uint32_t *chunk = pmap_chunk_entry(place);
    SELFTEST_EXPECT((*chunk & ENTRY_USER) == 0);
    SELFTEST_EXPECT((entry_table(*chunk)[place.number & (TABLE_ENTRIES - 1)] & ENTRY_USER) == 0);
    SELFTEST_EXPECT(!pmap_is_closed(place));
    pmap_stop();
    SELFTEST_EXPECT(pmap_is_closed(place));
    pmap_activate(SPACE_SYSTEM);
    SELFTEST_EXPECT(pmap_is_closed(place));
    pmap_open(place);
    pmap_activate(FIRST_SPACE);
    SELFTEST_EXPECT(!pmap_is_closed(place));
    leave(place, frame);
    SELFTEST_EXPECT(pmap_gather_chunk(place, visit, &visits) == PMAP_CHUNK_PAGES); /* frees the table */
    end_space(FIRST_SPACE);
}

static void allow_writing(struct place place, struct frame frame, void *context)
{
    SELFTEST_EXPECT(frame.number == pmap_frame(place).number);
    pmap_protect(place, PMAP_WRITE);
    ++*(uint32_t *)context;
}

SELFTEST(pmap_views_are_read_only_between_a_narrow_opening_and_its_widening)
{
    uint32_t widened = 0;
    begin_space(FIRST_SPACE);
    struct place view = first_place(ADDRESS + PAGE_SIZE);
    struct frame own = enter(first_place(ADDRESS), PMAP_WRITE), shared = FRAME_NONE;
    SELFTEST_EXPECT(frame_allocate(FRAME_PAGE, &shared) == OK);
    SELFTEST_EXPECT(!pmap_has_views(FIRST_SPACE) && pmap_enter_view(view, shared, PMAP_WRITE) == OK);
    SELFTEST_EXPECT(pmap_has_views(FIRST_SPACE) && pmap_is_view(view) && !pmap_is_view(first_place(ADDRESS)));
    SELFTEST_EXPECT(can_write(ADDRESS, 1) && can_write(ADDRESS + PAGE_SIZE, 2) && pmap_is_noted(view));
    pmap_stop();
    SELFTEST_EXPECT(!can_write(ADDRESS, 3) && !can_write(ADDRESS + PAGE_SIZE, 3));
    struct visits visits = {0};
    SELFTEST_EXPECT(pmap_visit_views(view, visit, &visits) == PMAP_CHUNK_PAGES && visits.count == 1);
    SELFTEST_EXPECT(visits.places[0].number == view.number && pmap_is_noted(view) && pmap_is_closed(view));
    pmap_open_narrowly(view);
    SELFTEST_EXPECT(can_write(ADDRESS, 4) && !can_write(ADDRESS + PAGE_SIZE, 4));
    pmap_widen(view, allow_writing, &widened);
    SELFTEST_EXPECT(widened == 1 && can_write(ADDRESS + PAGE_SIZE, 5));
    pmap_widen(view, allow_writing, &widened);
    SELFTEST_EXPECT(widened == 1 && leave(view, shared) && leave(first_place(ADDRESS), own));
    SELFTEST_EXPECT(!pmap_has_views(FIRST_SPACE));
    end_space(FIRST_SPACE);
}

/* A place of another window than the gathered one. */
static void forbid_the_first(struct place place, struct frame frame, void *context)
{
    (void)place;
    (void)frame;
    (void)context;
    pmap_protect(first_place(ADDRESS), PMAP_READ);
}

SELFTEST(pmap_gathering_takes_a_right_in_another_window_at_once)
{
    SELFTEST_EXPECT(pmap_create(SECOND_SPACE) == OK);
    begin_space(FIRST_SPACE);
    struct place place = place_at(SECOND_SPACE, ADDRESS);
    struct frame seen = enter(first_place(ADDRESS), PMAP_WRITE), gathered = enter(place, PMAP_WRITE);
    pmap_mark_dirty(place);
    SELFTEST_EXPECT(can_write(ADDRESS, 1)); /* the processor knows that it may */
    SELFTEST_EXPECT(pmap_gather_chunk(place, forbid_the_first, NULL) == PMAP_CHUNK_PAGES);
    SELFTEST_EXPECT(!can_write(ADDRESS, 2));
    SELFTEST_EXPECT(leave(first_place(ADDRESS), seen) && leave(place, gathered));
    end_space(FIRST_SPACE);
    pmap_delete(SECOND_SPACE);
}
