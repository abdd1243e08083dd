/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paging laboratory: the kernel's fault path on the fake machine and the simulator agree exactly, for every
 * program, policy and number of frames; what a program reads and never writes is never written to the disk; and the
 * optimum is one.
 */
#include "vm_map_fixture.h"

#include "fake/mmu.h"
#include "optimum.h"

#include <stdlib.h>
#include <string.h>

#define PAGES  40u
#define FRAMES 2048u /* of the machine; the kernel keeps a reserve of 512 */

static const uint32_t budgets[] = {1, 2, 5, 13, 20, 32, 39, 40};

#define BUDGETS (sizeof(budgets) / sizeof(budgets[0]))

static uint32_t disk[PAGES][LAB_PAGE_WORDS];
static uint32_t disk_writes;
static enum mmu_reason forgotten = MMU_REASONS; /* invalidations that the next machines do not make */

static void read_disk(uint32_t page, void *content)
{
    memcpy(content, disk[page], PAGE_SIZE);
}

static void write_disk(uint32_t page, void *content)
{
    memcpy(disk[page], content, PAGE_SIZE);
    disk_writes++;
}

static const struct lab_machine machine = {
    .load = mmu_load, .store = mmu_store, .read = read_disk, .write = write_disk};

static void run_paged(const struct lab_program *program, const struct vm_policy *policy, uint32_t frames,
                      struct lab_paged_result *out)
{
    for (uint32_t word = 0; word < PAGES * LAB_PAGE_WORDS; word++) {
        disk[word / LAB_PAGE_WORDS][word % LAB_PAGE_WORDS] = lab_initial_word(word);
    }
    disk_writes = 0;
    fake_machine_start(FRAMES);
    mmu_forget(forgotten);
    lab_run_paged(&machine, program, policy, PAGES, frames, out);
    fake_machine_stop();
}

static void assert_equal(const struct lab_program *program, const struct vm_policy *policy, uint32_t frames,
                         const struct lab_result *paged, const struct lab_result *simulated)
{
    if (memcmp(paged, simulated, sizeof(*paged)) != 0) {
        fail_msg("%s, %s, %u frames: faults %u / %u, reads %u / %u, writes %u / %u, victims %08x / %08x", program->name,
                 policy->name, frames, paged->faults, simulated->faults, paged->reads, simulated->reads, paged->writes,
                 simulated->writes, paged->victims, simulated->victims);
    }
}

/* One program under all policies and budgets. */
static void compare(const struct lab_program *program)
{
    const struct vm_policy *policy;
    struct lab_recording recording;

    lab_record(program, PAGES, &recording);
    assert_true(recording.is_right);
    for (uint32_t i = 0; (policy = vm_policy_at(i)) != NULL; i++) {
        for (uint32_t j = 0; j < BUDGETS; j++) {
            struct lab_paged_result paged;
            struct lab_result simulated;

            run_paged(program, policy, budgets[j], &paged);
            assert_true(paged.is_right);
            assert_int_equal(paged.trace.length, recording.trace.length);
            assert_int_equal(paged.trace.hash, recording.trace.hash);
            lab_simulate(policy, PAGES, budgets[j], recording.entries, recording.trace.length, &simulated);
            assert_equal(program, policy, budgets[j], &paged.counts, &simulated);
        }
    }
    free(recording.entries);
}

static void fault_path_and_simulator_agree_exactly(void **unused)
{
    (void)unused;
    const struct lab_program *program;

    for (uint32_t i = 0; (program = lab_program_at(i)) != NULL; i++) {
        compare(program);
    }
}

/* What the agreement hangs on: an A bit that is cleared is set by the next access. */
static void stale_translations_end_the_agreement(void **unused)
{
    (void)unused;
    const struct lab_program *program = lab_program_find("zipf");
    struct lab_paged_result right, stale;

    run_paged(program, vm_policy_find("second-chance"), 20, &right);
    forgotten = MMU_CLEAR_ACCESSED;
    run_paged(program, vm_policy_find("second-chance"), 20, &stale);
    forgotten = MMU_REASONS;
    assert_true(stale.is_right);
    assert_int_equal(stale.trace.hash, right.trace.hash);
    assert_int_not_equal(stale.counts.victims, right.counts.victims);
}

