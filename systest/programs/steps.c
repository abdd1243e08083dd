/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes what a debugger can look for: for each line that it reads a counter, a text and a page of an array, and makes
 * them durable before it says so. Two threads wait meanwhile, one of them at a futex.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

volatile uint32_t steps_made;
char steps_text[32] = "none";
char steps_pages[8][4096] __attribute__((aligned(4096)));
static volatile uint32_t never;

static void *wait_at_a_futex(void *nothing)
{
    syscall(SYS_futex, &never, FUTEX_WAIT, 0, nothing);
    return nothing;
}

static void *wait_for_a_signal(void *nothing)
{
    for (;;) {
        pause();
    }
    return nothing;
}

static __attribute__((noinline)) void step_make(const char *line)
{
    steps_made++;
    snprintf(steps_text, sizeof(steps_text), "%s", line);
    steps_pages[steps_made % 8][5] = (char)steps_made;
    sync();
    printf("step %u is durable\n", steps_made);
    fflush(stdout);
}

int main(void)
{
    static pthread_t waiting[2];
    static char line[32];
    pthread_create(&waiting[0], NULL, wait_at_a_futex, NULL);
    pthread_create(&waiting[1], NULL, wait_for_a_signal, NULL);
    printf("ready, futex at %p\n", (void *)&never);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        step_make(line);
    }
    return 0;
}
