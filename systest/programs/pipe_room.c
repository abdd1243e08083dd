/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much pipes hold, how that is asked and changed, what is in them over a change, and what short and long writes do
 * at the limit. Prints the same on Linux.
 *
 *     pipe_room [SECONDS]    with full pipes of several capacities that wait so long in the middle
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LARGEST (1 << 20)

static unsigned char bytes[LARGEST + 4096], got[LARGEST + 4096];
static int ends[2];

/* A pointer that leads nowhere; the compiler must not know. */
static void *volatile nowhere = (void *)8;

static void show(const char *what, long result)
{
    printf("%s: %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerror(errno) : "");
}

static void make(int flags)
{
    if (pipe2(ends, flags) != 0) {
        printf("pipe: %s\n", strerror(errno));
        exit(1);
    }
}

static void unmake(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void say_whether(const char *what, size_t length)
{
    printf("%s: %s\n", what, memcmp(bytes, got, length) == 0 ? "as written" : "WRONG");
}

static ssize_t read_all(int from, size_t length)
{
    size_t done = 0;
    ssize_t piece;

    while (done < length && (piece = read(from, got + done, length - done)) > 0) {
        done += (size_t)piece;
    }
    return (ssize_t)done;
}

static void full(void)
{
    int took = 0, status;
    ssize_t piece;

    make(O_NONBLOCK);
    while ((piece = write(ends[1], bytes + took, 1024)) > 0) {
        took += (int)piece;
    }
    printf("took %d, %s\n", took, strerror(errno));
    show("size", fcntl(ends[0], F_GETPIPE_SZ));
    show("one byte more", write(ends[1], "x", 1));
    show("a page is read", read(ends[0], got, 4096));
    show("more than there is room for", write(ends[1], bytes, 10000));
    show("a short one", write(ends[1], bytes, 10));
    show("nothing", write(ends[1], bytes, 0));
    unmake();
    make(0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(write(ends[1], bytes, LARGEST) == LARGEST ? 0 : 1);
    }
    close(ends[1]);
    show("a MiB by one write", read_all(ends[0], LARGEST));
    say_whether("it", LARGEST);
    waitpid(child, &status, 0);
    printf("the writer: %d\n", status);
    close(ends[0]);
}

static void sizes(void)
{
    static const unsigned wanted[] = {0, 1, 4096, 4097, 65536, 65537, 200000, LARGEST, 0x80000001u, 0xFFFFFFFFu};

    make(0);
    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        long result = fcntl(ends[i % 2], F_SETPIPE_SZ, wanted[i]);
        printf("%u: %ld %s, then %d\n", wanted[i], result, result < 0 ? strerror(errno) : "",
               fcntl(ends[1], F_GETPIPE_SZ));
    }
    unmake();
    int device = open("/dev/null", O_RDWR);
    show("of no pipe", fcntl(device, F_GETPIPE_SZ));
    show("of no pipe", fcntl(device, F_SETPIPE_SZ, 4096));
    close(device);
}

/* A pipe in which `length` bytes begin at page `start` of the ring gets another size, and holds what it held. */
static void resized(const char *what, int from, int start, int length, int to)
{
    make(O_NONBLOCK);
    fcntl(ends[0], F_SETPIPE_SZ, from);
    /* All that is there is never read at once, so that the ring goes on where it is. */
    (void)!write(ends[1], bytes, (size_t)start);
    (void)!write(ends[1], bytes, 4096);
    show(what, read_all(ends[0], (size_t)start));
    show(" written", write(ends[1], bytes + 4096, (size_t)length));
    show(" resized", fcntl(ends[0], F_SETPIPE_SZ, to));
    show(" size", fcntl(ends[0], F_GETPIPE_SZ));
    show(" read", read_all(ends[0], LARGEST));
    say_whether(" it", (size_t)length + 4096);
    show(" written", write(ends[1], bytes, 4096));
    show(" read", read_all(ends[0], 4096));
    unmake();
}

static void resizes(void)
{
    resized("grows", 65536, 8192, 20480, 131072);
    resized("grows, over its end", 65536, 49152, 40960, LARGEST);
    resized("shrinks", 131072, 4096, 20480, 32768);
    resized("shrinks, from over its end", 131072, 122880, 53248, 65536);
    resized("shrinks to what is in it", 262144, 61440, 61440, 65536);
    resized("does not shrink below it", 131072, 4096, 61440 + 4096, 65536);
    resized("stays", 65536, 20480, 4096, 65536);
}

/* What fstat(), lseek() and fcntl() say. */
static void status(void)
{
    struct stat reader, writer, other;
    int second[2];

    make(0);
    if (pipe(second) != 0 || fstat(ends[0], &reader) != 0 || fstat(ends[1], &writer) != 0 ||
        fstat(second[0], &other) != 0) {
        puts("no status");
        exit(1);
    }
    printf("mode %o, links %d, size %lld, blocks %lld of %ld, device %llx\n", (unsigned)reader.st_mode,
           (int)reader.st_nlink, (long long)reader.st_size, (long long)reader.st_blocks, (long)reader.st_blksize,
           (unsigned long long)reader.st_rdev);
    printf("both ends are one: %d\n", reader.st_ino == writer.st_ino && reader.st_dev == writer.st_dev);
    printf("pipes differ: %d, and are on one device: %d\n", reader.st_ino != other.st_ino,
           reader.st_dev == other.st_dev);
    int device = open("/dev/null", O_RDWR);
    fstat(device, &writer);
    printf("which is not that of a name: %d\n", writer.st_dev != reader.st_dev);
    close(device);
    (void)!write(ends[1], "abc", 3);
    fstat(ends[0], &reader);
    printf("size with bytes in it: %lld\n", (long long)reader.st_size);
    show("lseek", lseek(ends[0], 0, SEEK_CUR));
    show("pread", pread(ends[0], got, 1, 0));
    show("pwrite", pwrite(ends[1], got, 1, 0));
    show("ftruncate", ftruncate(ends[1], 0));
    show("fsync", fsync(ends[1]));
    show("fdatasync", fdatasync(ends[1]));
    show("write to the reader", write(ends[0], "x", 1));
    show("read from the writer", read(ends[1], got, 1));
    printf("map: %s\n", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, ends[0], 0) == MAP_FAILED ? strerror(errno) : "works");
    printf("flags: %x %x\n", (unsigned)fcntl(ends[0], F_GETFL), (unsigned)fcntl(ends[1], F_GETFL));
    show("set", fcntl(ends[0], F_SETFL, O_NONBLOCK | O_APPEND | O_WRONLY | O_CREAT));
    printf("flags: %x\n", (unsigned)fcntl(ends[0], F_GETFL));
    int copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 20);
    printf("copy: %d %d, flags %x\n", copy, fcntl(copy, F_GETFD), (unsigned)fcntl(copy, F_GETFL));
    show("clear", fcntl(copy, F_SETFL, 0));
    printf("flags: %x\n", (unsigned)fcntl(ends[0], F_GETFL));
    char link[64] = "", name[64], expected[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
    snprintf(expected, sizeof(expected), "pipe:[%llu]", (unsigned long long)reader.st_ino);
    ssize_t length = readlink(name, link, sizeof(link) - 1);
    printf("its name is its inode's: %d\n", length > 0 && strcmp(link, expected) == 0);
    unmake();
    close(copy);
    close(second[0]);
    close(second[1]);
}

