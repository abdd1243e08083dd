/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes system calls that nobody provides, twice each: a program is told ENOSYS and goes on. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    static const long calls[] = {9999, 0x7FFFFFFF, -1, 223, 283, 9999, 0x7FFFFFFF, -1, 223, 283};

    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        long result = syscall(calls[i], 1, 2, 3, 4, 5, 6);
        printf("call %ld: %ld %s\n", calls[i], result, strerror(errno));
    }
    return 0;
}
