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

#define CHILD 0 /* of record->call.words */

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

/* Whether wait4(`wish`) of the caller is about this child of it. */
static bool is_meant(const struct system_call *call, struct program_id id, int32_t wish)
{
    const struct program_record *program = program_at(id);

    if (wish > 0) {
        return id.number == (uint32_t)wish;
    }
    uint32_t group = wish == 0 ? call->program->process_group.number : 0u - (uint32_t)wish;
    return wish == -1 || program->process_group.number == group;
}

/* Whether a living child has something to report that the caller wants to hear. */
static bool has_news(const struct program_record *program, uint32_t options)
{
    uint32_t status = program->stop_status;

    return ((options & WAIT_STOPPED) != 0 && (status & 0xFF) == PROGRAM_STOPPED_BY) ||
           ((options & WAIT_CONTINUED) != 0 && status == PROGRAM_CONTINUED);
}

/* One that has ended, stopped or been continued; else 0, and `any` says whether there are others to wait for. */
static struct program_id find_changed(const struct system_call *call, int32_t wish, uint32_t options, bool *any)
{
    struct program_id id = children_first(call->task->program_id);

    *any = false;
    for (; id.number != 0; id = children_next(id)) {
        if (!is_meant(call, id, wish)) {
            continue;
        }
        *any = true;
        if (program_at(id)->state == PROGRAM_ZOMBIE || has_news(program_at(id), options)) {
            return id;
        }
    }
    return PROGRAM_NONE;
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
static int32_t take_status(const struct system_call *call, struct program_id id, uint32_t usage_address)
{
    struct user_range range = {0};
    const struct program_record *child = program_at(id);
    uint32_t status_address = call->arguments[1], options = call->arguments[2];

    if (usage_address != 0) {
        struct usage used;
        usage_of_child(id, &used);
        int32_t result = call_usage_out(usage_address, &used);
        if (result != 0) {
            return result;
        }
    }
    if (status_address != 0) {
        enum error error = user_begin(&range, (struct vaddr){status_address}, sizeof(uint32_t), PMAP_WRITE);
        if (error != OK) {
            return system_call_errno(error);
        }
    }
    bool has_ended = child->state == PROGRAM_ZOMBIE;
    uint32_t status = has_ended ? child->exit_status : child->stop_status;
    bool is_news = child->state != PROGRAM_FREE && child->parent.number == call->task->program_id.number &&
                   (has_ended || has_news(child, options));
    if (is_news) {
        program_call_commit();
    }
    if (status_address != 0) {
        if (is_news) {
            memcpy(range.address, &status, sizeof(status));
        }
        user_end(&range);
    }
    if (is_news && has_ended) {
        usage_inherit(call_change_program(call), child);
        program_forget(id);
    } else if (is_news) {
        program_at(id)->stop_status = PROGRAM_NO_STOP;
    }
    return is_news ? (int32_t)id.number : 0;
}

static int32_t wait_for_end(const struct system_call *call, uint32_t usage_address)
{
    int32_t wish = (int32_t)call->arguments[0];
    uint32_t options = call->arguments[2];
    bool any;

    if ((options & ~(WAIT_NO_HANG | WAIT_STOPPED | WAIT_CONTINUED | WAIT_ALL)) != 0 || wish == INT32_MIN) {
        return wish == INT32_MIN ? -ESRCH : -EINVAL;
    }
    for (;;) {
        struct program_id changed = find_changed(call, wish, options, &any);
        if (changed.number != 0) {
            /* What it alone shared with the caller can be the caller's own again. If not now, before the next clone. */
            if (program_at(changed)->state == PROGRAM_ZOMBIE && call->program->lender.number == 0) {
                space_lock(call->program->space);
                (void)!space_collapse(call->program->space);
                space_unlock(call->program->space);
            }
            int32_t result = take_status(call, changed, usage_address);
            if (result != 0) {
                return result;
            }
            continue;
        }
        if (!any) {
            return -ECHILD;
        }
        if ((options & WAIT_NO_HANG) != 0) {
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

int32_t call_wait4(const struct system_call *call)
{
    return wait_for_end(call, call->arguments[3]);
}

int32_t call_waitpid(const struct system_call *call)
{
    return wait_for_end(call, 0);
}
