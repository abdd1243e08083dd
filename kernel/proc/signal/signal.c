/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: sending, default actions, delivery.
 *
 * Signal n is bit n - 1 of a 64-bit set kept as two words; what siginfo says of a pending one is in the program's
 * record, once for all its tasks. A signal that would be ignored is dropped when it is sent or, if it is blocked then,
 * when it is not any more; so one that is pending and not blocked always means something. There is no job control: the
 * signals that would stop a program are ignored.
 */
#include "space/address_space.h"
#include "call.h"
#include "log.h"
#include "program_hold.h"
#include "signals.h"
#include "task/task.h"
#include "terminal.h"
#include <string.h>

static bool is_in(const uint32_t set[2], uint32_t signal)
{
    return (set[(signal - 1) / 32] >> ((signal - 1) % 32) & 1u) != 0;
}

static void add(uint32_t set[2], uint32_t signal)
{
    set[(signal - 1) / 32] |= 1u << ((signal - 1) % 32);
}

static void take_out(uint32_t set[2], uint32_t signal)
{
    set[(signal - 1) / 32] &= ~(1u << ((signal - 1) % 32));
}

/* What happened, for messages. */
static const char *signal_text(uint32_t signal)
{
    static const char *const texts[] = {
        [SIGHUP] = "hangup",       [SIGINT] = "interrupted",
        [SIGQUIT] = "quit",        [SIGILL] = "illegal instruction",
        [SIGTRAP] = "trace trap",  [SIGABRT] = "aborted",
        [SIGBUS] = "bus error",    [SIGFPE] = "arithmetic error",
        [SIGKILL] = "killed",      [SIGSEGV] = "segmentation fault",
        [SIGPIPE] = "broken pipe", [SIGALRM] = "alarm clock",
        [SIGTERM] = "terminated",
    };

    return signal < sizeof(texts) / sizeof(texts[0]) && texts[signal] != NULL ? texts[signal] : "ended by a signal";
}

static bool is_ignored_by_default(uint32_t signal)
{
    return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH ||
           (signal >= SIGSTOP && signal <= SIGTTOU);
}

static bool is_ignored(const struct program_record *program, uint32_t signal)
{
    uint32_t handler = program->actions[signal].handler;

    if (signal == SIGKILL) {
        return false;
    }
    return handler == SIG_IGN || (handler == SIG_DFL && is_ignored_by_default(signal));
}

/* The lowest signal that is pending and not blocked; 0: none. */
static uint32_t next_signal(const struct task_record *record)
{
    for (uint32_t word = 0; word < 2; word++) {
        uint32_t ready = record->signal_pending[word] & ~record->signal_mask[word];
        if (ready != 0) {
            return word * 32 + (uint32_t)__builtin_ctz(ready) + 1;
        }
    }
    return 0;
}

bool signal_is_pending(const struct task *task)
{
    return task->dying || next_signal(task->record) != 0;
}

/* One that will end the program; 0: none. */
static uint32_t next_fatal_signal(const struct task *task)
{
    const struct task_record *record = task->record;

    for (uint32_t signal = 1; signal <= SIGNAL_MAX; signal++) {
        bool is_ready = is_in(record->signal_pending, signal) && !is_in(record->signal_mask, signal);
        bool has_handler = signal != SIGKILL && task->program->actions[signal].handler != SIG_DFL;
        if (is_ready && !has_handler && !is_ignored(task->program, signal)) {
            return signal;
        }
    }
    return 0;
}

/* What ends the program comes first: nothing is gained by handlers that will not run. */
static uint32_t next_to_deliver(const struct task *task)
{
    uint32_t next = next_signal(task->record);
    uint32_t fatal = next != 0 ? next_fatal_signal(task) : 0;

    return fatal != 0 ? fatal : next;
}

bool signal_wait_goes_on(enum error error)
{
    const struct task *task = task_current();

    return error == ERROR_INTERRUPTED && task != NULL && !task->dying && next_fatal_signal(task) == 0;
}

bool signal_restarts_call(const struct task *task)
{
    uint32_t signal = next_signal(task->record);

    return signal != 0 && (task->program->actions[signal].flags & SA_RESTART) != 0;
}

#define UNBLOCKABLE (1u << (SIGKILL - 1) | 1u << (SIGSTOP - 1))

void signal_set_mask(struct task *task, uint32_t low, uint32_t high)
{
    struct task_record *record = task->record;

    record->signal_mask[0] = low & ~UNBLOCKABLE;
    record->signal_mask[1] = high;
    for (uint32_t signal = next_signal(record); signal != 0 && signal <= SIGNAL_MAX; signal++) {
        if (is_in(record->signal_pending, signal) && !is_in(record->signal_mask, signal) &&
            is_ignored(task->program, signal)) {
            take_out(record->signal_pending, signal);
        }
    }
}

