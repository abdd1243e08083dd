/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structures and constants of the Linux system-call interface on i386, as far as kernel/proc speaks it.
 *
 * Field order and sizes are what programs were compiled against; the assertions hold them. Not to be included beside
 * the C library's headers of the same matters.
 */
#ifndef LINUX_ABI_H
#define LINUX_ABI_H

#include "types.h"

/* open() and fcntl() */
#define O_ACCMODE   00000003u
#define O_RDONLY    00000000u
#define O_WRONLY    00000001u
#define O_RDWR      00000002u
#define O_CREAT     00000100u
#define O_EXCL      00000200u
#define O_TRUNC     00001000u
#define O_APPEND    00002000u
#define O_NONBLOCK  00004000u
#define O_LARGEFILE 00100000u
#define O_DIRECTORY 00200000u
#define O_NOFOLLOW  00400000u
#define O_CLOEXEC   02000000u
#define O_PATH      010000000u
#define O_TMPFILE   020000000u /* with O_DIRECTORY */

#define F_DUPFD         0u
#define F_GETFD         1u
#define F_SETFD         2u
#define F_GETFL         3u
#define F_SETFL         4u
#define F_DUPFD_CLOEXEC 1030u
#define F_SETPIPE_SZ    1031u
#define F_GETPIPE_SZ    1032u
#define FD_CLOEXEC      1u

/* Locks: commands of fcntl(), and types; what flock() does */
#define F_GETLK      5u
#define F_SETLK      6u
#define F_SETLKW     7u
#define F_GETLK64    12u
#define F_SETLK64    13u
#define F_SETLKW64   14u
#define F_OFD_GETLK  36u
#define F_OFD_SETLK  37u
#define F_OFD_SETLKW 38u
#define F_RDLCK      0
#define F_WRLCK      1
#define F_UNLCK      2
#define LOCK_SH      1u
#define LOCK_EX      2u
#define LOCK_NB      4u
#define LOCK_UN      8u

struct linux_flock64 {
    int16_t type, whence;
    int64_t start, length;
    int32_t program;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct linux_flock64) == 24, "struct flock64");

struct linux_flock {
    int16_t type, whence;
    int32_t start, length, program;
};

#define AT_FDCWD            (-100)
#define AT_EMPTY_PATH       0x1000u
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_REMOVEDIR        0x200u
#define AT_SYMLINK_FOLLOW   0x400u
#define RENAME_NOREPLACE    1u
#define UTIME_NOW           0x3FFFFFFF
#define UTIME_OMIT          0x3FFFFFFE
#define FALLOC_KEEP_SIZE    1u
#define ACCESS_READ         4u /* R_OK, W_OK, X_OK */
#define ACCESS_WRITE        2u
#define ACCESS_EXECUTE      1u
#define LINUX_IOV_MAX       1024u

struct linux_iovec {
    uint32_t base, length;
};

/* Types and modes of files */
#define S_IFMT   0170000u
#define S_IFIFO  0010000u
#define S_IFCHR  0020000u
#define S_IFDIR  0040000u
#define S_IFBLK  0060000u
#define S_IFREG  0100000u
#define S_IFLNK  0120000u
#define S_IFSOCK 0140000u

struct linux_stat64 {
    uint64_t device;
    uint8_t padding_1[4];
    uint32_t inode_low;
    uint32_t mode, links, user, group;
    uint64_t special_device;
    uint8_t padding_2[4];
    uint64_t size;
    uint32_t block_bytes;
    uint64_t blocks;
    uint32_t access_time, access_time_ns, modify_time, modify_time_ns, change_time, change_time_ns;
    uint64_t inode;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct linux_stat64) == 96, "struct stat64");

/* What the old stat() fills. */
struct linux_stat {
    uint32_t device, inode;
    uint16_t mode, links, user, group;
    uint32_t special_device, size, block_bytes, blocks;
    uint32_t access_time, access_time_ns, modify_time, modify_time_ns, change_time, change_time_ns;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct linux_stat) == 64, "struct stat");

#define STATX_BASIC_STATS 0x7FFu

struct linux_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

struct linux_statx {
    uint32_t mask, block_bytes;
    uint64_t attributes;
    uint32_t links, user, group;
    uint16_t mode, padding;
    uint64_t inode, size, blocks, attributes_mask;
    struct linux_statx_time access, birth, change, modify;
    uint32_t special_major, special_minor, device_major, device_minor;
    uint64_t spare[14];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");

/* What getdents64() fills, and getdents(): the type is the last byte of each. Names end with a zero byte. */
struct linux_dirent64 {
    uint64_t inode, next;
    uint16_t length;
    uint8_t type;
    char name[5];
} __attribute__((packed, aligned(4)));
#define DIRENT64_BYTES(name_length) ((19u + (name_length) + 1 + 7u) & ~7u)

struct linux_dirent {
    uint32_t inode, next;
    uint16_t length;
    char name[2];
};
#define DIRENT_BYTES(name_length) ((10u + (name_length) + 2 + 3u) & ~3u)

struct linux_statfs64 {
    uint32_t type, block_bytes;
    uint64_t blocks, free, available, files, files_free;
    uint32_t id[2], name_length, fragment_bytes, flags, spare[4];
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct linux_statfs64) == 84, "struct statfs64");

