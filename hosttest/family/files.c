/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors: dup, dup2, fcntl and close of what is open, a pipe that a program fills and empties by itself, and poll.
 *
 * The books are sets of descriptors, a bit each: which are open, which of them execve closes, and which are ends of the
 * own pipe. A clone has all that its parent has; the ends are somebody else's there, and it only passes them on and
 * closes them. So what the pipe holds is for one program to say, as long as it has both ends.
 */
#include "parts.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"
#include "file/pipe.h"

#define CHOSEN     12u /* descriptors below that are closed and asked for */
#define OPEN_MOST  10u
#define STANDARD   3u
#define POLL_AT    (SCRATCH + 0xB0u)
#define OWN_ENDS   (SCRATCH + 0xC0u)
#define DUP_PLAIN  0u
#define DUP_LEAVES 1030u /* F_DUPFD_CLOEXEC */
#define GET_FLAGS  1u
#define SET_FLAGS  2u
#define CAPACITY   (16u * PAGE_SIZE)

struct files {
    uint32_t open, leaves, reads, writes; /* sets */
    uint32_t in, out;                     /* bytes that have gone into the own pipe, and come out */
};

static bool recall_files(struct registers *registers, struct files *files)
{
    TRY_BOOL(family_recall(registers, FILES_OPEN, &files->open));
    TRY_BOOL(family_recall(registers, FILES_LEAVE, &files->leaves));
    TRY_BOOL(family_recall(registers, FILES_READ, &files->reads));
    TRY_BOOL(family_recall(registers, FILES_WRITE, &files->writes));
    TRY_BOOL(family_recall(registers, OWN_IN, &files->in));
    return family_recall(registers, OWN_OUT, &files->out);
}

static bool note_files(struct registers *registers, const struct files *files)
{
    TRY_BOOL(family_note(registers, FILES_OPEN, files->open));
    TRY_BOOL(family_note(registers, FILES_LEAVE, files->leaves));
    TRY_BOOL(family_note(registers, FILES_READ, files->reads));
    TRY_BOOL(family_note(registers, FILES_WRITE, files->writes));
    TRY_BOOL(family_note(registers, OWN_IN, files->in));
    return family_note(registers, OWN_OUT, files->out);
}

static uint32_t bit(uint32_t descriptor)
{
    return 1u << descriptor;
}

static void forget(struct files *files, uint32_t descriptor)
{
    files->open &= ~bit(descriptor);
    files->leaves &= ~bit(descriptor);
    files->reads &= ~bit(descriptor);
    files->writes &= ~bit(descriptor);
}

static void duplicate(struct files *files, uint32_t from, uint32_t to, bool leaves)
{
    forget(files, to);
    files->open |= bit(to);
    files->leaves |= leaves ? bit(to) : 0;
    files->reads |= (files->reads & bit(from)) != 0 ? bit(to) : 0;
    files->writes |= (files->writes & bit(from)) != 0 ? bit(to) : 0;
}

/* One of a set that is not empty. */
static uint32_t pick(uint32_t set, uint32_t dice)
{
    uint32_t nth = dice % (uint32_t)__builtin_popcount(set);

    while (nth-- > 0) {
        set &= set - 1;
    }
    return (uint32_t)__builtin_ctz(set);
}

static uint32_t lowest_free(uint32_t open, uint32_t least)
{
    while ((open & bit(least)) != 0) {
        least++;
    }
    return least;
}

static bool has_room(const struct files *files)
{
    return (uint32_t)__builtin_popcount(files->open) < OPEN_MOST;
}

static bool has_own_pipe(const struct files *files)
{
    return files->reads != 0 && files->writes != 0;
}

bool family_note_opened(struct registers *registers, uint32_t descriptor)
{
    uint32_t open;

    TRY_BOOL(family_recall(registers, FILES_OPEN, &open));
    if (descriptor != lowest_free(open, 0)) {
        host_wrong("pid %u: the descriptor %u is new, and %u was free", family_pid(), descriptor, lowest_free(open, 0));
    }
    return family_note(registers, FILES_OPEN, open | bit(descriptor));
}

