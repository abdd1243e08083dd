/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hands wild pointers and lengths to system calls. Each must come back with an error number, whatever the address:
 * unmapped, at the edge of what is mapped, in the kernel, wrapping around.
 *
 * Prints one line for each call that answered anything else, and `survived, N calls` at the end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const uint32_t addresses[] = {0x00000000, 0x00000001, 0x00000FFF, 0x00001000, 0x00010000, 0x40000003,
                                     0x80000000, 0xBFFFFFFE, 0xBFFFFFFF, 0xC0000000, 0xC0100000, 0xC0100001,
                                     0xEFFFFFFF, 0xF0000000, 0xF0001000, 0xF4000000, 0xFBFFF000, 0xFC000000,
                                     0xFFFFE000, 0xFFFFFFF0, 0xFFFFFFFC, 0xFFFFFFFF};

static unsigned calls;

static void expect(const char *name, uint32_t address, long result, int wanted)
{
    calls++;
    if (result != -1 || errno != wanted) {
        printf("UNEXPECTED: %s at %#x: %ld %s\n", name, address, result, result == -1 ? strerror(errno) : "");
    }
}

static void try_address(uint32_t address)
{
    void *wild = (void *)(uintptr_t)address;
    struct iovec vector = {.iov_base = wild, .iov_len = 16};

    expect("write", address, syscall(SYS_write, 1, wild, 16), EFAULT);
    expect("long write", address, syscall(SYS_write, 1, wild, 0x7FFFF000), EFAULT);
    expect("writev", address, syscall(SYS_writev, 1, &vector, 1), EFAULT);
    expect("writev of vector", address, syscall(SYS_writev, 1, wild, 1), EFAULT);
    expect("clock_gettime", address, syscall(SYS_clock_gettime, 1, wild), EFAULT);
    expect("nanosleep", address, syscall(SYS_nanosleep, wild, NULL), EFAULT);
    expect("fstat64", address, syscall(SYS_fstat64, 1, wild), EFAULT);
    expect("statx", address, syscall(SYS_statx, 1, "", AT_EMPTY_PATH, 0xFFF, wild), EFAULT);
    expect("statx of path", address, syscall(SYS_statx, AT_FDCWD, wild, 0, 0xFFF, wild), EFAULT);
    expect("openat", address, syscall(SYS_openat, AT_FDCWD, wild, O_RDONLY), EFAULT);
    expect("readlink", address, syscall(SYS_readlink, wild, wild, 100), EFAULT);
    expect("getrandom", address, syscall(SYS_getrandom, wild, 16, 0), EFAULT);
    expect("TCGETS", address, syscall(SYS_ioctl, 1, TCGETS, wild), EFAULT);
    expect("set_thread_area", address, syscall(SYS_set_thread_area, wild), EFAULT);
}

/* Pointers to the last bytes of a mapping, with lengths that lead out of it. */
static void try_edge(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || munmap(page + 4096, 4096) != 0) {
        printf("UNEXPECTED: no page to try the edge of\n");
        return;
    }
    memset(page, 'x', 4096);
    uint32_t edge = (uint32_t)(uintptr_t)page + 4094;
    expect("clock_gettime over the edge", edge, syscall(SYS_clock_gettime, 1, page + 4094), EFAULT);
    expect("fstat64 over the edge", edge, syscall(SYS_fstat64, 1, page + 4094), EFAULT);
    expect("nanosleep over the edge", edge, syscall(SYS_nanosleep, page + 4094, NULL), EFAULT);
    expect("openat over the edge", edge, syscall(SYS_openat, AT_FDCWD, page + 4094, O_RDONLY), EFAULT);
    if (mprotect(page, 4096, PROT_READ) != 0) {
        printf("UNEXPECTED: mprotect failed\n");
    }
    expect("clock_gettime into a read-only page", edge, syscall(SYS_clock_gettime, 1, page), EFAULT);
    expect("clock_gettime into the program's text", 0, syscall(SYS_clock_gettime, 1, (void *)(uintptr_t)try_edge),
           EFAULT);
}

/* Ranges that no program may have. */
static void try_ranges(void)
{
    static const uint32_t starts[] = {0xC0000000, 0xF0000000, 0xFFFFF000};

    for (unsigned i = 0; i < 3; i++) {
        void *start = (void *)(uintptr_t)starts[i];
        long result =
            syscall(SYS_mmap2, start, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        expect("mmap2", starts[i], result, errno == EINVAL ? EINVAL : ENOMEM);
        expect("munmap", starts[i], syscall(SYS_munmap, start, 8192), EINVAL);
        result = syscall(SYS_mprotect, start, 4096, PROT_READ | PROT_WRITE);
        expect("mprotect", starts[i], result, errno == EINVAL ? EINVAL : ENOMEM);
    }
    expect("mmap2 of nothing", 0, syscall(SYS_mmap2, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    expect("mmap2 of everything", 0, syscall(SYS_mmap2, 0, 0xFFFFF000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
           ENOMEM);
    expect("munmap unaligned", 1, syscall(SYS_munmap, 0x10001, 4096), EINVAL);
    uint32_t end = (uint32_t)syscall(SYS_brk, 0);
    if ((uint32_t)syscall(SYS_brk, 0xFFFFFFFF) != end || (uint32_t)syscall(SYS_brk, 0xC0000000) != end) {
        printf("UNEXPECTED: the program break moved\n");
    }
}

int main(void)
{
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        try_address(addresses[i]);
    }
    try_edge();
    try_ranges();
    expect("write to no file", 0, syscall(SYS_write, 77, "x", 1), EBADF);
    expect("write to no file", 0, syscall(SYS_write, -1, "x", 1), EBADF);
    expect("read from no file", 0, syscall(SYS_read, 0x7FFFFFFF, addresses, 1), EBADF);
    printf("survived, %u calls\n", calls);
    return 0;
}
