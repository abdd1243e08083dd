/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The books of a program, in its memory and the host's copy, and the step under way. See parts.h.
 */
#include "parts.h"
#include "linux/linux_errno.h"
#include "task/task.h"

#include <string.h>

struct family_book family_books[FAMILY_PIDS];
struct family_counters family_counters;
void (*family_synced)(uint32_t pid, uint32_t step);
struct family_options family_options;

uint32_t family_mix(uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * 0x9E3779B97F4A7C15u;

    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 32;
    return (uint32_t)h;
}

uint32_t family_pid(void)
{
    return task_current()->program_id.number;
}

struct family_book *family_book(void)
{
    return &family_books[family_pid()];
}

bool family_note(struct registers *registers, uint32_t word, uint32_t value)
{
    TRY_BOOL(host_store(registers, BOOKS + 4 * word, value));
    family_book()->words[word] = value;
    return true;
}

bool family_recall(struct registers *registers, uint32_t word, uint32_t *value)
{
    TRY_BOOL(host_load(registers, BOOKS + 4 * word, value));
    if (*value != family_book()->words[word]) {
        host_wrong("pid %u: word %u of the books is %08x, expected %08x", family_pid(), word, *value,
                   family_book()->words[word]);
    }
    return true;
}

bool family_note_range(struct registers *registers, uint32_t first, uint32_t count, uint32_t entry)
{
    for (uint32_t i = 0; i < count; i++) {
        TRY_BOOL(family_note(registers, LEDGER + first + i, entry));
    }
    return true;
}

uint32_t family_step_of(const struct family_book *book)
{
    return book->words[STEP];
}

/* The step under way ----------------------------------------------------------------------------------------------- */

/* Fresh pages come in larger pieces than those in which they are changed. */
static uint32_t fresh_count(const struct family_step *step)
{
    uint32_t wish = 2 + family_mix(step->dice, 32) % 7, room = ARENA_SLOTS - step->first;

    return step->count == 1 ? 1 : wish < room ? wish : room;
}

bool family_step(struct registers *registers, struct family_step *step)
{
    TRY_BOOL(family_recall(registers, SEED, &step->seed));
    TRY_BOOL(family_recall(registers, STEP, &step->number));
    TRY_BOOL(family_recall(registers, DEPTH, &step->depth));
    TRY_BOOL(family_recall(registers, HEAP_PAGES, &step->heap_pages));
    TRY_BOOL(family_recall(registers, HEAP_START, &step->heap_start));
    step->dice = family_mix(step->seed, step->number);
    uint32_t more = family_mix(step->dice, 1);
    step->first = more % ARENA_SLOTS;
    step->count = 1 + ((more >> 8) % 6) * ((more >> 11) % 3) / 2; /* small ones more often: they meet what is mapped */
    if (step->count > ARENA_SLOTS - step->first) {
        step->count = ARENA_SLOTS - step->first;
    }
    step->target = (more >> 16) % (ARENA_SLOTS - step->count + 1);
    step->fresh = fresh_count(step);
    step->slot = family_mix(step->dice, 2) % SLOTS;
    (void)family_story(step);
    return true;
}

void family_finish(struct registers *registers, const struct family_step *step)
{
    TRY(family_note(registers, STEP, step->number + 1));
    family_counters.steps++;
    host_jump(registers, BEGIN);
}

bool family_may_be_short(void)
{
    return family_options.has_faults || family_options.is_short;
}

/* pipe() says ENFILE when there is no memory, as Linux's does. */
bool family_is_again(struct registers *registers, uint32_t instruction)
{
    int32_t result = (int32_t)registers->eax;
    bool has_no_memory = result == -ENOMEM || result == -ENFILE;

    if (!(has_no_memory && family_may_be_short()) &&
        !(family_options.has_faults && (result == -EIO || result == -EAGAIN))) {
        return false;
    }
    family_counters.retries++;
    host_jump(registers, instruction);
    return true;
}

void family_expect(const struct registers *registers, const char *call, int32_t expected)
{
    if ((int32_t)registers->eax != expected) {
        host_wrong("pid %u: %s is %d, expected %d", family_pid(), call, (int32_t)registers->eax, expected);
    }
}

bool family_is_interrupted(struct registers *registers, uint32_t instruction)
{
    if ((int32_t)registers->eax != -EINTR) {
        return family_is_again(registers, instruction);
    }
    if (family_options.is_calm) {
        host_wrong("pid %u: interrupted without a signal", family_pid());
    }
    family_counters.retries++;
    host_jump(registers, instruction);
    return true;
}

/* Text and bytes --------------------------------------------------------------------------------------------------- */

bool family_put_text(struct registers *registers, uint32_t address, const char *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += 4) {
        uint32_t word = 0;
        size_t left = strnlen(text + i, 4);
        memcpy(&word, text + i, left);
        TRY_BOOL(host_store(registers, address + i, word));
        if (left < 4) {
            break;
        }
    }
    return true;
}

bool family_load_byte(struct registers *registers, uint32_t address, uint8_t *out)
{
    uint32_t word;

    TRY_BOOL(host_load(registers, address & ~3u, &word));
    *out = (uint8_t)(word >> 8 * (address & 3));
    return true;
}
