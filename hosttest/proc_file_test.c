/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on names and descriptors: what each answers, at its edges, on the booted kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "linux/linux_terminal.h"
#include "proc_case.h"

#include <string.h>

#define AT     SPACE_AT
#define BUFFER (SPACE_AT + PAGE_SIZE)

enum {
    OPEN = 5,
    CREAT = 8,
    UNLINK = 10,
    CHDIR = 12,
    LSEEK = 19,
    ACCESS = 33,
    RENAME = 38,
    MKDIR = 39,
    DUP = 41,
    IOCTL = 54,
    UMASK = 60,
    DUP2 = 63,
    SELECT_OLD = 82,
    READLINK = 85,
    STAT = 106,
    FSTAT = 108,
    FSYNC = 118,
    LLSEEK = 140,
    NEWSELECT = 142,
    READV = 145,
    WRITEV = 146,
    POLL = 168,
    PREAD = 180,
    PWRITE = 181,
    GETCWD = 183,
    FTRUNCATE64 = 194,
    STAT64 = 195,
    LSTAT64 = 196,
    FSTAT64 = 197,
    GETDENTS64 = 220,
    FCNTL64 = 221,
    OPENAT = 295,
    FSTATAT64 = 300,
    UNLINKAT = 301,
    READLINKAT = 305,
    FACCESSAT = 307,
    PSELECT6 = 308,
    PPOLL = 309,
    DUP3 = 330,
    PIPE2 = 331,
    STATX = 383,
    PPOLL64 = 414,
    PSELECT64 = 413,
};

static uint32_t path(const char *text)
{
    return case_string(AT, text);
}

static void expect_text(uint32_t address, const char *text)
{
    char seen[64];

    case_get(address, seen, (uint32_t)strlen(text));
    if (memcmp(seen, text, strlen(text)) != 0) {
        host_wrong("expected \"%s\" at %08x", text, address);
    }
}

/* Names ------------------------------------------------------------------------------------------------------------ */

static void names(void)
{
    EXPECT(-ENOENT, OPEN, path("/etc/passwd"), O_RDONLY, 0);
    EXPECT(-ENOENT, OPEN, path(""), O_RDONLY, 0);
    EXPECT(-ENOENT, OPEN, path("/var/new"), O_WRONLY | O_CREAT, 0644);
    EXPECT(-EEXIST, OPEN, path("/dev/null"), O_WRONLY | O_CREAT | O_EXCL, 0644);
    EXPECT(-EISDIR, OPEN, path("/dev"), O_WRONLY, 0);
    EXPECT(3, OPEN, path("/"), O_RDONLY, 0);
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT(-ENOTDIR, OPEN, path("/dev/null"), O_RDONLY | O_DIRECTORY, 0);
    EXPECT(-EFAULT, OPEN, BAD, O_RDONLY, 0);
    char longer[300];
    memset(longer, 'x', sizeof(longer));
    longer[299] = 0;
    EXPECT(-ENAMETOOLONG, OPEN, path(longer), O_RDONLY, 0);
    EXPECT(3, OPEN, path("//dev/../dev/./null"), O_RDWR, 0);
    EXPECT(4, OPENAT, (uint32_t)AT_FDCWD, path("dev/zero"), O_RDONLY | O_CLOEXEC, 0);
    EXPECT(0, CALL_CLOSE, 4);
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT(-EBADF, CALL_CLOSE, 3);
    EXPECT(-EROFS, UNLINK, path("/dev/null"));
    EXPECT(-ENOENT, RENAME, path("/nowhere"), path("/somewhere"));
    EXPECT(-EROFS, UNLINKAT, (uint32_t)AT_FDCWD, path("/dev/tty"), 0);
    EXPECT(-EEXIST, MKDIR, path("/dev"), 0755);
    EXPECT(0, MKDIR, path("/new"), 0755);
    EXPECT(-EFAULT, CREAT, BAD, 0755);
    EXPECT(0, ACCESS, path("/dev/null"), 2);
    EXPECT(0, ACCESS, path("/"), 2);
    EXPECT(-ENOENT, FACCESSAT, (uint32_t)AT_FDCWD, path("/bin"), 0);
    EXPECT(0, CHDIR, path("/"));
    EXPECT(0, CHDIR, path("/dev"));
    EXPECT(5, GETCWD, BUFFER, 100);
    expect_text(BUFFER, "/dev");
    EXPECT(0, CHDIR, path("/"));
    EXPECT(-ENOTDIR, CHDIR, path("/dev/null"));
    EXPECT(022, UMASK, 0177);
    EXPECT(0177, UMASK, 01777);
    EXPECT(-ERANGE, GETCWD, BUFFER, 1);
    EXPECT(2, GETCWD, BUFFER, 100);
    expect_text(BUFFER, "/");
    EXPECT(-EFAULT, GETCWD, BAD, 100);
    EXPECT(-EBADF, GETDENTS64, 50, BUFFER, 100);
    EXPECT(-ENOTDIR, GETDENTS64, 0, BUFFER, 100);
}

