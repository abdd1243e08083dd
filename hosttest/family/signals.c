/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: who sends them, and the handlers.
 */
#include "parts.h"
#include "linux/linux_abi.h"

#define FLAG_RESTORER 0x04000000u
#define FLAG_RESTART  0x10000000u
#define FLAG_INFO     0x00000004u
#define ACTION        (SCRATCH + 0x40u)
#define WITH_INFO(s)  ((family_mix((s), 6) & 1) != 0)

static void run_start_handlers(struct registers *registers)
{
    uint32_t seed;

    TRY(family_recall(registers, SEED, &seed));
    uint32_t flags =
        FLAG_RESTORER | ((family_mix(seed, 7) & 1) != 0 ? FLAG_RESTART : 0) | (WITH_INFO(seed) ? FLAG_INFO : 0);
    const uint32_t action[5] = {host_code(HANDLER), flags,
                                host_code(WITH_INFO(seed) ? INFORMATION_RESTORER : RESTORER)};
    for (uint32_t i = 0; i < 5; i++) {
        TRY(host_store(registers, ACTION + 4 * i, action[i]));
    }
    HOST_CALL(registers, CALL_RT_SIGACTION, FAMILY_SIGNAL, ACTION, 0, 8);
}

static void after_start_handlers(struct registers *registers)
{
    if (family_is_again(registers, START_HANDLERS)) {
        return;
    }
    family_expect(registers, "rt_sigaction", 0);
    host_jump(registers, BREAK_FIND);
}

/*
 * Signals to children, as the host sees them in this boot, by process id: how often a handler has run, how often it had
 * when somebody began to send, and whether one must run before the program does anything else.
 */
static uint32_t runs[FAMILY_PIDS], runs_before[FAMILY_PIDS];
static bool is_due[FAMILY_PIDS];

#define UNKNOWN UINT32_MAX /* it was begun in another boot */

void family_resumed(void)
{
    for (uint32_t i = 0; i < FAMILY_PIDS; i++) {
        runs_before[i] = UNKNOWN;
        is_due[i] = false;
    }
}

void family_nothing_due(uint32_t program)
{
    is_due[program] = false;
}

void family_expect_no_signal(void)
{
    if (is_due[family_pid()]) {
        host_wrong("pid %u: was sent a signal, and goes on without its handler", family_pid());
    }
}

