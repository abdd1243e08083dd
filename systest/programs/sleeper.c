/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeps once, for the seconds given, and says how long that was by the clock that never jumps. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

int main(int argc, char **argv)
{
    struct timespec duration = {.tv_sec = argc > 1 ? atoi(argv[1]) : 3};
    struct timespec remaining = {0};
    long before = now_ms();

    printf("sleeping\n");
    int result = nanosleep(&duration, &remaining);
    printf("woke after %ld ms with %d\n", now_ms() - before, result);
    return 0;
}
