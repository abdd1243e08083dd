/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that make programs and wait for their end.
 *
 * A call that has made a program keeps its number in record->call at the same instant, so that it does not make another
 * one when it is issued again after a boot. A wait takes the status of a program only when there is a place for it, in
 * one step.
 */
#include "arch/cpu.h"
#include "arch/pmap.h"
#include "calls.h"
#include "log.h"
#include "program/children.h"
#include "program/programs.h"
#include "space/space.h"
#include "space/space_map.h"
#include "task/pending.h"
#include "task/program_usage.h"
#include <string.h>

#define CHILD             0   /* of record->call.words */
#define INFORMATION_BYTES 24u /* of siginfo, that waitid() fills */

/* Making ----------------------------------------------------------------------------------------------------------- */

/*
 * Wait until the child has memory of its own, as vfork() promises. No signal ends that, not even one that ends the
 * caller: the child may be in a call that changes the caller's memory.
 */
static void wait_until_released(const struct system_call *call, struct program_id child)
{
    const struct program_record *program = program_at(child);

    while (program->parent.number == call->task->program_id.number && program->parent_waits != 0) {
        if (program_wait_for_change() != OK) {
            continue; /* a signal: it is looked at when the call is over */
        }
    }
}

static int32_t make(const struct system_call *call, const struct program_clone_options *options)
{
    const uint32_t *child = &call->record->call.words[CHILD];

    if (*child == 0) {
        struct program_id made;
        enum error error;
        do {
            error = program_clone(options, &made);
        } while (task_wait_goes_on(error));
        if (error != OK) {
            return system_call_errno(error);
        }
        call_progress(call)->words[CHILD] = made.number;
    }
    if (options->holds_parent && program_is_in_table((struct program_id){*child})) {
        wait_until_released(call, (struct program_id){*child});
    }
    return (int32_t)*child;
}

int32_t call_fork(const struct system_call *call)
{
    return make(call, &(struct program_clone_options){0});
}

int32_t call_vfork(const struct system_call *call)
{
    return make(call, &(struct program_clone_options){.holds_parent = true, .shares_memory = true});
}

/* What makes a thread of what clone() makes: all of it, or nothing. */
#define CLONE_OF_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_KNOWN                                                                                                    \
    (CLONE_SIGNAL | CLONE_OF_THREAD | CLONE_VFORK | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |               \
     CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_CHILD_SETTID)

/*
 * Threads share all that Linux lets them share; memory can be lent to a child while the caller is held, as vfork()
 * does. Whatever else processes may share on Linux they do not here.
 */
static int32_t check_clone(uint32_t flags)
{
    bool is_thread = (flags & CLONE_THREAD) != 0;

    if ((flags & ~CLONE_KNOWN) != 0 || (flags & CLONE_SIGNAL) > SIGNAL_MAX ||
        (is_thread && (flags & CLONE_SIGHAND) == 0) || ((flags & CLONE_SIGHAND) != 0 && (flags & CLONE_VM) == 0)) {
        return -EINVAL;
    }
    if (is_thread) {
        return (flags & CLONE_OF_THREAD) == CLONE_OF_THREAD && (flags & CLONE_VFORK) == 0 ? 0 : -ENOSYS;
    }
    bool shares = (flags & (CLONE_FS | CLONE_FILES | CLONE_SIGHAND)) != 0;
    return shares || ((flags & CLONE_VM) != 0 && (flags & CLONE_VFORK) == 0) ? -ENOSYS : 0;
}

/* A thread: its number, and that it has been made, stand in record->call from the same instant on. */
static int32_t make_thread(const struct system_call *call, const struct program_clone_options *options)
{
    const uint32_t *child = &call->record->call.words[CHILD];
    uint32_t parent_tid = (call->arguments[0] & CLONE_PARENT_SETTID) != 0 ? call->arguments[2] : 0;
    struct task_id tid;
    enum error error;

    if (*child != 0) {
        return (int32_t)*child;
    }
    do {
        error = thread_of_program(options, parent_tid, &tid);
    } while (task_wait_goes_on(error));
    if (error != OK) {
        return error == ERROR_NO_SPACE ? -EAGAIN : system_call_errno(error);
    }
    call_progress(call)->words[CHILD] = tid.number;
    return (int32_t)tid.number;
}

static int32_t segments_of(const struct system_call *call, uint32_t address, struct cpu_tls segments[CPU_TLS_ENTRIES])
{
    struct linux_user_desc description;
    int32_t result = copy_in(&description, address, sizeof(description));

    if (result != 0) {
        return result;
    }
    if (description.entry_number - CPU_TLS_FIRST_ENTRY >= CPU_TLS_ENTRIES) {
        return -EINVAL;
    }
    memcpy(segments, call->task->context.tls, sizeof(call->task->context.tls));
    segments[description.entry_number - CPU_TLS_FIRST_ENTRY] = call_segment(&description);
    return 0;
}