/* Buffers that end where nothing is, and several of them. */
static void buffers(void)
{
    char *memory = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec vectors[4] = {{got, 3}, {NULL, 0}, {got + 3, 4}, {got + 7, 100}};

    munmap(memory + 8192, 4096);
    memset(memory, 'm', 8192);
    make(O_NONBLOCK);
    show("write from nowhere", write(ends[1], nowhere, 5));
    show("write over the end", write(ends[1], memory, 12288));
    show("read into more than there is", read(ends[0], memory + 8192 - 10, 4096 * 100));
    show("the rest", read_all(ends[0], 100000));
    show("write", write(ends[1], "0123456789", 10));
    show("read into nowhere", read(ends[0], nowhere, 5));
    show("readv", readv(ends[0], vectors, 4));
    printf("%.10s\n", (char *)got);
    show("readv of nothing", readv(ends[0], vectors, 4));
    show("read no bytes", read(ends[0], got, 0));
    struct iovec words[3] = {{"some ", 5}, {NULL, 0}, {"words", 5}};
    show("writev", writev(ends[1], words, 3));
    memset(got, 0, 20);
    show("read", read(ends[0], got, 100));
    printf("%.10s\n", (char *)got);
    unmake();
    munmap(memory, 8192);
}

/* Reads that are interrupted, and a writer whose reader leaves in the middle. */
static void on_signal(int signal)
{
    (void)signal;
}

/* Until a clone has filled the pipe. */
static void wait_until_full(void)
{
    int length = 0;

    while (ioctl(ends[0], FIONREAD, &length) == 0 && length < 65536) {
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

static void endings(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    int child_status;

    make(0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(ends[0]);
        ssize_t written = write(ends[1], bytes, 100000);
        _exit(written == 65536 && write(ends[1], bytes, 1) == -1 && errno == EPIPE ? 7 : 8);
    }
    close(ends[1]);
    wait_until_full();
    close(ends[0]);
    waitpid(child, &child_status, 0);
    printf("the reader left: %x\n", (unsigned)child_status);
    make(0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sigaction(SIGUSR1, &action, NULL);
        ssize_t written = write(ends[1], bytes, 100000);
        _exit(written == 65536 ? 7 : 8);
    }
    wait_until_full();
    kill(child, SIGUSR1);
    waitpid(child, &child_status, 0);
    printf("interrupted with something written: %x\n", (unsigned)child_status);
    unmake();
    child = fork();
    if (child == 0) {
        make(0);
        close(ends[0]);
        (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    waitpid(child, &child_status, 0);
    printf("nobody reads: %x\n", (unsigned)child_status);
}

/* Full pipes of several sizes that wait for a while. */
static void patience(int seconds)
{
    static const int kept_sizes[] = {4096, 65536, 262144, LARGEST};
    int kept[4][2];

    for (int i = 0; i < 4; i++) {
        if (pipe2(kept[i], O_NONBLOCK) != 0 || fcntl(kept[i][0], F_SETPIPE_SZ, kept_sizes[i]) != kept_sizes[i]) {
            printf("pipe %d: %s\n", i, strerror(errno));
            exit(1);
        }
        printf("filled %zd\n", write(kept[i][1], bytes, LARGEST));
    }
    for (int i = 0; i < seconds * 20; i++) {
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    for (int i = 0; i < 4; i++) {
        printf("size %d, read %zd, ", fcntl(kept[i][0], F_GETPIPE_SZ), read_all(kept[i][0], LARGEST));
        say_whether("it", (size_t)kept_sizes[i]);
        close(kept[i][0]);
        close(kept[i][1]);
    }
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_DFL); /* whoever started it may ignore that */
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 2654435761u >> 24);
    }
    full();
    sizes();
    resizes();
    status();
    buffers();
    endings();
    patience(count > 1 ? atoi(words[1]) : 0);
    puts("done");
    return 0;
}
