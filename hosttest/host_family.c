/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See host_family.h.
 */
#include "host_family.h"
#include "host_calls.h"
#include "linux_errno.h"
#include "task.h"

#include <stdio.h>
#include <string.h>

/* Where things lie ------------------------------------------------------------------------------------------------- */

#define BOOKS        HOST_DATA
#define SCRATCH      (HOST_DATA + PAGE_SIZE)      /* what the kernel reads and writes in calls */
#define BUFFER       (HOST_DATA + 2u * PAGE_SIZE) /* of pipes, two pages */
#define BUFFER_BYTES (2u * PAGE_SIZE)
#define ARENA        0x40000000u
#define STACK_END    0x7FFFF000u

/* Words of the books. */
enum {
    SEED = 64, /* the image's own pattern lies below */
    STEP,
    LIMIT,
    DEPTH,
    HEAP_START,
    HEAP_PAGES,
    HANDLED,     /* signals that a handler has counted */
    PIPE_READ,   /* descriptors of the pipe under way */
    PIPE_WRITE,
    PIPE_POSITION,
    PIPE_CHILD,
    CHILDREN,    /* each: pid, seed, whether it was sent a signal */
    LEDGER = CHILDREN + 3 * 3,
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
_Static_assert(LEDGER + SLOTS <= FAMILY_WORDS, "the books have room");

/* An entry of the ledger: the version of the content (0: zeroes), and what may be done to it. */
#define MAPPED        1u
#define READABLE      2u
#define WRITABLE      4u
#define ALL           (MAPPED | READABLE | WRITABLE)
#define VERSION_SHIFT 4u

/* Instructions. */
enum {
    START,
    START_HANDLERS,
    BEGIN,
    WRITE,
    READ,
    MAP,
    UNMAP,
    PROTECT,
    MOVE,
    FORGET,
    BREAK,
    BREAK_FIND,
    FORK,
    VFORK,
    WAIT,
    EXECUTE,
    SYNC,
    SIGNAL,
    SLEEP,
    SAY,
    IDENTITY,
    PIPE,
    PIPE_FORK,
    PIPE_CHILD_CLOSE,
    PIPE_FILL,
    PIPE_SEND,
    PIPE_PARENT_CLOSE,
    PIPE_RECEIVE,
    PIPE_CLOSE,
    PIPE_WAIT,
    LEAVE,
    LEAVE_WAIT,
    HANDLER,
    RESTORER,
    INFORMATION_RESTORER,
    INSTRUCTIONS
};

struct family_book family_books[FAMILY_PIDS];
struct family_counters family_counters;
void (*family_synced)(uint32_t pid, uint32_t step);

static struct family_options options;

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

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * 0x9E3779B97F4A7C15u;

    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 32;
    return (uint32_t)h;
}

static uint32_t pid(void)
{
    return task_current()->program_index;
}

static struct family_book *book(void)
{
    return &family_books[pid()];
}

/* A word of the books, in memory and the host's copy. */
static bool note(struct registers *registers, uint32_t word, uint32_t value)
{
    TRY_BOOL(host_store(registers, BOOKS + 4 * word, value));
    book()->words[word] = value;
    return true;
}

static bool recall(struct registers *registers, uint32_t word, uint32_t *value)
{
    TRY_BOOL(host_load(registers, BOOKS + 4 * word, value));
    if (*value != book()->words[word]) {
        host_wrong("pid %u: word %u of the books is %08x, expected %08x", pid(), word, *value, book()->words[word]);
    }
    return true;
}

/* The step under way ----------------------------------------------------------------------------------------------- */

struct step {
    uint32_t seed, number, dice, depth;
    uint32_t heap_pages, heap_start;
    uint32_t first, count, target; /* slots of the arena, for those that take a range */
    uint32_t slot;
};

static bool current_step(struct registers *registers, struct step *step)
{
    TRY_BOOL(recall(registers, SEED, &step->seed));
    TRY_BOOL(recall(registers, STEP, &step->number));
    TRY_BOOL(recall(registers, DEPTH, &step->depth));
    TRY_BOOL(recall(registers, HEAP_PAGES, &step->heap_pages));
    TRY_BOOL(recall(registers, HEAP_START, &step->heap_start));
    step->dice = mix(step->seed, step->number);
    uint32_t more = mix(step->dice, 1);
    step->first = more % ARENA_SLOTS;
    step->count = 1 + (more >> 8) % 6;
    if (step->count > ARENA_SLOTS - step->first) {
        step->count = ARENA_SLOTS - step->first;
    }
    step->target = (more >> 16) % (ARENA_SLOTS - step->count + 1);
    step->slot = mix(step->dice, 2) % SLOTS;
    return true;
}

/* The step is done. The books are changed together with this. */
static void finish(struct registers *registers, const struct step *step)
{
    TRY(note(registers, STEP, step->number + 1));
    family_counters.steps++;
    host_jump(registers, BEGIN);
}

static bool may_be_short(void)
{
    return options.has_faults || options.is_short;
}

/* An answer that a call that cannot be interrupted may give. True: the call is made once more. */
static bool is_again(struct registers *registers, uint32_t instruction)
{
    int32_t result = (int32_t)registers->eax;

    if (!(result == -ENOMEM && may_be_short()) && !(options.has_faults && (result == -EIO || result == -EAGAIN))) {
        return false;
    }
    family_counters.retries++;
    host_jump(registers, instruction);
    return true;
}

