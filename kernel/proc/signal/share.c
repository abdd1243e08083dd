/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals to a program with several threads. See share.h.
 *
 * What is pending is in the record of one task at any time, and moves in one step. So it is there after a boot, once.
 */
#include "share.h"
#include "atomic.h"
#include "task/pending.h"

static uint32_t taken(const struct task *task, uint32_t word)
{
    return ~task->record->signal_mask[word] | task->awaited[word];
}

bool signal_is_taken(const struct task *task, uint32_t signal)
{
    return !signal_in(task->record->signal_mask, signal) || signal_in(task->awaited, signal);
}

static bool has_siblings(const struct task *task)
{
    return task->program->task_count > 1;
}

/* What is pending in a task for its program. */
static uint32_t of_program(const struct task *task, uint32_t word)
{
    return task->record->signal_pending[word] & task->record->signal_of_program[word];
}

static void move(struct task *from, struct task *to, uint32_t word, uint32_t bits)
{
    from->record->signal_pending[word] &= ~bits;
    from->record->signal_of_program[word] &= ~bits;
    to->record->signal_of_program[word] |= bits & ~to->record->signal_pending[word];
    to->record->signal_pending[word] |= bits;
}

void signal_claim(struct task *task)
{
    DOES_NOT_SLEEP();
    struct task *other = has_siblings(task) ? task_first_of(task->program_id) : NULL;

    for (; other != NULL; other = other->next_of_program) {
        for (uint32_t word = 0; other != task && word < 2; word++) {
            uint32_t bits = of_program(other, word) & ~taken(other, word) & taken(task, word);
            if (bits != 0) {
                move(other, task, word, bits);
            }
        }
    }
}

static void give(struct task *task, uint32_t word, uint32_t bits)
{
    for (struct task *other = task_first_of(task->program_id); other != NULL && bits != 0;
         other = other->next_of_program) {
        uint32_t part = other != task && !other->dying ? bits & taken(other, word) : 0;
        if (part != 0) {
            move(task, other, word, part);
            thread_interrupt(other->thread);
            bits &= ~part;
        }
    }
}

void signal_pass_on(struct task *task)
{
    DOES_NOT_SLEEP();
    for (uint32_t word = 0; has_siblings(task) && word < 2; word++) {
        give(task, word, of_program(task, word) & ~taken(task, word));
    }
}

void signal_leave_behind(struct task *task)
{
    DOES_NOT_SLEEP();
    struct task *first = task_first_of(task->program_id);
    struct task *heir = first != task ? first : first->next_of_program;

    for (uint32_t word = 0; heir != NULL && word < 2; word++) {
        give(task, word, of_program(task, word));
        uint32_t rest = of_program(task, word);
        if (rest != 0) {
            move(task, heir, word, rest);
        }
    }
}

void signal_pending_for(const struct task *task, uint32_t out[2])
{
    const struct task *other = has_siblings(task) ? task_first_of(task->program_id) : NULL;

    for (uint32_t word = 0; word < 2; word++) {
        out[word] = task->record->signal_pending[word];
    }
    for (; other != NULL; other = other->next_of_program) {
        out[0] |= of_program(other, 0);
        out[1] |= of_program(other, 1);
    }
}