void signal_set_action(struct program_record *program, uint32_t signal, const struct signal_action *action)
{
    program->actions[signal] = *action;
    program->actions[signal].mask[0] &= ~UNBLOCKABLE;
    for (uint32_t i = 0; is_ignored(program, signal) && i < TASKS_MAX; i++) {
        struct task *task = task_at(i);
        if (task != NULL && task->program == program) {
            take_out(task->record->signal_pending, signal);
        }
    }
}

void signal_mask_exchange(struct task *task, uint32_t low, uint32_t high)
{
    struct task_record *record = task->record;

    if (record->signal_mask_saved == 0) {
        memcpy(record->signal_saved_mask, record->signal_mask, sizeof(record->signal_mask));
        record->signal_mask_saved = 1;
    }
    signal_set_mask(task, low, high);
}

void signal_mask_restore(struct task *task)
{
    if (task->record->signal_mask_saved != 0) {
        signal_set_mask(task, task->record->signal_saved_mask[0], task->record->signal_saved_mask[1]);
        task->record->signal_mask_saved = 0;
    }
}

/* Sending ---------------------------------------------------------------------------------------------------------- */

void signal_send_task_from(struct task *task, uint32_t signal, const struct signal_origin *origin)
{
    struct task_record *record = task->record;
    bool is_blocked = is_in(record->signal_mask, signal);

    if (signal == SIGCONT) {
        program_let_go(task->program_index, PROGRAM_HELD_AT_BOOT);
    }
    if (is_ignored(task->program, signal) && !is_blocked) {
        return;
    }
    if (!is_in(record->signal_pending, signal)) {
        add(record->signal_pending, signal);
        task->program->origins[signal] = *origin;
    }
    if (!is_blocked) {
        thread_interrupt(task->thread);
    }
}

/* The task of a program that gets a signal: one that does not block it, if there is any. */
static struct task *receiver_of(uint32_t program, uint32_t signal)
{
    struct task *receiver = NULL;

    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        struct task *task = task_at(i);
        if (task == NULL || task->program_index != program) {
            continue;
        }
        if (receiver == NULL || (signal != 0 && is_in(receiver->record->signal_mask, signal))) {
            receiver = task;
        }
    }
    return receiver;
}

static bool has_ended(uint32_t program)
{
    return program > 0 && program < record_committed(RECORD_PROGRAM) && program_at(program)->state >= PROGRAM_ZOMBIE;
}

enum error signal_send_from(uint32_t program, uint32_t signal, const struct signal_origin *origin)
{
    if (signal > SIGNAL_MAX) {
        return ERROR_INVALID;
    }
    struct task *receiver = receiver_of(program, signal);
    if (receiver == NULL) {
        return has_ended(program) ? OK : ERROR_NOT_FOUND;
    }
    if (signal != 0) {
        signal_send_task_from(receiver, signal, origin);
    }
    return OK;
}

enum error signal_send_group_from(uint32_t process_group, uint32_t signal, const struct signal_origin *origin)
{
    enum error result = ERROR_NOT_FOUND;

    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        const struct program_record *program = program_at(i);
        if (program->state == PROGRAM_RUNNING && program->process_group == process_group) {
            enum error error = signal_send_from(i, signal, origin);
            result = result == ERROR_NOT_FOUND ? error : result;
        }
    }
    return result;
}

static const struct signal_origin from_kernel = {.code = SI_KERNEL};

void signal_send_task(struct task *task, uint32_t signal)
{
    signal_send_task_from(task, signal, &from_kernel);
}

enum error signal_send(uint32_t program, uint32_t signal)
{
    return signal_send_from(program, signal, &from_kernel);
}

enum error signal_send_group(uint32_t process_group, uint32_t signal)
{
    return signal_send_group_from(process_group, signal, &from_kernel);
}

/* Delivery --------------------------------------------------------------------------------------------------------- */

/* Who has made the program hears of it by wait(), and says what there is to say, unless it was a mistake of its own. */
static _Noreturn void end_program(const struct signal_fault *fault)
{
    const struct program_record *program = task_current()->program;
    const char *text = fault->detail[0] != 0 ? fault->detail : signal_text(fault->signal);

    if (program->parent == 0 || fault->detail[0] != 0) {
        terminal_say(program->terminal, "eidolon: %s: %s", program->name, text);
    }
    program_exit(fault->signal);
}

/*
 * Run the handler. If its stack cannot take the frame the signal becomes SIGSEGV, which may have another stack; one that
 * has not ends the program. A signal that ends the program may come while the stack is waited for; it is left to the next
 * delivery.
 */
