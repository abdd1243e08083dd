/* SPDX-License-Identifier: BSD-2-Clause */
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

/*
 * A machine that shares its processor with others may stand still at any place, and counts that as time of its own. So
 * what compares lengths of time has some attempts; a clock that is wrong fails in all of them.
 */
#define ATTEMPTS 20

static void attempt(const char *what, int (*is_so)(void))
{
    int left = ATTEMPTS;

    while (!is_so() && --left > 0) {
    }
    say("%s: %s\n", what, left > 0 ? "yes" : "NO");
}

static int sleeping_is_no_time(void)
{
    int64_t wall = read_clock(CLOCK_MONOTONIC), used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    struct timespec length = {0, 100 * MS_NS};

    while (nanosleep(&length, &length) != 0) {
    }
    used = read_clock(CLOCK_PROCESS_CPUTIME_ID) - used;
    wall = read_clock(CLOCK_MONOTONIC) - wall;
    return wall >= 100 * MS_NS && used < wall / 4;
}

static struct rusage before, after;

/* What the process has used while it did some work, in user mode and in all. */
static int64_t use(int in_kernel, int64_t *user)
{
    getrusage(RUSAGE_SELF, &before);
    work(50 * MS_NS, in_kernel);
    getrusage(RUSAGE_SELF, &after);
    *user = of_timeval(after.ru_utime) - of_timeval(before.ru_utime);
    return *user + of_timeval(after.ru_stime) - of_timeval(before.ru_stime);
}

static int computing_is_the_programs(void)
{
    int64_t user, all = use(0, &user);

    return all >= 40 * MS_NS && user > all * 3 / 4;
}

static int calls_are_the_kernels(void)
{
    int64_t user, all = use(1, &user);

    return all >= 40 * MS_NS && user < all * 3 / 4;
}

static int clocks_agree(void)
{
    struct rusage usage;
    struct tms now;
    clockid_t of_process, of_thread;
    int64_t first = read_clock(CLOCK_PROCESS_CPUTIME_ID);

    getrusage(RUSAGE_SELF, &usage);
    times(&now);
    int64_t told = of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime);
    int64_t ticks = (int64_t)(now.tms_utime + now.tms_stime) * 10 * MS_NS;
    int64_t by_clock = (int64_t)clock() * 1000;
    int64_t last = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    if (clock_getcpuclockid(getpid(), &of_process) != 0 || pthread_getcpuclockid(pthread_self(), &of_thread) != 0) {
        return 0;
    }
    int64_t thread = read_clock(of_thread);
    return told >= first - 20 * MS_NS && told <= last + 20 * MS_NS && ticks >= first - 40 * MS_NS &&
           ticks <= last + 40 * MS_NS && by_clock >= first - 1000 && by_clock <= last &&
           read_clock(of_process) >= last && thread >= last - 20 * MS_NS &&
           read_clock(CLOCK_THREAD_CPUTIME_ID) >= thread;
}

static int children_are_told_of(void)
{
    struct rusage of_child;
    struct tms times_before, times_after;
    int status = 0;

    getrusage(RUSAGE_CHILDREN, &before);
    times(&times_before);
    pid_t child = fork();
    if (child == 0) {
        int is_new = read_clock(CLOCK_PROCESS_CPUTIME_ID) < 20 * MS_NS;
        work(40 * MS_NS, 0);
        _exit(is_new);
    }
    wait4(child, &status, 0, &of_child);
    getrusage(RUSAGE_CHILDREN, &after);
    times(&times_after);
    int64_t used = of_timeval(of_child.ru_utime) + of_timeval(of_child.ru_stime);
    int64_t grown = of_timeval(after.ru_utime) + of_timeval(after.ru_stime) - of_timeval(before.ru_utime) -
                    of_timeval(before.ru_stime);
    int64_t ticks = (int64_t)(times_after.tms_cutime + times_after.tms_cstime) -
                    (int64_t)(times_before.tms_cutime + times_before.tms_cstime);
    return WEXITSTATUS(status) == 1 && used >= 38 * MS_NS && used < 400 * MS_NS && grown >= used - 5 * MS_NS &&
           grown <= used + 5 * MS_NS && of_child.ru_minflt > 0 &&
           after.ru_minflt >= before.ru_minflt + of_child.ru_minflt && ticks >= 2;
}

/* Over the whole run, whatever is cut: what was seen once is not taken back. */
static void progress(void)
{
    static int64_t process, thread, of_children;
    struct rusage usage;
    int64_t process_now = read_clock(CLOCK_PROCESS_CPUTIME_ID), thread_now = read_clock(CLOCK_THREAD_CPUTIME_ID);

    getrusage(RUSAGE_CHILDREN, &usage);
    say("gone on: %d %d %d\n", process_now > process, thread_now > thread, of_timeval(usage.ru_utime) >= of_children);
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
    attempt("sleeping takes no time", sleeping_is_no_time);
    attempt("computing is the program's", computing_is_the_programs);
    attempt("calls are the kernel's", calls_are_the_kernels);
    attempt("all clocks agree", clocks_agree);
    attempt("children are told of", children_are_told_of);
    progress();
    wrong();
}

int main(int count, char **words)
{
    return rounds_play(count, words, scenario);
}