static void links(void)
{
    EXPECT(14, READLINK, path("/proc/self/exe"), BUFFER, 100);
    expect_text(BUFFER, "/case of calls");
    EXPECT(3, READLINKAT, (uint32_t)AT_FDCWD, path("/proc/self/exe"), BUFFER, 3);
    EXPECT(8, READLINK, path("/proc/self/fd/0"), BUFFER, 100);
    expect_text(BUFFER, "/dev/tty");
    EXPECT(-ENOENT, READLINK, path("/proc/self/fd/9"), BUFFER, 100);
    EXPECT(-ENOENT, READLINK, path("/proc/self/fd/x"), BUFFER, 100);
    EXPECT(-EINVAL, READLINK, path("/dev"), BUFFER, 100);
    EXPECT(-EINVAL, READLINK, path("/dev"), BUFFER, 0);
    EXPECT(-ENOENT, READLINK, path(""), BUFFER, 10);
    EXPECT(-ENOENT, READLINK, path("/none"), BUFFER, 10);
}

static void pipes_by_their_links(void)
{
    EXPECT(0, CALL_PIPE, BUFFER); /* 3 and 4 */
    EXPECT(5, OPEN, path("/proc/self/fd/3"), O_RDONLY, 0);
    EXPECT(6, OPEN, path("/proc/self/fd/4"), O_WRONLY | O_CLOEXEC, 0);
    EXPECT(-EACCES, OPEN, path("/proc/self/fd/3"), O_WRONLY, 0);
    EXPECT(-EACCES, OPEN, path("/proc/self/fd/4"), O_RDONLY, 0);
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT(0, CALL_CLOSE, 4);
    EXPECT(3, CALL_WRITE, 6, BUFFER, 3);
    EXPECT(3, CALL_READ, 5, BUFFER, 10);
    EXPECT(0, CALL_CLOSE, 6);
    EXPECT(0, CALL_READ, 5, BUFFER, 10);
    EXPECT(0, CALL_CLOSE, 5);
}

