/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the object space share: everything above the disk, really: the map, faults, reclaiming, the
 * snapshot thread and the store, on the fake machine, with programs that use it.
 *
 * There is one world. It lives through several boots of the same image; a boot ends orderly or because the power goes.
 * All of it is made from a seed, the order in which threads run included. Whatever is wrong ends the process with
 * a message, so a world is run in a process of its own: space_in_child().
 */
#ifndef SPACE_FIXTURE_H
#define SPACE_FIXTURE_H

#include "arch/pmap.h"
#include "fake/machine.h"
#include "space_disk.h"
#include "space_model.h"
#include "store.h"
#include "thread.h"

#define SPACE_DISK_BLOCKS 2048u /* 8 MiB, if nothing else is said */
#define SPACE_BOOTS_MAX   8u

struct vm_allowance;

/* More spaces than the model has, numbered above SPACE_PROGRAMS, with their own rules and their own model. */
struct space_extension {
    /* These two as in struct vm_fault_policy. */
    enum error (*check)(struct place place, enum pmap_access access, struct vm_allowance *out);
    struct space_id (*source)(struct place place, struct space_id at);
    void (*stop)(uint64_t number);   /* the instant of a stop */
    void (*resume)(uint64_t number); /* everything is as it was at that one */
    void (*boot)(void);              /* the object space is there */
    void (*discard)(void);           /* all there is */
    bool (*equals)(uint64_t number, struct store *store, char *why, uint32_t room); /* as space_model_equals() */
};

struct space_options {
    const struct space_extension *extension; /* or NULL */
    uint64_t seed;
    uint32_t frames;      /* of the machine; see space_frames() */
    uint32_t blocks;      /* of the disk */
    uint32_t interval_ms; /* of snapshots; 0: only on request */
    struct store_tuning tuning;
    bool is_random; /* threads take turns at random, requests take their time */
};

/* How often things happened, to see that they did. */
struct space_counters {
    uint64_t stores, loads, records, faults, refusals, discards, restrictions, syncs, syncs_failed, interruptions;
    uint64_t copies, drops, page_outs, snapshots, snapshots_failed; /* as the kernel counts them */
    uint64_t states;                                                /* crash states looked at */
};

struct space_world {
    struct space_options options;
    uint64_t random;
    struct space_model model;
    uint32_t boot; /* which one this is, from 0 */
    struct fake_disk disks[SPACE_BOOTS_MAX];
    struct fake_disk bases[SPACE_BOOTS_MAX]; /* what each disk held at the boot */
    struct space_disk slow;
    struct store *store;
    bool has_faults;      /* calls may fail for other reasons than the world's own */
    bool is_ending;       /* programs end with what they are doing */
    bool is_record_due;   /* as of the last stop */
    uint32_t told_to_end; /* the space that was to make room last; 0: none */
    uint32_t programs;
    uint64_t changes_captured; /* how much had been changed at the last stop */
    struct space_counters counters;
};

extern struct space_world space_world;

uint32_t space_below(uint32_t limit);
bool space_chance(uint32_t one_in);

/* Frames for a machine that has room for about `resident` pages of programs. */
uint32_t space_frames(uint32_t resident);

/* Something is wrong: say what, and where in the world's life, and end the process. */
_Noreturn void space_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define SPACE_CHECK(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            space_fail("%s:%d: %s", __FILE__, __LINE__, #condition);                                                   \
        }                                                                                                              \
    } while (0)

/* Run a function in a process of its own. Returns whether it came back. `quietly`: its messages are thrown away. */
bool space_in_child(void (*run)(void *context), void *context, bool quietly);

/* A new image and a world to go with it; its end, after the last boot's. */
void space_world_start(const struct space_options *options);
void space_world_free(void);

/*
 * Boot the image: machine, store, object space, snapshot thread; what was being discarded at the stop is discarded
 * again. Ends with space_shut_down() or space_power_off(), for both of which all programs must have ended.
 */
void space_boot(void);

/* One last snapshot; the kernel's books must balance, and the image holds what the model does. */
void space_shut_down(void);
void space_power_off(void);

/* Whether a store holds what everything was at a stop; says in `why` what differs. */
bool space_equals(const struct space_stop *stop, struct store *store, char *why, uint32_t room);

/* All up to stop `wanted` has been said to be durable: believe it from now on. False: it cannot be. */
bool space_confirm(uint64_t wanted);

/* After a shutdown: let the next boot go on from where this one ended. */
void space_keep(void);

/* Let others run until none of the programs is left, or until a condition holds. Fails after a long time. */
void space_wait_programs(void);
void space_wait_until(bool (*condition)(void));

/* Verify the invariants of the map and of the mappings. */
void space_check(void);

/* What programs do; they run in the kernel and are interrupted only where the kernel sleeps. ----------------------- */

/* Access a word of a page as the running program of `space`; sleep for faults. False: the region refuses. */
bool space_store(uint32_t space, uint32_t page, uint32_t word, uint32_t value);
bool space_load(uint32_t space, uint32_t page, uint32_t word);

/* The kernel writes to one of its records. */
void space_store_record(uint32_t page, uint32_t word, uint32_t value);

/* munmap and mmap: `count` pages from `first` on hold nothing any more and may be used again. */
void space_discard(uint32_t first, uint32_t count);

/* mprotect. */
void space_restrict(uint32_t first, uint32_t count, enum space_access access);

/* sync; false: it could not be made durable. */
bool space_sync(void);

/* A thread that does all of this at random until the world is ending, in space 1 and up. */
struct thread *space_start_program(uint32_t space);

/* Go through the power cuts of the boot that has ended ------------------------------------------------------------- */

/*
 * Look at crash states: at each event of the disk with a chance of one in `one_in` (1: all), around flushes more often,
 * `variants` of what the cut can leave. Then let a state at random be what the next boot finds, if there is a next one.
 */
void space_crash(uint32_t one_in, uint32_t variants);

/* A whole life ----------------------------------------------------------------------------------------------------- */

struct space_life {
    uint64_t seed;
    uint32_t boots;
    uint32_t turns;                          /* of the first thread in each boot, about */
    uint32_t cut_one_in;                     /* see space_crash() */
    void (*mutate)(void);                    /* called after each boot, to break the kernel or the machine; or NULL */
    const struct space_extension *extension; /* or NULL */
    void (*start)(void);                     /* its programs, after each boot */
};

void space_live(const struct space_life *life);

#endif
