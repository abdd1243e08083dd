/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on limits, in three widths. They are enforced where things are used (limits.h).
 *
 * The caller is root: a hard limit can be raised again, except that on descriptors beyond what a program has room for.
 */
#include "calls.h"

#define OLD_MAX 0x7FFFFFFFu /* what the first getrlimit() tells of larger values */

/* 0, -EINVAL or -EPERM. */
static int32_t check(uint32_t resource, const struct limit *limit)
{
    if (limit->soft > limit->hard) {
        return -EINVAL;
    }
    return resource == RLIMIT_NOFILE && limit->hard > PROGRAM_FILES_MAX ? -EPERM : 0;
}

static int32_t tell_narrow(const struct system_call *call, uint32_t largest)
{
    if (call->arguments[0] >= RLIMITS) {
        return -EINVAL;
    }
    const struct limit *limit = &call->program->limits[call->arguments[0]];
    const uint32_t pair[2] = {limit->soft < largest ? (uint32_t)limit->soft : largest,
                              limit->hard < largest ? (uint32_t)limit->hard : largest};
    return copy_out(call->arguments[1], pair, sizeof(pair));
}

int32_t call_getrlimit_old(const struct system_call *call)
{
    return tell_narrow(call, OLD_MAX);
}

int32_t call_getrlimit(const struct system_call *call)
{
    return tell_narrow(call, RLIMIT_NONE_32);
}

static uint64_t widened(uint32_t value)
{
    return value == RLIMIT_NONE_32 ? RLIMIT_NONE_64 : value;
}

int32_t call_setrlimit(const struct system_call *call)
{
    uint32_t resource = call->arguments[0];
    uint32_t pair[2];
    int32_t result = copy_in(pair, call->arguments[1], sizeof(pair));

    if (result != 0) {
        return result;
    }
    const struct limit limit = {widened(pair[0]), widened(pair[1])};
    result = resource < RLIMITS ? check(resource, &limit) : -EINVAL;
    if (result == 0) {
        call_change_program(call)->limits[resource] = limit;
    }
    return result;
}

/* The limits of a program by its number, 0 being the caller's; NULL: none is alive. */
static const struct limit *limits_of(const struct system_call *call, struct program_id id)
{
    if (id.number == 0) {
        return call->program->limits;
    }
    if (!program_is_in_table(id) || program_at(id)->state != PROGRAM_RUNNING) {
        return NULL;
    }
    return program_at(id)->limits;
}

/* prlimit64(program, resource, new, before) */
int32_t call_prlimit64(const struct system_call *call)
{
    uint32_t resource = call->arguments[1];
    struct program_id id = call->arguments[0] != 0 ? (struct program_id){call->arguments[0]} : call->task->program_id;
    struct limit new, before;
    int32_t result = call->arguments[2] != 0 ? copy_in(&new, call->arguments[2], sizeof(new)) : 0;

    if (result != 0) {
        return result;
    }
    const struct limit *limits = limits_of(call, id);
    if (limits == NULL) {
        return -ESRCH;
    }
    if (resource >= RLIMITS) {
        return -EINVAL;
    }
    result = call->arguments[2] != 0 ? check(resource, &new) : 0;
    before = limits[resource];
    if (result == 0 && call->arguments[3] != 0) {
        result = copy_out(call->arguments[3], &before, sizeof(before));
    }
    if (result != 0 || call->arguments[2] == 0) {
        return result;
    }
    limits = limits_of(call, id); /* that may have slept */
    if (limits == NULL) {
        return -ESRCH;
    }
    program_call_commit();
    program_at(id)->limits[resource] = new;
    return 0;
}
