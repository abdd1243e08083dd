/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells lies in a copy of an image and looks what comes of them. Each is told and tried in a process of its own.
 *
 *     lie_tool IMAGE --seed S --count N [--jobs J]   lies S .. S + N - 1; a line for each that is not survived
 *     lie_tool IMAGE --only S                        one of them, with everything that the commands print
 *     lie_tool IMAGE --write OUT --only S            OUT becomes the image with that lie in it
 *
 * Exit status: 0 all were survived, 1 some were not, 2 the image cannot be used.
 */
#include "image_tool.h"
#include "lie.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_S      20  /* of the processor, of one lie; most take less than a tenth of a second */
#define LIMIT_WALL_S 300 /* should it sleep forever */
#define FAILED       3

/* The image tool's own is in the file with its main(). */
void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

struct request {
    const char *image_path, *out;
    uint64_t seed, count, jobs;
    bool is_only;
};

/* In a process of its own: survive the lie, or end otherwise than with 0. */
static _Noreturn void try_one(struct lie_image *image, uint64_t seed, bool is_quiet)
{
    char what[256];
    int report = dup(STDERR_FILENO);

    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = LIMIT_S}, NULL);
    alarm(LIMIT_WALL_S);
    lie_tell(image, seed, what, sizeof(what));
    if (is_quiet) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    } else {
        printf("lie %llu: %s\n", (unsigned long long)seed, what);
        fflush(stdout);
    }
    const char *wrong = lie_try(image, seed);
    fflush(stdout);
    if (wrong != NULL) {
        dprintf(report, "lie %llu: %s: %s\n", (unsigned long long)seed, what, wrong);
    }
    _exit(wrong == NULL ? 0 : FAILED);
}

static void say_how(struct lie_image *image, uint64_t seed, int status)
{
    char what[256];
    if (WIFEXITED(status) && WEXITSTATUS(status) == FAILED) {
        return; /* has said so itself */
    }
    pid_t child = fork(); /* this process must not lie */
    if (child == 0) {
        lie_tell(image, seed, what, sizeof(what));
        dprintf(STDERR_FILENO, "lie %llu: %s: %s\n", (unsigned long long)seed, what,
                WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF)
                    ? "the tool hangs"
                    : "the tool does not survive it");
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

struct child {
    pid_t pid;
    uint64_t seed;
};

static uint64_t try_all(struct lie_image *image, const struct request *request)
{
    struct child children[16] = {0};
    uint64_t running = 0, failures = 0, next = 0;

    while (next < request->count || running > 0) {
        if (next < request->count && running < request->jobs) {
            uint64_t seed = request->seed + next++;
            pid_t pid = fork();
            if (pid == 0) {
                try_one(image, seed, true);
            }
            for (uint32_t i = 0; i < 16; i++) {
                if (children[i].pid == 0) {
                    children[i] = (struct child){pid, seed};
                    break;
                }
            }
            running++;
            continue;
        }
        int status;
        pid_t ended = wait(&status);
        for (uint32_t i = 0; i < 16; i++) {
            if (children[i].pid != ended) {
                continue;
            }
            children[i].pid = 0;
            running--;
            if (status != 0) {
                failures++;
                say_how(image, children[i].seed, status);
            }
        }
    }
    return failures;
}

static int write_out(struct lie_image *image, const struct request *request)
{
    char what[256];
    lie_tell(image, request->seed, what, sizeof(what));
    FILE *file = fopen(request->out, "wb");
    size_t written = file == NULL ? 0 : fwrite(image->bytes, PAGE_SIZE, image->block_count, file);
    if (file == NULL || fclose(file) != 0 || written != image->block_count) {
        fprintf(stderr, "lie_tool: %s: %s\n", request->out, strerror(errno));
        return 2;
    }
    printf("lie %llu: %s\n", (unsigned long long)request->seed, what);
    return 0;
}

static bool request_read(int argc, char **argv, struct request *request)
{
    *request = (struct request){.count = 1, .jobs = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (argv[i][0] != '-') {
            request->image_path = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--only") == 0) {
            request->seed = strtoull(value, NULL, 10);
            request->is_only = argv[i][2] == 'o';
        } else if (strcmp(argv[i], "--count") == 0) {
            request->count = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            request->jobs = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--write") == 0) {
            request->out = value;
        } else {
            return false;
        }
        i++;
    }
    return request->image_path != NULL && request->jobs >= 1 && request->jobs <= 16;
}

int main(int argc, char **argv)
{
    static struct lie_image image;
    struct request request;

    if (!request_read(argc, argv, &request)) {
        fprintf(stderr, "usage: lie_tool IMAGE [--seed S --count N --jobs J] [--only S] [--write OUT]\n");
        return 2;
    }
    lie_machine(true);
    lie_image_open(&image, request.image_path);
    lie_machine(false);
    if (request.out != NULL) {
        return write_out(&image, &request);
    }
    if (request.is_only) {
        try_one(&image, request.seed, false);
    }
    uint64_t failures = try_all(&image, &request);
    printf("%llu lies from %llu on, %llu not survived\n", (unsigned long long)request.count,
           (unsigned long long)request.seed, (unsigned long long)failures);
    return failures == 0 ? 0 : 1;
}