static void states(void)
{
    uint32_t mode;

    EXPECT(0, STAT64, path("/dev/null"), BUFFER);
    case_get(BUFFER + offsetof(struct linux_stat64, mode), &mode, 4);
    EXPECT_IS(S_IFCHR | 0666, mode);
    EXPECT(0, LSTAT64, path("/proc/self/exe"), BUFFER);
    case_get(BUFFER + offsetof(struct linux_stat64, mode), &mode, 4);
    EXPECT_IS(S_IFLNK | 0777, mode);
    EXPECT(0, FSTAT64, 1, BUFFER);
    EXPECT(-EBADF, FSTAT64, 40, BUFFER);
    EXPECT(-ENOENT, STAT64, path("/x"), BUFFER);
    EXPECT(0, FSTATAT64, (uint32_t)AT_FDCWD, path("/dev"), BUFFER, 0);
    EXPECT(0, FSTATAT64, 0, path(""), BUFFER, AT_EMPTY_PATH);
    EXPECT(-ENOENT, FSTATAT64, 0, path(""), BUFFER, 0);
    EXPECT(-EBADF, FSTATAT64, 33, path(""), BUFFER, AT_EMPTY_PATH);
    EXPECT(-EFAULT, FSTATAT64, 0, BAD, BUFFER, 0);
    EXPECT(0, STAT, path("/"), BUFFER);
    EXPECT(0, FSTAT, 0, BUFFER);
    EXPECT(-EFAULT, STAT, path("/"), BAD);
    EXPECT(-ENOENT, STAT, path("/y"), BUFFER);
    EXPECT(-EBADF, FSTAT, 35, BUFFER);
    EXPECT(0, STATX, (uint32_t)AT_FDCWD, path("/dev/zero"), 0, 0x7FF, BUFFER);
    EXPECT_IS(1, case_word(BUFFER + offsetof(struct linux_statx, special_major)));
    EXPECT_IS(5, case_word(BUFFER + offsetof(struct linux_statx, special_minor)));
    EXPECT(-ENOENT, STATX, (uint32_t)AT_FDCWD, path("/z"), 0, 0x7FF, BUFFER);
}

static void main_of_names(void)
{
    names();
    links();
    pipes_by_their_links();
    states();
}

static void names_answer_as_documented(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_names});
}

/* Descriptors ------------------------------------------------------------------------------------------------------ */

static void duplicates(void)
{
    EXPECT(3, DUP, 0);
    EXPECT(-EBADF, DUP, 63);
    EXPECT(10, DUP2, 0, 10);
    EXPECT(10, DUP2, 10, 10);
    EXPECT(-EBADF, DUP2, 11, 11);
    EXPECT(-EBADF, DUP2, 0, 64);
    EXPECT(-EINVAL, DUP3, 0, 0, 0);
    EXPECT(-EINVAL, DUP3, 0, 12, 1);
    EXPECT(12, DUP3, 0, 12, O_CLOEXEC);
    EXPECT(10, DUP3, 1, 10, 0);
    EXPECT(FD_CLOEXEC, FCNTL64, 12, F_GETFD, 0);
    EXPECT(0, FCNTL64, 12, F_SETFD, 0);
    EXPECT(0, FCNTL64, 12, F_GETFD, 0);
    EXPECT(20, FCNTL64, 0, F_DUPFD, 20);
    EXPECT(21, FCNTL64, 0, F_DUPFD_CLOEXEC, 20);
    EXPECT(-EINVAL, FCNTL64, 0, F_DUPFD, 64);
    EXPECT(-EINVAL, FCNTL64, 0, 999, 0);
    EXPECT(-EBADF, FCNTL64, 62, F_GETFD, 0);
    int32_t flags = CALL(FCNTL64, 0, F_GETFL, 0);
    EXPECT(0, FCNTL64, 0, F_SETFL, (uint32_t)flags | O_NONBLOCK);
    EXPECT(flags | (int32_t)O_NONBLOCK, FCNTL64, 10, F_GETFL, 0);
    EXPECT(-EAGAIN, CALL_READ, 0, BUFFER, 10);
    EXPECT(0, FCNTL64, 0, F_SETFL, (uint32_t)flags);
    EXPECT(0, IOCTL, 20, FIOCLEX, 0);
    EXPECT(FD_CLOEXEC, FCNTL64, 20, F_GETFD, 0);
    EXPECT(0, IOCTL, 20, FIONCLEX, 0);
    WORDS(AT, 1);
    EXPECT(0, IOCTL, 20, FIONBIO, AT);
    WORDS(AT, 0);
    EXPECT(0, IOCTL, 20, FIONBIO, AT);
    EXPECT(-EFAULT, IOCTL, 20, FIONBIO, BAD);
    EXPECT(-EBADF, IOCTL, 45, FIONBIO, AT);
    int32_t opened = 0;
    while ((opened = CALL(DUP, 0)) >= 0) {
    }
    EXPECT_IS(-EMFILE, opened);
    EXPECT(-EMFILE, OPEN, path("/dev/null"), O_RDONLY, 0);
    EXPECT(-EMFILE, CALL_PIPE, BUFFER);
    EXPECT(0, CALL_CLOSE, 40);
    EXPECT(-EMFILE, CALL_PIPE, BUFFER);
    for (uint32_t i = 3; i < 64; i++) {
        (void)CALL(CALL_CLOSE, i);
    }
}

