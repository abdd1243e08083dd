/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How deep kernel stacks are used: the deepest of each kind of thread since the boot.
 *
 * A kind is a name, but for the threads of programs, which are one kind whatever they are called. What a thread has
 * used is seen in its stack, as long as it has one; when it ends, the kind keeps it. An interrupt runs on the stack of
 * whoever it finds there, so the marks have what interrupts need in them only by chance. The idle thread itself needs
 * next to nothing: its mark is what interrupts take, and the sum of it and another mark is what that kind needs at
 * most.
 */
#include "log.h"
#include "thread_internal.h"
#include <string.h>

#define KINDS_MAX          16u
#define LINE_BYTES         256u
#define STACKS_OF_PROGRAMS "programs"

struct kind {
    const char *name;
    uint32_t used; /* bytes */
};

static struct kind kinds[KINDS_MAX]; /* in order of appearance, then unnamed ones */
static struct thread *youngest;

static const char *kind_of(const struct thread *thread)
{
    return thread->of_program ? STACKS_OF_PROGRAMS : thread->name;
}

/* NULL: there are too many of them. */
static struct kind *find_kind(const char *name)
{
    for (uint32_t i = 0; i < KINDS_MAX; i++) {
        if (kinds[i].name == NULL) {
            kinds[i].name = name;
        }
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* Returns what it has used. */
static uint32_t note(const struct thread *thread)
{
    struct kind *kind = find_kind(kind_of(thread));
    uint32_t used = cpu_stack_used(&thread->stack);

    if (kind != NULL && used > kind->used) {
        kind->used = used;
    }
    return used;
}

void stack_use_begin(struct thread *thread)
{
    thread->older = youngest;
    thread->younger = NULL;
    if (youngest != NULL) {
        youngest->younger = thread;
    }
    youngest = thread;
}

void stack_use_end(struct thread *thread)
{
    uint32_t used = note(thread);

    if (used > STACK_USE_MAX) {
        log_line("thread: %s has used %u bytes of its kernel stack, which should not be more than %u", thread->name,
                 used, STACK_USE_MAX);
    }
    if (thread->younger != NULL) {
        thread->younger->older = thread->older;
    } else {
        youngest = thread->older;
    }
    if (thread->older != NULL) {
        thread->older->younger = thread->younger;
    }
}

static void note_all(void)
{
    for (const struct thread *thread = youngest; thread != NULL; thread = thread->older) {
        (void)note(thread);
    }
}

uint32_t stack_use_of(const char *kind)
{
    DOES_NOT_SLEEP();
    note_all();
    for (uint32_t i = 0; i < KINDS_MAX && kinds[i].name != NULL; i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            return kinds[i].used;
        }
    }
    return 0;
}

bool thread_stacks_suffice(void)
{
    bool suffice = true;

    note_all();
    for (uint32_t i = 0; i < KINDS_MAX && kinds[i].name != NULL; i++) {
        suffice = suffice && kinds[i].used <= STACK_USE_MAX;
    }
    return suffice;
}

void thread_log_stacks(void)
{
    char line[LINE_BYTES];
    uint32_t length = 0;

    note_all();
    for (uint32_t i = 0; i < KINDS_MAX && kinds[i].name != NULL && length < LINE_BYTES; i++) {
        length += (uint32_t)kernel_snprintf(line + length, LINE_BYTES - length, "%s %s %u", i > 0 ? "," : "",
                                            kinds[i].name, kinds[i].used);
    }
    log_line("thread: bytes of kernel stacks used, of %u:%s", CPU_STACK_BYTES, line);
}
