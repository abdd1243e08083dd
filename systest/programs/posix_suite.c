/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the programs of a conformance suite and tells what each of them ends with.
 *
 * The suite's programs are linked into this one (test_posix.py), each under a name of its own in posix_tests. Started
 * under such a name it is that program, otherwise it starts all of them, each as a new process image and in a process
 * group of its own, some at a time, and ends those that take too long by CLOCK_MONOTONIC.
 *
 *     posix_suite AT_ONCE SECONDS [WORD...]    WORDs: only programs whose names begin with one; their output is shown
 *
 * While it runs it counts what has ended. The verdicts come in the end, so that they are together wherever it was cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct posix_test {
    const char *name;
    int (*main)(int argc, char **argv);
};

extern const struct posix_test posix_tests[];
extern const unsigned posix_test_count;

enum { WAITS, RUNS, ENDED };

struct run {
    int state;
    pid_t pid;
    double since;
    double lasted;
    int is_hung;
    int status;
};

static struct run *runs;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void become(const struct posix_test *test, int is_shown)
{
    char *arguments[] = {(char *)test->name, NULL};
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, STDIN_FILENO);
    if (!is_shown) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    close(null);
    execv("/proc/self/exe", arguments);
    _exit(126);
}

static void start(unsigned index, int is_shown)
{
    struct run *run = &runs[index];

    if (is_shown) {
        printf("begins %s\n", posix_tests[index].name);
    }
    fflush(NULL);
    run->state = RUNS;
    run->since = now();
    run->pid = fork();
    if (run->pid == 0) {
        become(&posix_tests[index], is_shown);
    } else if (run->pid < 0) {
        perror("fork");
        exit(2);
    }
    setpgid(run->pid, run->pid);
}

/* Takes in what has ended, and ends what has run for too long. Returns how many have ended. */
static unsigned look(unsigned seconds)
{
    unsigned ended = 0;

    for (unsigned i = 0; i < posix_test_count; i++) {
        struct run *run = &runs[i];
        if (run->state != RUNS) {
            continue;
        }
        if (waitpid(run->pid, &run->status, WNOHANG) == run->pid) {
            kill(-run->pid, SIGKILL); /* what it has left */
            run->lasted = now() - run->since;
            run->state = ENDED;
            ended++;
        } else if (!run->is_hung && now() - run->since > seconds) {
            run->is_hung = 1;
            kill(-run->pid, SIGKILL);
            kill(run->pid, SIGKILL);
        }
    }
    return ended;
}

static void tell(unsigned index)
{
    static const char *const words[] = {"pass", "fail", "unresolved", NULL, "unsupported", "untested"};
    const struct run *run = &runs[index];

    printf("%s: ", posix_tests[index].name);
    if (run->is_hung) {
        printf("hang");
    } else if (WIFSIGNALED(run->status)) {
        printf("signal %d", WTERMSIG(run->status));
    } else if (WEXITSTATUS(run->status) < 6 && words[WEXITSTATUS(run->status)] != NULL) {
        printf("%s", words[WEXITSTATUS(run->status)]);
    } else {
        printf("status %d", WEXITSTATUS(run->status));
    }
    printf(", %.1f s\n", run->lasted);
}

static int is_wanted(const char *name, char **words)
{
    if (*words == NULL) {
        return 1;
    }
    for (; *words != NULL; words++) {
        if (strncmp(name, *words, strlen(*words)) == 0) {
            return 1;
        }
    }
    return 0;
}

static void run_all(unsigned at_once, unsigned seconds, char **words)
{
    unsigned wanted = 0, running = 0, ended = 0, next = 0;

    for (unsigned i = 0; i < posix_test_count; i++) {
        runs[i].state = is_wanted(posix_tests[i].name, words) ? WAITS : ENDED;
        wanted += runs[i].state == WAITS;
    }
    printf("begun, %u programs\n", wanted);
    while (ended < wanted) {
        for (; running < at_once && next < posix_test_count; next++) {
            if (runs[next].state == WAITS) {
                start(next, *words != NULL);
                running++;
            }
        }
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        struct timespec second = {1, 0};
        sigtimedwait(&child, NULL, &second);
        unsigned more = look(seconds);
        running -= more;
        ended += more;
        if (more > 0) {
            printf("ended %u\n", ended);
            fflush(stdout);
        }
    }
    printf("verdicts\n");
    for (unsigned i = 0; i < posix_test_count; i++) {
        if (is_wanted(posix_tests[i].name, words)) {
            tell(i);
        }
    }
    printf("all told\n");
}

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < posix_test_count; i++) {
        if (strcmp(argv[0], posix_tests[i].name) == 0) {
            return posix_tests[i].main(argc, argv);
        }
    }
    if (argc < 3) {
        fprintf(stderr, "usage: posix_suite AT_ONCE SECONDS [WORD...]\n");
        return 2;
    }
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    runs = calloc(posix_test_count, sizeof(*runs));
    run_all((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), argv + 3);
    return 0;
}