static void devices(void)
{
    EXPECT(3, OPEN, path("/dev/null"), O_RDWR, 0);
    EXPECT(4, OPEN, path("/dev/zero"), O_RDWR, 0);
    EXPECT(5, OPEN, path("/dev/urandom"), O_RDONLY, 0);
    WORDS(BUFFER, 1, 2, 3, 4);
    EXPECT(16, CALL_WRITE, 3, BUFFER, 16);
    EXPECT(0, CALL_READ, 3, BUFFER, 16);
    EXPECT(8, CALL_READ, 4, BUFFER, 8);
    EXPECT_IS(0, case_word(BUFFER));
    EXPECT_IS(3, case_word(BUFFER + 8));
    EXPECT(10, CALL_READ, 5, BUFFER, 10);
    EXPECT(-EBADF, CALL_WRITE, 5, BUFFER, 10);
    EXPECT(-EFAULT, CALL_READ, 4, BAD, 8);
    EXPECT(-EFAULT, CALL_READ, 4, 0xFFFFFFF0u, 100);
    EXPECT(-EFAULT, CALL_WRITE, 4, 0xFFFFFFF0u, 100);
    EXPECT(0, CALL_READ, 4, BAD, 0);
    EXPECT(4096, CALL_READ, 4, HOST_DATA + (HOST_DATA_PAGES - 1) * PAGE_SIZE, 2 * PAGE_SIZE - 4096);
    EXPECT(0, LSEEK, 4, 100, 0);
    EXPECT(-ESPIPE, LSEEK, 0, 0, 0);
    EXPECT(-EBADF, LSEEK, 60, 0, 0);
    EXPECT(0, LLSEEK, 4, 0, 5, BUFFER, 0);
    EXPECT(-ESPIPE, LLSEEK, 0, 0, 5, BUFFER, 0);
    EXPECT(8, PREAD, 4, BUFFER, 8, 0, 0);
    EXPECT(-ESPIPE, PREAD, 0, BUFFER, 8, 0, 0);
    EXPECT(8, PWRITE, 4, BUFFER, 8, 0, 0);
    EXPECT(-ESPIPE, PWRITE, 1, BUFFER, 8, 0, 0);
    EXPECT(-EINVAL, FTRUNCATE64, 4, 0, 0);
    EXPECT(-EBADF, FTRUNCATE64, 44, 0, 0);
    EXPECT(-EINVAL, FSYNC, 4);
    EXPECT(-EBADF, FSYNC, 44);
    EXPECT(0, FSYNC, 1);
    EXPECT(-ENOTTY, IOCTL, 4, TIOCGWINSZ, BUFFER);
    EXPECT((int32_t)0x40000000, CALL_MMAP2, 0x40000000, PAGE_SIZE, 3, 0x12, 4, 0);
    EXPECT(-ENODEV, CALL_MMAP2, 0x40000000, PAGE_SIZE, 3, 0x12, 3, 0);
    EXPECT(-EBADF, CALL_MMAP2, 0x40000000, PAGE_SIZE, 3, 0x12, 33, 0);
}

