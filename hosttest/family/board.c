/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that programs share: boards. A program begins with one, which its clones have, too; an execve leaves it
 * behind.
 *
 * A board is an object (space/object.h). A program sees pages of boards in two areas, at whatever offsets its calls
 * have led to: its books say for each page of the areas which page of which board is there, with which rights. What a
 * page holds is no program's to know, since all write to it; so that is in the host's table of boards, which is changed
 * in the instant in which the page is. The last page has a piece for each program, into which the kernel puts what its
 * calls answer.
 */
#include "parts.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"
#include "record.h"
#include "task/task.h"

#include <string.h>

#define FIRST_AREA  0x603FC000u /* both lie across a border of chunks */
#define SECOND_AREA 0x707FA000u
#define FIRST_SLOTS 8u
#define BOARD_SLOTS 20u
_Static_assert(BOARD_LEDGER + BOARD_SLOTS <= FAMILY_WORDS, "the books have room");

#define NOTES                (FAMILY_BOARD_PAGES - 1) /* the page of pieces */
#define PAGE_NUMBERS         16u                      /* that an entry can say, also beyond a board's end */
#define PAGE_SHIFT_OF_ENTRY  4u
#define BOARD_SHIFT_OF_ENTRY 8u

#define WRITES_MOST 6u    /* of a step */
#define MAPS_SHARED 0x31u /* MAP_SHARED, MAP_FIXED, MAP_ANONYMOUS */
#define IS_ADVISED  4u    /* MADV_DONTNEED */

struct family_board family_boards[FAMILY_BOARDS];

static uint32_t address_of(uint32_t slot)
{
    return slot < FIRST_SLOTS ? FIRST_AREA + slot * PAGE_SIZE : SECOND_AREA + (slot - FIRST_SLOTS) * PAGE_SIZE;
}

/* Slots from one on to the end of its area. */
static uint32_t room_from(uint32_t slot)
{
    return (slot < FIRST_SLOTS ? FIRST_SLOTS : BOARD_SLOTS) - slot;
}

static uint32_t board_of(uint32_t entry)
{
    return entry >> BOARD_SHIFT_OF_ENTRY;
}

static uint32_t page_of(uint32_t entry)
{
    return entry >> PAGE_SHIFT_OF_ENTRY & (PAGE_NUMBERS - 1);
}

static uint32_t entry_of(uint32_t board, uint32_t page, uint32_t rights)
{
    return board << BOARD_SHIFT_OF_ENTRY | page << PAGE_SHIFT_OF_ENTRY | rights;
}

static bool is_beyond(uint32_t entry)
{
    return page_of(entry) >= family_boards[board_of(entry)].pages;
}

static bool can_read(uint32_t entry)
{
    return (entry & READABLE) != 0 && !is_beyond(entry);
}

static bool can_write(uint32_t entry)
{
    return (entry & WRITABLE) != 0 && !is_beyond(entry);
}

/* What a step is about --------------------------------------------------------------------------------------------- */

struct range {
    uint32_t first, count;      /* slots */
    uint32_t target, new_count; /* of mremap, which moves or not */
    bool moves;
};

static struct range range_of(const struct family_step *step)
{
    uint32_t dice = family_mix(step->dice, 51), more = family_mix(step->dice, 52);
    struct range range = {.first = dice % BOARD_SLOTS, .moves = (more >> 30 & 1) != 0};

    range.count = 1 + (dice >> 8) % ((dice >> 12) % 4 == 0 ? FAMILY_BOARD_PAGES : 3);
    range.count = range.count < room_from(range.first) ? range.count : room_from(range.first);
    range.target = range.moves ? more % BOARD_SLOTS : range.first;
    range.new_count = (more >> 8) % 2 == 0 ? range.count : 1 + (more >> 10) % FAMILY_BOARD_PAGES;
    if (range.new_count > room_from(range.target)) {
        range.new_count = room_from(range.target);
    }
    return range;
}

static bool recall(struct registers *registers, uint32_t slot, uint32_t *entry)
{
    return family_recall(registers, BOARD_LEDGER + slot, entry);
}

static bool note(struct registers *registers, uint32_t slot, uint32_t entry)
{
    return family_note(registers, BOARD_LEDGER + slot, entry);
}

/* Nothing is mapped there any more. */
static bool note_none(struct registers *registers, uint32_t first, uint32_t count)
{
    return family_note_range(registers, (uint32_t)BOARD_LEDGER - (uint32_t)LEDGER + first, count, 0);
}

