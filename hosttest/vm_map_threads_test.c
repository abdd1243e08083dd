/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page mutexes under contention: the stress of the map (include/vm_map_stress.h) with host threads.
 *
 * In parallel, what happens to frames is outside the kernel, so two threads can touch one frame at the same time unless
 * a mutex or a copy keeps them apart; under ThreadSanitizer that is a report, and without it a number that does not
 * match. In turns, everything is inside, and a seed decides who runs next: such a run can be repeated.
 */
#include "vm_map_fixture.h"

#include "vm_map_stress.h"
#include "thread.h"

#include <stdlib.h>

#define FRAMES_PLENTY 64u
/* Six pages resident, the map and the MMU's directories take ten frames: copies are hard to get. */
#define FRAMES_SCARCE 11u

static uint32_t rounds(uint32_t usual)
{
    return getenv("EIDOLON_SOAK") != NULL ? 100 * usual : usual;
}

static void in_parallel(void (*work)(void *), void *context)
{
    fake_kernel_leave();
    work(context);
    fake_kernel_enter();
}

static void in_turns(void (*work)(void *), void *context)
{
    thread_yield();
    work(context);
    thread_yield();
}

static void add(struct vm_map_stress_result *sum, const struct vm_map_stress_result *result)
{
    sum->reads += result->reads;
    sum->writes += result->writes;
    sum->copies += result->copies;
    sum->page_outs += result->page_outs;
    sum->drops += result->drops;
    sum->discards += result->discards;
    sum->deletes += result->deletes;
    sum->commits += result->commits;
    sum->aborts += result->aborts;
    sum->contended += result->contended;
}

static void run(const struct vm_map_stress_options *options, uint32_t frames, bool seeded_order,
                struct vm_map_stress_result *sum)
{
    struct vm_map_stress_result result;

    fake_threads_parallel(options->outside == in_parallel);
    fake_machine_start(frames);
    fake_schedule(seeded_order ? options->seed : 0);
    vm_map_stress(options, &result);
    if (result.failure != NULL) {
        fail_msg("seed %llu: line %d: expected %s", (unsigned long long)options->seed, result.line, result.failure);
    }
    fake_threads_join();
    fake_machine_stop();
    add(sum, &result);
}

static void assert_all_happened(const struct vm_map_stress_result *sum)
{
    assert_true(sum->reads > 0 && sum->writes > 0 && sum->copies > 0);
    assert_true(sum->page_outs > 0 && sum->drops > 0 && sum->discards > 0 && sum->deletes > 0);
    assert_true(sum->commits > 0 && sum->aborts > 0 && sum->contended > 0);
}

static void threads_in_parallel_keep_every_page_whole(void **unused)
{
    (void)unused;
    struct vm_map_stress_result sum = {.failure = NULL};
    uint64_t random = test_seed();

    for (uint32_t i = 0; i < rounds(4); i++) {
        struct vm_map_stress_options options = {
            .seed = test_random(&random) | 1, .turns = 1500, .outside = in_parallel};
        run(&options, i % 2 == 0 ? FRAMES_PLENTY : FRAMES_SCARCE, false, &sum);
    }
    assert_all_happened(&sum);
}

static void threads_in_any_order_keep_every_page_whole(void **unused)
{
    (void)unused;
    struct vm_map_stress_result sum = {.failure = NULL};
    uint64_t random = test_seed();

    for (uint32_t i = 0; i < rounds(40); i++) {
        struct vm_map_stress_options options = {.seed = test_random(&random) | 1, .turns = 100, .outside = in_turns};
        run(&options, i % 2 == 0 ? FRAMES_PLENTY : FRAMES_SCARCE, true, &sum);
    }
    assert_all_happened(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_in_parallel_keep_every_page_whole),
        cmocka_unit_test(threads_in_any_order_keep_every_page_whole),
    };

    return cmocka_run_group_tests_name("vm_map_threads", tests, NULL, NULL);
}