static void vectors(void)
{
    case_string(BUFFER, "one two three\n");
    WORDS(AT, BUFFER, 4, BUFFER + 4, 0, BUFFER + 4, 10);
    EXPECT(14, WRITEV, 1, AT, 3);
    EXPECT(-EBADF, WRITEV, 55, AT, 3);
    EXPECT(-EINVAL, WRITEV, 1, AT, 1025);
    EXPECT(-EFAULT, WRITEV, 1, BAD, 1);
    WORDS(AT, BUFFER, 0x80000000u);
    EXPECT(-EINVAL, WRITEV, 1, AT, 1);
    WORDS(AT, BUFFER, 0x70000000u, BUFFER, 0x70000000u);
    EXPECT(-EINVAL, WRITEV, 1, AT, 2);
    WORDS(AT, 0xFFFFFFF0u, 100);
    EXPECT(-EFAULT, WRITEV, 1, AT, 1);
    WORDS(AT, BUFFER, 0, BUFFER, 8);
    EXPECT(8, READV, 4, AT, 2);
    EXPECT(-EBADF, READV, 56, AT, 2);
    EXPECT(0, READV, 4, AT, 0);
}

static void main_of_descriptors(void)
{
    duplicates();
    devices();
    vectors();
}

static void descriptors_answer_as_documented(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_descriptors});
    assert_non_null(strstr(host_console(), "one two three"));
}

/* Pipes, and waiting for them -------------------------------------------------------------------------------------- */

#define PIPE_AT (AT + 0x100u)

