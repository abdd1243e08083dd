/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of a program: its pages, and the calls that change what is mapped.
 */
#include "parts.h"
#include "linux/linux_errno.h"

static uint32_t address_of(const struct family_step *step, uint32_t slot)
{
    if (slot < DATA_SLOT) {
        return ARENA + slot * PAGE_SIZE;
    }
    if (slot < HEAP_SLOT) {
        return HOST_DATA + (4 + slot - DATA_SLOT) * PAGE_SIZE;
    }
    if (slot < STACK_SLOT) {
        return step->heap_start + (slot - HEAP_SLOT) * PAGE_SIZE;
    }
    return STACK_END - (72 + 2 * (slot - STACK_SLOT)) * PAGE_SIZE;
}

/* Of a page with a version: cheap, since pages are looked at more often than anything else is done. */
uint32_t family_word(uint32_t version, uint32_t index)
{
    return version == 0 ? 0 : (version + index * 0x9E3779B1u) * 0x85EBCA6Bu ^ version;
}

static bool has_version(const uint32_t *words, uint32_t version)
{
    uint32_t differences = 0;

    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        differences |= words[i] ^ family_word(version, i);
    }
    return differences == 0;
}

bool family_check_page(struct registers *registers, const struct family_step *step, uint32_t slot, uint32_t entry)
{
    uint32_t address = address_of(step, slot);
    const uint32_t *words;

    TRY_BOOL(host_load_words(registers, address, &words));
    if (has_version(words, entry >> VERSION_SHIFT)) {
        return true;
    }
    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        if (words[i] != family_word(entry >> VERSION_SHIFT, i)) {
            host_wrong("pid %u, step %u: page at %08x, word %u is %08x, expected version %07x", family_pid(),
                       step->number, address, i, words[i], entry >> VERSION_SHIFT);
        }
    }
    return true;
}

static void run_write(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;

    TRY(family_step(registers, &step));
    TRY(family_recall(registers, LEDGER + step.slot, &entry));
    if ((entry & WRITABLE) != 0) {
        uint32_t version = (step.dice % 9 == 0 ? 0 : step.dice >> VERSION_SHIFT);
        uint32_t *words;
        TRY(host_store_words(registers, address_of(&step, step.slot), &words));
        for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
            words[i] = family_word(version, i);
        }
        TRY(family_note(registers, LEDGER + step.slot, version << VERSION_SHIFT | (entry & ALL)));
        family_counters.writes++;
    }
    family_finish(registers, &step);
}

static void run_read(struct registers *registers)
{
    struct family_step step;
    uint32_t entry;

    TRY(family_step(registers, &step));
    for (uint32_t slot = step.slot; slot < SLOTS && slot < step.slot + 4; slot++) {
        TRY(family_recall(registers, LEDGER + slot, &entry));
        if ((entry & READABLE) != 0) {
            TRY(family_check_page(registers, &step, slot, entry));
            family_counters.reads++;
        }
    }
    family_finish(registers, &step);
}

bool family_same_rights(struct registers *registers, uint32_t first, uint32_t count, bool *same, bool *all_mapped,
                        uint32_t *rights)
{
    *same = true;
    *all_mapped = true;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry;
        TRY_BOOL(family_recall(registers, LEDGER + first + i, &entry));
        *rights = i == 0 ? entry & ALL : *rights;
        *same = *same && (entry & ALL) == *rights;
        *all_mapped = *all_mapped && (entry & MAPPED) != 0;
    }
    return true;
}

static void run_map(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    HOST_CALL(registers, CALL_MMAP2, ARENA + step.first * PAGE_SIZE, step.fresh * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
}

static void after_map(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_again(registers, MAP)) {
        return;
    }
    family_expect(registers, "mmap", (int32_t)(ARENA + step.first * PAGE_SIZE));
    TRY(family_note_range(registers, step.first, step.fresh, ALL));
    family_counters.maps++;
    family_finish(registers, &step);
}

static void run_unmap(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    HOST_CALL(registers, CALL_MUNMAP, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE);
}

static void after_unmap(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_again(registers, UNMAP)) {
        return;
    }
    family_expect(registers, "munmap", 0);
    TRY(family_note_range(registers, step.first, step.count, 0));
    family_counters.unmaps++;
    family_finish(registers, &step);
}

/*
 * The answer of a call that changes mapped pages, and refuses a range that is not all mapped. False: nothing is
 * changed; the step is over, or the call is made once more.
 */
static bool changes_mapped_range(struct registers *registers, const struct family_step *step, uint32_t instruction,
                                 const char *call)
{
    bool same, all_mapped;
    uint32_t rights;

    TRY_BOOL(family_same_rights(registers, step->first, step->count, &same, &all_mapped, &rights));
    if (!all_mapped && (int32_t)registers->eax == -ENOMEM) {
        family_finish(registers, step);
        return false;
    }
    if (family_is_again(registers, instruction)) {
        return false;
    }
    family_expect(registers, call, all_mapped ? 0 : -ENOMEM);
    return true;
}

/*
 * On a range with a hole the calls below change a part of it and say ENOMEM, which is also what they say if there is no
 * memory. So that it is known what has changed, they get what is mapped up to the hole, or a page of it.
 */