bool family_note_closed(struct registers *registers, uint32_t descriptor)
{
    uint32_t open;

    TRY_BOOL(family_recall(registers, FILES_OPEN, &open));
    return family_note(registers, FILES_OPEN, open & ~bit(descriptor));
}

/* One more of the same --------------------------------------------------------------------------------------------- */

struct copy {
    uint32_t way; /* dup, dup2, F_DUPFD, F_DUPFD_CLOEXEC */
    uint32_t from, to;
};

static struct copy choose_copy(const struct family_step *step, const struct files *files)
{
    uint32_t dice = family_mix(step->dice, 21);
    struct copy copy = {.way = dice % 4, .from = pick(files->open, dice >> 2 & 0xFF)};
    uint32_t wish = STANDARD + (dice >> 10) % (CHOSEN - STANDARD);

    copy.to = copy.way == 1 ? wish : lowest_free(files->open, copy.way == 0 ? 0 : wish);
    return copy;
}

static void run_duplicate(struct registers *registers)
{
    struct family_step step;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    struct copy copy = choose_copy(&step, &files);
    if (!has_room(&files)) {
        family_finish(registers, &step);
    } else if (copy.way == 0) {
        HOST_CALL(registers, CALL_DUP, copy.from);
    } else if (copy.way == 1) {
        HOST_CALL(registers, CALL_DUP2, copy.from, copy.to);
    } else {
        uint32_t wish = STANDARD + (family_mix(step.dice, 21) >> 10) % (CHOSEN - STANDARD);
        HOST_CALL(registers, CALL_FCNTL64, copy.from, copy.way == 2 ? DUP_PLAIN : DUP_LEAVES, wish);
    }
}

static void after_duplicate(struct registers *registers)
{
    struct family_step step;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    struct copy copy = choose_copy(&step, &files);
    if (family_is_interrupted(registers, DUPLICATE)) {
        return;
    }
    family_expect(registers, "dup", (int32_t)copy.to);
    if (copy.from != copy.to) {
        duplicate(&files, copy.from, copy.to, copy.way == 3);
    }
    TRY(note_files(registers, &files));
    family_counters.files++;
    family_finish(registers, &step);
}

/* Closing, and what is kept over execve ---------------------------------------------------------------------------- */

static uint32_t chosen(const struct family_step *step)
{
    return STANDARD + family_mix(step->dice, 22) % (CHOSEN - STANDARD);
}

static void run_shut(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    HOST_CALL(registers, CALL_CLOSE, chosen(&step));
}

static void after_shut(struct registers *registers)
{
    struct family_step step;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    if (family_is_again(registers, SHUT)) {
        return;
    }
    family_expect(registers, "close", (files.open & bit(chosen(&step))) != 0 ? 0 : -EBADF);
    forget(&files, chosen(&step));
    TRY(note_files(registers, &files));
    family_finish(registers, &step);
}

static bool sets_flags(const struct family_step *step)
{
    return (step->dice >> 20 & 1) != 0;
}

static uint32_t new_flags(const struct family_step *step)
{
    return step->dice >> 21 & 1;
}

static void run_flags(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    HOST_CALL(registers, CALL_FCNTL64, chosen(&step), sets_flags(&step) ? SET_FLAGS : GET_FLAGS, new_flags(&step));
}

static void after_flags(struct registers *registers)
{
    struct family_step step;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    uint32_t which = bit(chosen(&step));
    if ((files.open & which) == 0) {
        family_expect(registers, "fcntl", -EBADF);
    } else if (sets_flags(&step)) {
        family_expect(registers, "fcntl", 0);
        files.leaves = new_flags(&step) != 0 ? files.leaves | which : files.leaves & ~which;
        TRY(note_files(registers, &files));
    } else {
        family_expect(registers, "fcntl", (files.leaves & which) != 0 ? 1 : 0);
    }
    family_finish(registers, &step);
}

/* The own pipe ----------------------------------------------------------------------------------------------------- */

static uint8_t own_byte(uint32_t seed, uint32_t position)
{
    return (uint8_t)(family_mix(seed ^ 0x3C3C3C3C, position / 4) >> 8 * (position & 3));
}

