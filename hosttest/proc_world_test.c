/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole kernel under families of programs and power cuts. See proc_world.h.
 *
 *     proc_world_test               so many worlds, from EIDOLON_SEED or 1 on; many more with EIDOLON_SOAK
 *     proc_world_test SEED [COUNT]  the worlds from that one on
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "campaign.h"
#include "host_family.h"
#include "proc_world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORLDS         12u
#define WORLDS_OF_SOAK 20000u
#define SECONDS_MAX    300u

/* Written down when a world ends: so that its process can be another one. */
struct report {
    struct proc_world_counters world;
    struct family_counters family;
};

void __gcov_dump(void) __attribute__((weak));

static struct report total;

static void add(struct report *to, const struct report *more)
{
    uint64_t *sums = (uint64_t *)to;
    const uint64_t *terms = (const uint64_t *)more;

    for (size_t i = 0; i < sizeof(*to) / sizeof(*sums); i++) {
        sums[i] += terms[i];
    }
}

static void live(uint64_t seed, int out)
{
    struct proc_world_options options = {.seed = seed, .boots = 6, .states = 40};

    /* A crash is to end the process, not to be taken for a failed test in it. */
    const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        signal(fatal[i], SIG_DFL);
    }
    /* Of the processor: on a machine that others use too, a world may take any time. */
    struct rlimit most;
    if (getrlimit(RLIMIT_CPU, &most) != 0) {
        _exit(2);
    }
    if (most.rlim_max == RLIM_INFINITY || most.rlim_max > SECONDS_MAX) {
        most.rlim_max = SECONDS_MAX;
    }
    most.rlim_cur = most.rlim_max;
    if (setrlimit(RLIMIT_CPU, &most) != 0) {
        _exit(2);
    }
    proc_world_live(&options);
    struct report report = {proc_world_counters, family_counters};
    if (write(out, &report, sizeof(report)) != (ssize_t)sizeof(report)) {
        _exit(2);
    }
    if (__gcov_dump != NULL) {
        __gcov_dump();
    }
    _exit(0);
}

/* In a process of its own. */
static bool world_is_sound(uint64_t seed)
{
    int pipe_ends[2], status = -1;
    struct report report;

    if (pipe(pipe_ends) != 0) {
        return false;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        live(seed, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    bool reported = read(pipe_ends[0], &report, sizeof(report)) == (ssize_t)sizeof(report);
    close(pipe_ends[0]);
    waitpid(child, &status, 0);
    if (reported) {
        add(&total, &report);
    }
    if (!reported || status != 0) {
        fprintf(stderr, "world: seed %" PRIu64 " ended with status %x\n", seed, status);
    }
    return reported && status == 0;
}

static uint64_t first_seed = 1, worlds = WORLDS;

static void proc_worlds_are_sound(void **state)
{
    uint64_t failed = 0;

    (void)state;
    printf("worlds: seeds %" PRIu64 " to %" PRIu64 "\n", first_seed, first_seed + worlds - 1);
    for (uint64_t seed = first_seed; seed < first_seed + worlds; seed++) {
        failed += !world_is_sound(seed);
    }
    const struct family_counters *family = &total.family;
    printf("worlds: %" PRIu64 " boots, %" PRIu64 " crash states, %" PRIu64 " stops, %" PRIu64
           " programs resumed, %" PRIu64 " came to their end, %" PRIu64 " boots refused, %" PRIu64
           " looks at the kernel's books\n",
           total.world.boots, total.world.states, total.world.stops, total.world.resumed, total.world.ends,
           total.world.refused, total.world.checks);
    printf("worlds: steps %" PRIu64 ", writes %" PRIu64 ", reads %" PRIu64 ", maps %" PRIu64 ", unmaps %" PRIu64
           ", protections %" PRIu64 ", moves %" PRIu64 ", breaks %" PRIu64 ", forks %" PRIu64 ", vforks %" PRIu64
           ", waits %" PRIu64 ", starts %" PRIu64 ", syncs %" PRIu64 ", bytes piped %" PRIu64 ", signals %" PRIu64
           ", handled %" PRIu64 ", retries %" PRIu64 ", deaths %" PRIu64 "\n",
           family->steps, family->writes, family->reads, family->maps, family->unmaps, family->protections,
           family->moves, family->breaks, family->forks, family->vforks, family->waits, family->executions,
           family->syncs, family->piped, family->signals, family->handled, family->retries, family->deaths);
    printf("worlds: resizes %" PRIu64 ", descriptors %" PRIu64 ", polls %" PRIu64 ", lines %" PRIu64
           ", signals held back %" PRIu64 ", futexes %" PRIu64 ", orphans %" PRIu64 "\n",
           family->resizes, family->files, family->polls, family->lines, family->masks, family->locks, family->orphans);
    printf("worlds: boards %" PRIu64 ", views %" PRIu64 ", writes to them %" PRIu64 ", reads %" PRIu64
           ", protections %" PRIu64 ", moves %" PRIu64 ", unmaps %" PRIu64 ", denials %" PRIu64 ", spans %" PRIu64
           ", pieces that the kernel wrote %" PRIu64 "\n",
           family->boards, family->views, family->board_writes, family->board_reads, family->board_protections,
           family->board_moves, family->board_unmaps, family->board_denials, family->board_spans, family->pieces);
    assert_int_equal(failed, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(proc_worlds_are_sound)};
    const char *seed = getenv("EIDOLON_SEED");

    if (argc > 1) {
        first_seed = strtoull(argv[1], NULL, 10);
        worlds = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    } else {
        first_seed = seed != NULL ? strtoull(seed, NULL, 10) : 1;
        worlds = campaign_length(WORLDS, WORLDS_OF_SOAK);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