static void run_handler(struct registers *registers)
{
    uint32_t handled, number, back;

    TRY(host_load(registers, registers->esp, &back));
    TRY(host_load(registers, registers->esp + 4, &number));
    if (number != FAMILY_SIGNAL) {
        host_wrong("pid %u: a handler is told of signal %u", family_pid(), number);
    }
    TRY(family_recall(registers, HANDLED, &handled));
    TRY(family_note(registers, HANDLED, handled + 1));
    family_counters.handled++;
    runs[family_pid()]++;
    is_due[family_pid()] = false;
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

/* A child that a step sends a signal to; 0: it is for itself. */
static bool find_receiver(struct registers *registers, const struct family_step *step, uint32_t *place, uint32_t *to)
{
    *to = 0;
    *place = (step->dice >> 20) % (CHILDREN_MAX + 1);
    return *place == CHILDREN_MAX || family_recall(registers, CHILDREN + 3 * *place, to);
}

static void run_signal(struct registers *registers)
{
    struct family_step step;
    uint32_t to, place;

    TRY(family_step(registers, &step));
    if (family_options.is_calm) {
        family_finish(registers, &step);
        return;
    }
    TRY(find_receiver(registers, &step, &place, &to));
    if (place < CHILDREN_MAX) {
        TRY(family_note(registers, CHILDREN + 3 * place + 2, 1));
    }
    runs_before[family_pid()] = runs[to];
    HOST_CALL(registers, CALL_KILL, to == 0 ? family_pid() : to, FAMILY_SIGNAL);
}

static void after_signal(struct registers *registers)
{
    struct family_step step;
    uint32_t to, place;

    TRY(family_step(registers, &step));
    TRY(find_receiver(registers, &step, &place, &to));
    family_expect(registers, "kill", 0);
    if (to != 0 && runs_before[family_pid()] == runs[to]) {
        is_due[to] = true;
    }
    family_counters.signals++;
    family_finish(registers, &step);
}

/* Holding back ------------------------------------------------------------------------------------------------------
 *
 * A program holds the signal back, sends it to itself, sees that it waits, and lets it through: the handler has run
 * then before the call comes back, and not before.
 */

#define SET_AT     (SCRATCH + 0x80u)
#define PENDING_AT (SCRATCH + 0x90u)
#define SET_BYTES  8u
#define SIGNAL_BIT (1u << (FAMILY_SIGNAL - 1))

static void change_mask(struct registers *registers, uint32_t how)
{
    TRY(host_store(registers, SET_AT, SIGNAL_BIT));
    TRY(host_store(registers, SET_AT + 4, 0));
    HOST_CALL(registers, CALL_RT_SIGPROCMASK, how, SET_AT, 0, SET_BYTES);
}

static void run_mask(struct registers *registers)
{
    change_mask(registers, SIG_BLOCK);
}

static void after_mask(struct registers *registers)
{
    uint32_t handled;

    if (family_is_again(registers, MASK)) {
        return;
    }
    family_expect(registers, "rt_sigprocmask", 0);
    TRY(family_recall(registers, HANDLED, &handled));
    TRY(family_note(registers, MASK_HANDLED, handled));
    host_jump(registers, MASK_SEND);
}

static void run_mask_send(struct registers *registers)
{
    HOST_CALL(registers, CALL_KILL, family_pid(), FAMILY_SIGNAL);
}

static void after_mask_send(struct registers *registers)
{
    family_expect(registers, "kill", 0);
    host_jump(registers, MASK_LOOK);
}

static void run_mask_look(struct registers *registers)
{
    HOST_CALL(registers, CALL_RT_SIGPENDING, PENDING_AT, SET_BYTES);
}

static void after_mask_look(struct registers *registers)
{
    uint32_t pending, handled, before;

    if (family_is_again(registers, MASK_LOOK)) {
        return;
    }
    family_expect(registers, "rt_sigpending", 0);
    TRY(host_load(registers, PENDING_AT, &pending));
    TRY(family_recall(registers, HANDLED, &handled));
    TRY(family_recall(registers, MASK_HANDLED, &before));
    if ((pending & SIGNAL_BIT) == 0 || handled != before) {
        host_wrong("pid %u: holds a signal back: pending %x, handled %u, before %u", family_pid(), pending, handled,
                   before);
    }
    host_jump(registers, MASK_END);
}

static void run_mask_end(struct registers *registers)
{
    change_mask(registers, SIG_UNBLOCK);
}

static void after_mask_end(struct registers *registers)
{
    struct family_step step;
    uint32_t handled, before;

    TRY(family_step(registers, &step));
    if (family_is_again(registers, MASK_END)) {
        return;
    }
    family_expect(registers, "rt_sigprocmask", 0);
    TRY(family_recall(registers, HANDLED, &handled));
    TRY(family_recall(registers, MASK_HANDLED, &before));
    if (handled == before) {
        host_wrong("pid %u: a signal that was held back did not come: %u handled", family_pid(), handled);
    }
    family_counters.masks++;
    family_finish(registers, &step);
}

void family_use_signals(struct host_instruction *table)
{
    table[START_HANDLERS] = (struct host_instruction){run_start_handlers, after_start_handlers};
    table[SIGNAL] = (struct host_instruction){run_signal, after_signal};
    table[MASK] = (struct host_instruction){run_mask, after_mask};
    table[MASK_SEND] = (struct host_instruction){run_mask_send, after_mask_send};
    table[MASK_LOOK] = (struct host_instruction){run_mask_look, after_mask_look};
    table[MASK_END] = (struct host_instruction){run_mask_end, after_mask_end};
    table[HANDLER] = (struct host_instruction){run_handler, NULL};
    table[RESTORER] = (struct host_instruction){run_restorer, NULL};
    table[INFORMATION_RESTORER] = (struct host_instruction){run_information_restorer, NULL};
}
