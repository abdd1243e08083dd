/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operating system asks of a program for what it does, in instructions: the questions of lmbench, put to Eidolon and to
 * Linux by one and the same static program.
 *
 *     guest             all lines of the table, `bench: line=NAME instructions=N`
 *     guest end         ends at once: what is executed
 *
 * The processor's time stamp counts instructions (QEMU -icount), and each figure is the least of many: what an interrupt or a
 * snapshot adds is not in it. As the first program of Linux it mounts what it needs and switches off at its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE       4096u
#define MIB        (1u << 20)
#define OFTEN      200u
#define SELDOM     12u
#define POLLED     10u
#define RING       25u
#define WAITERS    160u
#define MANY_BYTES 65536u
#define MUCH_MIB   64u
#define ELSEWHERE  128u /* MiB that another program holds */
#define WARM_UPS   2u
#define FAULTS     64u
#define SMALL_MAP  65536u
#define LARGE_MAP  (8u * MIB)

typedef void (*act_fn)(void);

static uint64_t overhead;

static void must(int is_right, const char *what)
{
    if (!is_right) {
        printf("bench: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static uint64_t stamp(void)
{
    return __builtin_ia32_rdtsc();
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void report(const char *name, uint64_t instructions)
{
    printf("bench: line=%s instructions=%llu\n", name, (unsigned long long)instructions);
    fflush(stdout);
}

static void nothing(void)
{
}

/* The least that `act` takes; `undo` runs after each, untimed. */
static uint64_t cost_of(act_fn act, act_fn undo, uint32_t count)
{
    uint64_t result = UINT64_MAX;

    for (uint32_t i = 0; i < count + WARM_UPS; i++) {
        uint64_t begun = stamp();
        act();
        uint64_t taken = stamp() - begun;
        undo();
        result = least(result, taken);
    }
    return result > overhead ? result - overhead : 0;
}

static void time_it(const char *name, act_fn act, act_fn undo, uint32_t count)
{
    report(name, cost_of(act, undo, count));
}

static uint8_t *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(memory != MAP_FAILED, "mmap");
    return memory;
}

static void touch(uint8_t *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PAGE) {
        *(volatile uint8_t *)(memory + at) = 1;
    }
}

/* Calls ------------------------------------------------------------------------------------------------------------ */

static int null_fd, zero_fd;
static struct pollfd polled[POLLED];

static void call_nothing(void)
{
    syscall(SYS_getppid);
}

static void write_to_null(void)
{
    must(write(null_fd, "", 1) == 1, "write");
}

static void read_from_zero(void)
{
    char byte;

    must(read(zero_fd, &byte, 1) == 1, "read");
}

static void open_and_close(void)
{
    close(open("/dev/null", O_RDWR));
}

static void ask_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
}

static void ask_time_by_call(void)
{
    struct timespec now;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
}

static void poll_pipes(void)
{
    must(poll(polled, POLLED, 0) == 0, "poll");
}

static void handle(int number)
{
    (void)number;
}

static void signal_oneself(void)
{
    kill(getpid(), SIGUSR1);
}

static void time_calls(void)
{
    null_fd = open("/dev/null", O_RDWR);
    zero_fd = open("/dev/zero", O_RDONLY);
    must(null_fd >= 0 && zero_fd >= 0, "/dev");
    for (uint32_t i = 0; i < POLLED; i++) {
        int ends[2];
        must(pipe(ends) == 0, "pipe");
        polled[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    }
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    time_it("null_call", call_nothing, nothing, OFTEN);
    time_it("write_null", write_to_null, nothing, OFTEN);
    time_it("read_zero", read_from_zero, nothing, OFTEN);
    time_it("open_close", open_and_close, nothing, OFTEN);
    time_it("time_by_libc", ask_time, nothing, OFTEN);
    time_it("time_by_call", ask_time_by_call, nothing, OFTEN);
    time_it("poll_10", poll_pipes, nothing, OFTEN);
    time_it("signal_handled", signal_oneself, nothing, OFTEN);
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

static uint8_t *area;
static uint32_t next_page;

static void write_next(void)
{
    *(volatile uint8_t *)(area + (size_t)next_page++ * PAGE) = 1;
}

static void read_next_and_write(void)
{
    volatile uint8_t *byte = area + (size_t)next_page++ * PAGE;

    (void)*byte;
    *byte = 1;
}

/* Without the faults, which have lines of their own. */
static uint64_t cost_of_mapping(void)
{
    uint64_t result = UINT64_MAX;

    for (uint32_t i = 0; i < SELDOM; i++) {
        uint64_t begun = stamp();
        uint8_t *memory = map(SMALL_MAP);
        uint64_t taken = stamp() - begun;
        touch(memory, SMALL_MAP);
        begun = stamp();
        munmap(memory, SMALL_MAP);
        result = least(result, taken + stamp() - begun);
    }
    return result - 2 * overhead;
}

static void map_and_unmap(void)
{
    munmap(map(LARGE_MAP), LARGE_MAP);
}

static void protect_and_back(void)
{
    mprotect(area, SMALL_MAP, PROT_READ);
    mprotect(area, SMALL_MAP, PROT_READ | PROT_WRITE);
}

/* In a child: what it measured comes through a pipe. */
static uint64_t asked_of_child(uint64_t (*ask)(void))
{
    uint64_t result;
    int ends[2];

    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        result = ask();
        must(write(ends[1], &result, sizeof(result)) == sizeof(result), "write");
        _exit(0);
    }
    must(read(ends[0], &result, sizeof(result)) == sizeof(result), "read");
    must(waitpid(child, NULL, 0) == child, "wait");
    close(ends[0]);
    close(ends[1]);
    return result;
}

static uint64_t write_to_copies(void)
{
    next_page = 0;
    return cost_of(write_next, nothing, FAULTS);
}

static void time_memory(void)
{
    size_t bytes = (size_t)(FAULTS + WARM_UPS) * PAGE;

    area = map(bytes);
    next_page = 0;
    time_it("write_fault", write_next, nothing, FAULTS);
    report("copy_fault", asked_of_child(write_to_copies));
    munmap(area, bytes);
    area = map(bytes);
    next_page = 0;
    time_it("read_write_fault", read_next_and_write, nothing, FAULTS);
    report("map_64k_touched", cost_of_mapping());
    time_it("map_8m_untouched", map_and_unmap, nothing, SELDOM);
    time_it("protect_and_back", protect_and_back, nothing, SELDOM);
    munmap(area, bytes);
}

/* Programs that talk ----------------------------------------------------------------------------------------------- */

static int there[2], back[2];
static char many[MANY_BYTES];
static int ring_in, ring_out;

static void stop_child(pid_t child)
{
    kill(child, SIGKILL);
    must(waitpid(child, NULL, 0) == child, "wait");
}

static void send_byte(int descriptor)
{
    must(write(descriptor, "", 1) == 1, "write");
}

static void take_byte(int descriptor)
{
    char byte;

    must(read(descriptor, &byte, 1) == 1, "read");
}

static void go_there_and_back(void)
{
    send_byte(there[1]);
    take_byte(back[0]);
}

static void take_many(int descriptor)
{
    for (size_t taken = 0; taken < MANY_BYTES;) {
        ssize_t count = read(descriptor, many, MANY_BYTES - taken);
        must(count > 0, "read");
        taken += (size_t)count;
    }
}

static void take_what_is_sent(void)
{
    send_byte(there[1]);
    take_many(back[0]);
}

static void pass_on(void)
{
    send_byte(ring_out);
    take_byte(ring_in);
}

static void yield_and_back(void)
{
    sched_yield();
}

static void write_and_read(void)
{
    send_byte(there[1]);
    take_byte(there[0]);
}

static pid_t child_that(void (*act)(void))
{
    pid_t child = fork();

    must(child >= 0, "fork");
    if (child == 0) {
        for (;;) {
            act();
        }
    }
    return child;
}

static void answer(void)
{
    take_byte(there[0]);
    send_byte(back[1]);
}

static void answer_with_many(void)
{
    take_byte(there[0]);
    for (size_t sent = 0; sent < MANY_BYTES;) {
        ssize_t count = write(back[1], many, MANY_BYTES - sent);
        must(count > 0, "write");
        sent += (size_t)count;
    }
}

static void wait_for_byte(void)
{
    int ends[2];

    must(pipe(ends) == 0, "pipe");
    take_byte(ends[0]);
}

static void time_ring(void)
{
    pid_t members[RING - 1];
    int first[2], ends[2], before;

    must(pipe(first) == 0, "pipe");
    ring_out = first[1];
    before = first[0];
    for (uint32_t i = 0; i < RING - 1; i++) {
        must(pipe(ends) == 0, "pipe");
        members[i] = fork();
        must(members[i] >= 0, "fork");
        if (members[i] == 0) {
            char byte;
            while (read(before, &byte, 1) == 1) { /* until its neighbour has been stopped */
                send_byte(ends[1]);
            }
            _exit(0);
        }
        close(before);
        close(ends[1]);
        before = ends[0];
    }
    ring_in = before;
    report("ring_hop", cost_of(pass_on, nothing, OFTEN) / RING);
    for (uint32_t i = 0; i < RING - 1; i++) {
        stop_child(members[i]);
    }
    close(ring_in);
    close(ring_out);
}

static void time_waiters(void)
{
    pid_t waiters[WAITERS];

    for (uint32_t i = 0; i < WAITERS; i++) {
        waiters[i] = child_that(wait_for_byte);
    }
    for (uint32_t i = 0; i < WAITERS; i++) {
        sched_yield(); /* until all of them wait */
    }
    time_it("pipe_with_160_waiting", write_and_read, nothing, OFTEN);
    for (uint32_t i = 0; i < WAITERS; i++) {
        stop_child(waiters[i]);
    }
}

static void time_talk(void)
{
    must(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pid_t child = child_that(answer);
    time_it("pipe_round_trip", go_there_and_back, nothing, OFTEN);
    stop_child(child);
    child = child_that(answer_with_many);
    time_it("pipe_64k", take_what_is_sent, nothing, SELDOM);
    stop_child(child);
    child = child_that(yield_and_back);
    time_it("yield_and_back", yield_and_back, nothing, OFTEN);
    stop_child(child);
    time_ring();
    time_waiters();
}

/* Programs that come and go ---------------------------------------------------------------------------------------- */

static pid_t forked;

static void fork_alone(void)
{
    forked = fork();
    if (forked == 0) {
        _exit(0);
    }
    must(forked > 0, "fork");
}

static void wait_for_forked(void)
{
    must(waitpid(forked, NULL, 0) == forked, "wait");
}

static void fork_and_wait(void)
{
    fork_alone();
    wait_for_forked();
}

static void execute_and_wait(void)
{
    static char *const words[] = {"guest", "end", NULL};

    forked = fork();
    if (forked == 0) {
        execv("/proc/self/exe", words);
        _exit(1);
    }
    must(forked > 0, "fork");
    wait_for_forked();
}

static void hold_much(void)
{
    touch(map((size_t)ELSEWHERE * MIB), (size_t)ELSEWHERE * MIB);
    send_byte(back[1]);
    for (;;) {
        pause();
    }
}

static void time_families(void)
{
    time_it("fork_exit_wait", fork_and_wait, nothing, SELDOM);
    time_it("fork_exec_exit_wait", execute_and_wait, nothing, SELDOM);
    area = map((size_t)MUCH_MIB * MIB);
    touch(area, (size_t)MUCH_MIB * MIB);
    time_it("fork_alone_64m", fork_alone, wait_for_forked, SELDOM);
    time_it("fork_exit_wait_64m", fork_and_wait, nothing, SELDOM);
    munmap(area, (size_t)MUCH_MIB * MIB);
    pid_t child = child_that(hold_much);
    take_byte(back[0]);
    time_it("fork_exit_wait_128m_elsewhere", fork_and_wait, nothing, SELDOM);
    stop_child(child);
}

/* As the first program of Linux ------------------------------------------------------------------------------------ */

static int is_linux(void)
{
    struct stat there_is;

    return getpid() == 1 && stat("/linux", &there_is) == 0;
}

static void prepare_linux(void)
{
    must(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) == 0, "devtmpfs");
    must(mount("proc", "/proc", "proc", 0, NULL) == 0, "proc");
    int console = open("/dev/console", O_RDWR);
    must(console >= 0, "/dev/console");
    for (int i = 0; i < 3; i++) {
        dup2(console, i);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "end") == 0) {
        return 0;
    }
    int on_linux = is_linux();
    if (on_linux) {
        prepare_linux();
    }
    overhead = cost_of(nothing, nothing, OFTEN);
    time_calls();
    time_memory();
    time_talk();
    time_families();
    printf("bench: line=done instructions=0\n");
    fflush(stdout);
    if (on_linux) {
        reboot(RB_AUTOBOOT);
    }
    return 0;
}