/* Whether the range is one mapping: the same rights, and pages that follow each other. */
static bool is_one_mapping(struct registers *registers, const struct range *range, bool *out)
{
    uint32_t first = 0;

    *out = true;
    for (uint32_t i = 0; i < range->count; i++) {
        uint32_t entry;
        TRY_BOOL(recall(registers, range->first + i, &entry));
        first = i == 0 ? entry : first;
        *out = *out && (first & MAPPED) != 0 && entry == first + (i << PAGE_SHIFT_OF_ENTRY);
    }
    return true;
}

/* Calls that refuse a hole get what is mapped up to it, or a page of it (memory.c: take_mapped_part()). */
static bool take_mapped_part(struct registers *registers, struct range *range, bool *is_mapped)
{
    for (uint32_t i = 0; i < range->count; i++) {
        uint32_t entry;
        TRY_BOOL(recall(registers, range->first + i, &entry));
        *is_mapped = i > 0 || (entry & MAPPED) != 0;
        if ((entry & MAPPED) == 0) {
            range->count = i > 0 ? i : 1;
        }
    }
    return true;
}

/* Boards ----------------------------------------------------------------------------------------------------------- */

static bool is_named(const struct family_book *book, uint32_t board)
{
    for (uint32_t i = 0; i < BOARD_SLOTS; i++) {
        if (board_of(book->words[BOARD_LEDGER + i]) == board) {
            return true;
        }
    }
    return false;
}

/* Whether anybody who lives may see it. */
static bool is_seen(uint32_t board)
{
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        const struct task *task = task_at(i);
        if (task != NULL && is_named(&family_books[task->program_id.number], board)) {
            return true;
        }
    }
    return false;
}

uint32_t family_boards_end(void)
{
    uint32_t end = FAMILY_BOARDS;

    while (end > 1 && !is_seen(end - 1)) {
        end--;
    }
    return end;
}

static uint32_t new_board(uint32_t pages)
{
    uint32_t board = 1;

    while (board < FAMILY_BOARDS && is_seen(board)) {
        board++;
    }
    if (board == FAMILY_BOARDS) {
        host_wrong("too many boards");
    }
    family_boards[board] = (struct family_board){.pages = pages};
    return board;
}

static void map_board(struct registers *registers, uint32_t first, uint32_t count)
{
    HOST_CALL(registers, CALL_MMAP2, address_of(first), count * PAGE_SIZE, 3, MAPS_SHARED, UINT32_MAX, 0);
}

/* A number for what has been mapped, in the instant in which the books get it. */
static bool note_board(struct registers *registers, uint32_t first, uint32_t count)
{
    uint32_t board;

    TRY_BOOL(recall(registers, first, &board));
    TRY_BOOL(note(registers, first, board)); /* the page of the books can be written: nothing stops what follows */
    board = new_board(count);
    for (uint32_t i = 0; i < count; i++) {
        TRY_BOOL(note(registers, first + i, entry_of(board, i, ALL)));
    }
    return true;
}

static void run_start_board(struct registers *registers)
{
    map_board(registers, 0, FIRST_SLOTS);
}

static void after_start_board(struct registers *registers)
{
    if (family_is_again(registers, START_BOARD)) {
        return;
    }
    family_expect(registers, "mmap of shared memory", (int32_t)FIRST_AREA);
    TRY(note_board(registers, 0, FIRST_SLOTS));
    host_jump(registers, BEGIN);
}

static void run_make(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    map_board(registers, range.first, range.count);
}

static void after_make(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    if (family_is_again(registers, BOARD_MAKE)) {
        return;
    }
    family_expect(registers, "mmap of shared memory", (int32_t)address_of(range.first));
    TRY(note_board(registers, range.first, range.count));
    family_counters.boards++;
    family_finish(registers, &step);
}

/* Content ---------------------------------------------------------------------------------------------------------- */

/* From a slot on, the first one whose page may be written; if there is none, the slot itself. */
static bool find_written(struct registers *registers, uint32_t *slot, uint32_t *entry)
{
    for (uint32_t i = 0; i < BOARD_SLOTS; i++) {
        TRY_BOOL(recall(registers, *slot, entry));
        if (can_write(*entry) && page_of(*entry) != NOTES) {
            return true;
        }
        *slot = (*slot + 1) % BOARD_SLOTS;
    }
    return true;
}

