/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of system calls, and what all of them share.
 *
 * Numbers are those of Linux on i386; Eidolon's own lie above them (include/eidolon/). A number without an entry
 * answers ENOSYS and is named once in the log.
 */
#include "system_call.h"
#include "calls.h"
#include "eidolon/eidolon.h"
#include "eidolon/memory.h"
#include "signal/program_signal.h"
#include "program_time.h"
#include "signal/signals.h"
#include "task/task.h"

#define PACE_FIRST_NS  50000000u
#define CALL_WORD_MARK 3u /* of record->call.words: changes when a wait leaves a mark */

static const struct system_call_entry linux_calls[] = {
    [1] = {"exit", call_exit},
    [2] = {"fork", call_fork},
    [3] = {"read", call_read},
    [4] = {"write", call_write},
    [5] = {"open", call_open},
    [6] = {"close", call_close},
    [7] = {"waitpid", call_waitpid},
    [8] = {"creat", call_make_path},
    [10] = {"unlink", call_change_path},
    [11] = {"execve", call_execve},
    [12] = {"chdir", call_chdir},
    [13] = {"time", call_time},
    [19] = {"lseek", call_lseek},
    [20] = {"getpid", call_getpid},
    [24] = {"getuid", call_zero},
    [29] = {"pause", call_pause},
    [33] = {"access", call_access},
    [36] = {"sync", call_sync},
    [37] = {"kill", call_kill},
    [38] = {"rename", call_change_path},
    [39] = {"mkdir", call_make_path},
    [40] = {"rmdir", call_change_path},
    [41] = {"dup", call_dup},
    [42] = {"pipe", call_pipe},
    [43] = {"times", call_times},
    [45] = {"brk", call_brk},
    [47] = {"getgid", call_zero},
    [48] = {"signal", call_signal},
    [49] = {"geteuid", call_zero},
    [50] = {"getegid", call_zero},
    [54] = {"ioctl", call_ioctl},
    [55] = {"fcntl", call_fcntl64},
    [57] = {"setpgid", call_setpgid},
    [60] = {"umask", call_umask},
    [63] = {"dup2", call_dup2},
    [64] = {"getppid", call_getppid},
    [65] = {"getpgrp", call_getpgrp},
    [66] = {"setsid", call_setsid},
    [67] = {"sigaction", call_sigaction},
    [68] = {"sgetmask", call_sgetmask},
    [69] = {"ssetmask", call_ssetmask},
    [72] = {"sigsuspend", call_sigsuspend},
    [73] = {"sigpending", call_sigpending},
    [75] = {"setrlimit", call_setrlimit},
    [76] = {"old_getrlimit", call_getrlimit_old},
    [77] = {"getrusage", call_getrusage},
    [78] = {"gettimeofday", call_gettimeofday},
    [82] = {"old_select", call_select_old},
    [85] = {"readlink", call_readlink},
    [90] = {"old_mmap", call_mmap_old},
    [91] = {"munmap", call_munmap},
    [93] = {"ftruncate", call_ftruncate},
    [106] = {"stat", call_stat},
    [107] = {"lstat", call_lstat},
    [108] = {"fstat", call_fstat},
    [114] = {"wait4", call_wait4},
    [116] = {"sysinfo", call_sysinfo},
    [118] = {"fsync", call_fsync},
    [119] = {"sigreturn", call_sigreturn},
    [120] = {"clone", call_clone},
    [122] = {"uname", call_uname},
    [125] = {"mprotect", call_mprotect},
    [126] = {"sigprocmask", call_sigprocmask},
    [132] = {"getpgid", call_getpgid},
    [140] = {"_llseek", call_llseek},
    [142] = {"_newselect", call_newselect},
    [144] = {"msync", call_msync},
    [145] = {"readv", call_readv},
    [146] = {"writev", call_writev},
    [147] = {"getsid", call_getsid},
    [148] = {"fdatasync", call_fsync},
    [150] = {"mlock", call_mlock},
    [151] = {"munlock", call_mlock},
    [152] = {"mlockall", call_mlock},
    [153] = {"munlockall", call_mlock},
    [158] = {"sched_yield", call_sched_yield},
    [162] = {"nanosleep", call_nanosleep},
    [163] = {"mremap", call_mremap},
    [168] = {"poll", call_poll},
    [172] = {"prctl", call_prctl},
    [173] = {"rt_sigreturn", call_rt_sigreturn},
    [174] = {"rt_sigaction", call_rt_sigaction},
    [175] = {"rt_sigprocmask", call_rt_sigprocmask},
    [176] = {"rt_sigpending", call_rt_sigpending},
    [179] = {"rt_sigsuspend", call_rt_sigsuspend},
    [180] = {"pread64", call_pread64},
    [181] = {"pwrite64", call_pwrite64},
    [183] = {"getcwd", call_getcwd},
    [186] = {"sigaltstack", call_sigaltstack},
    [190] = {"vfork", call_vfork},
    [191] = {"ugetrlimit", call_getrlimit},
    [192] = {"mmap2", call_mmap2},
    [194] = {"ftruncate64", call_ftruncate},
    [195] = {"stat64", call_stat64},
    [196] = {"lstat64", call_lstat64},
    [197] = {"fstat64", call_fstat64},
    [199] = {"getuid32", call_zero},
    [200] = {"getgid32", call_zero},
    [201] = {"geteuid32", call_zero},
    [202] = {"getegid32", call_zero},
    [205] = {"getgroups32", call_getgroups},
    [209] = {"getresuid32", call_getresid},
    [211] = {"getresgid32", call_getresid},
    [213] = {"setuid32", call_set_id},
    [214] = {"setgid32", call_set_id},
    [219] = {"madvise", call_madvise},
    [220] = {"getdents64", call_getdents64},
    [221] = {"fcntl64", call_fcntl64},
    [224] = {"gettid", call_gettid},
    [238] = {"tkill", call_tkill},
    [240] = {"futex", call_futex},
    [242] = {"sched_getaffinity", call_sched_getaffinity},
    [243] = {"set_thread_area", call_set_thread_area},
    [244] = {"get_thread_area", call_get_thread_area},
    [252] = {"exit_group", call_exit_group},
    [258] = {"set_tid_address", call_set_tid_address},
    [265] = {"clock_gettime", call_clock_gettime},
    [266] = {"clock_getres", call_clock_getres},
    [267] = {"clock_nanosleep", call_clock_nanosleep},
    [270] = {"tgkill", call_tgkill},
    [295] = {"openat", call_openat},
    [300] = {"fstatat64", call_fstatat64},
    [301] = {"unlinkat", call_unlinkat},
    [305] = {"readlinkat", call_readlinkat},
    [307] = {"faccessat", call_faccessat},
    [308] = {"pselect6", call_pselect6},
    [309] = {"ppoll", call_ppoll},
    [311] = {"set_robust_list", call_set_robust_list},
    [330] = {"dup3", call_dup3},
    [331] = {"pipe2", call_pipe2},
    [340] = {"prlimit64", call_prlimit64},
    [355] = {"getrandom", call_getrandom},
    [383] = {"statx", call_statx},
    [403] = {"clock_gettime64", call_clock_gettime64},
    [406] = {"clock_getres_time64", call_clock_getres_time64},
    [407] = {"clock_nanosleep_time64", call_clock_nanosleep_time64},
    [413] = {"pselect6_time64", call_pselect6_time64},
    [414] = {"ppoll_time64", call_ppoll_time64},
    [422] = {"futex_time64", call_futex_time64},
    [439] = {"faccessat2", call_faccessat},
};