static void expect_result(const struct registers *registers, const char *call, int32_t expected)
{
    if ((int32_t)registers->eax != expected) {
        host_wrong("pid %u: %s is %d, expected %d", pid(), call, (int32_t)registers->eax, expected);
    }
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static uint32_t address_of(const struct step *step, uint32_t slot)
{
    if (slot < DATA_SLOT) {
        return ARENA + slot * PAGE_SIZE;
    }
    if (slot < HEAP_SLOT) {
        return HOST_DATA + (4 + slot - DATA_SLOT) * PAGE_SIZE;
    }
    if (slot < STACK_SLOT) {
        return step->heap_start + (slot - HEAP_SLOT) * PAGE_SIZE;
    }
    return STACK_END - (72 + 2 * (slot - STACK_SLOT)) * PAGE_SIZE;
}

static uint32_t word_of(uint32_t version, uint32_t index)
{
    return version == 0 ? 0 : mix(version, index);
}

static bool check_page(struct registers *registers, const struct step *step, uint32_t slot, uint32_t entry)
{
    uint32_t address = address_of(step, slot), value;

    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        TRY_BOOL(host_load(registers, address + 4 * i, &value));
        if (value != word_of(entry >> VERSION_SHIFT, i)) {
            host_wrong("pid %u, step %u: page at %08x, word %u is %08x, expected version %07x", pid(), step->number,
                       address, i, value, entry >> VERSION_SHIFT);
        }
    }
    return true;
}

static void run_write(struct registers *registers)
{
    struct step step;
    uint32_t entry;

    TRY(current_step(registers, &step));
    TRY(recall(registers, LEDGER + step.slot, &entry));
    if ((entry & WRITABLE) != 0) {
        uint32_t version = (step.dice % 9 == 0 ? 0 : step.dice >> VERSION_SHIFT);
        for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
            TRY(host_store(registers, address_of(&step, step.slot) + 4 * i, word_of(version, i)));
        }
        TRY(note(registers, LEDGER + step.slot, version << VERSION_SHIFT | (entry & ALL)));
        family_counters.writes++;
    }
    finish(registers, &step);
}

static void run_read(struct registers *registers)
{
    struct step step;
    uint32_t entry;

    TRY(current_step(registers, &step));
    for (uint32_t slot = step.slot; slot < SLOTS && slot < step.slot + 4; slot++) {
        TRY(recall(registers, LEDGER + slot, &entry));
        if ((entry & READABLE) != 0) {
            TRY(check_page(registers, &step, slot, entry));
            family_counters.reads++;
        }
    }
    finish(registers, &step);
}

/* Changes the entries of a range of the arena. */
static bool note_range(struct registers *registers, uint32_t first, uint32_t count, uint32_t entry)
{
    for (uint32_t i = 0; i < count; i++) {
        TRY_BOOL(note(registers, LEDGER + first + i, entry));
    }
    return true;
}

/* Whether all pages of a range have the same rights. */
static bool same_rights(struct registers *registers, uint32_t first, uint32_t count, bool *same, bool *all_mapped,
                        uint32_t *rights)
{
    *same = true;
    *all_mapped = true;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry;
        TRY_BOOL(recall(registers, LEDGER + first + i, &entry));
        *rights = i == 0 ? entry & ALL : *rights;
        *same = *same && (entry & ALL) == *rights;
        *all_mapped = *all_mapped && (entry & MAPPED) != 0;
    }
    return true;
}

