/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that takes for granted what a power cut breaks: that the processor's time stamp counter never goes back.
 *
 *     trusting ROUNDS      rounds of two milliseconds; says so when the counter has gone back
 *     trusting time        the time, which is another one whenever it is run
 *     trusting for-ever    does not end
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned long long last = 0;
    const char *what = argc > 1 ? argv[1] : "100";

    if (strcmp(what, "time") == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
        return 0;
    }
    for (int i = 1; i <= atoi(what) || strcmp(what, "for-ever") == 0; i++) {
        printf("round %d\n", i);
        fflush(stdout);
        usleep(2000);
        unsigned long long now = __builtin_ia32_rdtsc();
        if (now < last) {
            printf("the counter has gone back\n");
            return 3;
        }
        last = now;
    }
    return 0;
}