static void run_own(struct registers *registers)
{
    struct family_step step;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    if (files.reads != 0 || files.writes != 0 || !has_room(&files)) {
        family_finish(registers, &step);
        return;
    }
    HOST_CALL(registers, CALL_PIPE, OWN_ENDS);
}

static void after_own(struct registers *registers)
{
    struct family_step step;
    struct files files;
    uint32_t read_end, write_end;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    if (family_is_again(registers, OWN)) {
        return;
    }
    family_expect(registers, "pipe", 0);
    TRY(host_load(registers, OWN_ENDS, &read_end));
    TRY(host_load(registers, OWN_ENDS + 4, &write_end));
    uint32_t first = lowest_free(files.open, 0), second = lowest_free(files.open | bit(first), 0);
    if (read_end != first || write_end != second) {
        host_wrong("pid %u: a pipe is at %u and %u, and %u and %u were free", family_pid(), read_end, write_end, first,
                   second);
    }
    files.open |= bit(first) | bit(second);
    files.reads = bit(first);
    files.writes = bit(second);
    files.in = files.out = 0;
    TRY(note_files(registers, &files));
    family_finish(registers, &step);
}

/* Bytes that a step writes or reads; 0: none, it would wait forever. */
static uint32_t own_count(const struct family_step *step, const struct files *files, uint32_t possible)
{
    uint32_t count = 1 + family_mix(step->dice, 23) % BUFFER_BYTES;

    return !has_own_pipe(files) ? 0 : count < possible ? count : possible;
}

/* As much of it as a piece of a board has room for, if the step uses one. */
static uint32_t in_piece(const struct family_piece *piece, uint32_t count)
{
    return piece->to != 0 && count > FAMILY_PIECE_BYTES ? FAMILY_PIECE_BYTES : count;
}

static bool fill(struct registers *registers, uint32_t address, uint32_t count, const struct family_step *step,
                 const struct files *files)
{
    uint32_t *words = NULL;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t in_page = (address + i) % PAGE_SIZE;
        if (i == 0 || in_page == 0) {
            TRY_BOOL(host_store_words(registers, address + i - in_page, &words));
        }
        ((uint8_t *)words)[in_page] = own_byte(step->seed, files->in + i);
    }
    return true;
}

static void run_own_send(struct registers *registers)
{
    struct family_step step;
    struct family_piece piece;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    uint32_t count = own_count(&step, &files, CAPACITY - (files.in - files.out));
    if (count == 0) {
        family_finish(registers, &step);
        return;
    }
    TRY(family_find_piece(registers, &step, &piece));
    count = in_piece(&piece, count);
    TRY(fill(registers, piece.to != 0 ? piece.to : BUFFER, count, &step, &files));
    HOST_CALL(registers, CALL_WRITE, pick(files.writes, step.dice), piece.to != 0 ? piece.from : BUFFER, count);
}

static void after_own_send(struct registers *registers)
{
    struct family_step step;
    struct family_piece piece;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    if (family_is_interrupted(registers, OWN_SEND)) {
        return;
    }
    TRY(family_find_piece(registers, &step, &piece));
    uint32_t count = in_piece(&piece, own_count(&step, &files, CAPACITY - (files.in - files.out)));
    if (registers->eax == 0 || registers->eax > count) {
        host_wrong("pid %u: write of %u bytes to a pipe is %d", family_pid(), count, (int32_t)registers->eax);
    }
    files.in += registers->eax;
    TRY(note_files(registers, &files));
    family_counters.piped += registers->eax;
    family_finish(registers, &step);
}

static void run_own_take(struct registers *registers)
{
    struct family_step step;
    struct family_piece piece;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    uint32_t count = own_count(&step, &files, files.in - files.out);
    if (count == 0) {
        family_finish(registers, &step);
        return;
    }
    TRY(family_find_piece(registers, &step, &piece));
    HOST_CALL(registers, CALL_READ, pick(files.reads, step.dice), piece.to != 0 ? piece.to : BUFFER,
              in_piece(&piece, count));
}

