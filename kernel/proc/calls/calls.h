/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: how a system call is made and where each is.
 *
 * A handler gets its arguments and answers with a result or a negative errno; it never sees registers. The rules, which
 * make every call restartable after a cut:
 *
 *     CALL-1  A call decodes and checks first, makes user memory ready second, changes things last.
 *     CALL-2  Between a change and the return of the result nothing sleeps; or what has been achieved is in
 *             record->call (bytes done, an absolute deadline), and the same call issued again goes on from there.
 *     CALL-3  Before a sleep a call looks at signal_is_pending(), and an interrupted sleep ends it with EINTR.
 *
 * CALL-2 is asserted. A handler can only read what `struct system_call` shows it. To change something it asks for it, by
 * call_change_task() and call_change_program(), or by what changes other objects for it (program_call_commit() in program.h
 * says which): from there on it is a panic to sleep, until the dispatcher has set the result or the handler has written
 * down in call_progress() what it did.
 */
#ifndef CALLS_H
#define CALLS_H

#include "linux/linux_abi.h"
#include "linux/linux_errno.h"
#include "program.h"
#include "system_call.h"
#include "types.h"
#include "space/user_memory.h"

#define SYSTEM_CALL_ARGUMENTS 6u

struct system_call {
    uint32_t arguments[SYSTEM_CALL_ARGUMENTS];
    uint32_t number;
    const struct task *task;
    const struct task_record *record;
    const struct program_record *program;
};

/* The caller's task and program, to be changed: nothing sleeps from now on (CALL-2). */
struct task *call_change_task(const struct system_call *call);
struct program_record *call_change_program(const struct system_call *call);

/* What the call has achieved, to be written at once: with that it may sleep again, or go on after a boot. */
struct call_progress *call_progress(const struct system_call *call);

typedef int32_t system_call_handler(const struct system_call *call);

struct system_call_entry {
    const char *name;
    system_call_handler *handler;
};

/* The entry of a number, or NULL when there is no such call. */
const struct system_call_entry *system_call_find(uint32_t number);

/*
 * The result of a call that a signal ended before it achieved anything: it is issued again after the handler if that
 * was installed with SA_RESTART, otherwise -EINTR. Nothing may sleep between this and the return of the result.
 */
int32_t call_interrupted(const struct system_call *call);

/*
 * Another signal mask for a wait: it is no result, for with the same call issued again the mask of before stays the same one
 * (signal_mask_exchange()), so the call may sleep.
 */
void call_exchange_mask(const struct system_call *call, uint32_t low, uint32_t high);

/* User memory in calls: 0 or a negative errno. */
int32_t copy_in(void *destination, uint32_t source, uint32_t length);
int32_t copy_out(uint32_t destination, const void *source, uint32_t length);

/* In calls that work for long without a sleep: a place where the task may be captured and others get their turn. */
void call_let_others_run(void);

/*
 * The pace of a wait for a deadline. The monotonic clock is committed with each generation, but an idle system commits
 * none. So that cuts do not set a long wait back for ever, it pauses at doubling distances and leaves a mark in its
 * task's record, which makes a snapshot due. Zeroed to start with.
 */
struct call_pace {
    uint64_t gap_ns;
};

/* Leave a mark, and say until when to wait now: the deadline or an earlier moment. Both of the monotonic clock. */
uint64_t call_pace_next(const struct system_call *call, struct call_pace *pace, uint64_t deadline_ns);

/* Sleep until the deadline of the monotonic clock, unless a signal is or becomes pending: 0 or -EINTR. */
int32_t call_sleep_until(const struct system_call *call, uint64_t deadline_ns);

/* The same until a moment of the wall clock. */
int32_t call_sleep_until_wall(const struct system_call *call, uint64_t moment_ns);

/* A timespec in the program's memory, of 32 or 64 bits, as nanoseconds: 0 or a negative errno. */
int32_t call_timespec_in(uint32_t address, bool wide, uint64_t *out_ns);

/* What was used, as struct rusage: 0 or a negative errno. */
struct usage;
int32_t call_usage_out(uint32_t address, const struct usage *used);

/* call_file.c: descriptors, and bytes in and out */
system_call_handler call_read, call_write, call_readv, call_writev, call_pread64, call_pwrite64, call_close, call_dup,
    call_dup2, call_dup3, call_fcntl64, call_lseek, call_llseek, call_ioctl, call_ftruncate;

