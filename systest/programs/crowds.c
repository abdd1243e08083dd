/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A crowd of each thing the kernel keeps records of: programs, regions, open files, pipes. Each is made until one more
 * is refused. While the crowd is there, one of each of the other things can be had; when it has gone, everything can,
 * and the crowd again.
 *
 *     crowds [SECONDS]            wait so long while each crowd is there
 *
 *     KIND: refused with ERRNO after COUNT            and after the second crowd: KIND: COUNT again
 *     all is well.                or UNEXPECTED ..., and status 1
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE         4096u
#define REGIONS_MAX  400000u
#define PROGRAMS_MAX 4096
#define ANSWER       7

enum kind { PROGRAMS, REGIONS, FILES, PIPES, KINDS };

static const char *const names[KINDS] = {"programs", "regions", "files", "pipes"};

struct report {
    int count, error;
};

static const char *self;
static int reports[2]; /* made before there is any crowd */

static _Noreturn void unexpected(const char *what, enum kind kind)
{
    printf("UNEXPECTED: %s, %s: %s\n", what, names[kind], strerror(errno));
    fflush(stdout);
    kill(0, SIGKILL);
    _exit(1);
}

/* One of each ------------------------------------------------------------------------------------------------------ */

static bool can_start_a_program(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        execl("/proc/self/exe", self, "answer", (char *)NULL);
        _exit(1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == ANSWER;
}

static bool can_map(void)
{
    uint8_t *memory = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool good = memory != MAP_FAILED;

    for (uint32_t page = 0; good && page < 32; page += 2) {
        memory[page * PAGE] = (uint8_t)page;
        good = mprotect(memory + page * PAGE, PAGE, PROT_READ) == 0 && memory[page * PAGE] == page;
    }
    return good && munmap(memory, 32 * PAGE) == 0;
}

static bool can_open(void)
{
    int file = open("/dev/null", O_RDWR);

    return file >= 0 && write(file, "x", 1) == 1 && close(file) == 0;
}

static bool can_pipe(void)
{
    int ends[2];
    char byte = 0;

    return pipe(ends) == 0 && write(ends[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1 && byte == 'x' &&
           close(ends[0]) == 0 && close(ends[1]) == 0;
}

static bool (*const can[KINDS])(void) = {can_start_a_program, can_map, can_open, can_pipe};

/* All but those that are used up; a pipe needs two files, too. */
static void try_all(enum kind used_up, const char *when)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        if (kind != used_up && !(used_up == FILES && kind == PIPES) && !can[kind]()) {
            printf("%s, ", names[kind]);
            unexpected(when, used_up);
        }
    }
}

/* Crowds: each function runs in a program of the crowd's group, and ends with it ----------------------------------- */

static _Noreturn void stay(int count, int error)
{
    struct report report = {count, error};

    if (write(reports[1], &report, sizeof(report)) != sizeof(report)) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

static _Noreturn void crowd_of_programs(void)
{
    int count = 0;
    pid_t child = 0;

    while (count < PROGRAMS_MAX && (child = fork()) > 0) {
        count++;
    }
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    stay(count, errno);
}

static _Noreturn void crowd_of_regions(void)
{
    uint8_t *memory = mmap(NULL, REGIONS_MAX * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t page = 1;

    while (page < REGIONS_MAX && mprotect(memory + page * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0) {
        page += 2;
    }
    stay((int)page, errno);
}

/* As many as one program may have open, then the next program. The last one says how many there are. */
static _Noreturn void crowd_of(enum kind kind)
{
    int ends[2], count = 0;
    pid_t child = 0;

    while (child == 0) {
        errno = 0;
        while (kind == PIPES ? pipe(ends) == 0 : open("/dev/null", O_RDWR) >= 0) {
            count++;
        }
        if (errno != EMFILE) {
            stay(count, errno);
        }
        child = fork();
        if (child == 0) {
            for (int descriptor = 3; descriptor < 64; descriptor++) {
                if (descriptor != reports[1]) {
                    close(descriptor);
                }
            }
        }
    }
    if (child < 0) {
        stay(count, errno);
    }
    for (;;) {
        pause();
    }
}

static pid_t begin_crowd(enum kind kind, struct report *report)
{
    pid_t leader = fork();

    if (leader == 0) {
        setpgid(0, 0);
        if (kind == PROGRAMS) {
            crowd_of_programs();
        } else if (kind == REGIONS) {
            crowd_of_regions();
        }
        crowd_of(kind);
    }
    if (leader < 0 || read(reports[0], report, sizeof(*report)) != sizeof(*report)) {
        unexpected("no crowd", kind);
    }
    return leader;
}

/* Orphans of the group are nobody's to wait for: so the group is asked for. */
static void end_crowd(pid_t leader, enum kind kind)
{
    int status;

    kill(-leader, SIGKILL);
    if (waitpid(leader, &status, 0) != leader || !WIFSIGNALED(status)) {
        unexpected("the end of a crowd", kind);
    }
    while (kill(-leader, 0) == 0) {
        usleep(1000);
    }
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc > 1 && strcmp(argv[1], "answer") == 0) {
        return ANSWER;
    }
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
    if (pipe(reports) != 0) {
        unexpected("pipe", PIPES);
    }
    try_all(KINDS, "before");
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct report first, second;
        for (int round = 0; round < 2; round++) {
            pid_t leader = begin_crowd(kind, round == 0 ? &first : &second);
            if (round == 0) {
                printf("%s: refused with %d after %d\n", names[kind], first.error, first.count);
                fflush(stdout);
            }
            try_all(kind, "while they are used up");
            sleep(seconds);
            try_all(kind, "while they are used up still");
            end_crowd(leader, kind);
            try_all(KINDS, "after a crowd");
        }
        printf("%s: %d again\n", names[kind], second.count);
        fflush(stdout);
        if (second.count < first.count - first.count / 16) {
            unexpected("fewer", kind);
        }
    }
    puts("all is well.");
    return 0;
}