static void enter_handler(struct registers *registers, const struct signal_fault *fault)
{
    struct task *task = task_current();
    struct signal_action *installed = &task->program->actions[fault->signal];
    struct signal_action action = *installed;
    enum error error = signal_frame_enter(registers, fault, &action);

    if (error == ERROR_INTERRUPTED) {
        return;
    }
    take_out(task->record->signal_pending, fault->signal);
    if (error != OK) {
        struct signal_fault overrun = {.signal = SIGSEGV, .code = SI_KERNEL};
        kernel_snprintf(overrun.detail, sizeof(overrun.detail), "no stack for the handler of signal %u (esp 0x%x)",
                        fault->signal, registers->esp);
        if (fault->signal == SIGSEGV) {
            end_program(&overrun);
        }
        signal_force(registers, &overrun);
        return;
    }
    signal_set_mask(task, task->record->signal_mask[0] | action.mask[0], task->record->signal_mask[1] | action.mask[1]);
    if ((action.flags & SA_NODEFER) == 0) {
        add(task->record->signal_mask, fault->signal);
    }
    if ((action.flags & SA_RESETHAND) != 0) {
        installed->handler = SIG_DFL;
    }
}

void signal_force(struct registers *registers, const struct signal_fault *fault)
{
    struct task *task = task_current();
    uint32_t handler = task->program->actions[fault->signal].handler;

    if (handler == SIG_DFL || handler == SIG_IGN || is_in(task->record->signal_mask, fault->signal)) {
        end_program(fault);
    }
    enter_handler(registers, fault);
}

void signal_deliver(struct registers *registers)
{
    struct task *task = task_current();
    uint32_t signal;

    /* A call that is to be issued again after a boot comes first: it will find the signal and end with EINTR. */
    if (task->record->call.active != 0) {
        return;
    }
    while (!task->dying && (signal = next_to_deliver(task)) != 0) {
        const struct signal_origin *origin = &task->program->origins[signal];
        struct signal_fault fault = {
            .signal = signal, .code = origin->code, .sender = origin->program, .value = origin->value};
        uint32_t handler = task->program->actions[signal].handler;

        if (is_ignored(task->program, signal)) {
            take_out(task->record->signal_pending, signal);
        } else if (handler == SIG_DFL || signal == SIGKILL) {
            end_program(&fault);
        } else {
            enter_handler(registers, &fault);
        }
    }
    signal_mask_restore(task);
}

/* Page faults ------------------------------------------------------------------------------------------------------ */

#define SEGV_MAPERR       1
#define SEGV_ACCERR       2
#define BUS_ADRERR        2
#define VECTOR_PAGE_FAULT 14u

/* Whether an address that is in no usable region lies between a stack and what limits it. */
static bool is_below_a_stack(const struct program_record *program, uint32_t address)
{
    uint32_t page = address >> PAGE_SHIFT;
    const struct vm_region *region = vm_region_next(&region_table, program->region_root, page);

    if (region != NULL && region->backing.kind == VM_BACKING_NONE) {
        region = vm_region_next(&region_table, program->region_root, region->first_page + region->page_count);
    }
    return region != NULL && (region->flags & VM_REGION_GROWS_DOWN) != 0 && region->first_page > page &&
           region->first_page - page <= STACK_PAGES_MAX;
}

static const char *error_reason(enum error error)
{
    switch (error) {
    case ERROR_NO_MEMORY:
        return "out of memory";
    case ERROR_CHECKSUM:
        return "damaged page";
    default:
        return "unreadable page";
    }
}

void signal_page_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access,
                       enum error error)
{
    struct task *task = task_current();
    const struct program_record *memory = program_at(program_memory(task->program_index));
    uint32_t page = address.value >> PAGE_SHIFT;
    struct signal_fault fault = {
        .signal = SIGSEGV, .address = address.value, .vector = VECTOR_PAGE_FAULT, .error_code = registers->error_code};
    const char *what = "segmentation fault";

    task->registers = registers;
    if (error == ERROR_DENIED) {
        bool mapped = vm_region_find(&region_table, memory->region_root, page) != NULL;
        fault.code = mapped ? SEGV_ACCERR : SEGV_MAPERR;
        if (access != TRAP_EXECUTE && is_below_a_stack(memory, address.value)) {
            what = "stack overflow";
        }
    } else {
        fault.signal = error == ERROR_NO_MEMORY ? SIGKILL : SIGBUS;
        fault.code = BUS_ADRERR;
        what = error_reason(error);
    }
    kernel_snprintf(fault.detail, sizeof(fault.detail), "%s at 0x%x (eip 0x%x)", what, address.value, registers->eip);
    signal_force(registers, &fault);
}
