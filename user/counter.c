/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts. It never writes its count anywhere, and never loses it: pull the plug and start the machine again.
 *
 *     counter [PAUSE_MS]
 *
 * An ordinary Linux program; on Linux it starts at 1 each time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAUSE_MS_DEFAULT 200
#define PAUSE_MS_MAX     3600000L

static int parse_pause(const char *text, long *out)
{
    char *end;

    errno = 0;
    *out = strtol(text, &end, 10);
    return errno == 0 && *text != 0 && *end == 0 && *out >= 0 && *out <= PAUSE_MS_MAX ? 0 : -1;
}

int main(int argc, char **argv)
{
    long pause_ms = PAUSE_MS_DEFAULT;

    if (argc > 2 || (argc == 2 && parse_pause(argv[1], &pause_ms) != 0)) {
        fprintf(stderr, "usage: counter [PAUSE_MS], 0 to %ld\n", PAUSE_MS_MAX);
        return 2;
    }
    const struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};
    for (unsigned long long count = 1;; count++) {
        printf("%llu\n", count);
        fflush(stdout);
        nanosleep(&pause, NULL);
    }
}