/* All at once: the page, and what the host knows of it. */
static bool write_page(struct registers *registers, uint32_t slot, uint32_t entry, uint32_t version)
{
    uint32_t *words;

    TRY_BOOL(host_store_words(registers, address_of(slot), &words));
    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        words[i] = family_word(version, i);
    }
    family_boards[board_of(entry)].versions[page_of(entry)] = version;
    family_counters.board_writes++;
    return true;
}

/* Some pages, through whatever views: a snapshot that is under way needs them as they were. */
static void run_write(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;

    TRY(family_step(registers, &step));
    uint32_t slot = family_mix(step.dice, 53) % BOARD_SLOTS;
    for (uint32_t i = 0; i < 1 + family_mix(step.dice, 55) % WRITES_MOST; i++) {
        uint32_t dice = family_mix(step.dice, 56 + i);
        TRY(find_written(registers, &slot, &entry));
        if (can_write(entry) && page_of(entry) != NOTES) {
            TRY(write_page(registers, slot, entry, dice % 9 == 0 ? 0 : dice >> VERSION_SHIFT));
        }
        slot = (slot + 1 + dice % 5) % BOARD_SLOTS;
    }
    family_finish(registers, &step);
}

static bool check_page(struct registers *registers, uint32_t slot, uint32_t entry)
{
    const uint32_t *words;

    if (!can_read(entry) || page_of(entry) == NOTES) {
        return true;
    }
    TRY_BOOL(host_load_words(registers, address_of(slot), &words));
    uint32_t version = family_boards[board_of(entry)].versions[page_of(entry)];
    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        if (words[i] != family_word(version, i)) {
            host_wrong("pid %u: page %u of board %u at %08x, word %u is %08x, expected version %07x", family_pid(),
                       page_of(entry), board_of(entry), address_of(slot), i, words[i], version);
        }
    }
    family_counters.board_reads++;
    return true;
}

static void run_read(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    uint32_t first = family_mix(step.dice, 53) % BOARD_SLOTS;
    for (uint32_t slot = first; slot < BOARD_SLOTS && slot < first + 4; slot++) {
        uint32_t entry;
        TRY(recall(registers, slot, &entry));
        TRY(check_page(registers, slot, entry));
    }
    family_finish(registers, &step);
}

/* Whether a step with this instruction may be in the middle of changing what is seen at a page of the areas. */
static bool touches(const struct family_step *step, uint32_t instruction, uint32_t slot)
{
    struct range range = range_of(step);
    bool is_old = slot >= range.first && slot < range.first + range.count;
    bool is_new = slot >= range.target && slot < range.target + range.new_count;

    switch (instruction) {
    case BOARD_MAKE:
    case BOARD_UNMAP:
    case BOARD_PROTECT:
        return is_old;
    case BOARD_VIEW:
        return is_new;
    case BOARD_REMAP:
        return is_old || is_new;
    default:
        return false;
    }
}

bool family_check_boards(struct registers *registers, const struct family_step *step, uint32_t instruction)
{
    for (uint32_t slot = 0; slot < BOARD_SLOTS; slot++) {
        uint32_t entry;
        TRY_BOOL(recall(registers, slot, &entry));
        if (!touches(step, instruction, slot)) {
            TRY_BOOL(check_page(registers, slot, entry));
        }
    }
    return true;
}

bool family_find_piece(struct registers *registers, const struct family_step *step, struct family_piece *out)
{
    uint32_t from = family_mix(step->dice, 54), piece = FAMILY_PIECE_BYTES * family_pid(), seen = 0;

    *out = (struct family_piece){0};
    if ((from >> 30 & 1) != 0) {
        return true;
    }
    for (uint32_t i = 0; i < BOARD_SLOTS; i++) {
        uint32_t slot = (from + i) % BOARD_SLOTS, entry;
        TRY_BOOL(recall(registers, slot, &entry));
        if (page_of(entry) != NOTES) {
            continue;
        }
        if (out->to == 0 && can_write(entry)) {
            seen = entry;
            out->to = out->from = address_of(slot) + piece;
        } else if (out->to != 0 && can_read(entry) && board_of(entry) == board_of(seen)) {
            out->from = address_of(slot) + piece;
        }
    }
    return true;
}

/* Rights, and what is not there ------------------------------------------------------------------------------------ */

static const struct {
    uint32_t prot, rights;
} protections[4] = {{3, ALL}, {1, MAPPED | READABLE}, {0, MAPPED}, {3, ALL}};

