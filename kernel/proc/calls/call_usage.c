/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on time on the processor: the clocks of programs and tasks, and what a program and its children have
 * used.
 */
#include "calls.h"
#include "program_time.h"
#include "task/program_usage.h"

#define NS_PER_SECOND      1000000000u
#define NS_PER_MICROSECOND 1000u
#define CLOCK_TICKS_HZ     100u /* as times() counts */

/* A clock of a certain program or task has a negative number: what it shows, of what, and the complement of whose. */
#define CLOCK_SHOWS     3u
#define CLOCK_OF_TASK   4u
#define CLOCK_WHOSE_BIT 3u

enum clock_shows { CLOCK_SHOWS_ALL, CLOCK_SHOWS_USER, CLOCK_SHOWS_RUN };

static uint64_t shown(uint32_t shows, const struct usage *used)
{
    return shows == CLOCK_SHOWS_USER ? used->user_ns : used->user_ns + used->system_ns;
}

/* Of the caller's own program. */
static int32_t usage_of_tid(const struct system_call *call, uint32_t tid, struct usage *out)
{
    const struct task *task = tid == 0 ? call->task : task_find((struct task_id){tid});

    if (task == NULL || task->program_id.number != call->task->program_id.number) {
        return -EINVAL;
    }
    usage_of_task(task, out);
    return 0;
}

static int32_t usage_of_pid(const struct system_call *call, uint32_t pid, struct usage *out)
{
    struct program_id id = pid == 0 ? call->task->program_id : (struct program_id){pid};

    if (!program_is_in_table(id) || program_at(id)->state != PROGRAM_RUNNING) {
        return -EINVAL;
    }
    usage_of_program(id, program_at(id), out);
    return 0;
}

int32_t call_processor_clock(const struct system_call *call, uint32_t clock, uint64_t *out_ns)
{
    bool is_of_task = clock == CLOCK_THREAD_CPUTIME_ID;
    uint32_t shows = CLOCK_SHOWS_RUN, whose = 0;
    struct usage used;

    if ((int32_t)clock < 0) {
        is_of_task = (clock & CLOCK_OF_TASK) != 0;
        shows = clock & CLOCK_SHOWS;
        whose = ~(uint32_t)((int32_t)clock >> CLOCK_WHOSE_BIT);
    } else if (!is_of_task && clock != CLOCK_PROCESS_CPUTIME_ID) {
        return -EINVAL;
    }
    if (shows > CLOCK_SHOWS_RUN) {
        return -EINVAL;
    }
    int32_t result = is_of_task ? usage_of_tid(call, whose, &used) : usage_of_pid(call, whose, &used);
    if (result == 0) {
        *out_ns = shown(shows, &used);
    }
    return result;
}

static struct linux_timeval timeval_of(uint64_t ns)
{
    return (struct linux_timeval){(int32_t)(ns / NS_PER_SECOND), (int32_t)(ns % NS_PER_SECOND / NS_PER_MICROSECOND)};
}

int32_t call_usage_out(uint32_t address, const struct usage *used)
{
    struct linux_rusage out = {.user = timeval_of(used->user_ns), .system = timeval_of(used->system_ns)};

    out.counters[RUSAGE_MINOR_FAULTS] = (uint32_t)used->minor_faults;
    out.counters[RUSAGE_MAJOR_FAULTS] = (uint32_t)used->major_faults;
    return copy_out(address, &out, sizeof(out));
}

int32_t call_getrusage(const struct system_call *call)
{
    struct usage used;

    switch ((int32_t)call->arguments[0]) {
    case RUSAGE_SELF:
        usage_of_program(call->task->program_id, program_at(call->task->program_id), &used);
        break;
    case RUSAGE_THREAD:
        usage_of_task(call->task, &used);
        break;
    case RUSAGE_CHILDREN:
        used = call->program->used_by_children;
        break;
    default:
        return -EINVAL;
    }
    return call_usage_out(call->arguments[1], &used);
}

static uint32_t ticks_of(uint64_t ns)
{
    return (uint32_t)(ns / (NS_PER_SECOND / CLOCK_TICKS_HZ));
}

int32_t call_times(const struct system_call *call)
{
    const struct usage *children = &call->program->used_by_children;
    struct usage used;

    usage_of_program(call->task->program_id, program_at(call->task->program_id), &used);
    struct linux_times times = {.user = ticks_of(used.user_ns),
                                .system = ticks_of(used.system_ns),
                                .children_user = ticks_of(children->user_ns),
                                .children_system = ticks_of(children->system_ns)};
    int32_t result = call->arguments[0] != 0 ? copy_out(call->arguments[0], &times, sizeof(times)) : 0;
    return result != 0 ? result : (int32_t)(ticks_of(time_monotonic_ns()) & 0x7FFFFFFFu);
}