/* clone(flags, stack, parent_tid, tls, child_tid) */
int32_t call_clone(const struct system_call *call)
{
    const uint32_t *arguments = call->arguments;
    uint32_t flags = arguments[0];
    struct cpu_tls segments[CPU_TLS_ENTRIES];
    struct program_clone_options options = {
        .stack_pointer = arguments[1],
        .tls = (flags & CLONE_SETTLS) != 0 ? segments : NULL,
        .tid_address = (flags & CLONE_CHILD_SETTID) != 0 ? arguments[4] : 0,
        .clear_tid_address = (flags & CLONE_CHILD_CLEARTID) != 0 ? arguments[4] : 0,
        .holds_parent = (flags & CLONE_VFORK) != 0,
        .shares_memory = (flags & CLONE_VM) != 0,
    };
    int32_t result = check_clone(flags);

    if (result == 0 && options.tls != NULL) {
        result = segments_of(call, arguments[3], segments);
    }
    if (result == 0 && (flags & CLONE_THREAD) != 0) {
        return make_thread(call, &options);
    }
    if (result == 0) {
        result = make(call, &options);
    }
    if (result > 0 && (flags & CLONE_PARENT_SETTID) != 0) {
        int32_t told = copy_out(arguments[2], &result, sizeof(result));
        result = told == 0 ? result : told;
    }
    return result;
}

/* The end of children ---------------------------------------------------------------------------------------------- */

/* What wait4() or waitid() waits for, and where what it hears of goes. */
struct wait {
    struct program_id program;           /* 0: any */
    struct group_id group;               /* 0: any */
    uint32_t options;                    /* WAIT_ENDED is one of them */
    uint32_t status, information, usage; /* addresses; 0: not asked for */
};

static bool is_meant(struct program_id id, const struct wait *wait)
{
    return (wait->program.number == 0 || id.number == wait->program.number) &&
           (wait->group.number == 0 || program_at(id)->process_group.number == wait->group.number);
}

/* Whether a child has something to report that the caller wants to hear. */
static bool has_news(const struct program_record *program, uint32_t options)
{
    uint32_t status = program->stop_status;

    if (program->state == PROGRAM_ZOMBIE) {
        return (options & WAIT_ENDED) != 0;
    }
    return ((options & WAIT_STOPPED) != 0 && (status & 0xFF) == PROGRAM_STOPPED_BY) ||
           ((options & WAIT_CONTINUED) != 0 && status == PROGRAM_CONTINUED);
}

/* One that has ended, stopped or been continued; else 0, and `any` says whether there are others to wait for. */
static struct program_id find_changed(const struct system_call *call, const struct wait *wait, bool *any)
{
    struct program_id id = children_first(call->task->program_id);

    *any = false;
    for (; id.number != 0; id = children_next(id)) {
        if (!is_meant(id, wait)) {
            continue;
        }
        *any = true;
        if (has_news(program_at(id), wait->options)) {
            return id;
        }
    }
    return PROGRAM_NONE;
}

/* What waitid() says of a child with such a status. */
static struct linux_siginfo information_of(struct program_id id, uint32_t status, bool has_ended)
{
    struct linux_siginfo out = {.signal = SIGCHLD, .program = id.number};

    if (has_ended) {
        out.code = (status & 0x7F) != 0 ? CLD_KILLED : CLD_EXITED;
        out.value = (status & 0x7F) != 0 ? status & 0x7F : status >> 8;
    } else {
        out.code = status == PROGRAM_CONTINUED ? CLD_CONTINUED : CLD_STOPPED;
        out.value = status == PROGRAM_CONTINUED ? SIGCONT : status >> 8;
    }
    return out;
}

static void usage_of_child(struct program_id id, struct usage *out)
{
    if (program_at(id)->state == PROGRAM_ZOMBIE) {
        usage_of_ended(program_at(id), out);
    } else {
        usage_of_program(id, program_at(id), out);
    }
}

/*
 * Take note of a change: the status goes out and is not reported again, in one step; and with that of an end the
 * program's record is free. 0: there is nothing to report any more, since the program has changed again meanwhile, or
 * another thread has heard of it.
 */
