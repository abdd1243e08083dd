/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pipe, in one step: a child that writes so many bytes of a known sequence and ends, a parent that reads to the end.
 */
#include "parts.h"
#include "linux/linux_abi.h"

#define DESCRIPTORS (SCRATCH + 0x10u)
#define POLL_AT     (SCRATCH + 0xB0u)

static uint32_t pipe_bytes(uint32_t seed)
{
    return 4 * (1 + family_mix(seed, 9) % 25000); /* a pipe holds 64 KiB */
}

static uint32_t pipe_word(uint32_t seed, uint32_t position)
{
    return family_mix(seed ^ 0x5A5A5A5A, position);
}

static void run_pipe(struct registers *registers)
{
    struct family_step step;
    bool may, any;

    TRY(family_step(registers, &step));
    TRY(family_has_children(registers, &any));
    if (any) {
        family_finish(registers, &step); /* the wait at the end must be for the one child */
        return;
    }
    TRY(family_may_clone(registers, &step, &may));
    if (may) {
        HOST_CALL(registers, CALL_PIPE, DESCRIPTORS);
    }
}

static void after_pipe(struct registers *registers)
{
    uint32_t descriptors[2];

    if (family_is_again(registers, PIPE)) {
        return;
    }
    family_expect(registers, "pipe", 0);
    TRY(host_load(registers, DESCRIPTORS, &descriptors[0]));
    TRY(host_load(registers, DESCRIPTORS + 4, &descriptors[1]));
    TRY(family_note(registers, PIPE_READ, descriptors[0]));
    TRY(family_note(registers, PIPE_WRITE, descriptors[1]));
    TRY(family_note(registers, PIPE_POSITION, 0));
    TRY(family_note_opened(registers, descriptors[0]));
    TRY(family_note_opened(registers, descriptors[1]));
    host_jump(registers, PIPE_FORK);
}

static void run_pipe_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_pipe_fork(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_again(registers, PIPE_FORK)) {
        return;
    }
    family_expect_clone(registers);
    if (registers->eax == 0) {
        (void)!family_become_child(registers, &step, PIPE_CHILD_CLOSE);
        return;
    }
    TRY(family_note(registers, PIPE_CHILD, registers->eax));
    host_jump(registers, PIPE_PARENT_CLOSE);
}

static void close_end(struct registers *registers, uint32_t word)
{
    uint32_t descriptor;

    TRY(family_recall(registers, word, &descriptor));
    HOST_CALL(registers, CALL_CLOSE, descriptor);
}

static void after_close_end(struct registers *registers, uint32_t word, uint32_t next)
{
    uint32_t descriptor;

    family_expect(registers, "close", 0);
    TRY(family_recall(registers, word, &descriptor));
    TRY(family_note_closed(registers, descriptor));
    host_jump(registers, next);
}

static void run_pipe_child_close(struct registers *registers)
{
    close_end(registers, PIPE_READ);
}

static void after_pipe_child_close(struct registers *registers)
{
    after_close_end(registers, PIPE_READ, PIPE_FILL);
}

/* Bytes in the next write. */
static uint32_t piece(uint32_t seed, uint32_t position)
{
    uint32_t left = pipe_bytes(seed) - position, wanted = 4 * (1 + family_mix(seed, position) % (BUFFER_BYTES / 4));

    return left < wanted ? left : wanted;
}

/* The four bytes from any byte of what goes through the pipe on. */
static uint32_t pipe_four(uint32_t seed, uint32_t position)
{
    uint32_t shift = 8 * (position & 3);
    uint64_t both = (uint64_t)pipe_word(seed, (position & ~3u) + 4) << 32 | pipe_word(seed, position & ~3u);

    return (uint32_t)(both >> shift);
}

static void run_pipe_fill(struct registers *registers)
{
    uint32_t seed, position;

    TRY(family_recall(registers, SEED, &seed));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    if (position == pipe_bytes(seed)) {
        host_jump(registers, LEAVE);
        return;
    }
    uint32_t count = piece(seed, position), *words;
    for (uint32_t i = 0; i < count; i += 4) {
        if (i % PAGE_SIZE == 0) {
            TRY(host_store_words(registers, BUFFER + i, &words));
        }
        words[i % PAGE_SIZE / 4] = pipe_four(seed, position + i);
    }
    host_jump(registers, PIPE_SEND);
}

static void run_pipe_send(struct registers *registers)
{
    uint32_t seed, position, descriptor;

    TRY(family_recall(registers, SEED, &seed));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    TRY(family_recall(registers, PIPE_WRITE, &descriptor));
    HOST_CALL(registers, CALL_WRITE, descriptor, BUFFER, piece(seed, position));
}

static void after_pipe_send(struct registers *registers)
{
    uint32_t seed, position;

    TRY(family_recall(registers, SEED, &seed));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    if (family_is_interrupted(registers, PIPE_SEND)) {
        return;
    }
    if (registers->eax == 0 || registers->eax > piece(seed, position)) {
        host_wrong("pid %u: write of %u bytes to a pipe is %d", family_pid(), piece(seed, position),
                   (int32_t)registers->eax);
    }
    /* A signal may have cut the write at any byte: whoever reads leaves room for any number of them. */
    TRY(family_note(registers, PIPE_POSITION, position + registers->eax));
    host_jump(registers, PIPE_FILL);
}

static void run_pipe_parent_close(struct registers *registers)
{
    close_end(registers, PIPE_WRITE);
}

static void after_pipe_parent_close(struct registers *registers)
{
    after_close_end(registers, PIPE_WRITE, PIPE_AWAIT);
}

