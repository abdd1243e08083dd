/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMU of the fake machine, as programs see it.
 *
 * Tables have two levels of 1,024 words with the bits of the i386. A write needs W at both levels; a walk sets A in the
 * directory and table entry, a write sets D. Translations are cached with their rights and with whether D is set: as
 * long as an entry is cached, the tables are not looked at. So a write through a stale translation goes to the old
 * frame, or with old rights, or leaves D or A clear, just as on a real machine.
 */
#ifndef FAKE_MMU_H
#define FAKE_MMU_H

#include "arch/pmap.h"

/* Access a word (4-byte aligned) of the active space, as a program would. False: a page fault. */
bool mmu_load(struct vaddr address, uint32_t *value);
bool mmu_store(struct vaddr address, uint32_t value);

/* The word itself, and those behind it to its page's end, until the tables change; NULL: a page fault. */
uint32_t *mmu_words(struct vaddr address, bool write);

/* What the tables say of an address of the active space. */
struct mmu_translation {
    struct frame frame;
    bool present;  /* something is mapped */
    bool writable; /* at both levels */
    bool dirty;    /* D is set */
};

/* Walk the tables for an access past the cache, and set A and D if they allow it. False: a page fault. */
bool mmu_walk(struct vaddr address, bool write, struct mmu_translation *out);

/* Why an invalidation is made: what pmap function asks for it. */
enum mmu_reason {
    MMU_ACTIVATE,
    MMU_REMOVE,
    MMU_PROTECT,
    MMU_CLEAR_DIRTY,
    MMU_CLEAR_ACCESSED,
    MMU_GATHER,
    MMU_SAMPLE,
    MMU_STOP,
    MMU_REASONS
};

/* From now on forget the invalidations made for this reason, as a faulty pmap would. MMU_REASONS: forget none. */
void mmu_forget(enum mmu_reason reason);

/* For the fake pmap ------------------------------------------------------------------------------------------------ */

#define MMU_PRESENT  0x001u
#define MMU_WRITABLE 0x002u
#define MMU_ACCESSED 0x020u
#define MMU_DIRTY    0x040u
#define MMU_SEEN     0x200u /* of pmap.c: a sample has found A set and cleared it */
#define MMU_TAKEN    0x400u /* of pmap.c: pmap_clear_accessed() has, and no sample has counted it yet */
#define MMU_VIEW     0x800u /* of pmap.c: entered by pmap_enter_view() */
#define MMU_NARROW   0x200u /* of pmap.c, in a directory: opened narrowly since the stop */

/* The word of a place: of the directory (a table's frame) or of the table, or NULL. */
uint32_t *mmu_directory_entry(struct place place);
uint32_t *mmu_table_entry(struct place place);

void mmu_invalidate(struct place place, enum mmu_reason reason);
void mmu_invalidate_chunk(struct place first, enum mmu_reason reason);
void mmu_invalidate_all(enum mmu_reason reason);

#endif