static int32_t take_status(const struct system_call *call, struct program_id id, const struct wait *wait)
{
    struct user_range range = {0};
    const struct program_record *child = program_at(id);
    uint32_t address = wait->status != 0 ? wait->status : wait->information;
    uint32_t bytes = wait->status != 0 ? sizeof(uint32_t) : INFORMATION_BYTES;

    if (wait->usage != 0) {
        struct usage used;
        usage_of_child(id, &used);
        int32_t result = call_usage_out(wait->usage, &used);
        if (result != 0) {
            return result;
        }
    }
    if (address != 0) {
        enum error error = user_begin(&range, (struct vaddr){address}, bytes, PMAP_WRITE);
        if (error != OK) {
            return system_call_errno(error);
        }
    }
    bool has_ended = child->state == PROGRAM_ZOMBIE;
    uint32_t status = has_ended ? child->exit_status : child->stop_status;
    struct linux_siginfo information = information_of(id, status, has_ended);
    bool is_news = child->state != PROGRAM_FREE && child->parent.number == call->task->program_id.number &&
                   has_news(child, wait->options);
    if (is_news) {
        program_call_commit();
    }
    if (address != 0) {
        if (is_news) {
            memcpy(range.address, wait->status != 0 ? (const void *)&status : (const void *)&information, bytes);
        }
        user_end(&range);
    }
    if (!is_news || (wait->options & WAIT_ONLY_LOOK) != 0) {
        return is_news ? (int32_t)id.number : 0;
    }
    if (has_ended) {
        usage_inherit(call_change_program(call), child);
        program_forget(id);
    } else {
        program_at(id)->stop_status = PROGRAM_NO_STOP;
    }
    return (int32_t)id.number;
}

/* 0: a child was heard of, or none and that is not waited for. Else what the call answers. */
static int32_t wait_for_news(const struct system_call *call, const struct wait *wait, struct program_id *heard)
{
    bool any;

    *heard = PROGRAM_NONE;

    for (;;) {
        struct program_id changed = find_changed(call, wait, &any);
        if (changed.number != 0) {
            /* What it alone shared with the caller can be the caller's own again. If not now, before the next clone. */
            if (program_at(changed)->state == PROGRAM_ZOMBIE && call->program->lender.number == 0) {
                space_lock(call->program->space);
                (void)!space_collapse(call->program->space);
                space_unlock(call->program->space);
            }
            int32_t result = take_status(call, changed, wait);
            if (result != 0) {
                *heard = changed;
                return result < 0 ? result : 0;
            }
            continue;
        }
        if (!any) {
            return -ECHILD;
        }
        if ((wait->options & WAIT_NO_HANG) != 0) {
            return 0;
        }
        if (task_has_signal(call->task)) {
            return call_interrupted(call);
        }
        enum error error = program_wait_for_change();
        if (error != OK && error != ERROR_INTERRUPTED) {
            return system_call_errno(error);
        }
    }
}

static int32_t wait_for_end(const struct system_call *call, uint32_t usage_address)
{
    uint32_t options = call->arguments[2];
    int32_t wish = (int32_t)call->arguments[0];
    struct wait wait = {.options = options | WAIT_ENDED, .status = call->arguments[1], .usage = usage_address};
    struct program_id heard;

    if ((options & ~(WAIT_NO_HANG | WAIT_STOPPED | WAIT_CONTINUED | WAIT_ALL)) != 0 || wish == INT32_MIN) {
        return wish == INT32_MIN ? -ESRCH : -EINVAL;
    }
    if (wish > 0) {
        wait.program = (struct program_id){(uint32_t)wish};
    } else if (wish != -1) {
        wait.group = wish == 0 ? call->program->process_group : (struct group_id){0u - (uint32_t)wish};
    }
    int32_t result = wait_for_news(call, &wait, &heard);
    return result != 0 ? result : (int32_t)heard.number;
}

/* Whom waitid() means: 0, or -EINVAL. */
static int32_t whom(const struct system_call *call, struct wait *wait)
{
    uint32_t number = call->arguments[1];

    switch (call->arguments[0]) {
    case P_ALL:
        return 0;
    case P_PID:
        wait->program = (struct program_id){number};
        return (int32_t)number > 0 ? 0 : -EINVAL;
    case P_PGID:
        wait->group = number == 0 ? call->program->process_group : (struct group_id){number};
        return (int32_t)number >= 0 ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

#define WAITID_KNOWN (WAIT_NO_HANG | WAIT_STOPPED | WAIT_ENDED | WAIT_CONTINUED | WAIT_ONLY_LOOK | WAIT_ALL)

/* waitid(kind, number, information, options, usage) */
int32_t call_waitid(const struct system_call *call)
{
    uint32_t options = call->arguments[3];
    struct wait wait = {.options = options, .information = call->arguments[2], .usage = call->arguments[4]};
    struct program_id heard;

    if ((options & ~WAITID_KNOWN) != 0 || (options & (WAIT_STOPPED | WAIT_ENDED | WAIT_CONTINUED)) == 0) {
        return -EINVAL;
    }
    int32_t result = whom(call, &wait);
    if (result == 0) {
        result = wait_for_news(call, &wait, &heard);
    }
    if (result != 0 || heard.number != 0 || wait.information == 0) {
        return result;
    }
    const struct linux_siginfo nothing = {0};
    return copy_out(wait.information, &nothing, INFORMATION_BYTES);
}

int32_t call_wait4(const struct system_call *call)
{
    return wait_for_end(call, call->arguments[3]);
}

int32_t call_waitpid(const struct system_call *call)
{
    return wait_for_end(call, 0);
}