static bool take_mapped_part(struct registers *registers, struct family_step *step)
{
    uint32_t entry = MAPPED;

    for (uint32_t i = 0; i < step->count; i++) {
        TRY_BOOL(family_recall(registers, LEDGER + step->first + i, &entry));
        if ((entry & MAPPED) == 0) {
            step->count = i > 0 ? i : 1;
        }
    }
    return true;
}

static const struct {
    uint32_t prot, rights;
} protections[4] = {{3, ALL}, {1, MAPPED | READABLE}, {0, MAPPED}, {3, ALL}};

static void run_protect(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(take_mapped_part(registers, &step));
    HOST_CALL(registers, CALL_MPROTECT, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE,
              protections[step.dice >> 20 & 3].prot);
}

static void after_protect(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(take_mapped_part(registers, &step));
    TRY(changes_mapped_range(registers, &step, PROTECT, "mprotect"));
    for (uint32_t i = 0; i < step.count; i++) {
        uint32_t entry;
        TRY(family_recall(registers, LEDGER + step.first + i, &entry));
        TRY(family_note(registers, LEDGER + step.first + i, (entry & ~ALL) | protections[step.dice >> 20 & 3].rights));
    }
    family_counters.protections++;
    family_finish(registers, &step);
}

/* madvise(MADV_DONTNEED) */
static void run_forget(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(take_mapped_part(registers, &step));
    HOST_CALL(registers, CALL_MADVISE, ARENA + step.first * PAGE_SIZE, step.count * PAGE_SIZE, 4);
}

static void after_forget(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(take_mapped_part(registers, &step));
    TRY(changes_mapped_range(registers, &step, FORGET, "madvise"));
    for (uint32_t i = 0; i < step.count; i++) {
        uint32_t entry;
        TRY(family_recall(registers, LEDGER + step.first + i, &entry));
        TRY(family_note(registers, LEDGER + step.first + i, entry & ALL));
    }
    family_finish(registers, &step);
}

/* Where the heap begins is asked once. */
static void run_break_find(struct registers *registers)
{
    HOST_CALL(registers, CALL_BRK, 0);
}

static void after_break_find(struct registers *registers)
{
    TRY(family_note(registers, HEAP_START, registers->eax));
    host_jump(registers, START_MAP);
}

/* A third of the arena is there from the beginning, so that steps on a few pages find some. */
static void run_start_map(struct registers *registers)
{
    HOST_CALL(registers, CALL_MMAP2, ARENA, ARENA_SLOTS / 3 * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
}

static void after_start_map(struct registers *registers)
{
    if (family_is_again(registers, START_MAP)) {
        return;
    }
    family_expect(registers, "mmap", (int32_t)ARENA);
    TRY(family_note_range(registers, 0, ARENA_SLOTS / 3, ALL));
    host_jump(registers, START_BOARD);
}

static void run_break(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    HOST_CALL(registers, CALL_BRK, step.heap_start + step.slot % (HEAP_SLOTS + 1) * PAGE_SIZE);
}

static void after_break(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    uint32_t wanted = step.slot % (HEAP_SLOTS + 1);
    if (registers->eax != step.heap_start + wanted * PAGE_SIZE) {
        if (!family_may_be_short()) {
            host_wrong("pid %u: brk is %08x, expected %u pages above %08x", family_pid(), registers->eax, wanted,
                       step.heap_start);
        }
        family_counters.retries++;
        host_jump(registers, BREAK);
        return;
    }
    for (uint32_t i = 0; i < HEAP_SLOTS; i++) {
        if (i >= wanted) {
            TRY(family_note(registers, LEDGER + HEAP_SLOT + i, 0));
        } else if (i >= step.heap_pages) {
            TRY(family_note(registers, LEDGER + HEAP_SLOT + i, ALL));
        }
    }
    TRY(family_note(registers, HEAP_PAGES, wanted));
    family_counters.breaks++;
    family_finish(registers, &step);
}

bool family_touches(const struct family_step *step, uint32_t instruction, uint32_t slot)
{
    switch (instruction) {
    case WRITE:
        return slot == step->slot;
    case MAP:
        return slot >= step->first && slot < step->first + step->fresh;
    case UNMAP:
    case PROTECT:
    case FORGET:
        return slot >= step->first && slot < step->first + step->count;
    case MOVE:
    case RESIZE:
        return family_remap_touches(step, instruction, slot);
    case BREAK:
        return slot >= HEAP_SLOT && slot < STACK_SLOT;
    default:
        return false;
    }
}

void family_use_memory(struct host_instruction *table)
{
    table[WRITE] = (struct host_instruction){run_write, NULL};
    table[READ] = (struct host_instruction){run_read, NULL};
    table[MAP] = (struct host_instruction){run_map, after_map};
    table[UNMAP] = (struct host_instruction){run_unmap, after_unmap};
    table[PROTECT] = (struct host_instruction){run_protect, after_protect};
    table[FORGET] = (struct host_instruction){run_forget, after_forget};
    table[BREAK] = (struct host_instruction){run_break, after_break};
    table[START_MAP] = (struct host_instruction){run_start_map, after_start_map};
    table[BREAK_FIND] = (struct host_instruction){run_break_find, after_break_find};
}
