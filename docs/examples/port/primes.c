/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that saves nothing: it looks for primes, and says each two hundredth. Where it has got to is in registers
 * and on its stack, what it has found in a table twice as large as the machine's memory; all of that is in the window.
 * It also adds each prime to one of a few sums, once: a page that is older or newer than the others in a generation
 * would show in the end.
 *
 * It may use nothing of the host that the next process would not have: neither heap, files nor buffers of the C
 * library. It is compiled without a stack protector, whose key is another one in each process, and without vector
 * registers, which persist.c does not keep.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "port.h"

#define PRIMES   30000u
#define EACH     200u
#define PAUSE_NS 2000000

struct found {
    uint32_t prime;
    uint32_t unused[255];
};

#define SUMS 8u

struct sum {
    volatile uint32_t value;
    uint32_t unused[1023]; /* a page each */
};

void program(void);

/* The host does not fault pages in for a call: what it is given has to be there, and a stop may come between. */
static void say(const char *line, uint32_t length)
{
    while (write(1, line, length) < 0 && errno == EFAULT) {
        (void)*(const volatile char *)line;
        (void)*(const volatile char *)(line + length - 1);
    }
}

static uint32_t put_number(char *out, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;

    for (; number > 0 || count == 0; number /= 10) {
        digits[count++] = (char)('0' + number % 10);
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = digits[count - 1 - i];
    }
    return count;
}

static void report(uint32_t number, uint32_t prime)
{
    char line[32];
    uint32_t length = put_number(line, number);

    line[length++] = ' ';
    length += put_number(line + length, prime);
    line[length++] = '\n';
    say(line, length);
}

static int is_prime(const struct found *found, uint32_t candidate)
{
    for (uint32_t i = 0; found[i].prime * found[i].prime <= candidate; i++) {
        if (candidate % found[i].prime == 0) {
            return 0;
        }
    }
    return 1;
}

void program(void)
{
    static const struct timespec pause = {0, PAUSE_NS}; /* not on the stack: see say() */
    struct sum *sums = (struct sum *)(void *)WINDOW_START;
    struct found *found = (struct found *)(void *)(sums + SUMS);
    uint32_t count = 1, of_table = 0, of_sums = 2;

    found[0].prime = 2;
    for (uint32_t candidate = 3; count < PRIMES; candidate += 2) {
        if (is_prime(found, candidate)) {
            sums[count % SUMS].value += candidate;
            found[count++].prime = candidate;
            if (count % EACH == 0) {
                report(count, candidate);
                nanosleep(&pause, NULL);
            }
        }
    }
    for (uint32_t i = 0; i < PRIMES; i++) {
        of_table += found[i].prime;
    }
    for (uint32_t i = 0; i < SUMS; i++) {
        of_sums += sums[i].value;
    }
    report(of_table, of_sums);
    for (;;) { /* one that goes on after its end ends again */
        kill(getpid(), SIGUSR1);
    }
}