static void writer(void)
{
    case_string(BUFFER, "through the pipe");
    WORDS(AT, 0, 3000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
    EXPECT(16, CALL_WRITE, 4, BUFFER, 16);
}

static void flooder(void)
{
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT(3 * (int32_t)PAGE_SIZE, CALL_WRITE, 4, BUFFER, 3 * PAGE_SIZE);
}

static void poll_pipe(void)
{
    WORDS(AT, 3, POLLIN, 4, POLLOUT, UINT32_MAX, POLLIN, 50, POLLIN);
    EXPECT(2, POLL, AT, 4, 0);
    EXPECT_IS(POLLIN, case_word(AT + 4)); /* asked for, nothing returned */
    EXPECT_IS(POLLOUT | POLLOUT << 16, case_word(AT + 12));
    EXPECT_IS(POLLIN | POLLNVAL << 16, case_word(AT + 28));
    EXPECT(-EINVAL, POLL, AT, 65, 0);
    EXPECT(-EFAULT, POLL, BAD, 1, 0);
    EXPECT(0, POLL, AT, 1, 20);
    int32_t child = case_fork(0);
    WORDS(AT, 3, POLLIN);
    EXPECT(1, POLL, AT, 1, UINT32_MAX);
    EXPECT_IS(POLLIN | POLLIN << 16, case_word(AT + 4));
    EXPECT(0, IOCTL, 3, FIONREAD, AT);
    EXPECT_IS(16, case_word(AT));
    EXPECT(-ENOTTY, IOCTL, 3, TIOCGWINSZ, AT);
    EXPECT(16, CALL_READ, 3, BUFFER, 100);
    expect_text(BUFFER, "through the pipe");
    case_reap(child, 0);
}

static void select_pipe(void)
{
    WORDS(AT, 1u << 3, 1u << 4 | 1u << 1, 0, 0, 10000);
    EXPECT(2, NEWSELECT, 5, AT, AT + 4, AT + 8, AT + 12);
    EXPECT_IS(0, case_word(AT));
    EXPECT_IS(1u << 4 | 1u << 1, case_word(AT + 4));
    WORDS(AT, 1u << 3, 0, 0, 0, 10000);
    EXPECT(0, NEWSELECT, 5, AT, 0, 0, AT + 12);
    WORDS(AT, 1u << 30);
    EXPECT(-EBADF, NEWSELECT, 31, AT, 0, 0, 0);
    EXPECT(-EINVAL, NEWSELECT, UINT32_MAX, AT, 0, 0, 0);
    EXPECT(-EFAULT, NEWSELECT, 5, BAD, 0, 0, 0);
    WORDS(AT, UINT32_MAX, 0);
    EXPECT(-EINVAL, NEWSELECT, 0, 0, 0, 0, AT);
    WORDS(AT + 0x40, 5, 0, AT, 0, 0);
    WORDS(AT, 1u << 4);
    EXPECT(1, SELECT_OLD, AT + 0x40);
    EXPECT(-EFAULT, SELECT_OLD, BAD);
    int32_t child = case_fork(0);
    WORDS(AT, 1u << 3, 0, 0);
    EXPECT(1, PSELECT6, 5, AT, 0, 0, 0, 0);
    EXPECT(16, CALL_READ, 3, BUFFER, 100);
    case_reap(child, 0);
    WORDS(AT, 1u << 3, 0, 1000000, 0, AT + 0x20, 8);
    WORDS(AT + 0x20, 0, 0);
    EXPECT(0, PSELECT6, 5, AT, 0, 0, AT + 4, AT + 16);
    WORDS(AT, 1u << 3, 0, 0, 1000, 0);
    EXPECT(0, PSELECT64, 5, AT, 0, 0, AT + 4, 0);
    WORDS(AT, 3, POLLIN, 0, 1000, 0, 0);
    EXPECT(0, PPOLL, AT, 1, AT + 8, 0, 0);
    EXPECT(-EINVAL, PPOLL, AT, 1, AT + 8, AT, 4);
    WORDS(AT, 3, POLLIN, 0, 0, 1000, 0);
    EXPECT(0, PPOLL64, AT, 1, AT + 8, AT + 0x20, 8);
    WORDS(AT, 3, POLLIN, 0, 0, 2000000000, 0);
    EXPECT(-EINVAL, PPOLL64, AT, 1, AT + 8, 0, 0);
}

static void main_of_pipes(void)
{
    EXPECT(-EINVAL, PIPE2, PIPE_AT, 1);
    EXPECT(-EFAULT, CALL_PIPE, BAD);
    EXPECT(0, CALL_PIPE, PIPE_AT);
    EXPECT_IS(3, case_word(PIPE_AT));
    EXPECT_IS(4, case_word(PIPE_AT + 4));
    EXPECT(-EBADF, CALL_READ, 4, BUFFER, 1);
    EXPECT(-EBADF, CALL_WRITE, 3, BUFFER, 1);
    EXPECT(0, FSTAT64, 3, BUFFER);
    poll_pipe();
    select_pipe();
    int32_t child = case_fork(1);
    EXPECT(0, CALL_CLOSE, 4);
    uint32_t total = 0;
    int32_t got;
    while ((got = CALL(CALL_READ, 3, BUFFER, 3000)) > 0) {
        total += (uint32_t)got;
    }
    EXPECT_IS(0, got);
    EXPECT_IS(3 * PAGE_SIZE, total);
    case_reap(child, 0);
    WORDS(AT, 3, POLLIN);
    EXPECT(1, POLL, AT, 1, UINT32_MAX);
    EXPECT_IS(POLLIN | POLLHUP << 16, case_word(AT + 4));
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT(0, PIPE2, PIPE_AT, O_NONBLOCK | O_CLOEXEC);
    EXPECT(-EAGAIN, CALL_READ, 3, BUFFER, 1);
    int32_t written = 0, piece;
    while ((piece = CALL(CALL_WRITE, 4, BUFFER, PAGE_SIZE)) > 0) {
        written += piece;
    }
    EXPECT_IS(-EAGAIN, piece);
    EXPECT_IS(true, written >= (int32_t)PAGE_SIZE);
    WORDS(AT, 4, POLLOUT);
    EXPECT(0, POLL, AT, 1, 0);
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT(1, POLL, AT, 1, 0);
    WORDS(AT, 1, 0, 0, 0, 0); /* SIGPIPE is ignored */
    EXPECT(0, CALL_RT_SIGACTION, 13, AT, 0, 8);
    EXPECT(-EPIPE, CALL_WRITE, 4, BUFFER, 1);
}

static void pipes_answer_as_documented(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_pipes, .functions = {writer, flooder}});
}