static void run_map(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    HOST_CALL(registers, CALL_MMAP2, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
}

static void after_map(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (is_again(registers, MAP)) {
        return;
    }
    expect_result(registers, "mmap", (int32_t)(ARENA + step.first * PAGE_SIZE));
    TRY(note_range(registers, step.first, step.count, ALL));
    family_counters.maps++;
    finish(registers, &step);
}

static void run_unmap(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    HOST_CALL(registers, CALL_MUNMAP, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE);
}

static void after_unmap(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (is_again(registers, UNMAP)) {
        return;
    }
    expect_result(registers, "munmap", 0);
    TRY(note_range(registers, step.first, step.count, 0));
    family_counters.unmaps++;
    finish(registers, &step);
}

static const struct {
    uint32_t prot, rights;
} protections[4] = {{3, ALL}, {1, MAPPED | READABLE}, {0, MAPPED}, {3, ALL}};

static void run_protect(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    HOST_CALL(registers, CALL_MPROTECT, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE,
              protections[step.dice >> 20 & 3].prot);
}

static void after_protect(struct registers *registers)
{
    struct step step;
    bool same, all_mapped;
    uint32_t rights;

    TRY(current_step(registers, &step));
    TRY(same_rights(registers, step.first, step.count, &same, &all_mapped, &rights));
    if (!all_mapped && (int32_t)registers->eax == -ENOMEM) {
        finish(registers, &step);
        return;
    }
    if (is_again(registers, PROTECT)) {
        return;
    }
    expect_result(registers, "mprotect", all_mapped ? 0 : -ENOMEM);
    for (uint32_t i = 0; i < step.count; i++) {
        uint32_t entry;
        TRY(recall(registers, LEDGER + step.first + i, &entry));
        TRY(note(registers, LEDGER + step.first + i, (entry & ~ALL) | protections[step.dice >> 20 & 3].rights));
    }
    family_counters.protections++;
    finish(registers, &step);
}

static bool overlaps(const struct step *step)
{
    return step->first < step->target + step->count && step->target < step->first + step->count;
}

/* mremap() of a range to another place in the arena. */
static void run_move(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (overlaps(&step)) {
        finish(registers, &step);
        return;
    }
    HOST_CALL(registers, CALL_MREMAP, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE, step.count * PAGE_SIZE, 3,
              ARENA + step.target * PAGE_SIZE);
}

static void after_move(struct registers *registers)
{
    struct step step;
    bool same, all_mapped;
    uint32_t rights;

    TRY(current_step(registers, &step));
    TRY(same_rights(registers, step.first, step.count, &same, &all_mapped, &rights));
    if (is_again(registers, MOVE)) {
        return;
    }
    if (!same || !all_mapped) {
        expect_result(registers, "mremap", -EFAULT);
        finish(registers, &step);
        return;
    }
    expect_result(registers, "mremap", (int32_t)(ARENA + step.target * PAGE_SIZE));
    for (uint32_t i = 0; i < step.count; i++) {
        uint32_t entry;
        TRY(recall(registers, LEDGER + step.first + i, &entry));
        TRY(note(registers, LEDGER + step.target + i, entry));
        TRY(note(registers, LEDGER + step.first + i, 0));
    }
    family_counters.moves++;
    finish(registers, &step);
}

/* madvise(MADV_DONTNEED) */
static void run_forget(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    HOST_CALL(registers, CALL_MADVISE, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE, 4);
}

static void after_forget(struct registers *registers)
{
    struct step step;
    bool same, all_mapped;
    uint32_t rights;

    TRY(current_step(registers, &step));
    TRY(same_rights(registers, step.first, step.count, &same, &all_mapped, &rights));
    if (!all_mapped && (int32_t)registers->eax == -ENOMEM) {
        finish(registers, &step);
        return;
    }
    if (is_again(registers, FORGET)) {
        return;
    }
    expect_result(registers, "madvise", all_mapped ? 0 : -ENOMEM);
    for (uint32_t i = 0; i < step.count; i++) {
        uint32_t entry;
        TRY(recall(registers, LEDGER + step.first + i, &entry));
        TRY(note(registers, LEDGER + step.first + i, entry & ALL));
    }
    finish(registers, &step);
}

/* Where the heap begins is asked once. */
static void run_break_find(struct registers *registers)
{
    HOST_CALL(registers, CALL_BRK, 0);
}

static void after_break_find(struct registers *registers)
{
    TRY(note(registers, HEAP_START, registers->eax));
    host_jump(registers, BEGIN);
}

static void run_break(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    HOST_CALL(registers, CALL_BRK, step.heap_start + step.slot % (HEAP_SLOTS + 1) * PAGE_SIZE);
}

static void after_break(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    uint32_t wanted = step.slot % (HEAP_SLOTS + 1);
    if (registers->eax != step.heap_start + wanted * PAGE_SIZE) {
        if (!may_be_short()) {
            host_wrong("pid %u: brk is %08x, expected %u pages above %08x", pid(), registers->eax, wanted,
                       step.heap_start);
        }
        family_counters.retries++;
        host_jump(registers, BREAK);
        return;
    }
    for (uint32_t i = 0; i < HEAP_SLOTS; i++) {
        if (i >= wanted) {
            TRY(note(registers, LEDGER + HEAP_SLOT + i, 0));
        } else if (i >= step.heap_pages) {
            TRY(note(registers, LEDGER + HEAP_SLOT + i, ALL));
        }
    }
    TRY(note(registers, HEAP_PAGES, wanted));
    family_counters.breaks++;
    finish(registers, &step);
}

/* Programs --------------------------------------------------------------------------------------------------------- */

/* What becomes of a program in the end follows from its seed. */
enum ending { ENDS_BY_EXIT, ENDS_BY_SIGNAL, ENDS_BY_FAULT };

static enum ending ending_of(uint32_t seed)
{
    uint32_t dice = mix(seed, 77) % 8;

    return dice == 0 ? ENDS_BY_SIGNAL : dice == 1 ? ENDS_BY_FAULT : ENDS_BY_EXIT;
}

static uint32_t code_of(uint32_t seed)
{
    return mix(seed, 78) % 200;
}

static uint32_t status_of(uint32_t seed)
{
    const uint32_t statuses[] = {
        [ENDS_BY_EXIT] = code_of(seed) << 8, [ENDS_BY_SIGNAL] = 15, [ENDS_BY_FAULT] = 11};

    return statuses[ending_of(seed)];
}

static uint32_t child_seed(const struct step *step)
{
    return mix(step->dice, 99);
}

static uint32_t limit_of(uint32_t seed)
{
    return 6 + mix(seed, 3) % 40;
}

/* A place for a child, or CHILDREN_MAX. */
static bool find_child(struct registers *registers, uint32_t wanted_pid, uint32_t *out)
{
    for (*out = 0; *out < CHILDREN_MAX; (*out)++) {
        uint32_t child;
        TRY_BOOL(recall(registers, CHILDREN + 3 * *out, &child));
        if (child == wanted_pid) {
            return true;
        }
    }
    return true;
}

static bool has_children(struct registers *registers, bool *out)
{
    *out = false;
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        uint32_t child;
        TRY_BOOL(recall(registers, CHILDREN + 3 * i, &child));
        *out = *out || child != 0;
    }
    return true;
}

void family_cloned(uint32_t parent, uint32_t child)
{
    family_books[child] = family_books[parent];
}

/* The clone's first instruction: it is somebody of its own from now on. All of the books change at once. */
static bool become_child(struct registers *registers, const struct step *step, uint32_t instruction)
{
    uint32_t seed = child_seed(step);

    TRY_BOOL(note(registers, SEED, seed));
    TRY_BOOL(note(registers, STEP, 0));
    TRY_BOOL(note(registers, LIMIT, limit_of(seed)));
    TRY_BOOL(note(registers, DEPTH, step->depth + 1));
    TRY_BOOL(note(registers, HANDLED, 0));
    TRY_BOOL(note_range(registers, CHILDREN - LEDGER, 3 * CHILDREN_MAX, 0));
    host_jump(registers, instruction);
    return true;
}

static bool adopt_child(struct registers *registers, const struct step *step)
{
    uint32_t place;

    TRY_BOOL(find_child(registers, 0, &place));
    TRY_BOOL(note(registers, CHILDREN + 3 * place + 1, child_seed(step)));
    TRY_BOOL(note(registers, CHILDREN + 3 * place + 2, 0));
    TRY_BOOL(note(registers, CHILDREN + 3 * place, registers->eax));
    return true;
}

