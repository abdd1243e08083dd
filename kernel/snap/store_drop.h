/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes free when a kept generation goes: blocks that it needs and its successor among those of its branch does
 * not, unless an older one needs them, too.
 *
 *     DROP-1  A block is freed by the commit that drops the last generation that needs it, and at most once.
 *     DROP-2  What a pin of another branch may need, and maybe nobody does, stays, and the commit says so (is_withheld).
 */
#ifndef STORE_DROP_H
#define STORE_DROP_H

#include "store_commit.h"
#include "store_dead.h"

struct drop {
    struct commit *commit;
    uint64_t successor;       /* the generation that does without */
    struct dead_proof *proof; /* of what they are; NULL: this store has listed them itself */
    void *page;               /* for copies */
    bool is_doubtful;         /* something is not proved */
};

/* Whether a pin is of a generation that may be of another branch than the newest. */
static inline bool store_drop_is_of_branch(const struct disk_root *root, uint64_t generation)
{
    return root->branch_after < generation && generation <= root->branch_until;
}

/* Whether a pinned generation has what was there from `birth` on, up to the drop's successor. */
MUST_CHECK bool store_drop_is_pinned(const struct drop *drop, uint64_t birth);

/*
 * Free a run of used blocks, once the commit is durable.
 * - ERROR_FORMAT_DAMAGED: one is not used, or about to be freed already: none is. ERROR_NO_SPACE, ERROR_NO_MEMORY. May
 *   sleep.
 */
MUST_CHECK enum error store_drop_blocks(struct drop *drop, uint32_t first, uint32_t count);

/* Of what was found on the disk, a copy is what proves itself to be one. May sleep. */
MUST_CHECK bool store_drop_is_copy(struct drop *drop, const struct store_place *place);

#endif
