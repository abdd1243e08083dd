/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program (family/) for the worlds of proc_world.h that does everything at random, and knows at each moment what its
 * memory holds, what it has open, and what each of its calls may answer.
 *
 * What it does at a step follows from its seed and the step's number, which are in its memory; so are its books: for
 * each page of its playground whether it is mapped, with which rights, and which version of content it has, and its
 * children with their seeds. All books are in one page, changed in one instruction together with the step; so whatever
 * state a boot finds, memory and books must agree, but for the pages of the step that was under way.
 *
 * The host keeps a second copy of the books, which the kernel cannot lose (struct family_book): what they were at each
 * stop must be what a boot of that stop's generation finds.
 */
#ifndef HOST_FAMILY_H
#define HOST_FAMILY_H

#include "arch/cpu.h"
#include "host_program.h"

#define FAMILY_WORDS 192u /* of the books */
#define FAMILY_PIDS  128u

#define FAMILY_FIRST  1u  /* the process id of the first program */
#define FAMILY_SIGNAL 10u /* SIGUSR1: what programs send each other */

struct family_book {
    uint32_t words[FAMILY_WORDS];
};

/* By process id, as of now. */
extern struct family_book family_books[FAMILY_PIDS];

#define FAMILY_BOARDS      512u
#define FAMILY_BOARD_PAGES 8u

/* Shared memory, by the number that books name it by, as of now: its size, and the version of each page's content. */
struct family_board {
    uint32_t pages;
    uint32_t versions[FAMILY_BOARD_PAGES];
};
extern struct family_board family_boards[FAMILY_BOARDS];

/* The numbers that living programs' books name are below this one. */
uint32_t family_boards_end(void);

struct family_options {
    uint32_t steps;  /* of the first program, about */
    bool has_faults; /* requests and allocations fail: calls may answer ENOMEM and EIO, programs may die of it */
    bool is_short;   /* memory may run out: calls may answer ENOMEM, programs may be killed */
    bool is_calm;    /* nobody sends signals */
};

/* What happened, to see that it does. */
struct family_counters {
    uint64_t steps, writes, reads, maps, unmaps, protections, moves, breaks, forks, vforks, waits, executions, syncs,
        piped, signals, handled, retries, deaths, resizes, files, polls, lines, masks, locks, orphans, boards, views,
        board_writes, board_reads, board_protections, board_moves, board_unmaps, board_denials, board_spans, pieces;
};
extern struct family_counters family_counters;

void family_use(const struct family_options *options);

/* The words of its command line. */
const char *family_words(uint64_t seed);

/* A program whose next instruction is an image's first one has no books yet. */
bool family_is_fresh(const struct registers *registers);

/* Whether it has got as far as to have handlers for what its parent sends. */
bool family_has_handlers(const struct registers *registers);

/* Whether a program is in, or on its way to, a signal handler. */
bool family_is_in_handler(const struct registers *registers);

/*
 * Compare the books in the running program's memory with `book`, and all pages with them, but for those of the step
 * under way. False: interrupted, try again later. What is wrong ends the boot.
 */
MUST_CHECK bool family_verify(struct registers *registers, const struct family_book *book);

/* The step that books are at. */
uint32_t family_step_of(const struct family_book *book);

/*
 * What is typed at the terminal: byte `position` of all that ever is, in short lines; and how much of it the first
 * program has read, as of now.
 */
uint8_t family_typed(uint32_t position);
uint32_t family_line_at(void);

/* A boot goes on from a stop. */
void family_resumed(void);

/* A clone has been made. */
void family_cloned(uint32_t parent, uint32_t child);

/* A sync of the running program was answered with success; given by the world. */
extern void (*family_synced)(uint32_t pid, uint32_t step);

#endif
