/* SPDX-License-Identifier: BSD-2-Clause */
/* A page that a clone stores to after it was cloned is its parent's, too; also one that nobody had touched before. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

int main(void)
{
    volatile int *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    shared[0] = 1;
    puts("before the clone");
    fflush(stdout);
    if (fork() == 0) {
        sleep(1);
        shared[0] = 2;
        shared[PAGE / sizeof(int)] = 3;
        _exit(0);
    }
    wait(NULL);
    int right = shared[0] == 2 && shared[PAGE / sizeof(int)] == 3;
    puts(right ? "clone stored, parent sees it" : "parent does not see it");
    return !right;
}
