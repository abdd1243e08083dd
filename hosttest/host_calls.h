/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers of system calls, as programs know them.
 */
#ifndef HOST_CALLS_H
#define HOST_CALLS_H

enum {
    CALL_EXIT = 1,
    CALL_FORK = 2,
    CALL_READ = 3,
    CALL_WRITE = 4,
    CALL_CLOSE = 6,
    CALL_EXECVE = 11,
    CALL_GETPID = 20,
    CALL_SYNC = 36,
    CALL_KILL = 37,
    CALL_DUP = 41,
    CALL_PIPE = 42,
    CALL_BRK = 45,
    CALL_DUP2 = 63,
    CALL_GETPPID = 64,
    CALL_SIGACTION = 67,
    CALL_MUNMAP = 91,
    CALL_WAIT4 = 114,
    CALL_SIGRETURN = 119,
    CALL_CLONE = 120,
    CALL_MPROTECT = 125,
    CALL_SCHED_YIELD = 158,
    CALL_NANOSLEEP = 162,
    CALL_MREMAP = 163,
    CALL_POLL = 168,
    CALL_RT_SIGRETURN = 173,
    CALL_RT_SIGACTION = 174,
    CALL_RT_SIGPROCMASK = 175,
    CALL_RT_SIGPENDING = 176,
    CALL_RT_SIGQUEUEINFO = 178,
    CALL_VFORK = 190,
    CALL_MMAP2 = 192,
    CALL_MADVISE = 219,
    CALL_FCNTL64 = 221,
    CALL_FUTEX = 240,
    CALL_PIPE2 = 331,
};

#endif
