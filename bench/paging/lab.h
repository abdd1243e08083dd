/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paging laboratory: what page replacement costs, by program, policy and number of frames.
 *
 *     programs.c   sort, scan, focus, zipf and mix: they load and store words of a memory that they are given
 *     trace.c      which pages they touch, in order
 *     simulate.c   a trace under a policy, with the policy objects of the kernel and A bits of its own
 *     optimum.c    a trace under Belady's optimum
 *     paged.c      a program on the kernel's own fault path, with an MMU, a disk and a budget of frames
 *     kernel.c     the latter on the real machine; hosttest/paging_lab_test.c has it on the fake one
 *     simulator.c  traces and simulations on the host
 *
 * Both sides see the same program, so the same trace; the same policies, frames and seed, so the same victims. Their
 * results are equal field by field, or one of them is wrong.
 *
 * At the start all pages are on the disk, with words that lab_initial_word() gives; no frame is in use. A page that is
 * touched and not resident is a fault and a read. A victim that was written since it was read is a write. Pages that
 * are resident at the end stay there.
 */
#ifndef BENCH_PAGING_LAB_H
#define BENCH_PAGING_LAB_H

#include "types.h"
#include "vm_policy.h"

#define LAB_PAGES_MIN  8u
#define LAB_PAGES_MAX  1024u
#define LAB_PAGE_WORDS (PAGE_SIZE / 4)
#define LAB_SEED       0x9D2C5680u /* of programs and of random replacement */

/* Memory as a program sees it: words from 0 to pages * LAB_PAGE_WORDS. */
struct lab_memory {
    uint32_t (*load)(void *context, uint32_t word);
    void (*store)(void *context, uint32_t word, uint32_t value);
    void *context;
    uint32_t pages;
};

struct lab_program {
    const char *name;
    /* Returns whether what it computed is right. It depends on the content of memory and on nothing else. */
    bool (*run)(const struct lab_memory *memory);
};

/* By name or NULL; by number from 0 on, NULL behind the last. */
const struct lab_program *lab_program_find(const char *name);
const struct lab_program *lab_program_at(uint32_t index);

uint32_t lab_initial_word(uint32_t word);

/*
 * A trace: the pages that were touched, and whether they were written. Touching one page several times in a row is one
 * entry: nothing that a policy could see happens in between.
 */
struct lab_entry {
    uint32_t page;
    bool is_write;
};

struct lab_trace {
    void (*append)(struct lab_trace *trace, struct lab_entry entry); /* NULL: only the numbers are wanted */
    struct lab_entry last;
    uint64_t length;   /* entries, but for `last` until lab_trace_end() */
    uint64_t accesses; /* words loaded and stored */
    uint32_t hash;     /* over all entries */
};

void lab_trace_begin(struct lab_trace *trace, void (*append)(struct lab_trace *trace, struct lab_entry entry));
void lab_trace_touch(struct lab_trace *trace, uint32_t page, bool is_write);
void lab_trace_end(struct lab_trace *trace);

/* FNV-1a of Fowler, Noll and Vo over words. */
#define LAB_HASH_START 2166136261u
uint32_t lab_hash(uint32_t hash, uint32_t word);

/* What a run comes to. */
struct lab_result {
    uint32_t faults, reads, writes;
    uint32_t victims; /* hash over them, in order */
};

/* A trace under a policy. pages <= LAB_PAGES_MAX, 1 <= frames. */
void lab_simulate(const struct vm_policy *policy, uint32_t pages, uint32_t frames, const struct lab_entry *trace,
                  uint64_t length, struct lab_result *out);

/* Where the program's memory is. */
#define LAB_SPACE   ((struct space_id){1})
#define LAB_ADDRESS 0x10000000u

/* What a machine must provide for runs on the fault path of the kernel. LAB_SPACE is active, and must be after each. */
struct lab_machine {
    bool (*load)(struct vaddr address, uint32_t *value); /* false: a page fault */
    bool (*store)(struct vaddr address, uint32_t value);
    void (*read)(uint32_t page, void *content); /* of the disk, into a frame */
    void (*write)(uint32_t page, void *content);
};

struct lab_paged_result {
    struct lab_result counts;
    struct lab_trace trace;
    bool is_right; /* the program's own judgement */
};

/*
 * A program on the kernel's fault path. The object space must not exist; it does not afterwards.
 * - the disk holds every page's initial words. frames: at least 1, and that many are free above the kernel's reserve.
 */
void lab_run_paged(const struct lab_machine *machine, const struct lab_program *program, const struct vm_policy *policy,
                   uint32_t pages, uint32_t frames, struct lab_paged_result *out);

#endif
