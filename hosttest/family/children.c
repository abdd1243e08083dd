/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The children of a program: clones, waits, and how each ends.
 */
#include "parts.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"

/* What becomes of a program in the end follows from its seed. */
enum ending { ENDS_BY_EXIT, ENDS_BY_SIGNAL, ENDS_BY_FAULT };

static enum ending ending_of(uint32_t seed)
{
    uint32_t dice = family_mix(seed, 77) % 8;

    return dice == 0 ? ENDS_BY_SIGNAL : dice == 1 ? ENDS_BY_FAULT : ENDS_BY_EXIT;
}

static uint32_t code_of(uint32_t seed)
{
    return family_mix(seed, 78) % 200;
}

uint32_t family_status_of(uint32_t seed)
{
    const uint32_t statuses[] = {
        [ENDS_BY_EXIT] = code_of(seed) << 8, [ENDS_BY_SIGNAL] = SIGTERM, [ENDS_BY_FAULT] = SIGSEGV};

    return statuses[ending_of(seed)];
}

uint32_t family_child_seed(const struct family_step *step)
{
    return family_mix(step->dice, 99);
}

static uint32_t limit_of(uint32_t seed)
{
    return 6 + family_mix(seed, 3) % 40;
}

/* A place for a child, or CHILDREN_MAX. */
static bool find_child(struct registers *registers, uint32_t wanted_pid, uint32_t *out)
{
    for (*out = 0; *out < CHILDREN_MAX; (*out)++) {
        uint32_t child;
        TRY_BOOL(family_recall(registers, CHILDREN + 3 * *out, &child));
        if (child == wanted_pid) {
            return true;
        }
    }
    return true;
}

bool family_has_children(struct registers *registers, bool *out)
{
    *out = false;
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        uint32_t child;
        TRY_BOOL(family_recall(registers, CHILDREN + 3 * i, &child));
        *out = *out || child != 0;
    }
    return true;
}

void family_cloned(uint32_t parent, uint32_t child)
{
    family_books[child] = family_books[parent];
    family_nothing_due(child);
}

bool family_become_child(struct registers *registers, const struct family_step *step, uint32_t instruction)
{
    uint32_t seed = family_child_seed(step);

    TRY_BOOL(family_note(registers, SEED, seed));
    TRY_BOOL(family_note(registers, STEP, 0));
    TRY_BOOL(family_note(registers, LIMIT, limit_of(seed)));
    TRY_BOOL(family_note(registers, DEPTH, step->depth + 1));
    TRY_BOOL(family_note(registers, HANDLED, 0));
    TRY_BOOL(family_note(registers, FILES_READ, 0));
    TRY_BOOL(family_note(registers, FILES_WRITE, 0));
    TRY_BOOL(family_note_range(registers, (uint32_t)CHILDREN - (uint32_t)LEDGER, 3 * CHILDREN_MAX, 0));
    host_jump(registers, instruction);
    return true;
}

static bool adopt_child(struct registers *registers, const struct family_step *step)
{
    uint32_t place;

    TRY_BOOL(find_child(registers, 0, &place));
    TRY_BOOL(family_note(registers, CHILDREN + 3 * place + 1, family_child_seed(step)));
    TRY_BOOL(family_note(registers, CHILDREN + 3 * place + 2, 0));
    TRY_BOOL(family_note(registers, CHILDREN + 3 * place, registers->eax));
    return true;
}

bool family_may_clone(struct registers *registers, const struct family_step *step, bool *may)
{
    uint32_t place;

    TRY_BOOL(find_child(registers, 0, &place));
    *may = place < CHILDREN_MAX && step->depth < DEPTH_MAX;
    if (!*may) {
        family_finish(registers, step);
    }
    return true;
}

#define SIGNAL_OF_CHILDREN 17u
#define CLONE_HOLDS        0x4000u /* CLONE_VFORK, without CLONE_VM: the books of each are its own */

static void run_clone(struct registers *registers, uint32_t flags)
{
    struct family_step step;
    bool may;

    TRY(family_step(registers, &step));
    TRY(family_may_clone(registers, &step, &may));
    if (may) {
        HOST_CALL(registers, CALL_CLONE, flags, 0, 0, 0, 0);
    }
}

static void run_fork(struct registers *registers)
{
    run_clone(registers, SIGNAL_OF_CHILDREN);
}

void family_expect_clone(const struct registers *registers)
{
    if ((int32_t)registers->eax < 0 || registers->eax >= FAMILY_PIDS) {
        host_wrong("pid %u: a clone is %d", family_pid(), (int32_t)registers->eax);
    }
}

