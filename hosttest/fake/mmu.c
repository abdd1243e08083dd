/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk, the cache of translations, and programs' accesses. pmap.c owns the tables.
 */
#include "mmu.h"
#include "log.h"
#include "pmap_state.h"
#include "window.h"

#define CACHE_ENTRIES 256u

/* Of an address, whatever space it belonged to when it was cached: activating another one must drop it. */
struct translation {
    uint32_t address_page;
    struct frame frame;
    bool present;
    bool writable; /* at both levels */
    bool dirty;    /* D was set when it was cached, or by a write through it */
};

static struct translation cache[CACHE_ENTRIES];
static enum mmu_reason forgotten = MMU_REASONS;

void mmu_forget(enum mmu_reason reason)
{
    forgotten = reason;
}

static uint32_t address_page(struct place place)
{
    return place_address(place).value >> PAGE_SHIFT;
}

static struct translation *slot_of(struct place place)
{
    uint32_t number = address_page(place);

    return &cache[(number ^ number >> 10) % CACHE_ENTRIES];
}

void mmu_invalidate(struct place place, enum mmu_reason reason)
{
    struct translation *slot = slot_of(place);

    if (reason == forgotten) {
        return;
    }
    if (slot->address_page == address_page(place)) {
        slot->present = false;
    }
    fake_window_forget(address_page(place));
}

void mmu_invalidate_chunk(struct place first, enum mmu_reason reason)
{
    for (uint32_t i = 0; i < PMAP_CHUNK_PAGES; i++) {
        mmu_invalidate((struct place){first.number + i}, reason);
    }
}

void mmu_invalidate_all(enum mmu_reason reason)
{
    if (reason == forgotten) {
        return;
    }
    for (uint32_t i = 0; i < CACHE_ENTRIES; i++) {
        cache[i].present = false;
    }
    if (reason == MMU_ACTIVATE) {
        fake_window_forget_private(); /* the other windows are the same in every space */
    } else {
        fake_window_forget_all();
    }
}

/* The place of an address: in the active window, or the system one. False: nothing is ever there. */
static bool place_at(struct vaddr address, struct place *out)
{
    if (address.value >= USER_START && address.value < USER_END) {
        *out = place_make(fake_pmap.active, address);
        return fake_pmap.active.number != SPACE_SYSTEM.number;
    }
    *out = place_make(SPACE_SYSTEM, address);
    return address.value >= SYSTEM_START && address.value < SYSTEM_END;
}

/* Look into the tables and cache what they say. False: they do not allow the access. */
static bool walk(struct place place, bool write, struct translation *slot)
{
    uint32_t *directory_entry = mmu_directory_entry(place);
    uint32_t *table_entry = mmu_table_entry(place);

    if (table_entry == NULL || (*table_entry & MMU_PRESENT) == 0) {
        return false;
    }
    bool writable = (*directory_entry & *table_entry & MMU_WRITABLE) != 0;
    if (write && !writable) {
        return false;
    }
    *directory_entry |= MMU_ACCESSED;
    *table_entry |= write ? MMU_ACCESSED | MMU_DIRTY : MMU_ACCESSED;
    *slot = (struct translation){.address_page = address_page(place),
                                 .frame = {*table_entry >> PAGE_SHIFT},
                                 .present = true,
                                 .writable = writable,
                                 .dirty = (*table_entry & MMU_DIRTY) != 0};
    return true;
}

static uint32_t *access(struct vaddr address, bool write)
{
    struct place place;

    if (!place_at(address, &place)) {
        return NULL;
    }
    struct translation *slot = slot_of(place);
    bool hit = slot->present && slot->address_page == address_page(place);

    if (hit && write && !slot->writable) {
        /* The processor drops the translation with the fault: a right that was given meanwhile is found next time. */
        slot->present = false;
        return NULL;
    }
    if ((!hit || (write && !slot->dirty)) && !walk(place, write, slot)) {
        return NULL;
    }
    return (uint32_t *)(void *)((char *)frame_address(slot->frame) + (address.value & PAGE_MASK));
}

bool mmu_walk(struct vaddr address, bool write, struct mmu_translation *out)
{
    struct place place;
    struct translation found;

    *out = (struct mmu_translation){0};
    if (!place_at(address, &place)) {
        return false;
    }
    const uint32_t *entry = mmu_table_entry(place);
    out->present = entry != NULL && (*entry & MMU_PRESENT) != 0;
    if (!walk(place, write, &found)) {
        return false;
    }
    *out = (struct mmu_translation){
        .frame = found.frame, .present = true, .writable = found.writable, .dirty = found.dirty};
    return true;
}

uint32_t *mmu_words(struct vaddr address, bool write)
{
    return access(address, write);
}

bool mmu_load(struct vaddr address, uint32_t *value)
{
    uint32_t *word = access(address, false);

    if (word != NULL) {
        *value = *word;
    }
    return word != NULL;
}

bool mmu_store(struct vaddr address, uint32_t value)
{
    uint32_t *word = access(address, true);

    if (word != NULL) {
        *word = value;
    }
    return word != NULL;
}