/* call_pipe.c */
struct file_record;
system_call_handler call_pipe, call_pipe2;

/*
 * Read into a buffer whose first byte is byte `offset` of the call: 0 when it is full, READ_ENDS when there is no more
 * for now, or a negative errno. record->call.done says what has been read in all.
 */
#define READ_ENDS 1
int32_t call_read_pipe(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                       uint32_t offset);

/* Write what remains of a buffer, whose first byte is byte `offset` of the call: 0 when all of it is in the pipe. */
int32_t call_write_pipe(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                        uint32_t offset);

/* F_GETPIPE_SZ and F_SETPIPE_SZ. */
int32_t call_get_pipe_size(const struct file_record *file);
int32_t call_set_pipe_size(const struct file_record *file, uint32_t bytes);

/* call_path.c: names */
system_call_handler call_open, call_openat, call_access, call_faccessat, call_readlink, call_readlinkat, call_getcwd,
    call_chdir, call_umask, call_change_path, call_unlinkat, call_make_path, call_getdents64;

/* call_status.c: what they name */
system_call_handler call_stat64, call_lstat64, call_fstat64, call_fstatat64, call_stat, call_lstat, call_fstat,
    call_statx;

/* call_poll.c */
system_call_handler call_poll, call_ppoll, call_ppoll_time64, call_select_old, call_newselect, call_pselect6,
    call_pselect6_time64;

/* call_memory.c */
system_call_handler call_mmap_old, call_mmap2, call_munmap, call_mprotect, call_mremap, call_madvise, call_brk,
    call_mlock;

/* Whether the program has a mapping all over the range of arguments 0 and 1: 0, -EINVAL (unaligned) or -ENOMEM. */
int32_t mapped_range_check(const struct system_call *call);

/* call_time.c */
system_call_handler call_time, call_gettimeofday, call_clock_gettime, call_clock_gettime64, call_clock_getres,
    call_clock_getres_time64, call_nanosleep, call_clock_nanosleep, call_clock_nanosleep_time64, call_pause;

/* call_usage.c: time on the processor */
system_call_handler call_getrusage, call_times;

/* The time of a clock of the processor, by its number on Linux: 0, or -EINVAL if there is no such clock. */
int32_t call_processor_clock(const struct system_call *call, uint32_t clock, uint64_t *out_ns);

/* call_identity.c: who asks, on what machine */
system_call_handler call_getpid, call_getppid, call_gettid, call_zero, call_getpgrp, call_getpgid, call_setpgid,
    call_getsid, call_setsid, call_uname, call_sysinfo, call_getrandom, call_getgroups, call_getresid, call_sched_yield, call_sched_getaffinity, call_set_id, call_prctl;

/* call_limits.c */
system_call_handler call_getrlimit_old, call_getrlimit, call_setrlimit, call_prlimit64;

/* call_task.c: a task, its end, and its thread-local storage */
system_call_handler call_exit, call_exit_group, call_set_thread_area, call_get_thread_area, call_set_tid_address,
    call_set_robust_list;

/* call_futex.c */
system_call_handler call_futex, call_futex_time64;

/* call_process.c: making programs, and hearing of their end */
system_call_handler call_fork, call_vfork, call_clone, call_waitpid, call_wait4;

/* call_exec.c */
system_call_handler call_execve;

/* A descriptor of a segment as what the processor is given; call_task.c. */
struct cpu_tls call_segment(const struct linux_user_desc *description);

/* call_signal.c */
system_call_handler call_rt_sigaction, call_rt_sigprocmask, call_rt_sigpending, call_rt_sigsuspend, call_sigaltstack,
    call_kill, call_tkill, call_tgkill, call_sigreturn, call_rt_sigreturn;

/* call_signal_old.c */
system_call_handler call_signal, call_sigaction, call_sgetmask, call_ssetmask, call_sigsuspend, call_sigpending,
    call_sigprocmask;

/* call_snapshot.c: durability, and the calls of Eidolon's own */
system_call_handler call_sync, call_fsync, call_msync, call_eidolon_information, call_eidolon_sync;

/* program_account.c and memory_picture.c: what memory costs, and where it is */
system_call_handler call_eidolon_account, call_eidolon_frames, call_eidolon_regions, call_eidolon_pages;

#endif
