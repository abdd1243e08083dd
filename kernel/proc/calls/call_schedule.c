/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on who gets the processor. There is one, which all tasks get in turn, so the answers are those of Linux
 * where nothing else was ever asked for: niceness is kept and told, and changes nothing; real-time policies are
 * refused.
 */
#include "calls.h"
#include <string.h>

#define NS_PER_SLICE 10000000u /* kernel/thread/scheduler.c */

/* Niceness --------------------------------------------------------------------------------------------------------- */

#define PRIO_PROCESS 0u
#define PRIO_PGRP    1u
#define PRIO_USER    2u

static uint32_t within(int64_t nice)
{
    return nice < 0 ? 0 : nice >= NICE_END ? NICE_END - 1 : (uint32_t)nice;
}

int32_t call_nice(const struct system_call *call)
{
    uint32_t nice = within((int64_t)call->program->nice + (int32_t)call->arguments[0]);

    call_change_program(call)->nice = nice;
    return 0;
}

/* Whether getpriority(which, who) is about a program. */
static bool is_meant(const struct system_call *call, struct program_id id)
{
    const struct program_record *program = program_at(id);
    uint32_t who = call->arguments[1];

    if (program->state != PROGRAM_RUNNING) {
        return false;
    }
    switch (call->arguments[0]) {
    case PRIO_PROCESS:
        return id.number == (who != 0 ? who : call->task->program_id.number);
    case PRIO_PGRP:
        return program->process_group.number == (who != 0 ? who : call->program->process_group.number);
    default:
        return who == 0;
    }
}

/* The least nice of those it is about, as 20 - nice: 1 to 40. */
int32_t call_getpriority(const struct system_call *call)
{
    int32_t most = -ESRCH;

    if (call->arguments[0] > PRIO_USER) {
        return -EINVAL;
    }
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        int32_t priority = (int32_t)(NICE_END - program_at(id)->nice);
        most = is_meant(call, id) && priority > most ? priority : most;
    }
    return most;
}

int32_t call_setpriority(const struct system_call *call)
{
    int32_t result = -ESRCH;

    if (call->arguments[0] > PRIO_USER) {
        return -EINVAL;
    }
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        if (is_meant(call, id)) {
            program_call_commit();
            program_at(id)->nice = within((int64_t)(int32_t)call->arguments[2] + NICE_START);
            result = 0;
        }
    }
    return result;
}

/* Policies --------------------------------------------------------------------------------------------------------- */

#define SCHED_OTHER 0u
#define SCHED_FIFO  1u
#define SCHED_RR    2u
#define SCHED_BATCH 3u
#define SCHED_IDLE  5u
#define SCHED_RESET 0x40000000u /* SCHED_RESET_ON_FORK */

#define REAL_TIME_MIN 1
#define REAL_TIME_MAX 99

static bool is_real_time(uint32_t policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_policy(uint32_t policy)
{
    return is_real_time(policy) || policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

/* The task that a call names, 0 being the caller: 0, -EINVAL or -ESRCH. */
static int32_t check_task(uint32_t tid)
{
    if ((int32_t)tid < 0) {
        return -EINVAL;
    }
    return tid == 0 || task_find((struct task_id){tid}) != NULL ? 0 : -ESRCH;
}

static int32_t set_policy(const struct system_call *call, uint32_t policy, uint32_t parameters)
{
    int32_t priority;

    if (parameters == 0 || (int32_t)call->arguments[0] < 0) {
        return -EINVAL;
    }
    int32_t result = copy_in(&priority, parameters, sizeof(priority));
    if (result == 0) {
        result = check_task(call->arguments[0]);
    }
    policy &= ~SCHED_RESET;
    if (result != 0) {
        return result;
    }
    if (!is_policy(policy) ||
        (is_real_time(policy) ? priority < REAL_TIME_MIN || priority > REAL_TIME_MAX : priority != 0)) {
        return -EINVAL;
    }
    return is_real_time(policy) ? -EPERM : 0;
}

int32_t call_sched_setscheduler(const struct system_call *call)
{
    return (int32_t)call->arguments[1] < 0 ? -EINVAL : set_policy(call, call->arguments[1], call->arguments[2]);
}

int32_t call_sched_setparam(const struct system_call *call)
{
    return set_policy(call, SCHED_OTHER, call->arguments[1]);
}

int32_t call_sched_getscheduler(const struct system_call *call)
{
    int32_t result = check_task(call->arguments[0]);

    return result == 0 ? (int32_t)SCHED_OTHER : result;
}

int32_t call_sched_getparam(const struct system_call *call)
{
    const int32_t priority = 0;
    int32_t result = call->arguments[1] != 0 ? check_task(call->arguments[0]) : -EINVAL;

    return result == 0 ? copy_out(call->arguments[1], &priority, sizeof(priority)) : result;
}

int32_t call_sched_get_priority_max(const struct system_call *call)
{
    return !is_policy(call->arguments[0]) ? -EINVAL : is_real_time(call->arguments[0]) ? REAL_TIME_MAX : 0;
}

int32_t call_sched_get_priority_min(const struct system_call *call)
{
    return !is_policy(call->arguments[0]) ? -EINVAL : is_real_time(call->arguments[0]) ? REAL_TIME_MIN : 0;
}

int32_t call_sched_rr_get_interval(const struct system_call *call)
{
    const struct linux_timespec32 slice = {0, NS_PER_SLICE};
    int32_t result = check_task(call->arguments[0]);

    return result == 0 ? copy_out(call->arguments[1], &slice, sizeof(slice)) : result;
}

int32_t call_sched_rr_get_interval_time64(const struct system_call *call)
{
    const struct linux_timespec64 slice = {0, NS_PER_SLICE, 0};
    int32_t result = check_task(call->arguments[0]);

    return result == 0 ? copy_out(call->arguments[1], &slice, sizeof(slice)) : result;
}

/* The processor ---------------------------------------------------------------------------------------------------- */

/* sched_setaffinity(task, bytes, set): any set that has the one processor in it. */
int32_t call_sched_setaffinity(const struct system_call *call)
{
    uint32_t set = 0, bytes = call->arguments[1] < sizeof(set) ? call->arguments[1] : sizeof(set);
    int32_t result = copy_in(&set, call->arguments[2], bytes);

    if (result == 0 && (int32_t)call->arguments[0] < 0) {
        result = -ESRCH;
    }
    if (result == 0) {
        result = check_task(call->arguments[0]);
    }
    return result == 0 && (set & 1u) == 0 ? -EINVAL : result;
}

int32_t call_getcpu(const struct system_call *call)
{
    const uint32_t first = 0;
    int32_t result = call->arguments[0] != 0 ? copy_out(call->arguments[0], &first, sizeof(first)) : 0;

    return result == 0 && call->arguments[1] != 0 ? copy_out(call->arguments[1], &first, sizeof(first)) : result;
}

#define PER_LINUX           0u
#define ADDR_NO_RANDOMIZE   0x0040000u /* addresses are the same each time, so that is what it is anyway */
#define PERSONALITY_IS_WHAT UINT32_MAX

int32_t call_personality(const struct system_call *call)
{
    uint32_t wanted = call->arguments[0];

    return wanted == PERSONALITY_IS_WHAT || (wanted & ~ADDR_NO_RANDOMIZE) == PER_LINUX ? (int32_t)PER_LINUX : -EINVAL;
}