/* The terminal ----------------------------------------------------------------------------------------------------- */

enum { SET_RAW_AT = 0x200 };

static void main_of_terminal(void)
{
    EXPECT(6, CALL_READ, 0, BUFFER, 100);
    expect_text(BUFFER, "hello\n");
    EXPECT(3, CALL_READ, 0, BUFFER, 3);
    EXPECT(0, IOCTL, 0, FIONREAD, AT);
    EXPECT_IS(5, case_word(AT));
    EXPECT(5, CALL_READ, 0, BUFFER, 100);
    expect_text(BUFFER, "line\n");
    EXPECT(0, CALL_READ, 0, BUFFER, 100); /* Ctrl-D */
    EXPECT(0, IOCTL, 0, TIOCGWINSZ, AT);
    EXPECT_IS(80u << 16 | 25u, case_word(AT));
    EXPECT(0, IOCTL, 0, TIOCSWINSZ, AT);
    EXPECT(0, IOCTL, 0, TIOCGPGRP, AT);
    EXPECT_IS(1, case_word(AT));
    EXPECT(0, IOCTL, 0, TIOCSPGRP, AT);
    EXPECT(0, IOCTL, 0, TIOCGSID, AT);
    EXPECT(0, IOCTL, 0, TIOCOUTQ, AT);
    EXPECT(0, IOCTL, 0, TCFLSH, 2);
    EXPECT(-EINVAL, IOCTL, 0, TCFLSH, 9);
    EXPECT(0, IOCTL, 0, TCSBRK, 0);
    EXPECT(-ENOTTY, IOCTL, 0, 0x1234, 0);
    EXPECT(0, IOCTL, 0, TCGETS, AT + SET_RAW_AT);
    uint32_t local = case_word(AT + SET_RAW_AT + 12);
    WORDS(AT + SET_RAW_AT + 12, local & ~(2u | 8u)); /* neither lines nor echo */
    EXPECT(0, IOCTL, 0, TCSETSF, AT + SET_RAW_AT);
    EXPECT(1, CALL_READ, 0, BUFFER, 100);
    expect_text(BUFFER, "r");
    uint8_t times[2] = {3, 0}; /* VTIME 0.3 s, VMIN 0: of c_cc, after c_line */
    case_put(AT + SET_RAW_AT + 17 + 5, times, 2);
    EXPECT(0, IOCTL, 0, TCSETS, AT + SET_RAW_AT);
    EXPECT(0, CALL_READ, 0, BUFFER, 100);
    case_string(BUFFER, "\033[1;31mred\033[0m \033[2J\033[10;5Hplace \033[K\tx\b\r\n\033[?25l\033[3A\033[s\033[u\a");
    EXPECT(59 - 4, CALL_WRITE, 1, BUFFER, 59 - 4);
    EXPECT(-EFAULT, CALL_READ, 0, BAD, 10);
    EXPECT(-EFAULT, CALL_WRITE, 1, BAD, 10);
    EXPECT(0, IOCTL, 0, FIOCLEX, 0);
}

static void terminal_answers_as_documented(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_terminal, .input = "hellx\177o\n|abcline\n|\004|r"});
}

static void terminal_holds_output_for_its_snapshot(void **state)
{
    (void)state;
    case_run(&(struct proc_case){
        .main = main_of_terminal, .input = "hellx\177o\n|abcline\n|\004|r", .options = "interval=20 external-sync"});
    assert_non_null(strstr(host_console(), "place"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_answer_as_documented),
        cmocka_unit_test(descriptors_answer_as_documented),
        cmocka_unit_test(pipes_answer_as_documented),
        cmocka_unit_test(terminal_answers_as_documented),
        cmocka_unit_test(terminal_holds_output_for_its_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
