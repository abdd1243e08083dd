/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clones in sets: after each set the program says so, durably, and waits for a line. What it is made of is the same
 * after every set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES (512u * 1024u)

static unsigned char *memory;

static int round_of(int number)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        memset(memory + number % 100 * 4096, number, 5000);
        _exit(number & 0x7F);
    }
    memory[number % 128 * 4096] = (unsigned char)number;
    return child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != (number & 0x7F);
}

int main(int count, char **words)
{
    char line[16];
    int wrong = 0;

    memory = malloc(BYTES);
    memset(memory, 0xA5, BYTES);
    for (int set = 1; set < count; set++) {
        int rounds = atoi(words[set]);
        for (int i = 0; i < rounds; i++) {
            wrong += round_of(i);
        }
        sync();
        printf("after %6d rounds, %d wrong\n", rounds, wrong);
        fflush(stdout);
        if (fgets(line, sizeof(line), stdin) == NULL) {
            return 1;
        }
    }
    return wrong != 0;
}
