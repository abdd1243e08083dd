/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scenario that is played many times: what it says is kept in memory, every round is compared with the first, and
 * only the end shows both. So the transcript is whole wherever the power was cut in between.
 *
 *     int main(int count, char **words) { return rounds_play(count, words, scenario); }
 *
 * The first argument is the number of rounds, else 1. Linux prints the same.
 */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_BYTES 16384

static char rounds_text[ROUNDS_BYTES], rounds_first[ROUNDS_BYTES];
static size_t rounds_length;

__attribute__((format(printf, 1, 2), unused)) static void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(rounds_text + rounds_length, ROUNDS_BYTES - rounds_length, format, arguments);
    va_end(arguments);
    rounds_length += (size_t)length;
    if (rounds_length >= ROUNDS_BYTES) {
        puts("a round says too much");
        exit(1);
    }
}

static int rounds_play(int count, char **words, void (*scenario)(void))
{
    long total = count > 1 ? atol(words[1]) : 1;
    long unlike = 0;

    (void)!fsync(STDOUT_FILENO); /* what begins is durable; Linux refuses, at once */
    puts("begun");
    fflush(stdout);
    for (long round = 0; round < total; round++) {
        rounds_length = 0;
        memset(rounds_text, 0, sizeof(rounds_text));
        scenario();
        if (round == 0) {
            memcpy(rounds_first, rounds_text, sizeof(rounds_first));
        } else if (memcmp(rounds_first, rounds_text, sizeof(rounds_first)) != 0) {
            if (unlike++ == 0) {
                printf("round %ld:\n%s", round, rounds_text);
            }
        }
    }
    printf("%s%ld unlike the first\n", rounds_first, unlike);
    return unlike != 0;
}

#endif
