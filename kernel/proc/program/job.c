/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Job control: stopping, and what parents hear of it. See job.h. (SIGCONT lets a program go when it is sent:
 * signal/signal.c.)
 */
#include "job.h"
#include "atomic.h"
#include "children.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "program_hold.h"
#include "programs.h"
#include "signal/background.h"
#include "signal/signal.h"
#include "task/pending.h"

static void tell(struct program_id program, int32_t code, uint32_t signal)
{
    struct program_id parent = program_at(program)->parent;
    const struct signal_origin origin = {.code = code, .program = program, .value = signal};

    if (parent.number == 0) {
        return;
    }
    if ((program_at(parent)->actions[SIGCHLD].flags & SA_NOCLDSTOP) != 0) {
        children_wake(parent);
    } else {
        children_tell(parent, &origin);
    }
}

void job_stop(struct task *task, uint32_t signal)
{
    DOES_NOT_SLEEP();
    signal_take(task, signal);
    if (signal != SIGSTOP && signal_group_is_orphaned(task->program_id)) {
        return;
    }
    task->program->stop_status = signal << 8 | PROGRAM_STOPPED_BY;
    program_hold(task->program_id, PROGRAM_IS_STOPPED);
    tell(task->program_id, CLD_STOPPED, signal);
}

void job_tell_continued(struct task *task)
{
    DOES_NOT_SLEEP();
    if (task->program->stop_status == PROGRAM_CONTINUING) {
        task->program->stop_status = PROGRAM_CONTINUED;
        tell(task->program_id, CLD_CONTINUED, SIGCONT);
    }
}

void job_left_alone(struct program_id program)
{
    DOES_NOT_SLEEP();
    const struct program_record *record = program_at(program);

    if (record->state != PROGRAM_RUNNING || (record->held & PROGRAM_IS_STOPPED) == 0 ||
        !signal_group_is_orphaned(program)) {
        return;
    }
    enum error error = signal_send_group(record->process_group, SIGHUP);
    if (error == OK) {
        error = signal_send_group(record->process_group, SIGCONT);
    }
    ASSERT(error == OK || error == ERROR_NOT_FOUND);
}
