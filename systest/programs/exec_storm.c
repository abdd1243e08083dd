/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that clone and execute themselves again and again, with many words, while others use up the memory, and that
 * get signals at every moment of it: some with a handler, some that end them.
 *
 *     exec_storm MANAGERS HOGS HOG_PAGES ROUNDS
 *
 *     manager NUMBER: COUNT rounds, COUNT became another, COUNT were ended, COUNT could not    after each tenth of them
 *     all is well.                or UNEXPECTED ..., and status 1
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE      4096u
#define WORDS     700
#define PAD_BYTES 30000
#define BECAME    0
#define FAILED    2
#define WORD      "a little word that goes to the stack by itself"

static const char *self;
static char pad[PAD_BYTES];
static uint32_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static void handler(int number)
{
    (void)number;
}

/* What a program that was executed finds. */
static int look_at_words(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], WORD) != 0) {
            return 1;
        }
    }
    const char *found = getenv("PAD");
    return argc == WORDS && found != NULL && strlen(found) == PAD_BYTES - 1 && strspn(found, "p") == PAD_BYTES - 1
               ? BECAME
               : 1;
}

static _Noreturn void become(void)
{
    static char *words[WORDS + 1];

    words[0] = (char *)self;
    words[1] = "child";
    for (int i = 2; i < WORDS; i++) {
        words[i] = WORD;
    }
    execv("/proc/self/exe", words);
    _exit(FAILED);
}

static _Noreturn void hog(uint32_t pages)
{
    uint32_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (uint32_t round = 1;; round++) {
        for (uint32_t page = 0; page < pages; page++) {
            memory[page * PAGE / 4] = round;
        }
    }
}

/* Signals until it has ended. Returns its status. */
static int disturb(pid_t child)
{
    for (;;) {
        struct timespec pause = {0, (long)draw(20) * 1000000};
        int status;
        nanosleep(&pause, NULL);
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) {
            return status;
        }
        if (ended != 0) {
            printf("UNEXPECTED: wait: %s\n", strerror(errno));
            exit(1);
        }
        kill(child, draw(100) == 0 ? SIGKILL : draw(100) == 0 ? SIGTERM : SIGWINCH);
    }
}

static int manage(uint32_t number, uint32_t rounds)
{
    uint32_t became = 0, ended = 0, failed = 0;

    state = number * 7 + 99;
    signal(SIGWINCH, handler); /* once the program is another one, it means nothing */
    signal(SIGTERM, SIG_DFL);
    for (uint32_t round = 1; round <= rounds; round++) {
        pid_t child = fork();
        if (child == 0) {
            become();
        }
        int status = child > 0 ? disturb(child) : FAILED << 8;
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGSEGV && WTERMSIG(status) != SIGBUS) {
            ended++;
        } else if (WIFEXITED(status) && WEXITSTATUS(status) == BECAME) {
            became++;
        } else if (WIFEXITED(status) && WEXITSTATUS(status) == FAILED) {
            failed++; /* for want of memory */
        } else {
            printf("UNEXPECTED: status %x\n", status);
            return 1;
        }
        if (round % (rounds / 10) == 0) {
            printf("manager %u: %u rounds, %u became another, %u were ended, %u could not\n", number, round, became,
                   ended, failed);
            fflush(stdout);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    pid_t hogs[64];

    self = argv[0];
    if (argc > 1 && strcmp(argv[1], "child") == 0) {
        return look_at_words(argc, argv);
    }
    uint32_t managers = strtoul(argv[1], NULL, 10), hog_count = strtoul(argv[2], NULL, 10);
    uint32_t pages = strtoul(argv[3], NULL, 10), rounds = strtoul(argv[4], NULL, 10);
    memset(pad, 'p', PAD_BYTES - 1);
    setenv("PAD", pad, 1);
    for (uint32_t i = 0; i < hog_count; i++) {
        if ((hogs[i] = fork()) == 0) {
            hog(pages);
        }
    }
    for (uint32_t i = 0; i < managers; i++) {
        if (fork() == 0) {
            _exit(manage(i, rounds));
        }
    }
    int wrong = 0, status;
    for (uint32_t left = managers; left > 0;) {
        pid_t ended = wait(&status);
        for (uint32_t i = 0; i < hog_count; i++) {
            ended = hogs[i] == ended ? 0 : ended; /* it was stopped for want of memory */
        }
        left -= ended > 0;
        wrong |= ended > 0 && status != 0;
    }
    for (uint32_t i = 0; i < hog_count; i++) {
        kill(hogs[i], SIGKILL);
    }
    puts(wrong ? "UNEXPECTED: a manager failed" : "all is well.");
    return wrong;
}