struct linux_statfs {
    uint32_t type, block_bytes, blocks, free, available, files, files_free, id[2], name_length, fragment_bytes, flags,
        spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 64, "struct statfs");
#define TMPFS_TYPE 0x01021994u

/* mmap() and its relatives */
#define PROT_READ           1u
#define PROT_WRITE          2u
#define PROT_EXEC           4u
#define PROT_GROWSDOWN      0x01000000u
#define MAP_SHARED          0x01u
#define MAP_PRIVATE         0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_TYPE            0x0Fu
#define MAP_FIXED           0x10u
#define MAP_ANONYMOUS       0x20u
#define MAP_GROWSDOWN       0x0100u
#define MAP_NORESERVE       0x4000u
#define MAP_FIXED_NOREPLACE 0x100000u
#define MREMAP_MAYMOVE      1u
#define MREMAP_FIXED        2u
#define MADV_DONTNEED       4u

/* Time */
#define CLOCK_REALTIME           0u
#define CLOCK_MONOTONIC          1u
#define CLOCK_PROCESS_CPUTIME_ID 2u
#define CLOCK_THREAD_CPUTIME_ID  3u
#define CLOCK_MONOTONIC_RAW      4u
#define CLOCK_REALTIME_COARSE    5u
#define CLOCK_MONOTONIC_COARSE   6u
#define CLOCK_BOOTTIME           7u
#define CLOCK_TAI                11u
#define TIMER_ABSTIME            1u

struct linux_timespec32 {
    int32_t seconds, nanoseconds;
};

/* The upper half of `nanoseconds` is padding in the 64-bit form. */
struct linux_timespec64 {
    int64_t seconds;
    int32_t nanoseconds, padding;
};
_Static_assert(sizeof(struct linux_timespec64) == 16, "struct __kernel_timespec");

struct linux_timeval {
    int32_t seconds, microseconds;
};

struct linux_times {
    uint32_t user, system, children_user, children_system;
};

/* poll() and select() */
#define POLLIN     0x0001u
#define POLLPRI    0x0002u
#define POLLOUT    0x0004u
#define POLLERR    0x0008u
#define POLLHUP    0x0010u
#define POLLNVAL   0x0020u
#define POLLRDNORM 0x0040u
#define POLLRDBAND 0x0080u
#define POLLWRNORM 0x0100u
#define POLLWRBAND 0x0200u

struct linux_pollfd {
    int32_t descriptor;
    int16_t events, returned_events;
};