static bool check_taken(struct registers *registers, uint32_t address, const struct family_step *step,
                        const struct files *files)
{
    const uint32_t *words = NULL;

    for (uint32_t i = 0; i < registers->eax; i++) {
        uint32_t in_page = (address + i) % PAGE_SIZE;
        if (i == 0 || in_page == 0) {
            TRY_BOOL(host_load_words(registers, address + i - in_page, &words));
        }
        uint8_t byte = ((const uint8_t *)words)[in_page];
        if (byte != own_byte(step->seed, files->out + i)) {
            host_wrong("pid %u: byte %u of its own pipe is %02x at %08x", family_pid(), files->out + i, byte,
                       address + i);
        }
    }
    return true;
}

static void after_own_take(struct registers *registers)
{
    struct family_step step;
    struct family_piece piece;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    if (family_is_interrupted(registers, OWN_TAKE)) {
        return;
    }
    TRY(family_find_piece(registers, &step, &piece));
    uint32_t count = in_piece(&piece, own_count(&step, &files, files.in - files.out));
    if (registers->eax == 0 || registers->eax > count) {
        host_wrong("pid %u: read of %u bytes from a pipe is %d", family_pid(), count, (int32_t)registers->eax);
    }
    TRY(check_taken(registers, piece.to != 0 ? piece.from : BUFFER, &step, &files));
    family_counters.pieces += piece.to != 0;
    files.out += registers->eax;
    TRY(note_files(registers, &files));
    family_finish(registers, &step);
}

/* poll ------------------------------------------------------------------------------------------------------------- */

/* What must be reported of each end. */
static uint32_t read_events(const struct files *files)
{
    return files->in != files->out ? POLLIN : 0;
}

static uint32_t write_events(const struct files *files)
{
    return CAPACITY - (files->in - files->out) >= PIPE_ATOMIC ? POLLOUT : 0;
}

/* Of both ends, or only the one that can be read from; at once, some time, or forever if something is there. */
static void run_poll(struct registers *registers)
{
    struct family_step step;
    struct files files;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    if (!has_own_pipe(&files)) {
        family_finish(registers, &step);
        return;
    }
    uint32_t count = 1 + (step.dice >> 20 & 1);
    bool any = (read_events(&files) | (count > 1 ? write_events(&files) : 0)) != 0;
    uint32_t limits_ms[] = {0, 1 + (step.dice >> 24) % 30, any ? UINT32_MAX : 200};
    TRY(host_store(registers, POLL_AT, pick(files.reads, step.dice)));
    TRY(host_store(registers, POLL_AT + 4, POLLIN));
    TRY(host_store(registers, POLL_AT + 8, pick(files.writes, step.dice)));
    TRY(host_store(registers, POLL_AT + 12, POLLOUT));
    HOST_CALL(registers, CALL_POLL, POLL_AT, count, limits_ms[step.dice % 3]);
}

static void after_poll(struct registers *registers)
{
    struct family_step step;
    struct files files;
    uint32_t found[2], count;

    TRY(family_step(registers, &step));
    TRY(recall_files(registers, &files));
    if (family_is_interrupted(registers, POLL)) {
        return;
    }
    count = 1 + (step.dice >> 20 & 1);
    TRY(host_load(registers, POLL_AT + 4, &found[0]));
    TRY(host_load(registers, POLL_AT + 12, &found[1]));
    const uint32_t expected[2] = {read_events(&files), count > 1 ? write_events(&files) : 0};
    family_expect(registers, "poll", (expected[0] != 0) + (expected[1] != 0));
    if (found[0] >> 16 != expected[0] || found[1] >> 16 != expected[1]) {
        host_wrong("pid %u: poll reports %x and %x, expected %x and %x", family_pid(), found[0] >> 16, found[1] >> 16,
                   expected[0], expected[1]);
    }
    family_counters.polls++;
    family_finish(registers, &step);
}

void family_use_files(struct host_instruction *table)
{
    table[DUPLICATE] = (struct host_instruction){run_duplicate, after_duplicate};
    table[SHUT] = (struct host_instruction){run_shut, after_shut};
    table[FLAGS] = (struct host_instruction){run_flags, after_flags};
    table[OWN] = (struct host_instruction){run_own, after_own};
    table[OWN_SEND] = (struct host_instruction){run_own_send, after_own_send};
    table[OWN_TAKE] = (struct host_instruction){run_own_take, after_own_take};
    table[POLL] = (struct host_instruction){run_poll, after_poll};
}