static void run_protect(struct registers *registers)
{
    struct family_step step;
    bool is_mapped;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(take_mapped_part(registers, &range, &is_mapped));
    HOST_CALL(registers, CALL_MPROTECT, address_of(range.first), range.count * PAGE_SIZE,
              protections[step.dice >> 20 & 3].prot);
}

/* False: the step is over, or the call is made once more. */
static bool changes_mapped_part(struct registers *registers, const struct family_step *step, struct range *range,
                                uint32_t instruction, const char *call)
{
    bool is_mapped;

    TRY_BOOL(take_mapped_part(registers, range, &is_mapped));
    if (!is_mapped && (int32_t)registers->eax == -ENOMEM) {
        family_finish(registers, step);
        return false;
    }
    if (family_is_again(registers, instruction)) {
        return false;
    }
    family_expect(registers, call, is_mapped ? 0 : -ENOMEM);
    return true;
}

static void after_protect(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(changes_mapped_part(registers, &step, &range, BOARD_PROTECT, "mprotect of shared memory"));
    for (uint32_t i = 0; i < range.count; i++) {
        uint32_t entry;
        TRY(recall(registers, range.first + i, &entry));
        TRY(note(registers, range.first + i, (entry & ~ALL) | protections[step.dice >> 20 & 3].rights));
    }
    family_counters.board_protections++;
    family_finish(registers, &step);
}

/* The pages stay what they are. */
static void run_forget(struct registers *registers)
{
    struct family_step step;
    bool is_mapped;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(take_mapped_part(registers, &range, &is_mapped));
    HOST_CALL(registers, CALL_MADVISE, address_of(range.first), range.count * PAGE_SIZE, IS_ADVISED);
}

static void after_forget(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(changes_mapped_part(registers, &step, &range, BOARD_FORGET, "madvise of shared memory"));
    family_finish(registers, &step);
}

/* The kernel has no other rights than the program, and is told of the end of a board. */
static void run_deny(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;

    TRY(family_step(registers, &step));
    uint32_t slot = family_mix(step.dice, 53) % BOARD_SLOTS;
    TRY(recall(registers, slot, &entry));
    if (!can_read(entry)) {
        HOST_CALL(registers, CALL_NANOSLEEP, address_of(slot), 0);
    } else if (!can_write(entry)) {
        HOST_CALL(registers, CALL_PIPE, address_of(slot));
    } else {
        family_finish(registers, &step);
    }
}

static void after_deny(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_again(registers, BOARD_DENY)) {
        return;
    }
    family_expect(registers, "a call with shared memory that it must not touch", -EFAULT);
    family_counters.board_denials++;
    family_finish(registers, &step);
}

/*
 * The kernel reads over two pages while others write to them: what it reads may be anything, and the call does nothing
 * with it, since nobody is who it asks for.
 */
#define NOBODY         30000u
#define NO_SIGNAL      99u
#define INFORMATION_AT (PAGE_SIZE - 60) /* of 128 bytes */

static void run_span(struct registers *registers)
{
    struct family_step step;
    uint32_t entry, next = 0;

    TRY(family_step(registers, &step));
    uint32_t slot = family_mix(step.dice, 53) % BOARD_SLOTS;
    TRY(recall(registers, slot, &entry));
    if (room_from(slot) > 1) {
        TRY(recall(registers, slot + 1, &next));
    }
    if (!can_read(entry) || !can_read(next)) {
        family_finish(registers, &step);
        return;
    }
    HOST_CALL(registers, CALL_RT_SIGQUEUEINFO, NOBODY, NO_SIGNAL, address_of(slot) + INFORMATION_AT);
}

static void after_span(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_again(registers, BOARD_SPAN)) {
        return;
    }
    if ((int32_t)registers->eax != -EPERM) {
        family_expect(registers, "rt_sigqueueinfo", -ESRCH);
    }
    family_counters.board_spans++;
    family_finish(registers, &step);
}

static void run_unmap(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    HOST_CALL(registers, CALL_MUNMAP, address_of(range.first), range.count * PAGE_SIZE);
}

static void after_unmap(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    if (family_is_again(registers, BOARD_UNMAP)) {
        return;
    }
    family_expect(registers, "munmap of shared memory", 0);
    TRY(note_none(registers, range.first, range.count));
    family_counters.board_unmaps++;
    family_finish(registers, &step);
}

/* mremap ----------------------------------------------------------------------------------------------------------- */

/* Pages of a board from the entry of the first one on. */
static bool note_view(struct registers *registers, uint32_t target, uint32_t count, uint32_t first)
{
    for (uint32_t i = 0; i < count; i++) {
        TRY_BOOL(note(registers, target + i, first + (i << PAGE_SHIFT_OF_ENTRY)));
    }
    return true;
}