/* A page that is only read keeps a clear D bit: its frame is given up without a write, and the disk stays as it was. */
static void reading_causes_no_write(void **unused)
{
    (void)unused;
    const struct vm_policy *policy;

    for (uint32_t i = 0; (policy = vm_policy_at(i)) != NULL; i++) {
        struct lab_paged_result result;

        run_paged(lab_program_find("scan"), policy, 13, &result);
        assert_true(result.is_right && result.counts.faults > PAGES);
        assert_int_equal(result.counts.writes, 0);
        assert_int_equal(disk_writes, 0);
    }
}

static void simulate(const char *program, const char *policy, uint32_t frames, struct lab_result *out)
{
    struct lab_recording recording;

    lab_record(lab_program_find(program), PAGES, &recording);
    if (strcmp(policy, "optimum") == 0) {
        lab_optimum(PAGES, frames, recording.entries, recording.trace.length, out);
    } else {
        lab_simulate(vm_policy_find(policy), PAGES, frames, recording.entries, recording.trace.length, out);
    }
    free(recording.entries);
}

static void second_chance_is_not_fifo(void **unused)
{
    (void)unused;
    static const char *const programs[] = {"sort", "focus", "zipf", "mix"};

    for (uint32_t i = 0; i < 4; i++) {
        struct lab_result fifo, second_chance;
        simulate(programs[i], "fifo", 20, &fifo);
        simulate(programs[i], "second-chance", 20, &second_chance);
        assert_int_not_equal(fifo.victims, second_chance.victims);
    }
}

static void optimum_is_never_beaten_and_ends_with_each_page_read_once(void **unused)
{
    (void)unused;
    const struct lab_program *program;
    const struct vm_policy *policy;

    for (uint32_t i = 0; (program = lab_program_at(i)) != NULL; i++) {
        struct lab_result optimum, result;
        for (uint32_t j = 0; j < BUDGETS; j++) {
            simulate(program->name, "optimum", budgets[j], &optimum);
            for (uint32_t k = 0; (policy = vm_policy_at(k)) != NULL; k++) {
                simulate(program->name, policy->name, budgets[j], &result);
                assert_true(result.faults >= optimum.faults);
            }
        }
        assert_int_equal(optimum.faults, PAGES); /* with a frame for each */
    }
}

/* By hand: 1 2 3 1 2 4 1 2 in three frames. The optimum gives up 3 for 4, and needs four faults. */
static void optimum_of_a_small_trace_is_known(void **unused)
{
    (void)unused;
    static const struct lab_entry trace[] = {{1, false}, {2, true},  {3, true},  {1, false},
                                             {2, false}, {4, false}, {1, false}, {2, false}};
    struct lab_result result;

    lab_optimum(5, 3, trace, 8, &result);
    assert_int_equal(result.faults, 4);
    assert_int_equal(result.writes, 1);
    assert_int_equal(result.victims, lab_hash(LAB_HASH_START, 3));
    lab_simulate(vm_policy_find("fifo"), 5, 3, trace, 8, &result);
    assert_int_equal(result.faults, 6); /* 1 goes for 4, 2 for 1, 3 for 2 */
    assert_int_equal(result.writes, 2);
}

static void trace_joins_touches_of_one_page(void **unused)
{
    (void)unused;
    struct lab_trace trace;

    lab_trace_begin(&trace, NULL);
    lab_trace_touch(&trace, 3, false);
    lab_trace_touch(&trace, 3, true);
    lab_trace_touch(&trace, 3, false);
    lab_trace_touch(&trace, 0, false);
    lab_trace_end(&trace);
    assert_int_equal(trace.accesses, 4);
    assert_int_equal(trace.length, 2);
    assert_int_equal(trace.hash, lab_hash(lab_hash(LAB_HASH_START, 3 << 1 | 1), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault_path_and_simulator_agree_exactly),
        cmocka_unit_test(stale_translations_end_the_agreement),
        cmocka_unit_test(reading_causes_no_write),
        cmocka_unit_test(second_chance_is_not_fifo),
        cmocka_unit_test(optimum_is_never_beaten_and_ends_with_each_page_read_once),
        cmocka_unit_test(optimum_of_a_small_trace_is_known),
        cmocka_unit_test(trace_joins_touches_of_one_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