/* Whether the step may make a child; if not, it is over. */
static bool may_clone(struct registers *registers, const struct step *step, bool *may)
{
    uint32_t place;

    TRY_BOOL(find_child(registers, 0, &place));
    *may = place < CHILDREN_MAX && step->depth < DEPTH_MAX;
    if (!*may) {
        finish(registers, step);
    }
    return true;
}

#define SIGNAL_OF_CHILDREN 17u
#define CLONE_HOLDS        0x4000u /* CLONE_VFORK, without CLONE_VM: the books of each are its own */

static void run_clone(struct registers *registers, uint32_t flags)
{
    struct step step;
    bool may;

    TRY(current_step(registers, &step));
    TRY(may_clone(registers, &step, &may));
    if (may) {
        HOST_CALL(registers, CALL_CLONE, flags, 0, 0, 0, 0);
    }
}

static void run_fork(struct registers *registers)
{
    run_clone(registers, SIGNAL_OF_CHILDREN);
}

static void after_clone(struct registers *registers, uint32_t again, uint32_t child_instruction, uint64_t *counter)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (is_again(registers, again)) {
        return;
    }
    if ((int32_t)registers->eax < 0 || registers->eax >= FAMILY_PIDS) {
        host_wrong("pid %u: a clone is %d", pid(), (int32_t)registers->eax);
    }
    if (registers->eax == 0) {
        (void)!become_child(registers, &step, child_instruction);
        return;
    }
    TRY(adopt_child(registers, &step));
    ++*counter;
    finish(registers, &step);
}

static void after_fork(struct registers *registers)
{
    after_clone(registers, FORK, BEGIN, &family_counters.forks);
}

static void run_vfork(struct registers *registers)
{
    run_clone(registers, CLONE_HOLDS | SIGNAL_OF_CHILDREN);
}

static void after_vfork(struct registers *registers)
{
    after_clone(registers, VFORK, EXECUTE, &family_counters.vforks);
}

/* Waiting ---------------------------------------------------------------------------------------------------------- */

#define STATUS SCRATCH

static bool is_excused(uint32_t status, uint32_t was_signalled)
{
    return (options.has_faults && status == 7) || (may_be_short() && (status == 9 || status == 11)) ||
           (was_signalled != 0 && status == 10);
}

/* A child has ended: its status must be the one that its seed says. */
static bool check_end(struct registers *registers, uint32_t place)
{
    uint32_t status, seed, was_signalled;

    TRY_BOOL(host_load(registers, STATUS, &status));
    TRY_BOOL(recall(registers, CHILDREN + 3 * place + 1, &seed));
    TRY_BOOL(recall(registers, CHILDREN + 3 * place + 2, &was_signalled));
    if (status != status_of(seed) && !is_excused(status, was_signalled)) {
        host_wrong("pid %u: child %u ended with %x, expected %x", pid(), registers->eax, status, status_of(seed));
    }
    family_counters.deaths += status != status_of(seed);
    family_counters.waits++;
    return note(registers, CHILDREN + 3 * place, 0);
}

static bool is_interrupted(struct registers *registers, uint32_t instruction)
{
    if ((int32_t)registers->eax != -EINTR) {
        return is_again(registers, instruction);
    }
    if (options.is_calm) {
        host_wrong("pid %u: interrupted without a signal", pid());
    }
    family_counters.retries++;
    host_jump(registers, instruction);
    return true;
}

static void run_wait(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, STATUS, step.dice >> 24 & 1, 0);
}

static void after_wait(struct registers *registers)
{
    struct step step;
    bool any;
    uint32_t place;

    TRY(current_step(registers, &step));
    if (is_interrupted(registers, WAIT)) {
        return;
    }
    TRY(has_children(registers, &any));
    if (!any) {
        expect_result(registers, "wait4", -ECHILD);
    } else if (registers->eax != 0 || (step.dice >> 24 & 1) == 0) {
        TRY(find_child(registers, registers->eax, &place));
        if (place == CHILDREN_MAX) {
            host_wrong("pid %u: wait4 is %d, no child of its", pid(), (int32_t)registers->eax);
        }
        TRY(check_end(registers, place));
    }
    finish(registers, &step);
}

/* Becoming another program ----------------------------------------------------------------------------------------- */

#define WORDS_AT (SCRATCH + 0x400u) /* the strings */
#define ARGV_AT  (SCRATCH + 0x100u)
#define PATH_AT  (SCRATCH + 0x380u)
#define MANY     400u /* words, with which it takes a while and a few pages */
#define MANY_AT  BUFFER

static bool put_text(struct registers *registers, uint32_t address, const char *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += 4) {
        uint32_t word = 0;
        size_t left = strnlen(text + i, 4);
        memcpy(&word, text + i, left);
        TRY_BOOL(host_store(registers, address + i, word));
        if (left < 4) {
            break;
        }
    }
    return true;
}

static void run_execute(struct registers *registers)
{
    struct step step;
    bool any;
    char text[36] = {0};
    uint32_t limit;

    TRY(current_step(registers, &step));
    TRY(has_children(registers, &any));
    TRY(recall(registers, LIMIT, &limit));
    if (any) {
        finish(registers, &step);
        return;
    }
    snprintf(text, sizeof(text), "%08x%08x%08x%08x", step.seed, step.number + 1, limit, step.depth);
    TRY(put_text(registers, WORDS_AT, text, sizeof(text)));
    TRY(put_text(registers, PATH_AT, "/proc/self/exe", 16));
    bool many = step.dice >> 25 & 1;
    uint32_t at = many ? MANY_AT : ARGV_AT, count = many ? MANY : 2;
    for (uint32_t i = 0; i < count; i++) {
        TRY(host_store(registers, at + 4 * i, i == 0 ? PATH_AT : WORDS_AT));
    }
    TRY(host_store(registers, at + 4 * count, 0));
    HOST_CALL(registers, CALL_EXECVE, PATH_AT, at, at + 4 * count);
}

