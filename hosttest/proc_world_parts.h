/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the worlds (proc_world.h) share: proc_world.c boots and cuts, proc_world_stop.c notes what there is
 * at each stop, and looks whether a boot has found it; proc_world_check.c looks at the kernel's own books.
 */
#ifndef PROC_WORLD_PARTS_H
#define PROC_WORLD_PARTS_H

#include "fake/disk.h"
#include "host_family.h"
#include "proc_world.h"
#include "space_disk.h"

#define BOOTS_MAX 16u
#define STOPS_MAX 20000u /* of a world: generations */

/* What a program was at a stop. */
struct note {
    uint32_t pid;
    bool may_be_gone; /* it was about to end */
    bool is_fresh;
    struct registers registers;
    struct family_book book;
};

struct stop {
    struct note *notes; /* NULL: there was no such stop */
    uint32_t count;
    uint32_t typed; /* bytes that the terminal has taken */
    struct family_board *boards;
    uint32_t boards_end;
};

/* A sync that was answered, and the generation that must not be lost from then on. */
struct confirmation {
    uint32_t event;
    uint64_t generation;
};

struct world {
    struct proc_world_options options;
    uint64_t random;
    uint32_t boot, frames, one_in_fails;
    bool is_short, reads_fail;
    struct fake_disk disks[BOOTS_MAX + 1], bases[BOOTS_MAX + 1]; /* of each boot: as it goes, and as it began */
    struct fake_disk crashed;                                    /* a state that is looked at */
    struct space_disk slow;
    struct stop *stops; /* by generation */
    struct confirmation confirmed[1000];
    uint32_t confirmed_count;
    uint64_t confirmed_before; /* the generation that was durable when the boot began */

    /* The boot under way. */
    struct fake_disk *running;
    bool only_looks;
    bool begins_badly; /* reads fail while it resumes: it may be refused, or go on with an earlier generation */
    bool fell_back;
    uint32_t cut_at, variant, at_event;
    struct store *store;
    uint64_t resumed; /* generation */
    bool seen[FAMILY_PIDS];
    bool registers_seen[FAMILY_PIDS];
    uint32_t typed, taken; /* bytes: by the host, and by the terminal */
    uint32_t missing;      /* programs of the stop that have not run yet */
    uint32_t steps_left;
};
extern struct world world;

/* From the world's seed: any number, and one below a limit. */
uint64_t world_random(void);
uint32_t world_below(uint32_t limit);

/* Something is wrong: says what and where in the world, and ends the process. */
_Noreturn void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The generation that must be durable at an event of the boot. */
uint64_t world_confirmed_at(uint32_t event);

/*
 * A program runs: if it is for the first time in this boot, it must be what it was at the stop. False: not all of it
 * has been seen yet.
 */
bool world_look_at(struct registers *registers);

/* The kernel's books of pages, views and objects are sound, as they must be between any two sleeps. */
void world_check_kernel(void);

/* Nobody lives any more: no object is left, nor a page of one, in memory or in the store. */
void world_check_nothing_shared(void);

/* For family_synced. */
void world_synced(uint32_t pid, uint32_t step);

#endif
