/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of programs.
 *
 * A program ends when its last task has left: its files are closed, its space is given up (space.c), and its parent is
 * told, who may ask for its status; in that order, so that an end which a power cut interrupts can be taken up again
 * from the record.
 */
#include "atomic.h"
#include "children.h"
#include "file/file.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "job.h"
#include "programs.h"
#include "signal/signal.h"
#include "signal/timer.h"
#include "space/object.h"
#include "space/space.h"
#include "system_state.h"
#include "task/program_account.h"
#include "terminal/terminal_use.h"

static struct wait_queue all_ended;

static bool program_exists(struct program_id id)
{
    return id.number > 0 && program_is_in_table(id) && program_at(id)->state != PROGRAM_FREE;
}

enum error program_wait_for_change(void)
{
    return children_wait(task_current()->program_id);
}

void program_release_parent(struct program_record *program)
{
    if (program->parent_waits != 0) {
        program->parent_waits = 0;
        children_wake(program->parent);
    }
}

/* Whether anybody will ask for the status of a program. */
static bool has_interested_parent(const struct program_record *program)
{
    if (!program_exists(program->parent) || program_at(program->parent)->state != PROGRAM_RUNNING) {
        return false;
    }
    const struct signal_action *action = &program_at(program->parent)->actions[SIGCHLD];
    return action->handler != SIG_IGN && (action->flags & SA_NOCLDWAIT) == 0;
}

static void disown_children(struct program_id parent)
{
    struct program_id id;

    while ((id = children_first(parent)).number != 0) {
        struct program_record *child = program_at(id);
        children_remove(parent, id);
        child->parent = PROGRAM_NONE;
        job_left_alone(id);
        if (child->state == PROGRAM_ZOMBIE) {
            program_forget(id);
        }
    }
}

#define STATUS_SIGNAL 0x7Fu

static struct signal_origin origin_of_end(struct program_id id, uint32_t status)
{
    uint32_t signal = status & STATUS_SIGNAL;

    return (struct signal_origin){
        .code = signal != 0 ? CLD_KILLED : CLD_EXITED, .program = id, .value = signal != 0 ? signal : status >> 8};
}

/* The last step: nothing sleeps. */
static void end(struct program_id id)
{
    DOES_NOT_SLEEP();
    struct program_record *program = program_at(id);
    struct program_id parent = program->parent;
    struct signal_origin origin = origin_of_end(id, program->exit_status);

    disown_children(id);
    if (has_interested_parent(program)) {
        program->state = PROGRAM_ZOMBIE;
    } else {
        program_forget(id);
    }
    children_tell(parent, &origin);
    program_uncount();
    if (program_count() == 0) {
        wait_queue_wake(&all_ended, UINT32_MAX);
    }
}

/*
 * The space of a program that ends goes to one that runs in it, if there is any; if more do, it lends to the others.
 * While programs run no lender ends. A boot may find one without a task in an image that is not as a kernel left it.
 */
static void leave_space_to_borrower(struct program_record *program, struct program_id owner)
{
    struct program_id heir = PROGRAM_NONE;

    for (struct program_id id = PROGRAM_FIRST; task_has_borrowers(owner) && program_is_in_table(id); id.number++) {
        struct program_record *borrower = program_at(id);
        if (borrower->state == PROGRAM_FREE || borrower->lender.number != owner.number) {
            continue;
        }
        task_set_lender(borrower, heir);
        if (heir.number != 0) {
            continue;
        }
        heir = id;
        borrower->space = program->space;
        space_set_owner(program->space, heir);
        program->space = ADDRESS_SPACE_NONE;
    }
}

static struct space_id give_up_space(struct program_record *program)
{
    struct space_id memory = space_abandon(program->space);

    program->space = ADDRESS_SPACE_NONE;
    return memory;
}

void program_destroy(struct program_id id)
{
    thread_may_sleep();
    struct program_record *program = program_at(id);

    file_close_all(program);
    terminal_wake_readers();
    leave_space_to_borrower(program, id);
    task_set_lender(program, PROGRAM_NONE);
    timer_forget(id);
    program_release_parent(program);
    memory_collect(give_up_space(program));
    object_collect();
    program_account_close(id);
    end(id);
    record_trim(false);
}

uint32_t program_wait_all(void)
{
    while (program_count() > 0) {
        enum error error = wait_queue_sleep(&all_ended, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
    return system_state.end_status;
}

_Noreturn void program_exit_task(void)
{
    struct program_id program = task_current()->program_id;

    thread_leave_program();
    if (program_at(program)->task_count == 0) {
        program_destroy(program);
    }
    thread_exit();
}

_Noreturn void program_exit(uint32_t status)
{
    struct task *task = task_current();

    if (task->program->state == PROGRAM_RUNNING) {
        task->program->state = PROGRAM_EXITING;
        task->program->exit_status = status;
        /* Now, and not when its memory has been given back: the machine's status is that of who exits last. */
        system_state_note_end(task->program->name, status);
        task_end_others(task);
    }
    program_exit_task();
}