static const struct system_call_entry own_calls[] = {
    [EIDOLON_CALL_INFORMATION - EIDOLON_CALL_FIRST] = {"eidolon_information", call_eidolon_information},
    [EIDOLON_CALL_SYNC - EIDOLON_CALL_FIRST] = {"eidolon_sync", call_eidolon_sync},
    [EIDOLON_CALL_ACCOUNT - EIDOLON_CALL_FIRST] = {"eidolon_account", call_eidolon_account},
    [EIDOLON_CALL_FRAMES - EIDOLON_CALL_FIRST] = {"eidolon_frames", call_eidolon_frames},
    [EIDOLON_CALL_REGIONS - EIDOLON_CALL_FIRST] = {"eidolon_regions", call_eidolon_regions},
    [EIDOLON_CALL_PAGES - EIDOLON_CALL_FIRST] = {"eidolon_pages", call_eidolon_pages},
};

#define LINUX_CALLS (sizeof(linux_calls) / sizeof(linux_calls[0]))
#define OWN_CALLS   (sizeof(own_calls) / sizeof(own_calls[0]))

const struct system_call_entry *system_call_find(uint32_t number)
{
    const struct system_call_entry *entry = NULL;

    if (number < LINUX_CALLS) {
        entry = &linux_calls[number];
    } else if (number - EIDOLON_CALL_FIRST < OWN_CALLS) {
        entry = &own_calls[number - EIDOLON_CALL_FIRST];
    }
    return entry != NULL && entry->handler != NULL ? entry : NULL;
}

