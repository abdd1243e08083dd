/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of a program (host_family.h) share: where its memory lies, the words of its books, the step under way,
 * and what each part gives to the others.
 *
 * A part is a file with the instructions of one concept. An instruction may be given up at any access to memory and
 * begins anew then (TRY); what it changes in the books, it changes at its end, all at once.
 */
#ifndef FAMILY_PARTS_H
#define FAMILY_PARTS_H

#include "host_calls.h"
#include "host_family.h"
#include "host_program.h"

/* An access that the program did not get done gives the instruction up. */
#define TRY(access)                                                                                                    \
    do {                                                                                                               \
        if (!(access)) {                                                                                               \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

#define TRY_BOOL(access)                                                                                               \
    do {                                                                                                               \
        if (!(access)) {                                                                                               \
            return false;                                                                                              \
        }                                                                                                              \
    } while (0)

/* Where things lie ------------------------------------------------------------------------------------------------- */

#define BOOKS        HOST_DATA
#define SCRATCH      (HOST_DATA + PAGE_SIZE)      /* what the kernel reads and writes in calls */
#define BUFFER       (HOST_DATA + 2u * PAGE_SIZE) /* of pipes, two pages */
#define BUFFER_BYTES (2u * PAGE_SIZE)
#define ARENA        0x40000000u
#define STACK_END    (USER_END - PAGE_SIZE)

/* Words of the books. */
enum {
    SEED = 64, /* the image's own pattern lies below */
    STEP,
    LIMIT,
    DEPTH,
    HEAP_START,
    HEAP_PAGES,
    HANDLED,      /* signals that a handler has counted */
    MASK_HANDLED, /* and had counted when the program began to hold them back */
    LINE_AT,      /* bytes that the first program has read from the terminal */
    FILES_OPEN,   /* sets of descriptors: files.c */
    FILES_LEAVE,
    FILES_READ,
    FILES_WRITE,
    OWN_IN,
    OWN_OUT,
    PIPE_READ, /* descriptors of the pipe under way */
    PIPE_WRITE,
    PIPE_POSITION,
    PIPE_CHILD,
    CHILDREN, /* each: pid, seed, whether it was sent a signal */
    LEDGER = CHILDREN + 3 * 3,
    BOARD_LEDGER = LEDGER + 48, /* of views: board.c */
};

#define CHILDREN_MAX 3u
#define DEPTH_MAX    3u

/* Pages of the playground, by slot. */
#define ARENA_SLOTS 24u
#define DATA_SLOTS  8u
#define HEAP_SLOTS  8u
#define STACK_SLOTS 8u
#define DATA_SLOT   ARENA_SLOTS
#define HEAP_SLOT   (DATA_SLOT + DATA_SLOTS)
#define STACK_SLOT  (HEAP_SLOT + HEAP_SLOTS)
#define SLOTS       (STACK_SLOT + STACK_SLOTS)
_Static_assert(LEDGER + SLOTS <= BOARD_LEDGER, "the books have room");

/* An entry of the ledger: the version of the content (0: zeroes), and what may be done to it. */
#define MAPPED        1u
#define READABLE      2u
#define WRITABLE      4u
#define ALL           (MAPPED | READABLE | WRITABLE)
#define VERSION_SHIFT 4u

/* Instructions, of all parts. */
enum {
    START,
    START_HANDLERS,
    START_MAP,
    BEGIN,
    WRITE,
    READ,
    MAP,
    UNMAP,
    PROTECT,
    MOVE,
    RESIZE,
    FORGET,
    BREAK,
    BREAK_FIND,
    FORK,
    VFORK,
    WAIT,
    EXECUTE,
    SYNC,
    SIGNAL,
    MASK,
    MASK_SEND,
    MASK_LOOK,
    MASK_END,
    SLEEP,
    LOCK_WAIT,
    LISTEN,
    SAY,
    IDENTITY,
    DUPLICATE,
    SHUT,
    FLAGS,
    OWN,
    OWN_SEND,
    OWN_TAKE,
    POLL,
    PIPE,
    PIPE_FORK,
    PIPE_CHILD_CLOSE,
    PIPE_FILL,
    PIPE_SEND,
    PIPE_PARENT_CLOSE,
    PIPE_AWAIT,
    PIPE_RECEIVE,
    PIPE_CLOSE,
    PIPE_WAIT,
    LEAVE,
    LEAVE_WAIT,
    HANDLER,
    RESTORER,
    INFORMATION_RESTORER,
    START_BOARD,
    BOARD_MAKE,
    BOARD_WRITE,
    BOARD_READ,
    BOARD_PROTECT,
    BOARD_FORGET,
    BOARD_DENY,
    BOARD_SPAN,
    BOARD_UNMAP,
    BOARD_VIEW,
    BOARD_REMAP,
    INSTRUCTIONS
};
/* What the books say of the step under way, and the dice of it. */
struct family_step {
    uint32_t seed, number, dice, depth;
    uint32_t heap_pages, heap_start;
    uint32_t first, count, target; /* slots of the arena, for those that take a range */
    uint32_t fresh;                /* slots that are mapped anew from `first` on */
    uint32_t slot;
};

/* Books and steps (books.c) ---------------------------------------------------------------------------------------- */

extern struct family_options family_options;

/* Two numbers make a third, the same each time. */
uint32_t family_mix(uint32_t a, uint32_t b);

/* The program that runs, and the host's copy of its books. */
uint32_t family_pid(void);
struct family_book *family_book(void);

/* Write or read a word of the books, in memory and the host's copy; these must agree. */
MUST_CHECK bool family_note(struct registers *registers, uint32_t word, uint32_t value);
MUST_CHECK bool family_recall(struct registers *registers, uint32_t word, uint32_t *value);

/* The same value in words LEDGER + first and so on. */
MUST_CHECK bool family_note_range(struct registers *registers, uint32_t first, uint32_t count, uint32_t entry);

MUST_CHECK bool family_step(struct registers *registers, struct family_step *step);

/*
 * Stories (story.c): some steps follow each other as chance would seldom have it. Returns the instruction of a step
 * that is part of one, and sets its range; INSTRUCTIONS: it is part of none.
 */
uint32_t family_story(struct family_step *step);

/* The step is done. The books are changed together with this. */
void family_finish(struct registers *registers, const struct family_step *step);

/* Whether calls may answer that memory, or something else, did not suffice. */
bool family_may_be_short(void);

/*
 * Whether a call's answer is one after which it is made once more, and then it is. The second also takes an
 * interruption for one, where signals are sent.
 */
bool family_is_again(struct registers *registers, uint32_t instruction);
bool family_is_interrupted(struct registers *registers, uint32_t instruction);

void family_expect(const struct registers *registers, const char *call, int32_t expected);

/* Text in memory: up to `bytes`, or to its end; and a byte of it. */
MUST_CHECK bool family_put_text(struct registers *registers, uint32_t address, const char *text, uint32_t bytes);
MUST_CHECK bool family_load_byte(struct registers *registers, uint32_t address, uint8_t *out);

/* Memory (memory.c) ------------------------------------------------------------------------------------------------ */

/* What a word of a page with a version is; version 0: zeroes. */
uint32_t family_word(uint32_t version, uint32_t index);

/* A page must have the content that its entry of the ledger says. */
MUST_CHECK bool family_check_page(struct registers *registers, const struct family_step *step, uint32_t slot,
                                  uint32_t entry);

/* Whether all pages of a range have the same rights, and whether all are mapped. */
MUST_CHECK bool family_same_rights(struct registers *registers, uint32_t first, uint32_t count, bool *same,
                                   bool *all_mapped, uint32_t *rights);

/* Whether a step with this instruction may be in the middle of changing a page. */
bool family_touches(const struct family_step *step, uint32_t instruction, uint32_t slot);

/* The same of a step that calls mremap (remap.c). */
bool family_remap_touches(const struct family_step *step, uint32_t instruction, uint32_t slot);

/* Shared memory (board.c) ------------------------------------------------------------------------------------------ */

/*
 * A piece of a board that is this program's alone, for what the kernel reads and writes: where to write to, and where
 * the same is seen, often at another address. `to` is 0 where there is none, and where the step does without.
 */
#define FAMILY_PIECE_BYTES (PAGE_SIZE / FAMILY_PIDS)
struct family_piece {
    uint32_t to, from;
};
MUST_CHECK bool family_find_piece(struct registers *registers, const struct family_step *step,
                                  struct family_piece *out);

/* All that is seen of boards, but for what the step is about, must have the content that the host's table says. */
MUST_CHECK bool family_check_boards(struct registers *registers, const struct family_step *step, uint32_t instruction);

/* Descriptors (files.c) -------------------------------------------------------------------------------------------- */

#define FILES_AT_START 7u /* the three of the terminal */

/* A call has opened a descriptor, which must be the lowest one that was free; or closed it. */
MUST_CHECK bool family_note_opened(struct registers *registers, uint32_t descriptor);
MUST_CHECK bool family_note_closed(struct registers *registers, uint32_t descriptor);

/* Children (children.c) -------------------------------------------------------------------------------------------- */

#define STATUS SCRATCH /* where wait4 puts it */

/* The seed of the child that a step makes, and the status that one of a seed ends with. */
uint32_t family_child_seed(const struct family_step *step);
uint32_t family_status_of(uint32_t seed);

/* Whether a child may have ended with another status than its seed's. */
bool family_is_excused(uint32_t status, uint32_t was_signalled);

MUST_CHECK bool family_has_children(struct registers *registers, bool *out);

/* Whether the step may make a child; if not, it is over. */
MUST_CHECK bool family_may_clone(struct registers *registers, const struct family_step *step, bool *may);

/* What a clone answered must be a process id, or 0. */
void family_expect_clone(const struct registers *registers);

/* The clone's first instruction: it is somebody of its own from now on. All of the books change at once. */
MUST_CHECK bool family_become_child(struct registers *registers, const struct family_step *step, uint32_t instruction);

/* Signals (signals.c) ---------------------------------------------------------------------------------------------- */

/* The program that runs has been sent no signal that its handler has not run for. */
void family_expect_no_signal(void);

/* A process id means another program from now on. */
void family_nothing_due(uint32_t program);

/* Images (image.c) ------------------------------------------------------------------------------------------------- */

/* A new image: its data must be what the file has. */
MUST_CHECK bool family_check_image(struct registers *registers);

/* The instructions of each part ------------------------------------------------------------------------------------ */

void family_use_memory(struct host_instruction *table);
void family_use_remap(struct host_instruction *table);
void family_use_files(struct host_instruction *table);
void family_use_children(struct host_instruction *table);
void family_use_image(struct host_instruction *table);
void family_use_signals(struct host_instruction *table);
void family_use_calls(struct host_instruction *table);
void family_use_pipe(struct host_instruction *table);
void family_use_board(struct host_instruction *table);

#endif
