/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for kernel/vm_map and kernel/snap that is a process of Linux, which docs/porting.md walks through:
 * messages, clock, memory and disk. The page table is in pmap.c, threads are in threads.c.
 *
 * Physical memory is an anonymous file, mapped once for the kernel, and page by page into the program's window.
 */
#define _GNU_SOURCE
#include "port.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "arch/arena.h"
#include "arch/clock.h"
#include "arch/frame.h"
#include "log.h"
#include "thread.h"

/* Messages --------------------------------------------------------------------------------------------------------- */

static void complain(const char *format, va_list arguments)
{
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void log_line(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
}

_Noreturn void panic(const char *subsystem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "panic in %s: ", subsystem);
    complain(format, arguments);
    abort();
}

int kernel_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    return vsnprintf(buffer, size, format, arguments);
}

int kernel_snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

/* Clock ------------------------------------------------------------------------------------------------------------ */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint64_t clock_entropy(void)
{
    uint64_t bits;

    ASSERT(getentropy(&bits, sizeof(bits)) == 0);
    return bits;
}

/* Frames ----------------------------------------------------------------------------------------------------------- */

int machine_memory;
static char *memory;
static uint8_t owners[MEMORY_FRAMES];
static uint32_t counts[FRAME_OWNERS] = {[FRAME_FREE] = MEMORY_FRAMES - 1}; /* frame 0 is never handed out */
static uint32_t free_list[MEMORY_FRAMES];

enum error frame_allocate(enum frame_owner owner, struct frame *out)
{
    if (counts[FRAME_FREE] == 0) {
        return ERROR_NO_MEMORY;
    }
    out->number = free_list[counts[FRAME_FREE] - 1];
    frame_set_owner(*out, owner);
    return OK;
}

void frame_free(struct frame frame)
{
    ASSERT(owners[frame.number] != FRAME_FREE);
    free_list[counts[FRAME_FREE]] = frame.number;
    frame_set_owner(frame, FRAME_FREE);
}

void frame_set_owner(struct frame frame, enum frame_owner owner)
{
    counts[owners[frame.number]]--;
    counts[owner]++;
    owners[frame.number] = (uint8_t)owner;
}

enum frame_owner frame_owner(struct frame frame)
{
    return (enum frame_owner)owners[frame.number];
}

void *frame_address(struct frame frame)
{
    return memory + (size_t)frame.number * PAGE_SIZE;
}

struct frame frame_containing(const void *address)
{
    return (struct frame){(uint32_t)(((const char *)address - memory) / PAGE_SIZE)};
}

uint32_t frame_limit(void)
{
    return MEMORY_FRAMES;
}

uint32_t frame_count(enum frame_owner owner)
{
    return counts[owner];
}

/* Arenas: the host has pages to spare, so these are not taken from the machine's memory. */
enum error arena_reserve(struct arena *arena, uint32_t pages, enum frame_owner owner)
{
    void *base = mmap(NULL, (size_t)pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED) {
        return ERROR_NO_MEMORY;
    }
    *arena = (struct arena){.base = base, .reserved_pages = pages, .owner = owner};
    return OK;
}

enum error arena_grow(struct arena *arena)
{
    if (arena->committed_pages == arena->reserved_pages) {
        return ERROR_RANGE;
    }
    arena->committed_pages++;
    return OK;
}

void arena_shrink(struct arena *arena)
{
    arena->committed_pages--;
    ASSERT(madvise((char *)arena->base + (size_t)arena->committed_pages * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED) == 0);
}

void arena_release(struct arena *arena)
{
    munmap(arena->base, (size_t)arena->reserved_pages * PAGE_SIZE);
    *arena = (struct arena){0};
}

/* The disk --------------------------------------------------------------------------------------------------------- */

static int disk_file;
static struct block_request *first_request, **request_end = &first_request; /* submitted, and not carried out */

static void carry_out(struct block_request *request)
{
    struct iovec pieces[BLOCK_REQUEST_PAGES_MAX];
    off_t offset = (off_t)request->first.number * PAGE_SIZE;
    int count = (int)request->count;
    ssize_t done;

    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){request->pages[i], PAGE_SIZE};
    }
    if (request->operation == BLOCK_FLUSH) {
        done = fdatasync(disk_file);
    } else if (request->operation == BLOCK_READ) {
        done = preadv(disk_file, pieces, count, offset);
    } else {
        done = pwritev(disk_file, pieces, count, offset);
    }
    request->result = done == (ssize_t)count * PAGE_SIZE ? OK : ERROR_IO;
    block_finish(request);
}

static void disk_submit(struct block_device *device, struct block_request *request)
{
    (void)device;
    request->next = NULL;
    *request_end = request;
    request_end = &request->next;
}

/* The others run while the disk is busy; what is done then is done all at once. */
static void disk_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    thread_yield();
    while (!request->done) {
        struct block_request *next = first_request;
        first_request = next->next;
        if (first_request == NULL) {
            request_end = &first_request;
        }
        carry_out(next);
    }
}

static struct block_device disk = {.name = "file", .submit = disk_submit, .wait = disk_wait};

struct block_device *machine_disk(const char *path, uint32_t blocks, bool *is_new)
{
    struct stat status;

    disk_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (disk_file < 0 || fstat(disk_file, &status) != 0) {
        perror(path);
        exit(1);
    }
    *is_new = status.st_size == 0;
    if (*is_new && ftruncate(disk_file, (off_t)blocks * PAGE_SIZE) != 0) {
        perror(path);
        exit(1);
    }
    disk.block_count = *is_new ? blocks : (uint32_t)(status.st_size / PAGE_SIZE);
    return &disk;
}

/* Power on --------------------------------------------------------------------------------------------------------- */

void machine_start(void)
{
    machine_memory = memfd_create("memory", MFD_CLOEXEC);
    ASSERT(machine_memory >= 0 && ftruncate(machine_memory, (off_t)MEMORY_FRAMES * PAGE_SIZE) == 0);
    memory = mmap(NULL, (size_t)MEMORY_FRAMES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, machine_memory, 0);
    ASSERT(memory != MAP_FAILED);
    for (uint32_t i = 0; i + 1 < MEMORY_FRAMES; i++) {
        free_list[i] = MEMORY_FRAMES - 1 - i;
    }
    void *window = mmap(WINDOW_START, (size_t)WINDOW_PAGES * PAGE_SIZE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    ASSERT(window == WINDOW_START);
}