/* Some look before they read, for a moment or until there is something. */
static void run_pipe_await(struct registers *registers)
{
    uint32_t descriptor, position;
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(family_recall(registers, PIPE_READ, &descriptor));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    uint32_t dice = family_mix(step.dice ^ 0x77, position);
    if (dice % 2 == 0) {
        host_jump(registers, PIPE_RECEIVE);
        return;
    }
    TRY(host_store(registers, POLL_AT, descriptor));
    TRY(host_store(registers, POLL_AT + 4, POLLIN));
    HOST_CALL(registers, CALL_POLL, POLL_AT, 1, (dice & 2) != 0 ? UINT32_MAX : dice >> 24);
}

/* Whatever it answers the read finds; only that it waits forever ends with something. */
static void after_pipe_await(struct registers *registers)
{
    uint32_t found, position;
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    if (family_is_interrupted(registers, PIPE_AWAIT)) {
        return;
    }
    TRY(host_load(registers, POLL_AT + 4, &found));
    bool is_patient = (family_mix(step.dice ^ 0x77, position) & 2) != 0;
    if (registers->eax > 1 || (registers->eax == 0 && is_patient) ||
        (registers->eax == 1) != ((found >> 16 & (POLLIN | POLLHUP)) != 0)) {
        host_wrong("pid %u: poll of a pipe is %d, and reports %x", family_pid(), (int32_t)registers->eax, found >> 16);
    }
    host_jump(registers, PIPE_RECEIVE);
}

static void run_pipe_receive(struct registers *registers)
{
    uint32_t descriptor, position;
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(family_recall(registers, PIPE_READ, &descriptor));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    HOST_CALL(registers, CALL_READ, descriptor, BUFFER, 1 + family_mix(step.dice, position) % BUFFER_BYTES);
}

static void after_pipe_receive(struct registers *registers)
{
    uint32_t position;
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    if (family_is_interrupted(registers, PIPE_RECEIVE)) {
        return;
    }
    if ((int32_t)registers->eax < 0 || registers->eax > BUFFER_BYTES) {
        host_wrong("pid %u: read from a pipe is %d", family_pid(), (int32_t)registers->eax);
    }
    const uint32_t *words;
    uint32_t seed = family_child_seed(&step), expected = pipe_word(seed, position & ~3u);
    for (uint32_t i = 0; i < registers->eax; i++) {
        uint32_t at = position + i;
        if (i % PAGE_SIZE == 0) {
            TRY(host_load_words(registers, BUFFER + i, &words));
        }
        expected = at % 4 == 0 ? pipe_word(seed, at) : expected;
        uint8_t byte = (uint8_t)(words[i % PAGE_SIZE / 4] >> 8 * (i & 3));
        if (byte != (uint8_t)(expected >> 8 * (at & 3))) {
            host_wrong("pid %u: byte %u that came through a pipe is %02x", family_pid(), at, byte);
        }
    }
    family_counters.piped += registers->eax;
    TRY(family_note(registers, PIPE_POSITION, position + registers->eax));
    host_jump(registers, registers->eax == 0 ? PIPE_CLOSE : PIPE_AWAIT);
}

static void run_pipe_close(struct registers *registers)
{
    close_end(registers, PIPE_READ);
}

static void after_pipe_close(struct registers *registers)
{
    after_close_end(registers, PIPE_READ, PIPE_WAIT);
}

static void run_pipe_wait(struct registers *registers)
{
    uint32_t child;

    TRY(family_recall(registers, PIPE_CHILD, &child));
    HOST_CALL(registers, CALL_WAIT4, child, STATUS, 0, 0);
}

static void after_pipe_wait(struct registers *registers)
{
    struct family_step step;
    uint32_t child, status, position;

    TRY(family_step(registers, &step));
    if (family_is_interrupted(registers, PIPE_WAIT)) {
        return;
    }
    TRY(family_recall(registers, PIPE_CHILD, &child));
    TRY(family_recall(registers, PIPE_POSITION, &position));
    TRY(host_load(registers, STATUS, &status));
    uint32_t seed = family_child_seed(&step);
    if (registers->eax != child || (status != family_status_of(seed) && !family_is_excused(status, 0))) {
        host_wrong("pid %u: the writer %u ended as %d with %x, expected %x", family_pid(), child,
                   (int32_t)registers->eax, status, family_status_of(seed));
    }
    if (status == family_status_of(seed) && position != pipe_bytes(seed)) {
        host_wrong("pid %u: %u bytes came through a pipe, expected %u", family_pid(), position, pipe_bytes(seed));
    }
    family_finish(registers, &step);
}

void family_use_pipe(struct host_instruction *table)
{
    table[PIPE] = (struct host_instruction){run_pipe, after_pipe};
    table[PIPE_FORK] = (struct host_instruction){run_pipe_fork, after_pipe_fork};
    table[PIPE_CHILD_CLOSE] = (struct host_instruction){run_pipe_child_close, after_pipe_child_close};
    table[PIPE_FILL] = (struct host_instruction){run_pipe_fill, NULL};
    table[PIPE_SEND] = (struct host_instruction){run_pipe_send, after_pipe_send};
    table[PIPE_PARENT_CLOSE] = (struct host_instruction){run_pipe_parent_close, after_pipe_parent_close};
    table[PIPE_AWAIT] = (struct host_instruction){run_pipe_await, after_pipe_await};
    table[PIPE_RECEIVE] = (struct host_instruction){run_pipe_receive, after_pipe_receive};
    table[PIPE_CLOSE] = (struct host_instruction){run_pipe_close, after_pipe_close};
    table[PIPE_WAIT] = (struct host_instruction){run_pipe_wait, after_pipe_wait};
}