/* Identity and limits */
struct linux_utsname {
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

struct linux_sysinfo {
    uint32_t uptime, loads[3];
    uint32_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    uint16_t programs, padding;
    uint32_t total_high, free_high, unit_bytes;
    uint8_t reserved[8];
};
_Static_assert(sizeof(struct linux_sysinfo) == 64, "struct sysinfo");

struct linux_rusage {
    struct linux_timeval user, system;
    uint32_t counters[14];
};
#define RUSAGE_SELF         0
#define RUSAGE_CHILDREN     (-1)
#define RUSAGE_THREAD       1
#define RUSAGE_MINOR_FAULTS 4u /* of the counters */
#define RUSAGE_MAJOR_FAULTS 5u

#define RLIMIT_CPU        0u /* in seconds */
#define RLIMIT_DATA       2u
#define RLIMIT_STACK      3u
#define RLIMIT_CORE       4u
#define RLIMIT_NOFILE     7u
#define RLIMIT_AS         9u
#define RLIMIT_SIGPENDING 11u
#define RLIMIT_MSGQUEUE   12u
#define RLIMIT_NICE       13u
#define RLIMIT_RTPRIO     14u
#define RLIMITS           16u
#define RLIMIT_NONE_32    0xFFFFFFFFu
#define RLIMIT_NONE_64    UINT64_MAX

/* set_thread_area() */
struct linux_user_desc {
    uint32_t entry_number, base, limit, flags;
};
#define USER_DESC_32BIT          0x01u
#define USER_DESC_READ_ONLY      0x08u
#define USER_DESC_LIMIT_IN_PAGES 0x10u
#define USER_DESC_NOT_PRESENT    0x20u
#define USER_DESC_USABLE         0x40u

/* Signals */
#define SIGHUP           1u
#define SIGINT           2u
#define SIGQUIT          3u
#define SIGILL           4u
#define SIGTRAP          5u
#define SIGABRT          6u
#define SIGBUS           7u
#define SIGFPE           8u
#define SIGKILL          9u
#define SIGSEGV          11u
#define SIGPIPE          13u
#define SIGALRM          14u
#define SIGTERM          15u
#define SIGCHLD          17u
#define SIGCONT          18u
#define SIGSTOP          19u
#define SIGTSTP          20u
#define SIGTTIN          21u
#define SIGTTOU          22u
#define SIGURG           23u
#define SIGXCPU          24u
#define SIGVTALRM        26u
#define SIGPROF          27u
#define SIGWINCH         28u
#define SIGNAL_REAL_TIME 32u /* from here on they are queued */
#define SIGNAL_MAX       64u

#define SIG_DFL 0u
#define SIG_IGN 1u

#define SIG_BLOCK   0u
#define SIG_UNBLOCK 1u
#define SIG_SETMASK 2u

#define SA_NOCLDSTOP 0x00000001u
#define SA_NOCLDWAIT 0x00000002u
#define SA_SIGINFO   0x00000004u
#define SA_RESTORER  0x04000000u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u

#define SS_ONSTACK       1u
#define SS_DISABLE       2u
#define SIGNAL_STACK_MIN 2048u

/* setitimer(); the numbers of the timers are those of enum interval_timer_kind (record.h) */
struct linux_itimerval {
    struct linux_timeval interval, value;
};

/* timer_create() */
#define SIGEV_SIGNAL    0u
#define SIGEV_NONE      1u
#define SIGEV_THREAD    2u
#define SIGEV_THREAD_ID 4u

struct linux_sigevent {
    uint32_t value;
    int32_t signal, notify, tid;
    uint8_t padding[48];
};
_Static_assert(sizeof(struct linux_sigevent) == 64, "struct sigevent");

#define SI_USER       0
#define SI_KERNEL     0x80
#define SI_TKILL      (-6)
#define SI_TIMER      (-2)
#define SI_QUEUE      (-1)
#define SI_MESGQ      (-3)
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

struct linux_siginfo {
    int32_t signal, error, code;
    uint32_t program, user, value;
    uint8_t padding[104];
};
_Static_assert(sizeof(struct linux_siginfo) == 128, "siginfo_t");

/* What the old sigaction() takes; the mask is of the first 32 signals. */
struct linux_old_sigaction {
    uint32_t handler, mask, flags, restorer;
};

/* eventfd(), timerfd_create(), signalfd(): the flags of their descriptors are those of open() */
#define EFD_SEMAPHORE           1u
#define TFD_TIMER_ABSTIME       1u
#define TFD_TIMER_CANCEL_ON_SET 2u

struct linux_signalfd_siginfo {
    uint32_t signal;
    int32_t error, code;
    uint32_t program, user;
    int32_t descriptor;
    uint32_t timer, band, overrun, trap;
    int32_t status, value;
    uint64_t pointer, user_time, system_time, address;
    uint8_t padding[48];
};
_Static_assert(sizeof(struct linux_signalfd_siginfo) == 128, "struct signalfd_siginfo");

/* clone(): the lowest byte is the signal for the end */
#define CLONE_SIGNAL         0x000000FFu
#define CLONE_VM             0x00000100u
#define CLONE_FS             0x00000200u
#define CLONE_FILES          0x00000400u
#define CLONE_SIGHAND        0x00000800u
#define CLONE_VFORK          0x00004000u
#define CLONE_THREAD         0x00010000u
#define CLONE_SYSVSEM        0x00040000u
#define CLONE_SETTLS         0x00080000u
#define CLONE_PARENT_SETTID  0x00100000u
#define CLONE_CHILD_CLEARTID 0x00200000u
#define CLONE_DETACHED       0x00400000u /* means nothing */
#define CLONE_CHILD_SETTID   0x01000000u

/* set_robust_list(): locks that a thread holds, and what is in the word of one */
struct linux_robust_list {
    uint32_t first;   /* of entries that are linked to each other, and the last one to this */
    int32_t offset;   /* from an entry to its lock's word */
    uint32_t pending; /* an entry that is being linked or taken out; 0: none */
};
_Static_assert(sizeof(struct linux_robust_list) == 12, "struct robust_list_head");
#define ROBUST_LIST_MAX  2048u /* entries looked at */
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_OWNER      0x3FFFFFFFu

/* wait4() */
#define P_ALL          0u /* whom waitid() means */
#define P_PID          1u
#define P_PGID         2u
#define WAIT_NO_HANG   0x00000001u
#define WAIT_ENDED     0x00000004u
#define WAIT_ONLY_LOOK 0x01000000u
#define WAIT_STOPPED   0x00000002u
#define WAIT_CONTINUED 0x00000008u
#define WAIT_ALL       0xE0000000u /* and __WCLONE, __WNOTHREAD: there are no other children */

/* The auxiliary vector */
#define AT_NULL     0u
#define AT_PHDR     3u
#define AT_PHENT    4u
#define AT_PHNUM    5u
#define AT_PAGESZ   6u
#define AT_BASE     7u
#define AT_ENTRY    9u
#define AT_UID      11u
#define AT_EUID     12u
#define AT_GID      13u
#define AT_EGID     14u
#define AT_PLATFORM 15u
#define AT_HWCAP    16u
#define AT_CLKTCK   17u
#define AT_SECURE   23u
#define AT_RANDOM   25u
#define AT_EXECFN   31u

#endif