static void after_execute(struct registers *registers)
{
    if (!is_again(registers, EXECUTE)) {
        host_wrong("pid %u: execve is %d", pid(), (int32_t)registers->eax);
    }
}

bool family_is_fresh(const struct registers *registers)
{
    return registers->eip == host_code(START);
}

static bool load_byte(struct registers *registers, uint32_t address, uint8_t *out)
{
    uint32_t word;

    TRY_BOOL(host_load(registers, address & ~3u, &word));
    *out = (uint8_t)(word >> 8 * (address & 3));
    return true;
}

/* Four numbers of eight digits. */
static bool parse_words(struct registers *registers, uint32_t address, uint32_t numbers[4])
{
    for (uint32_t i = 0; i < 32; i++) {
        uint8_t digit;
        TRY_BOOL(load_byte(registers, address + i, &digit));
        if ((digit < '0' || digit > '9') && (digit < 'a' || digit > 'f')) {
            host_wrong("pid %u: argument byte %u is %02x", pid(), i, digit);
        }
        numbers[i / 8] = numbers[i / 8] << 4 | (uint32_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return true;
}

/* A new image: its data must be what the file has. */
static bool check_image(struct registers *registers)
{
    uint32_t value;

    for (uint32_t i = 0; i < PAGE_SIZE; i += 4) {
        TRY_BOOL(host_load(registers, BOOKS + i, &value));
        if (value != i * 2654435761u) {
            host_wrong("pid %u: byte %x of the image's data is %08x", pid(), i, value);
        }
    }
    return true;
}

/*
 * The first instruction: it takes its words off the stack and begins its books. The data it finds there is the image's own
 * as long as SEED is, which is written last.
 */
static void run_start(struct registers *registers)
{
    uint32_t numbers[4] = {0}, argc, argument;

    TRY(check_image(registers));
    TRY(host_load(registers, registers->esp, &argc));
    TRY(host_load(registers, registers->esp + 8, &argument));
    if (argc != 2 && argc != MANY) {
        host_wrong("pid %u: %u arguments", pid(), argc);
    }
    TRY(parse_words(registers, argument, numbers));
    TRY(host_store(registers, BOOKS, 0)); /* the page is there now: the rest is one instant */
    for (uint32_t i = 0; i < FAMILY_WORDS; i++) {
        TRY(note(registers, i, 0));
    }
    for (uint32_t i = 0; i < DATA_SLOTS; i++) {
        TRY(note(registers, LEDGER + DATA_SLOT + i, ALL));
    }
    for (uint32_t i = 0; i < STACK_SLOTS; i++) {
        TRY(note(registers, LEDGER + STACK_SLOT + i, ALL));
    }
    TRY(note(registers, SEED, numbers[0]));
    TRY(note(registers, STEP, numbers[1]));
    TRY(note(registers, LIMIT, numbers[2]));
    TRY(note(registers, DEPTH, numbers[3]));
    family_counters.executions++;
    host_jump(registers, START_HANDLERS);
}

const char *family_words(uint64_t seed)
{
    static char words[64];

    snprintf(words, sizeof(words), "family %08x%08x%08x%08x", mix((uint32_t)seed, 5), 0u, options.steps, 0u);
    return words;
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

#define SIGUSR1        10u
#define SIGTERM        15u
#define FLAG_RESTORER  0x04000000u
#define FLAG_RESTART   0x10000000u
#define FLAG_INFO      0x00000004u
#define ACTION         (SCRATCH + 0x40u)
#define WITH_INFO(s)   ((mix((s), 6) & 1) != 0)

static void run_start_handlers(struct registers *registers)
{
    uint32_t seed;

    TRY(recall(registers, SEED, &seed));
    uint32_t flags = FLAG_RESTORER | ((mix(seed, 7) & 1) != 0 ? FLAG_RESTART : 0) | (WITH_INFO(seed) ? FLAG_INFO : 0);
    const uint32_t action[5] = {host_code(HANDLER), flags, host_code(WITH_INFO(seed) ? INFORMATION_RESTORER : RESTORER)};
    for (uint32_t i = 0; i < 5; i++) {
        TRY(host_store(registers, ACTION + 4 * i, action[i]));
    }
    HOST_CALL(registers, CALL_RT_SIGACTION, SIGUSR1, ACTION, 0, 8);
}

static void after_start_handlers(struct registers *registers)
{
    expect_result(registers, "rt_sigaction", 0);
    host_jump(registers, BREAK_FIND);
}

static void run_handler(struct registers *registers)
{
    uint32_t handled, number, back;

    TRY(host_load(registers, registers->esp, &back));
    TRY(host_load(registers, registers->esp + 4, &number));
    if (number != SIGUSR1) {
        host_wrong("pid %u: a handler is told of signal %u", pid(), number);
    }
    TRY(recall(registers, HANDLED, &handled));
    TRY(note(registers, HANDLED, handled + 1));
    family_counters.handled++;
    registers->esp += 4;
    registers->eip = back;
}

static void run_restorer(struct registers *registers)
{
    registers->esp += 4;
    HOST_CALL(registers, CALL_SIGRETURN);
}

static void run_information_restorer(struct registers *registers)
{
    HOST_CALL(registers, CALL_RT_SIGRETURN);
}

bool family_is_in_handler(const struct registers *registers)
{
    uint32_t instruction = (registers->eip - HOST_CODE) / HOST_CODE_BYTES;

    return instruction == HANDLER || instruction == RESTORER || instruction == INFORMATION_RESTORER;
}

/* To itself, a child or its parent. */
static void run_signal(struct registers *registers)
{
    struct step step;
    uint32_t to = 0, place;

    TRY(current_step(registers, &step));
    if (options.is_calm) {
        finish(registers, &step);
        return;
    }
    place = (step.dice >> 20) % (CHILDREN_MAX + 1);
    if (place < CHILDREN_MAX) {
        TRY(recall(registers, CHILDREN + 3 * place, &to));
        TRY(note(registers, CHILDREN + 3 * place + 2, 1));
    }
    HOST_CALL(registers, CALL_KILL, to == 0 ? pid() : to, SIGUSR1);
}

static void after_signal(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    expect_result(registers, "kill", 0);
    family_counters.signals++;
    finish(registers, &step);
}

/* Small calls ------------------------------------------------------------------------------------------------------ */

static void run_sync(struct registers *registers)
{
    HOST_CALL(registers, CALL_SYNC);
}

static void after_sync(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (is_interrupted(registers, SYNC)) {
        return;
    }
    expect_result(registers, "sync", 0);
    family_counters.syncs++;
    if (family_synced != NULL) {
        family_synced(pid(), step.number);
    }
    finish(registers, &step);
}

static void run_sleep(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    TRY(host_store(registers, SCRATCH + 0x20, 0));
    TRY(host_store(registers, SCRATCH + 0x24, step.dice % 20000000));
    HOST_CALL(registers, CALL_NANOSLEEP, SCRATCH + 0x20, 0);
}

static void after_sleep(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (is_interrupted(registers, SLEEP)) {
        return;
    }
    expect_result(registers, "nanosleep", 0);
    finish(registers, &step);
}

#define LINE "a line of the family\n"

static void run_say(struct registers *registers)
{
    TRY(put_text(registers, SCRATCH + 0x800, LINE, sizeof(LINE)));
    HOST_CALL(registers, CALL_WRITE, 1, SCRATCH + 0x800, sizeof(LINE) - 1);
}

static void after_say(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (is_interrupted(registers, SAY)) {
        return;
    }
    if ((int32_t)registers->eax <= 0 || registers->eax > sizeof(LINE) - 1) {
        host_wrong("pid %u: write to the terminal is %d", pid(), (int32_t)registers->eax);
    }
    finish(registers, &step);
}

static void run_identity(struct registers *registers)
{
    HOST_CALL(registers, CALL_GETPID);
}

static void after_identity(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    expect_result(registers, "getpid", (int32_t)pid());
    finish(registers, &step);
}

/* Pipes ------------------------------------------------------------------------------------------------------------
 *
 * One step: a pipe, a child that writes so many bytes of a known sequence and ends, a parent that reads to the end.
 */

#define DESCRIPTORS (SCRATCH + 0x10u)

static uint32_t pipe_bytes(uint32_t seed)
{
    return 4 * (1 + mix(seed, 9) % 25000); /* a pipe holds 64 KiB */
}

static uint32_t pipe_word(uint32_t seed, uint32_t position)
{
    return mix(seed ^ 0x5A5A5A5A, position);
}

static void run_pipe(struct registers *registers)
{
    struct step step;
    bool may, any;

    TRY(current_step(registers, &step));
    TRY(has_children(registers, &any));
    if (any) {
        finish(registers, &step); /* the wait at the end must be for the one child */
        return;
    }
    TRY(may_clone(registers, &step, &may));
    if (may) {
        HOST_CALL(registers, CALL_PIPE, DESCRIPTORS);
    }
}

static void after_pipe(struct registers *registers)
{
    uint32_t descriptors[2];

    if (is_again(registers, PIPE)) {
        return;
    }
    expect_result(registers, "pipe", 0);
    TRY(host_load(registers, DESCRIPTORS, &descriptors[0]));
    TRY(host_load(registers, DESCRIPTORS + 4, &descriptors[1]));
    TRY(note(registers, PIPE_READ, descriptors[0]));
    TRY(note(registers, PIPE_WRITE, descriptors[1]));
    TRY(note(registers, PIPE_POSITION, 0));
    host_jump(registers, PIPE_FORK);
}

static void run_pipe_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_pipe_fork(struct registers *registers)
{
    struct step step;

    TRY(current_step(registers, &step));
    if (is_again(registers, PIPE_FORK)) {
        return;
    }
    if ((int32_t)registers->eax < 0 || registers->eax >= FAMILY_PIDS) {
        host_wrong("pid %u: a clone is %d", pid(), (int32_t)registers->eax);
    }
    if (registers->eax == 0) {
        (void)!become_child(registers, &step, PIPE_CHILD_CLOSE);
        return;
    }
    TRY(note(registers, PIPE_CHILD, registers->eax));
    host_jump(registers, PIPE_PARENT_CLOSE);
}

static void close_end(struct registers *registers, uint32_t word)
{
    uint32_t descriptor;

    TRY(recall(registers, word, &descriptor));
    HOST_CALL(registers, CALL_CLOSE, descriptor);
}

static void run_pipe_child_close(struct registers *registers)
{
    close_end(registers, PIPE_READ);
}

static void after_pipe_child_close(struct registers *registers)
{
    expect_result(registers, "close", 0);
    host_jump(registers, PIPE_FILL);
}

/* Bytes in the next write. */
static uint32_t piece(uint32_t seed, uint32_t position)
{
    uint32_t left = pipe_bytes(seed) - position, wanted = 4 * (1 + mix(seed, position) % (BUFFER_BYTES / 4));

    return left < wanted ? left : wanted;
}

static void run_pipe_fill(struct registers *registers)
{
    uint32_t seed, position;

    TRY(recall(registers, SEED, &seed));
    TRY(recall(registers, PIPE_POSITION, &position));
    if (position == pipe_bytes(seed)) {
        host_jump(registers, LEAVE);
        return;
    }
    for (uint32_t i = 0; i < piece(seed, position); i += 4) {
        TRY(host_store(registers, BUFFER + i, pipe_word(seed, position + i)));
    }
    host_jump(registers, PIPE_SEND);
}

static void run_pipe_send(struct registers *registers)
{
    uint32_t seed, position, descriptor;

    TRY(recall(registers, SEED, &seed));
    TRY(recall(registers, PIPE_POSITION, &position));
    TRY(recall(registers, PIPE_WRITE, &descriptor));
    HOST_CALL(registers, CALL_WRITE, descriptor, BUFFER, piece(seed, position));
}

static void after_pipe_send(struct registers *registers)
{
    uint32_t seed, position;

    TRY(recall(registers, SEED, &seed));
    TRY(recall(registers, PIPE_POSITION, &position));
    if (is_interrupted(registers, PIPE_SEND)) {
        return;
    }
    if (registers->eax == 0 || registers->eax > piece(seed, position)) {
        host_wrong("pid %u: write of %u bytes to a pipe is %d", pid(), piece(seed, position), (int32_t)registers->eax);
    }
    /* Only whole words: a signal may have cut the write anywhere. */
    if (registers->eax % 4 != 0) {
        host_wrong("pid %u: a write to a pipe of words was cut at byte %u", pid(), registers->eax);
    }
    TRY(note(registers, PIPE_POSITION, position + registers->eax));
    host_jump(registers, PIPE_FILL);
}

static void run_pipe_parent_close(struct registers *registers)
{
    close_end(registers, PIPE_WRITE);
}

static void after_pipe_parent_close(struct registers *registers)
{
    expect_result(registers, "close", 0);
    host_jump(registers, PIPE_RECEIVE);
}

static void run_pipe_receive(struct registers *registers)
{
    uint32_t descriptor, position;
    struct step step;

    TRY(current_step(registers, &step));
    TRY(recall(registers, PIPE_READ, &descriptor));
    TRY(recall(registers, PIPE_POSITION, &position));
    HOST_CALL(registers, CALL_READ, descriptor, BUFFER, 1 + mix(step.dice, position) % BUFFER_BYTES);
}

static void after_pipe_receive(struct registers *registers)
{
    uint32_t position;
    struct step step;

    TRY(current_step(registers, &step));
    TRY(recall(registers, PIPE_POSITION, &position));
    if (is_interrupted(registers, PIPE_RECEIVE)) {
        return;
    }
    if ((int32_t)registers->eax < 0 || registers->eax > BUFFER_BYTES) {
        host_wrong("pid %u: read from a pipe is %d", pid(), (int32_t)registers->eax);
    }
    for (uint32_t i = 0; i < registers->eax; i++) {
        uint32_t at = position + i;
        uint8_t byte;
        TRY(load_byte(registers, BUFFER + i, &byte));
        if (byte != (uint8_t)(pipe_word(child_seed(&step), at & ~3u) >> 8 * (at & 3))) {
            host_wrong("pid %u: byte %u that came through a pipe is %02x", pid(), at, byte);
        }
    }
    family_counters.piped += registers->eax;
    TRY(note(registers, PIPE_POSITION, position + registers->eax));
    host_jump(registers, registers->eax == 0 ? PIPE_CLOSE : PIPE_RECEIVE);
}

static void run_pipe_close(struct registers *registers)
{
    close_end(registers, PIPE_READ);
}

static void after_pipe_close(struct registers *registers)
{
    expect_result(registers, "close", 0);
    host_jump(registers, PIPE_WAIT);
}

static void run_pipe_wait(struct registers *registers)
{
    uint32_t child;

    TRY(recall(registers, PIPE_CHILD, &child));
    HOST_CALL(registers, CALL_WAIT4, child, STATUS, 0, 0);
}

static void after_pipe_wait(struct registers *registers)
{
    struct step step;
    uint32_t child, status, position;

    TRY(current_step(registers, &step));
    if (is_interrupted(registers, PIPE_WAIT)) {
        return;
    }
    TRY(recall(registers, PIPE_CHILD, &child));
    TRY(recall(registers, PIPE_POSITION, &position));
    TRY(host_load(registers, STATUS, &status));
    uint32_t seed = child_seed(&step);
    if (registers->eax != child || (status != status_of(seed) && !is_excused(status, 0))) {
        host_wrong("pid %u: the writer %u ended as %d with %x, expected %x", pid(), child, (int32_t)registers->eax,
                   status, status_of(seed));
    }
    if (status == status_of(seed) && position != pipe_bytes(seed)) {
        host_wrong("pid %u: %u bytes came through a pipe, expected %u", pid(), position, pipe_bytes(seed));
    }
    finish(registers, &step);
}

/* The end ---------------------------------------------------------------------------------------------------------- */

/* By exit(), by a signal to itself, or by a touch of what is not there. */
static void run_leave(struct registers *registers)
{
    uint32_t seed, depth;

    TRY(recall(registers, SEED, &seed));
    TRY(recall(registers, DEPTH, &depth));
    if (depth > 0 && ending_of(seed) == ENDS_BY_FAULT) {
        TRY(host_store(registers, USER_START, 1));
        host_wrong("pid %u: something is at %08x", pid(), USER_START);
    }
    if (depth > 0 && ending_of(seed) == ENDS_BY_SIGNAL) {
        HOST_CALL(registers, CALL_KILL, pid(), SIGTERM);
    } else {
        HOST_CALL(registers, CALL_EXIT, code_of(seed));
    }
}

static void after_leave(struct registers *registers)
{
    host_wrong("pid %u: goes on after its end: %d", pid(), (int32_t)registers->eax);
}

/* The first one waits for all before. */
static void run_leave_wait(struct registers *registers)
{
    bool any;

    TRY(has_children(registers, &any));
    if (!any) {
        host_jump(registers, LEAVE);
        return;
    }
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, STATUS, 0, 0);
}

static void after_leave_wait(struct registers *registers)
{
    uint32_t place;

    if (is_interrupted(registers, LEAVE_WAIT)) {
        return;
    }
    TRY(find_child(registers, registers->eax, &place));
    if (place == CHILDREN_MAX) {
        host_wrong("pid %u: wait4 is %d, no child of its", pid(), (int32_t)registers->eax);
    }
    TRY(check_end(registers, place));
    host_jump(registers, LEAVE_WAIT);
}

/* Choice ----------------------------------------------------------------------------------------------------------- */

static const struct {
    uint8_t weight, instruction;
} choices[] = {
    {24, WRITE}, {8, READ},  {8, MAP},    {6, UNMAP}, {7, PROTECT}, {6, MOVE},     {3, FORGET}, {5, BREAK}, {9, FORK},
    {2, VFORK},  {9, WAIT},  {3, EXECUTE}, {2, SYNC},  {4, SIGNAL},  {3, SLEEP},    {1, SAY},    {1, IDENTITY}, {3, PIPE},
};

static uint32_t choose(uint32_t dice)
{
    uint32_t sum = 0, at = 0;

    for (uint32_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        sum += choices[i].weight;
    }
    dice = mix(dice, 11) % sum;
    while (dice >= choices[at].weight) {
        dice -= choices[at++].weight;
    }
    return choices[at].instruction;
}

static uint32_t instruction_of(const struct step *step, uint32_t limit)
{
    return step->number < limit ? choose(step->dice) : LEAVE_WAIT;
}

static void run_begin(struct registers *registers)
{
    struct step step;
    uint32_t limit;

    TRY(current_step(registers, &step));
    TRY(recall(registers, LIMIT, &limit));
    host_jump(registers, instruction_of(&step, limit));
}

/* Proof ------------------------------------------------------------------------------------------------------------ */

/* Whether a step of this kind may be in the middle of changing a page. */
static bool is_touched(const struct step *step, uint32_t instruction, uint32_t slot)
{
    switch (instruction) {
    case WRITE:
        return slot == step->slot;
    case MAP:
    case UNMAP:
    case PROTECT:
    case FORGET:
        return slot >= step->first && slot < step->first + step->count;
    case MOVE:
        return (slot >= step->first && slot < step->first + step->count) ||
               (slot >= step->target && slot < step->target + step->count);
    case BREAK:
        return slot >= HEAP_SLOT && slot < STACK_SLOT;
    default:
        return false;
    }
}

bool family_verify(struct registers *registers, const struct family_book *expected)
{
    struct step step;

    if (family_is_fresh(registers)) {
        return check_image(registers);
    }
    for (uint32_t i = 0; i < FAMILY_WORDS; i++) {
        uint32_t value;
        TRY_BOOL(host_load(registers, BOOKS + 4 * i, &value));
        if (value != expected->words[i]) {
            host_wrong("pid %u: word %u of the books is %08x, and was %08x at the stop", pid(), i, value,
                       expected->words[i]);
        }
    }
    *book() = *expected;
    TRY_BOOL(current_step(registers, &step));
    uint32_t instruction = instruction_of(&step, expected->words[LIMIT]);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint32_t entry = expected->words[LEDGER + slot];
        if ((entry & READABLE) != 0 && !is_touched(&step, instruction, slot)) {
            TRY_BOOL(check_page(registers, &step, slot, entry));
        }
    }
    return true;
}

static const struct host_instruction instructions[INSTRUCTIONS] = {
    [START] = {run_start, NULL},
    [START_HANDLERS] = {run_start_handlers, after_start_handlers},
    [BEGIN] = {run_begin, NULL},
    [WRITE] = {run_write, NULL},
    [READ] = {run_read, NULL},
    [MAP] = {run_map, after_map},
    [UNMAP] = {run_unmap, after_unmap},
    [PROTECT] = {run_protect, after_protect},
    [MOVE] = {run_move, after_move},
    [FORGET] = {run_forget, after_forget},
    [BREAK] = {run_break, after_break},
    [BREAK_FIND] = {run_break_find, after_break_find},
    [FORK] = {run_fork, after_fork},
    [VFORK] = {run_vfork, after_vfork},
    [WAIT] = {run_wait, after_wait},
    [EXECUTE] = {run_execute, after_execute},
    [SYNC] = {run_sync, after_sync},
    [SIGNAL] = {run_signal, after_signal},
    [SLEEP] = {run_sleep, after_sleep},
    [SAY] = {run_say, after_say},
    [IDENTITY] = {run_identity, after_identity},
    [PIPE] = {run_pipe, after_pipe},
    [PIPE_FORK] = {run_pipe_fork, after_pipe_fork},
    [PIPE_CHILD_CLOSE] = {run_pipe_child_close, after_pipe_child_close},
    [PIPE_FILL] = {run_pipe_fill, NULL},
    [PIPE_SEND] = {run_pipe_send, after_pipe_send},
    [PIPE_PARENT_CLOSE] = {run_pipe_parent_close, after_pipe_parent_close},
    [PIPE_RECEIVE] = {run_pipe_receive, after_pipe_receive},
    [PIPE_CLOSE] = {run_pipe_close, after_pipe_close},
    [PIPE_WAIT] = {run_pipe_wait, after_pipe_wait},
    [LEAVE] = {run_leave, after_leave},
    [LEAVE_WAIT] = {run_leave_wait, after_leave_wait},
    [HANDLER] = {run_handler, NULL},
    [RESTORER] = {run_restorer, NULL},
    [INFORMATION_RESTORER] = {run_information_restorer, NULL},
};

void family_use(const struct family_options *with)
{
    options = *with;
    host_program_use(instructions, INSTRUCTIONS);
}