/* Whether the books can say what pages there would be. */
static bool has_numbers(uint32_t entry, uint32_t count)
{
    return page_of(entry) + count <= PAGE_NUMBERS;
}

/* A second view, from wherever `first` is. */
static void run_view(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(recall(registers, range.first, &entry));
    bool is_over = range.target < range.first && range.first < range.target + range.new_count;
    if (is_over || !has_numbers(entry, range.new_count)) {
        family_finish(registers, &step);
        return;
    }
    HOST_CALL(registers, CALL_MREMAP, address_of(range.first), 0, range.new_count * PAGE_SIZE,
              MREMAP_MAYMOVE | MREMAP_FIXED, address_of(range.target));
}

static void after_view(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(recall(registers, range.first, &entry));
    if (family_is_again(registers, BOARD_VIEW)) {
        return;
    }
    if ((entry & MAPPED) == 0) {
        family_expect(registers, "a second view of nothing", -EFAULT);
    } else if (range.target == range.first) { /* the place is emptied first */
        family_expect(registers, "a second view onto the first", -EFAULT);
        TRY(note_none(registers, range.target, range.new_count));
    } else {
        family_expect(registers, "a second view", (int32_t)address_of(range.target));
        TRY(note_view(registers, range.target, range.new_count, entry));
        family_counters.views++;
    }
    family_finish(registers, &step);
}

/* A view moves, or grows and shrinks where it is. */
static void run_remap(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(recall(registers, range.first, &entry));
    bool is_over =
        range.moves && range.first < range.target + range.new_count && range.target < range.first + range.count;
    if (is_over || !has_numbers(entry, range.new_count)) {
        family_finish(registers, &step);
        return;
    }
    HOST_CALL(registers, CALL_MREMAP, address_of(range.first), range.count * PAGE_SIZE, range.new_count * PAGE_SIZE,
              range.moves ? MREMAP_MAYMOVE | MREMAP_FIXED : 0, address_of(range.target));
}

/* Whether something is mapped where a view would grow to. */
static bool is_in_the_way(struct registers *registers, const struct range *range, bool *out)
{
    *out = false;
    for (uint32_t i = range->count; i < range->new_count && !range->moves; i++) {
        uint32_t entry;
        TRY_BOOL(recall(registers, range->first + i, &entry));
        *out = *out || (entry & MAPPED) != 0;
    }
    return true;
}

static bool note_remap(struct registers *registers, const struct range *range, uint32_t first)
{
    TRY_BOOL(note_none(registers, range->first, range->count));
    return note_view(registers, range->target, range->new_count, first);
}

static void after_remap(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;
    bool is_one, blocked;

    TRY(family_step(registers, &step));
    struct range range = range_of(&step);
    TRY(recall(registers, range.first, &entry));
    TRY(is_one_mapping(registers, &range, &is_one));
    TRY(is_in_the_way(registers, &range, &blocked));
    if (is_one && blocked) {
        family_expect(registers, "mremap of shared memory", -ENOMEM);
    } else if (family_is_again(registers, BOARD_REMAP)) {
        return;
    } else if (!is_one) {
        family_expect(registers, "mremap of shared memory", -EFAULT);
    } else {
        family_expect(registers, "mremap of shared memory", (int32_t)address_of(range.target));
        TRY(note_remap(registers, &range, entry));
        family_counters.board_moves++;
    }
    family_finish(registers, &step);
}

void family_use_board(struct host_instruction *table)
{
    table[START_BOARD] = (struct host_instruction){run_start_board, after_start_board};
    table[BOARD_MAKE] = (struct host_instruction){run_make, after_make};
    table[BOARD_WRITE] = (struct host_instruction){run_write, NULL};
    table[BOARD_READ] = (struct host_instruction){run_read, NULL};
    table[BOARD_PROTECT] = (struct host_instruction){run_protect, after_protect};
    table[BOARD_FORGET] = (struct host_instruction){run_forget, after_forget};
    table[BOARD_DENY] = (struct host_instruction){run_deny, after_deny};
    table[BOARD_SPAN] = (struct host_instruction){run_span, after_span};
    table[BOARD_UNMAP] = (struct host_instruction){run_unmap, after_unmap};
    table[BOARD_VIEW] = (struct host_instruction){run_view, after_view};
    table[BOARD_REMAP] = (struct host_instruction){run_remap, after_remap};
}
