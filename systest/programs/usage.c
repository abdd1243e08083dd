/*
 * Time on the processor: that sleeping is none, that computing is the program's and system calls the kernel's, what
 * children have used, and that none of these clocks ever goes back. Linux prints the same.
 */
#define _GNU_SOURCE
#include "rounds.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

#define MS_NS 1000000ll

static int64_t read_clock(clockid_t clock)
{
    struct timespec time = {0};

    clock_gettime(clock, &time);
    return time.tv_sec * 1000 * MS_NS + time.tv_nsec;
}

static int64_t of_timeval(struct timeval time)
{
    return time.tv_sec * 1000 * MS_NS + time.tv_usec * 1000ll;
}

static volatile unsigned sink;

/* Computes, or makes system calls, until the clock of the process has gone on by so much. */
static void work(int64_t length_ns, int in_kernel)
{
    int64_t end = read_clock(CLOCK_PROCESS_CPUTIME_ID) + length_ns;

    while (read_clock(CLOCK_PROCESS_CPUTIME_ID) < end) {
        for (unsigned i = 0; i < (in_kernel ? 2000 : 100000); i++) {
            sink += in_kernel ? (unsigned)syscall(SYS_getppid) : i;
        }
    }
}

static void sleeping(void)
{
    int64_t wall = read_clock(CLOCK_MONOTONIC), used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    struct timespec length = {0, 200 * MS_NS};

    while (nanosleep(&length, &length) != 0) {
    }
    say("slept: %d, used less than a fifth of it: %d\n", read_clock(CLOCK_MONOTONIC) - wall >= 200 * MS_NS,
        read_clock(CLOCK_PROCESS_CPUTIME_ID) - used < 40 * MS_NS);
}

static void kinds(void)
{
    struct rusage before, between, after;

    getrusage(RUSAGE_SELF, &before);
    work(80 * MS_NS, 0);
    getrusage(RUSAGE_SELF, &between);
    work(80 * MS_NS, 1);
    getrusage(RUSAGE_SELF, &after);
    int64_t user_first = of_timeval(between.ru_utime) - of_timeval(before.ru_utime);
    int64_t system_first = of_timeval(between.ru_stime) - of_timeval(before.ru_stime);
    int64_t system_then = of_timeval(after.ru_stime) - of_timeval(between.ru_stime);
    say("computing is the program's: %d, calls are the kernel's: %d, in all: %d\n", user_first > 4 * system_first,
        system_then > 2 * system_first && system_then > 4 * MS_NS,
        of_timeval(after.ru_utime) + of_timeval(after.ru_stime) - of_timeval(before.ru_utime) -
                of_timeval(before.ru_stime) >= 150 * MS_NS);
}

static void agree(void)
{
    struct rusage usage;
    struct tms times_now;
    clockid_t of_process, of_thread;
    int64_t before = read_clock(CLOCK_PROCESS_CPUTIME_ID);

    getrusage(RUSAGE_SELF, &usage);
    times(&times_now);
    int64_t told = of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime);
    int64_t ticks = (int64_t)(times_now.tms_utime + times_now.tms_stime) * 10 * MS_NS;
    int64_t by_clock = (int64_t)clock() * 1000;
    int64_t after = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    say("getrusage: %d, times: %d, clock: %d\n", told >= before - 20 * MS_NS && told <= after + 20 * MS_NS,
        ticks >= before - 40 * MS_NS && ticks <= after + 40 * MS_NS, by_clock >= before - 1000 && by_clock <= after);
    int result = clock_getcpuclockid(getpid(), &of_process);
    say("clocks by number: %d", result);
    result = pthread_getcpuclockid(pthread_self(), &of_thread);
    int64_t process = read_clock(of_process), thread = read_clock(of_thread);
    say(" %d, %d %d %d\n", result, process >= after, thread >= after - 20 * MS_NS,
        read_clock(CLOCK_THREAD_CPUTIME_ID) >= thread);
}

static void children(void)
{
    struct rusage before, after, of_child, own;
    struct tms times_before, times_after;
    int status = 0;

    getrusage(RUSAGE_CHILDREN, &before);
    getrusage(RUSAGE_SELF, &own);
    times(&times_before);
    pid_t child = fork();
    if (child == 0) {
        int is_new = read_clock(CLOCK_PROCESS_CPUTIME_ID) < 50 * MS_NS;
        work(60 * MS_NS, 0);
        _exit(is_new);
    }
    wait4(child, &status, 0, &of_child);
    getrusage(RUSAGE_CHILDREN, &after);
    times(&times_after);
    int64_t used = of_timeval(of_child.ru_utime) + of_timeval(of_child.ru_stime);
    int64_t grown = of_timeval(after.ru_utime) + of_timeval(after.ru_stime) - of_timeval(before.ru_utime) -
                    of_timeval(before.ru_stime);
    say("a child starts anew: %d, wait4: %d, children: %d, faults: %d, times: %d\n", WEXITSTATUS(status),
        used >= 55 * MS_NS && used < 1000 * MS_NS, grown >= 50 * MS_NS && grown < 1000 * MS_NS,
        of_child.ru_minflt > 0 && after.ru_minflt >= before.ru_minflt + of_child.ru_minflt,
        times_after.tms_cutime + times_after.tms_cstime >= times_before.tms_cutime + times_before.tms_cstime + 4);
}

/* Over the whole run, whatever is cut: what was seen once is not taken back. */
static void progress(void)
{
    static int64_t process, thread, of_children;
    struct rusage usage;
    int64_t process_now = read_clock(CLOCK_PROCESS_CPUTIME_ID), thread_now = read_clock(CLOCK_THREAD_CPUTIME_ID);

    getrusage(RUSAGE_CHILDREN, &usage);
    say("gone on: %d %d %d\n", process_now > process, thread_now > thread,
        of_timeval(usage.ru_utime) >= of_children);
    process = process_now;
    thread = thread_now;
    of_children = of_timeval(usage.ru_utime);
}

static void wrong(void)
{
    struct timespec time;
    struct rusage usage;
    const clockid_t clocks[] = {12, -1, ~4000000 * 8 | 2, ~4000000 * 8 | 6, 3 | ~0 * 8};

    say("wrong:");
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        say(" %ld", syscall(SYS_clock_gettime, clocks[i], &time) == 0 ? 0L : (long)errno);
    }
    say(", %ld", syscall(SYS_getrusage, 5, &usage) == 0 ? 0L : (long)errno);
    say(", %ld", syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL) == 0 ? 0L : (long)errno);
    say(", %ld\n", syscall(SYS_getrusage, RUSAGE_SELF, 8) == 0 ? 0L : (long)errno);
}

static void scenario(void)
{
    sleeping();
    kinds();
    agree();
    children();
    progress();
    wrong();
}

int main(int count, char **words)
{
    return rounds_play(count, words, scenario);
}