int32_t system_call_errno(enum error error)
{
    switch (error) {
    case OK:
        return 0;
    case ERROR_NO_MEMORY:
        return -ENOMEM;
    case ERROR_EXISTS:
        return -EEXIST;
    case ERROR_NOT_FOUND:
        return -ENOENT;
    case ERROR_BUSY:
        return -EBUSY;
    case ERROR_DENIED:
        return -EFAULT;
    case ERROR_NO_SPACE:
        return -ENOSPC;
    case ERROR_READ_ONLY:
        return -EROFS;
    case ERROR_TIMED_OUT:
        return -ETIMEDOUT;
    case ERROR_INTERRUPTED:
        return -EINTR;
    case ERROR_UNSUPPORTED:
        return -ENOSYS;
    case ERROR_IO:
    case ERROR_CHECKSUM:
        return -EIO;
    default:
        return -EINVAL;
    }
}

int32_t copy_in(void *destination, uint32_t source, uint32_t length)
{
    return system_call_errno(user_copy_in(destination, (struct vaddr){source}, length));
}

int32_t copy_out(uint32_t destination, const void *source, uint32_t length)
{
    return system_call_errno(user_copy_out((struct vaddr){destination}, source, length));
}

struct task *call_change_task(const struct system_call *call)
{
    (void)call;
    program_call_commit();
    return task_current();
}

struct program_record *call_change_program(const struct system_call *call)
{
    return call_change_task(call)->program;
}

struct call_progress *call_progress(const struct system_call *call)
{
    (void)call;
    program_call_keep();
    return &task_current()->record->call;
}

int32_t call_interrupted(const struct system_call *call)
{
    if (!signal_restarts_call(call->task)) {
        return -EINTR;
    }
    struct task *task = call_change_task(call);
    task_touch(task);
    task->registers->eip -= 2; /* back over `int 0x80`, with the number in EAX again */
    return (int32_t)call->number;
}

void call_exchange_mask(const struct system_call *call, uint32_t low, uint32_t high)
{
    signal_mask_exchange(call_change_task(call), low, high);
    program_call_keep();
}

void call_let_others_run(void)
{
    if (thread_should_yield()) {
        thread_yield();
    }
}

uint64_t call_pace_next(const struct system_call *call, struct call_pace *pace, uint64_t deadline_ns)
{
    uint64_t now = time_monotonic_ns();

    if (deadline_ns == UINT64_MAX) {
        return deadline_ns;
    }
    pace->gap_ns = pace->gap_ns == 0 ? PACE_FIRST_NS : pace->gap_ns * 2;
    call_progress(call)->words[CALL_WORD_MARK] = (uint32_t)now;
    return deadline_ns > now && deadline_ns - now > pace->gap_ns ? now + pace->gap_ns : deadline_ns;
}

int32_t call_sleep_until(const struct system_call *call, uint64_t deadline_ns)
{
    struct call_pace pace = {0};

    while (time_monotonic_ns() < deadline_ns) {
        if (signal_is_pending(call->task)) {
            return -EINTR;
        }
        uint64_t until = call_pace_next(call, &pace, deadline_ns);
        enum error error = thread_sleep_until(time_boot_deadline_ns(until));
        if (error != OK && error != ERROR_INTERRUPTED) {
            return system_call_errno(error);
        }
    }
    return 0;
}
