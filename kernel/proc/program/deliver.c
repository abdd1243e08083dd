/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a signal does to a program: one of its handlers runs, or it ends.
 */
#include "arch/cpu.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "job.h"
#include "programs.h"
#include "signal/signal.h"
#include "signal/signal_frame.h"
#include "task/pending.h"
#include "terminal/terminal_use.h"

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

/* The parent learns of it by wait() and reports it, unless the program was stopped for a mistake of its own. */
static _Noreturn void end_program(const struct signal_fault *fault)
{
    const struct program_record *program = task_current()->program;
    const char *text = fault->detail[0] != 0 ? fault->detail : signal_text(fault->signal);

    if (program->parent.number == 0 || fault->detail[0] != 0) {
        terminal_say(program->terminal, "eidolon: %s: %s", program->name, text);
    }
    program_exit(fault->signal);
}

static bool force(struct registers *registers, const struct signal_fault *fault);

/* The signal's frame is on the stack: its handler runs next. */
static void begin_handler(const struct signal_fault *fault, const struct signal_action *action)
{
    struct task *task = task_current();

    signal_take(task, fault->signal);
    signal_set_mask(task, task->record->signal_mask[0] | action->mask[0],
                    task->record->signal_mask[1] | action->mask[1]);
    if ((action->flags & SA_NODEFER) == 0) {
        signal_add(task->record->signal_mask, fault->signal);
    }
    if ((action->flags & SA_RESETHAND) != 0) {
        task->program->actions[fault->signal].handler = SIG_DFL;
    }
}

/* SIGSEGV in place of a signal whose handler has no stack, which is pending until then. */
static bool begin_overrun(struct registers *registers, uint32_t signal)
{
    struct signal_fault overrun = {.signal = SIGSEGV, .code = SI_KERNEL};

    kernel_snprintf(overrun.detail, sizeof(overrun.detail), "no stack for the handler of signal %u (esp 0x%x)", signal,
                    registers->esp);
    if (signal == SIGSEGV) {
        end_program(&overrun);
    }
    bool begins = force(registers, &overrun);
    if (begins) {
        signal_take(task_current(), signal);
    }
    return begins;
}

/*
 * Run the handler. If its stack cannot take the frame the signal becomes SIGSEGV, which may have another stack; one
 * that has not ends the program. A signal that ends the program may come while the stack is waited for; it is left to
 * the next delivery. Whether a handler runs next; otherwise nothing has changed.
 */
static bool enter_handler(struct registers *registers, const struct signal_fault *fault)
{
    struct signal_action action = task_current()->program->actions[fault->signal];
    enum error error = signal_frame_enter(registers, fault, &action);

    if (error == OK) {
        begin_handler(fault, &action);
        return true;
    }
    return error != ERROR_INTERRUPTED && begin_overrun(registers, fault->signal);
}

static bool force(struct registers *registers, const struct signal_fault *fault)
{
    const struct task *task = task_current();
    uint32_t handler = task->program->actions[fault->signal].handler;

    if (handler == SIG_DFL || handler == SIG_IGN || signal_in(task->record->signal_mask, fault->signal)) {
        end_program(fault);
    }
    return enter_handler(registers, fault);
}

void program_force_signal(struct registers *registers, const struct signal_fault *fault)
{
    thread_may_sleep();
    (void)force(registers, fault);
}

/* What stops the program does so before a call is made again, which would find nothing but that signal. */
static void take_stops(struct task *task)
{
    while (task->program->held == 0 && !task->dying && task_is_to_stop(task)) {
        job_stop(task, task_next_to_deliver(task));
    }
}

void program_deliver_signals(struct registers *registers)
{
    thread_may_sleep();
    struct task *task = task_current();
    uint32_t signal;

    take_stops(task);
    /* A call that is to be issued again after a boot comes first: it will find the signal and end with EINTR. */
    if (task->record->call.active != 0 || task->program->held != 0) {
        return;
    }
    while (!task->dying && task->program->held == 0 && (signal = task_next_to_deliver(task)) != 0) {
        struct signal_taken taken = signal_look(task, signal);
        struct signal_fault fault = {.signal = signal,
                                     .code = taken.origin.code,
                                     .sender = taken.origin.program,
                                     .user = taken.overrun,
                                     .value = taken.origin.value};
        uint32_t handler = task->program->actions[signal].handler;

        if (task_ignores(task->program, signal)) {
            signal_take_ignored(task, signal);
        } else if (task_stops_by(task->program, signal)) {
            job_stop(task, signal);
        } else if (handler == SIG_DFL || signal == SIGKILL) {
            end_program(&fault);
        } else {
            (void)enter_handler(registers, &fault);
        }
    }
    if (task->program->held == 0) {
        signal_mask_restore(task);
    }
}
