/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Process groups in the background. See background.h.
 */
#include "background.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "signal.h"
#include "task/pending.h"

/* Whether a program's parent is one that takes up its group: a shell, whose job it is. */
static bool has_keeper(const struct program_record *program)
{
    struct program_id parent = program->parent;

    return parent.number != 0 && program_is_in_table(parent) && program_at(parent)->state == PROGRAM_RUNNING &&
           program_at(parent)->process_group.number != program->process_group.number &&
           program_at(parent)->session.number == program->session.number;
}

bool signal_group_is_orphaned(struct program_id program)
{
    DOES_NOT_SLEEP();
    struct group_id group = program_at(program)->process_group;

    if (has_keeper(program_at(program))) {
        return false;
    }
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        const struct program_record *member = program_at(id);
        if (member->state == PROGRAM_RUNNING && member->process_group.number == group.number && has_keeper(member)) {
            return false;
        }
    }
    return true;
}

bool signal_background(const struct task *task, uint32_t signal)
{
    if (task->program->actions[signal].handler == SIG_IGN || signal_in(task->record->signal_mask, signal) ||
        signal_group_is_orphaned(task->program_id)) {
        return false;
    }
    program_call_commit();
    enum error error = signal_send_group(task->program->process_group, signal);
    ASSERT(error == OK);
    program_call_keep(); /* it does no harm to send it again */
    return true;
}
