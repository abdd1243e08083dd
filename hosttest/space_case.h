/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases: small scenes that are set up step by step, with threads that take turns in order.
 *
 * Each case has a world of its own in a process of its own. It ends in a shutdown, for which the books must balance,
 * and in looking at all its power cuts.
 */
#ifndef SPACE_CASE_H
#define SPACE_CASE_H

#include "space_fixture.h"

#define SPACE_CASE_PROGRAM 1u /* the space whose pages the cases use */

struct space_case {
    void (*play)(void);
    uint32_t frames; /* for pages; 0: so many that neighbours are read together */
    uint32_t blocks; /* of the disk; 0: SPACE_DISK_BLOCKS */
    struct store_tuning tuning;
    const struct space_extension *extension; /* or NULL */
};

bool space_case_holds(struct space_case scene);

/* A test of the name given, which plays a function; what follows sets other members of struct space_case. */
#define SPACE_CASE(name, function, ...)                                                                                \
    static void name(void **state)                                                                                     \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        assert_true(space_case_holds((struct space_case){.play = function, ##__VA_ARGS__}));                           \
    }

/* A page of the program; its neighbours are this + 1 and so on, 72 of them. And the map's record of a page, or NULL. */
uint32_t space_first_page(void);
struct vm_page *space_record_of(uint32_t page);

/* Store the same value in the first word of so many pages, from the first on. */
void space_store_pages(uint32_t count, uint32_t value);

/* A snapshot is on its way to a disk that does not answer, the first page among what it writes; and then it does. */
void space_begin_snapshot(void);
void space_finish_snapshot(void);
bool space_is_writing(void);

/* Sync, shut down, and boot from what there is. */
void space_reboot(void);

/* Let a thread run, one of the world's programs, until it waits for something. It says when it ends. */
void space_start(void (*function)(void *unused));

#endif
