/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that takes for granted what a power cut breaks: that the two clocks of the machine advance together.
 *
 *     trusting ROUNDS      rounds of two milliseconds; says so when the clocks have come apart
 *     trusting time        the time, which is another one whenever it is run
 *     trusting for-ever    does not end
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define APART_MS 60

static long long clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    long long apart = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
    const char *what = argc > 1 ? argv[1] : "100";

    if (strcmp(what, "time") == 0) {
        printf("%lld\n", clock_ms(CLOCK_REALTIME));
        return 0;
    }
    for (int i = 1; i <= atoi(what) || strcmp(what, "for-ever") == 0; i++) {
        printf("round %d\n", i);
        fflush(stdout);
        usleep(2000);
        if (llabs(clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC) - apart) > APART_MS) {
            printf("the clocks are apart\n");
            return 3;
        }
    }
    return 0;
}