static void after_clone(struct registers *registers, uint32_t again, uint32_t child_instruction, uint64_t *counter)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_again(registers, again)) {
        return;
    }
    family_expect_clone(registers);
    if (registers->eax == 0) {
        (void)!family_become_child(registers, &step, child_instruction);
        return;
    }
    TRY(adopt_child(registers, &step));
    ++*counter;
    family_finish(registers, &step);
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

bool family_is_excused(uint32_t status, uint32_t was_signalled)
{
    return (family_options.has_faults && status == SIGBUS) ||
           (family_may_be_short() && (status == SIGKILL || status == SIGSEGV)) ||
           (was_signalled != 0 && status == FAMILY_SIGNAL);
}

/* wait4 has told of a child's end: it must be one of this program's, and the status the one that its seed says. */
static bool take_end(struct registers *registers, uint32_t status_at)
{
    uint32_t status, seed, was_signalled, place;

    TRY_BOOL(find_child(registers, registers->eax, &place));
    if (place == CHILDREN_MAX) {
        host_wrong("pid %u: wait4 is %d, no child of its", family_pid(), (int32_t)registers->eax);
    }
    TRY_BOOL(host_load(registers, status_at, &status));
    TRY_BOOL(family_recall(registers, CHILDREN + 3 * place + 1, &seed));
    TRY_BOOL(family_recall(registers, CHILDREN + 3 * place + 2, &was_signalled));
    if (status != family_status_of(seed) && !family_is_excused(status, was_signalled)) {
        host_wrong("pid %u: child %u ended with %x, expected %x", family_pid(), registers->eax, status,
                   family_status_of(seed));
    }
    family_counters.deaths += status != family_status_of(seed);
    family_counters.waits++;
    return family_note(registers, CHILDREN + 3 * place, 0);
}

static void run_wait(struct registers *registers)
{
    struct family_step step;
    struct family_piece piece;

    TRY(family_step(registers, &step));
    TRY(family_find_piece(registers, &step, &piece));
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, piece.to != 0 ? piece.to : STATUS, step.dice >> 24 & 1, 0);
}

static void after_wait(struct registers *registers)
{
    struct family_step step;
    struct family_piece piece;
    bool any;

    TRY(family_step(registers, &step));
    if (family_is_interrupted(registers, WAIT)) {
        return;
    }
    TRY(family_find_piece(registers, &step, &piece));
    TRY(family_has_children(registers, &any));
    if (!any) {
        family_expect(registers, "wait4", -ECHILD);
    } else if (registers->eax != 0 || (step.dice >> 24 & 1) == 0) {
        TRY(take_end(registers, piece.to != 0 ? piece.from : STATUS));
        family_counters.pieces += piece.to != 0;
    }
    family_finish(registers, &step);
}

/* The end ---------------------------------------------------------------------------------------------------------- */

/* By exit(), by a signal to itself, or by a touch of what is not there. */
static void run_leave(struct registers *registers)
{
    uint32_t seed, depth;

    TRY(family_recall(registers, SEED, &seed));
    TRY(family_recall(registers, DEPTH, &depth));
    if (depth > 0 && ending_of(seed) == ENDS_BY_FAULT) {
        TRY(host_store(registers, USER_START, 1));
        host_wrong("pid %u: something is at %08x", family_pid(), USER_START);
    }
    if (depth > 0 && ending_of(seed) == ENDS_BY_SIGNAL) {
        HOST_CALL(registers, CALL_KILL, family_pid(), SIGTERM);
    } else {
        HOST_CALL(registers, CALL_EXIT, code_of(seed));
    }
}

static void after_leave(struct registers *registers)
{
    host_wrong("pid %u: goes on after its end: %d", family_pid(), (int32_t)registers->eax);
}

/* Some do not wait for their children, which go on without a parent. The first one does. */
static void run_leave_wait(struct registers *registers)
{
    uint32_t seed, depth;
    bool any;

    TRY(family_recall(registers, SEED, &seed));
    TRY(family_recall(registers, DEPTH, &depth));
    TRY(family_has_children(registers, &any));
    if (!any || (depth > 0 && family_mix(seed, 12) % 3 == 0)) {
        family_counters.orphans += any;
        host_jump(registers, LEAVE);
        return;
    }
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, STATUS, 0, 0);
}

static void after_leave_wait(struct registers *registers)
{
    if (family_is_interrupted(registers, LEAVE_WAIT)) {
        return;
    }
    TRY(take_end(registers, STATUS));
    host_jump(registers, LEAVE_WAIT);
}

void family_use_children(struct host_instruction *table)
{
    table[FORK] = (struct host_instruction){run_fork, after_fork};
    table[VFORK] = (struct host_instruction){run_vfork, after_vfork};
    table[WAIT] = (struct host_instruction){run_wait, after_wait};
    table[LEAVE] = (struct host_instruction){run_leave, after_leave};
    table[LEAVE_WAIT] = (struct host_instruction){run_leave_wait, after_leave_wait};
}
