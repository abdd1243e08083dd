/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls about the caller and the machine. There is one user, root.
 */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/frame.h"
#include "names.h"
#include "program.h"
#include "program_time.h"
#include "version.h"
#include <string.h>

#define NS_PER_SECOND 1000000000u

int32_t call_zero(const struct system_call *call)
{
    (void)call;
    return 0;
}

int32_t call_getpid(const struct system_call *call)
{
    return (int32_t)call->task->program_id.number;
}

int32_t call_getppid(const struct system_call *call)
{
    return (int32_t)call->program->parent.number;
}

int32_t call_gettid(const struct system_call *call)
{
    return (int32_t)call->record->tid.number;
}

/* Groups and sessions ---------------------------------------------------------------------------------------------- */

/* The program a call names by process id, 0 being the caller; NULL: none is alive. */
static const struct program_record *program_named(const struct system_call *call, struct program_id id)
{
    if (id.number == 0) {
        return call->program;
    }
    if (!program_is_in_table(id) || program_at(id)->state != PROGRAM_RUNNING) {
        return NULL;
    }
    return program_at(id);
}

int32_t call_getpgrp(const struct system_call *call)
{
    return (int32_t)call->program->process_group.number;
}

int32_t call_getpgid(const struct system_call *call)
{
    const struct program_record *program = program_named(call, (struct program_id){call->arguments[0]});

    return program != NULL ? (int32_t)program->process_group.number : -ESRCH;
}

int32_t call_getsid(const struct system_call *call)
{
    const struct program_record *program = program_named(call, (struct program_id){call->arguments[0]});

    return program != NULL ? (int32_t)program->session.number : -ESRCH;
}

int32_t call_setpgid(const struct system_call *call)
{
    const struct program_record *program = program_named(call, (struct program_id){call->arguments[0]});
    struct program_id id = {call->arguments[0] != 0 ? call->arguments[0] : call->task->program_id.number};
    struct group_id group = {call->arguments[1] != 0 ? call->arguments[1] : id.number};

    if (program == NULL) {
        return -ESRCH;
    }
    if (group.number > PROGRAMS_MAX) {
        return -EINVAL;
    }
    if (program->session.number != call->program->session.number) {
        return -EPERM;
    }
    program_call_commit();
    program_at(id)->process_group = group;
    return 0;
}

int32_t call_setsid(const struct system_call *call)
{
    uint32_t id = call->task->program_id.number;

    if (call->program->process_group.number == id) {
        return -EPERM;
    }
    struct program_record *program = call_change_program(call);
    program->process_group = (struct group_id){id};
    program->session = (struct session_id){id};
    return (int32_t)id;
}

int32_t call_getgroups(const struct system_call *call)
{
    (void)call;
    return 0;
}

int32_t call_getresid(const struct system_call *call)
{
    const uint32_t root = 0;

    for (uint32_t i = 0; i < 3; i++) {
        int32_t result = copy_out(call->arguments[i], &root, sizeof(root));
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* Root may become only what there is. */
int32_t call_set_id(const struct system_call *call)
{
    return call->arguments[0] == 0 ? 0 : -EINVAL;
}

/* The machine ------------------------------------------------------------------------------------------------------ */

int32_t call_uname(const struct system_call *call)
{
    /* The release is that of the Linux whose interface is offered: C libraries refuse to run on one too old. */
    const struct linux_utsname names = {
        .system = "Linux",
        .node = "eidolon",
        .release = "5.10.0-eidolon",
        .version = "Eidolon " EIDOLON_VERSION,
        .machine = "i686",
        .domain = "(none)",
    };

    return copy_out(call->arguments[0], &names, sizeof(names));
}

int32_t call_sysinfo(const struct system_call *call)
{
    uint32_t used = 0;

    for (uint32_t owner = FRAME_FREE + 1; owner < FRAME_OWNERS; owner++) {
        used += frame_count(owner);
    }
    struct linux_sysinfo information = {
        .uptime = (uint32_t)(time_monotonic_ns() / NS_PER_SECOND),
        .total_ram = used + frame_count(FRAME_FREE),
        .free_ram = frame_count(FRAME_FREE),
        .programs = (uint16_t)program_count(),
        .unit_bytes = PAGE_SIZE,
    };
    return copy_out(call->arguments[0], &information, sizeof(information));
}

#define RANDOM_PIECE 256u

int32_t call_getrandom(const struct system_call *call)
{
    uint32_t length = call->arguments[1] < RANDOM_PIECE ? call->arguments[1] : RANDOM_PIECE;
    uint64_t bits[RANDOM_PIECE / sizeof(uint64_t)];

    for (uint32_t i = 0; i * sizeof(uint64_t) < length; i++) {
        bits[i] = clock_entropy();
    }
    int32_t result = copy_out(call->arguments[0], bits, length);
    return result == 0 ? (int32_t)length : result;
}

int32_t call_sched_yield(const struct system_call *call)
{
    (void)call;
    thread_yield();
    return 0;
}

int32_t call_sched_getaffinity(const struct system_call *call)
{
    const uint32_t first_processor = 1;

    if (call->arguments[1] < sizeof(first_processor)) {
        return -EINVAL;
    }
    int32_t result = copy_out(call->arguments[2], &first_processor, sizeof(first_processor));
    return result == 0 ? (int32_t)sizeof(first_processor) : result;
}

#define PR_SET_NAME 15u
#define PR_GET_NAME 16u

/* A task's name is its program's; what programs set it to is not kept. */
/* The name of the calling task, cut to what there is room for. */
static int32_t set_name(const struct system_call *call)
{
    char name[TASK_NAME_BYTES] = {0};
    int32_t result = 0;
    uint32_t i = 0;

    do {
        result = copy_in(&name[i], call->arguments[1] + i, 1);
    } while (result == 0 && name[i] != 0 && ++i < sizeof(name) - 1);
    if (result != 0) {
        return result;
    }
    struct task_record *record = call_change_task(call)->record;
    memcpy(record->name, name, sizeof(name));
    record->has_name = 1;
    return 0;
}

static int32_t get_name(const struct system_call *call)
{
    char name[TASK_NAME_BYTES] = {0};

    memcpy(name, call->record->has_name != 0 ? call->record->name : call->program->name, sizeof(name) - 1);
    return copy_out(call->arguments[1], name, sizeof(name));
}

int32_t call_prctl(const struct system_call *call)
{
    switch (call->arguments[0]) {
    case PR_SET_NAME:
        return set_name(call);
    case PR_GET_NAME:
        return get_name(call);
    default:
        return -EINVAL;
    }
}
