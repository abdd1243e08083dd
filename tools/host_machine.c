/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The little of the machine contract that the store needs, for a host program: frames of memory, messages, panic.
 *
 * Frames come from one range of addresses that the host backs as they are used. There is one thread.
 */
#include "arch/frame.h"
#include "log.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FRAMES_MAX (1u << 20) /* 4 GiB of addresses */

static char *memory;
static uint32_t frames_made;
static uint32_t *free_frames;
static uint32_t free_count, free_room;
static uint32_t counts[FRAME_OWNERS];
static uint8_t owners[FRAMES_MAX];

static enum error take_free(uint32_t *number)
{
    if (free_count > 0) {
        *number = free_frames[--free_count];
        return OK;
    }
    if (memory == NULL) {
        memory = mmap(NULL, (size_t)FRAMES_MAX * PAGE_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            memory = NULL;
            return ERROR_NO_MEMORY;
        }
    }
    if (frames_made + 1 == FRAMES_MAX) {
        return ERROR_NO_MEMORY;
    }
    *number = ++frames_made; /* frame 0 is never handed out */
    return OK;
}

enum error frame_allocate(enum frame_owner owner, struct frame *out)
{
    uint32_t number;
    enum error error = take_free(&number);
    if (error != OK) {
        return error;
    }
    owners[number] = (uint8_t)owner;
    counts[owner]++;
    out->number = number;
    return OK;
}

void frame_free(struct frame frame)
{
    ASSERT(owners[frame.number] != FRAME_FREE);
    if (free_count == free_room) {
        free_room = free_room == 0 ? 4096 : free_room * 2;
        free_frames = realloc(free_frames, free_room * sizeof(*free_frames));
        ASSERT(free_frames != NULL);
    }
    counts[owners[frame.number]]--;
    owners[frame.number] = FRAME_FREE;
    free_frames[free_count++] = frame.number;
}

void *frame_address(struct frame frame)
{
    return memory + (size_t)frame.number * PAGE_SIZE;
}

struct frame frame_containing(const void *address)
{
    return (struct frame){(uint32_t)(((const char *)address - memory) / PAGE_SIZE)};
}

enum frame_owner frame_owner(struct frame frame)
{
    return (enum frame_owner)owners[frame.number];
}

uint32_t frame_limit(void)
{
    return FRAMES_MAX;
}

uint32_t frame_count(enum frame_owner owner)
{
    return owner == FRAME_FREE ? FRAMES_MAX - 1 - frames_made + free_count : counts[owner];
}

/* One thread: nothing sleeps, and a mutex only notices misuse. */
uint32_t atomic_depth;

void atomic_unbalanced(void)
{
    panic("thread", "what is atomic ends without having begun");
}

void atomic_broken(void)
{
}

/* There is one thread. */
bool thread_should_yield(void)
{
    return false;
}

void thread_yield(void)
{
}

void mutex_lock(struct mutex *mutex, enum lock_rank rank)
{
    (void)rank;
    ASSERT(mutex->owner == NULL);
    mutex->owner = (struct thread *)(void *)mutex;
}

bool mutex_try_lock(struct mutex *mutex, enum lock_rank rank)
{
    if (mutex->owner != NULL) {
        return false;
    }
    mutex_lock(mutex, rank);
    return true;
}

void mutex_unlock(struct mutex *mutex, enum lock_rank rank)
{
    (void)rank;
    ASSERT(mutex->owner != NULL);
    mutex->owner = NULL;
}

void log_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
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

_Noreturn void panic(const char *subsystem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "image tool: internal error in %s: ", subsystem);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}
