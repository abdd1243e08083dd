/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power cuts at every event of random scenarios: store_crash.h says how.
 *
 *     store_crash_test [--states N] [--seed FIRST_SCENARIO] [ID]
 *
 * The number of states can be set by EIDOLON_CRASH_STATES as well, the first scenario by EIDOLON_SEED. EIDOLON_SOAK
 * makes it five millions.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "campaign.h"
#include "store_crash.h"

#define STATES      100000u
#define STATES_SOAK 5000000u

static uint64_t states_wanted = STATES;
static uint64_t first_seed = 1;
static struct crash_run run;

static void store_power_cut_anywhere_recovers_a_committed_generation(void **state)
{
    (void)state;
    if (run.only != NULL) {
        assert_true(crash_scenario(&run, strtoull(run.only, NULL, 10)));
        if (run.states == 0) {
            fail_msg("%s: no state has this id; a failure prints the one to give", run.only);
        }
        return;
    }
    for (uint64_t seed = first_seed; run.states < states_wanted; seed++) {
        if (!crash_scenario(&run, seed)) {
            fail_msg("the state named above is wrong; its id as argument runs it alone");
        }
    }
    printf("%llu crash states\n", (unsigned long long)run.states);
}

static uint64_t number_from(const char *text, uint64_t otherwise)
{
    return text == NULL || text[0] == 0 ? otherwise : strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"states", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    states_wanted = campaign_length(STATES, STATES_SOAK);
    states_wanted = number_from(getenv("EIDOLON_CRASH_STATES"), states_wanted);
    first_seed = number_from(getenv("EIDOLON_SEED"), first_seed);
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n') {
            states_wanted = number_from(optarg, states_wanted);
        } else if (option == 's') {
            first_seed = number_from(optarg, first_seed);
        } else {
            return 2;
        }
    }
    run.only = optind < argc ? argv[optind] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_power_cut_anywhere_recovers_a_committed_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
