/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mremap: pages that move, and mappings that grow and shrink, where they are or on the way to another place.
 */
#include "parts.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"

struct wish {
    uint32_t new_count, target;
    bool moves;
};

/* A step that only moves keeps its length. */
static struct wish move_of(const struct family_step *step)
{
    return (struct wish){.new_count = step->count, .target = step->target, .moves = true};
}

static struct wish resize_of(const struct family_step *step)
{
    uint32_t dice = family_mix(step->dice, 31);
    struct wish wish = {.new_count = 1 + dice % 8, .moves = (dice >> 8 & 1) != 0};
    uint32_t places = ARENA_SLOTS - wish.new_count + 1;

    wish.target = wish.moves ? (dice >> 16) % places : step->first;
    return wish;
}

/* Whether it is one that the books can follow: inside the arena, and not onto itself. */
static bool is_possible(const struct family_step *step, const struct wish *wish)
{
    if (!wish->moves) {
        return step->first + wish->new_count <= ARENA_SLOTS;
    }
    return step->first >= wish->target + wish->new_count || wish->target >= step->first + step->count;
}

static void run_remap(struct registers *registers, const struct family_step *step, struct wish wish)
{
    if (!is_possible(step, &wish)) {
        family_finish(registers, step);
        return;
    }
    HOST_CALL(registers, CALL_MREMAP, ARENA + step->first * PAGE_SIZE, step->count * PAGE_SIZE,
              wish.new_count * PAGE_SIZE, wish.moves ? MREMAP_MAYMOVE | MREMAP_FIXED : 0,
              ARENA + wish.target * PAGE_SIZE);
}

/* Whether something is mapped where a mapping would grow to. */
static bool is_in_the_way(struct registers *registers, uint32_t first, uint32_t end, bool *out)
{
    *out = false;
    for (uint32_t slot = first; slot < end; slot++) {
        uint32_t entry;
        TRY_BOOL(family_recall(registers, LEDGER + slot, &entry));
        *out = *out || (entry & MAPPED) != 0;
    }
    return true;
}

/* The books of a range that has become another one: its pages go along, and new ones are zeroes. */
static bool note_remap(struct registers *registers, const struct family_step *step, struct wish wish)
{
    uint32_t entries[ARENA_SLOTS] = {0}, rights;

    for (uint32_t i = 0; i < step->count; i++) {
        TRY_BOOL(family_recall(registers, LEDGER + step->first + i, &entries[i]));
    }
    rights = entries[0] & ALL;
    TRY_BOOL(family_note_range(registers, step->first, step->count, 0));
    for (uint32_t i = 0; i < wish.new_count; i++) {
        TRY_BOOL(family_note(registers, LEDGER + wish.target + i, i < step->count ? entries[i] : rights));
    }
    return true;
}

static void after_remap(struct registers *registers, uint32_t instruction,
                        struct wish (*wish_of)(const struct family_step *))
{
    struct family_step step;
    bool same, all_mapped, blocked;
    uint32_t rights;

    TRY(family_step(registers, &step));
    struct wish wish = wish_of(&step);
    TRY(family_same_rights(registers, step.first, step.count, &same, &all_mapped, &rights));
    TRY(is_in_the_way(registers, step.first + step.count, wish.moves ? 0 : step.first + wish.new_count, &blocked));
    if (same && all_mapped && blocked) {
        family_expect(registers, "mremap", -ENOMEM);
        family_finish(registers, &step);
        return;
    }
    if (family_is_again(registers, instruction)) {
        return;
    }
    if (!same || !all_mapped) {
        family_expect(registers, "mremap", -EFAULT);
        family_finish(registers, &step);
        return;
    }
    family_expect(registers, "mremap", (int32_t)(ARENA + wish.target * PAGE_SIZE));
    TRY(note_remap(registers, &step, wish));
    family_counters.moves += instruction == MOVE;
    family_counters.resizes += instruction == RESIZE;
    family_finish(registers, &step);
}

static void run_move(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    run_remap(registers, &step, move_of(&step));
}

static void after_move(struct registers *registers)
{
    after_remap(registers, MOVE, move_of);
}

static void run_resize(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    run_remap(registers, &step, resize_of(&step));
}

static void after_resize(struct registers *registers)
{
    after_remap(registers, RESIZE, resize_of);
}

static bool is_of_range(uint32_t slot, uint32_t first, uint32_t count)
{
    return slot >= first && slot < first + count;
}

bool family_remap_touches(const struct family_step *step, uint32_t instruction, uint32_t slot)
{
    struct wish wish = instruction == MOVE ? move_of(step) : resize_of(step);

    return is_of_range(slot, step->first, step->count) || is_of_range(slot, wish.target, wish.new_count);
}

void family_use_remap(struct host_instruction *table)
{
    table[MOVE] = (struct host_instruction){run_move, after_move};
    table[RESIZE] = (struct host_instruction){run_resize, after_resize};
}
