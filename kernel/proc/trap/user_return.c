/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way back to user mode, which a new task takes for the first time.
 */
#include "arch/cpu.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "program/job.h"
#include "program/programs.h"
#include "program_hold.h"
#include "signal/signal.h"
#include "signal/timer.h"
#include "signal/timer_table.h"
#include "space/object.h"
#include "space/user_memory.h"
#include "task/pending.h"
#include "task/program_usage.h"

#define NS_PER_SECOND 1000000000ull

/* `seconds` as nanoseconds, or more than there ever are. */
static uint64_t seconds_ns(uint64_t seconds)
{
    return seconds > UINT64_MAX / NS_PER_SECOND ? UINT64_MAX : seconds * NS_PER_SECOND;
}

/* The program has perhaps used up its time: it gets SIGXCPU, each second, and in the end SIGKILL. */
static void check_processor_limit(struct task *task)
{
    struct limit *limit = &task->program->limits[RLIMIT_CPU];
    struct usage used;

    usage_of_program(task->program_id, task->program, &used);
    uint64_t used_ns = used.user_ns + used.system_ns;
    if (limit->hard != RLIMIT_NONE_64 && used_ns >= seconds_ns(limit->hard)) {
        signal_send_task(task, SIGKILL);
    } else if (used_ns >= seconds_ns(limit->soft)) {
        limit->soft++;
        signal_send_task(task, SIGXCPU);
    }
}

/* A new task leaves its number where its maker wished, as the first thing that its own memory sees of it. */
static void leave_tid(struct task *task)
{
    uint32_t address = task->record->child_tid;

    if (address != 0) {
        enum error error = user_copy_out((struct vaddr){address}, &task->record->tid, sizeof(task->record->tid));
        task->record->child_tid = 0;
        if (error != OK) {
            log_line("%s: no place for its number at 0x%x", task->program->name, address);
        }
    }
}

/* Whether the program's time on the processor is limited, or a timer follows it. */
static bool counts_time(const struct task *task)
{
    const struct program_record *program = task->program;

    return program->limits[RLIMIT_CPU].soft != RLIMIT_NONE_64 || program->timers[TIMER_VIRTUAL].deadline_ns != 0 ||
           program->timers[TIMER_PROFILE].deadline_ns != 0 || timer_table_uses_processor(task->program_id);
}

static void check_time(struct task *task)
{
    if (task->program->limits[RLIMIT_CPU].soft != RLIMIT_NONE_64) {
        check_processor_limit(task);
    }
    timer_check_processor(task);
}

/* Nobody wants anything of the task, as nearly always. */
static bool goes_on(const struct task *task)
{
    return task->program->held == 0 && task->program->stop_status != PROGRAM_CONTINUING &&
           task->record->signal_mask_saved == 0 && !task_has_signal(task);
}

/* Somebody does, or it is new. */
static void attend(struct task *task, struct registers *registers)
{
    do {
        if (!goes_on(task) && !program_hold_wait()) {
            program_exit(SIGKILL);
        }
        leave_tid(task);
        if (!goes_on(task)) {
            job_tell_continued(task);
            program_deliver_signals(registers);
        }
    } while (task->program->held != 0 && !task->dying); /* it has stopped */
    if (task->dying) {
        program_exit_task();
    }
}

void trap_return(struct registers *registers)
{
    struct task *task = task_current();

    task->registers = registers;
    usage_enter(task); /* after an interrupt, which nobody has told of */
    if (counts_time(task)) {
        check_time(task);
    }
    while (thread_should_yield()) {
        thread_yield();
    }
    if (object_is_unused()) {
        object_collect(); /* whose last view the call has taken away */
    }
    if (!goes_on(task) || task->record->child_tid != 0) {
        attend(task, registers);
    }
    usage_leave(task);
    task_runs_on(task);
}
