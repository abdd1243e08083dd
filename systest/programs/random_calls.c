/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls with random numbers and arguments: whatever they do to this program, they must not hurt the kernel.
 *
 *     random_calls SEED COUNT
 *
 * Left out are calls that would end the program or wait forever; its own memory and descriptors are kept out of harm
 * as far as that is simple. Prints its progress and, if it lives that long, "survived".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARENA_START      0x40000000u
#define ARENA_BYTES      0x100000u
#define OWN_CALLS        0x1000u /* the first call of Eidolon's own; the second waits for a snapshot */
#define FIRST_DESCRIPTOR 3u

static uint32_t state;
static sigjmp_buf back;

static uint32_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void go_on(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* They end the program, make another, wait, or take away what the test stands on. */
static bool is_left_out(uint32_t number)
{
    static const uint32_t left_out[] = {
        SYS_exit,
        SYS_exit_group,
        SYS_fork,
        SYS_vfork,
        SYS_clone,
        SYS_execve,
        SYS_pipe, /* pipe2 makes one that does not wait */
        SYS_kill,
        SYS_tkill,
        SYS_tgkill,
        SYS_read,
        SYS_readv,
        SYS_pread64,
        SYS_pause,
        SYS_rt_sigsuspend,
        SYS_sigsuspend,
        SYS_nanosleep,
        SYS_clock_nanosleep,
        SYS_clock_nanosleep_time64,
        SYS_poll,
        SYS_ppoll,
        SYS_ppoll_time64,
        SYS_select,
        SYS__newselect,
        SYS_pselect6,
        SYS_pselect6_time64,
        SYS_futex,
        SYS_futex_time64,
        SYS_waitid,
        SYS_sync,
        SYS_fsync,
        SYS_fdatasync,
        SYS_msync,
        SYS_sigreturn,
        SYS_rt_sigreturn,
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_signal,
        SYS_sigaction,
        SYS_sigprocmask,
        SYS_ssetmask,
        SYS_setrlimit,
        SYS_prlimit64,
        SYS_sigaltstack,
        SYS_set_thread_area,
        SYS_brk,
        OWN_CALLS + 1,
    };

    for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        if (left_out[i] == number) {
            return true;
        }
    }
    return false;
}

static __attribute__((noinline)) uint32_t random_call(void)
{
    uint32_t number;

    do {
        switch (random_number() % 8) {
        case 0:
            number = random_number();
            break;
        case 1:
            number = OWN_CALLS + random_number() % 4;
            break;
        default:
            number = random_number() % 460;
            break;
        }
    } while (is_left_out(number));
    return number;
}

static uint32_t random_argument(void)
{
    switch (random_number() % 12) {
    case 0:
        return random_number() % 8;
    case 1:
        return random_number() % 70;
    case 2:
        return 0 - random_number() % 5;
    case 3:
        return ARENA_START + random_number() % 16384;
    case 4:
        return ARENA_START + (random_number() % 256 << 12);
    case 5:
        return 0x7FFFF000u + random_number() % 8192;
    case 6:
        return 0xBFFFF000u + random_number() % 8192;
    case 7:
        return 0xC0000000u + random_number();
    case 8:
        return 0xF0000000u + random_number() % 0x4000000;
    case 9:
        return 1u << random_number() % 32;
    case 10:
        return random_number() << 12;
    default:
        return random_number();
    }
}

/*
 * Steer calls that work on the program's memory and descriptors to where it does not hurt; nobody would empty a pipe.
 */
static void tame(uint32_t number, uint32_t arguments[6])
{
    switch (number) {
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_mremap:
    case SYS_mmap2:
    case SYS_madvise:
        arguments[0] = ARENA_START + (arguments[0] & 0xFF000u);
        arguments[4] = number == SYS_mremap ? ARENA_START + ARENA_BYTES + (arguments[4] & 0xFFF000u) : arguments[4];
        arguments[1] %= random_number() % 4 != 0 ? ARENA_BYTES : UINT32_MAX;
        break;
    case SYS_mmap:
        arguments[0] = ARENA_START;
        break;
    case SYS_pipe2:
        arguments[1] |= O_NONBLOCK;
        break;
    case SYS_fcntl:
    case SYS_fcntl64:
        arguments[0] = FIRST_DESCRIPTOR + arguments[0] % 80;
        arguments[2] |= arguments[1] == F_SETFL ? O_NONBLOCK : 0;
        break;
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_close:
    case SYS_ioctl:
        arguments[0] = FIRST_DESCRIPTOR + arguments[0] % 80;
        break;
    case SYS_dup2:
    case SYS_dup3:
        arguments[0] = FIRST_DESCRIPTOR + arguments[0] % 80;
        arguments[1] = FIRST_DESCRIPTOR + arguments[1] % 80;
        break;
    default:
        break;
    }
}

static void make_arena(void)
{
    mmap((void *)ARENA_START, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* One random call; a fault on the way is no reason to stop. */
static void call_something(void)
{
    uint32_t number = random_call();
    uint32_t arguments[6];

    for (int i = 0; i < 6; i++) {
        arguments[i] = random_argument();
    }
    tame(number, arguments);
    if (sigsetjmp(back, 1) == 0) {
        syscall((long)number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    }
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;

    state = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) | 1 : 1;
    signal(SIGSEGV, go_on);
    signal(SIGBUS, go_on);
    for (unsigned long i = 0; i < count; i++) {
        if (i % 2000 == 0) {
            make_arena();
            printf("call %lu\n", i);
            fflush(stdout);
        }
        call_something();
    }
    puts("survived");
    return 0;
}
