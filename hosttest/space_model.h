/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every page of the tests' object space should hold, now and at each stop.
 *
 * A page holds zeroes but for a few words, so that its whole content can be compared byte for byte with little kept. A
 * stop records all pages, since it is one instant for every program: whatever generation an image is opened in, this is
 * what must be found in it.
 */
#ifndef SPACE_MODEL_H
#define SPACE_MODEL_H

#include "error.h"
#include "types.h"

struct store;

#define SPACE_PAGES_MAX 256u
#define SPACE_WORDS     8u
#define SPACE_PROGRAMS  2u /* private spaces: numbers 1 to this */

enum space_access { SPACE_NOTHING, SPACE_READ, SPACE_WRITE };

struct space_page {
    uint32_t words[SPACE_WORDS];
    uint8_t access; /* that its region allows */
    bool leaving;   /* being discarded: what it holds is open */
};

struct space_stop {
    uint64_t number;     /* counted over all boots; the system record of its commit says it */
    uint64_t generation; /* it becomes if it is committed */
    uint32_t event;      /* of the disk: those before it came before the stop */
    struct space_page pages[SPACE_PAGES_MAX];
};

/* From this event of the disk on, the stop must not be lost. */
struct space_confirmation {
    uint32_t event;
    uint64_t stop;
};

struct space_model {
    struct page_key keys[SPACE_PAGES_MAX]; /* ascending */
    uint32_t page_count;
    bool foreign;          /* spaces above SPACE_PROGRAMS are somebody else's business */
    uint32_t record_first; /* pages from here on are the kernel's records */
    struct space_page pages[SPACE_PAGES_MAX];
    uint64_t stop_count; /* number of the next stop */
    struct space_stop **stops;
    uint32_t stops_kept;
    struct space_confirmation *confirmations;
    uint32_t confirmation_count;
};

/* An empty object space, which is generation 0. */
void space_model_start(struct space_model *model);
void space_model_free(struct space_model *model);

/* Where a word of a page is. */
uint32_t space_word_offset(uint32_t word);

/* The place of a page in `keys`; page_count if it is none of ours. */
uint32_t space_model_find(const struct space_model *model, struct page_key page);

/* How many pages from `first` on lie side by side in one space. */
uint32_t space_model_run(const struct space_model *model, uint32_t first);

/* Keep what every page holds at this moment. */
void space_model_stop(struct space_model *model, uint64_t generation, uint32_t event);

/*
 * A caller has been told that all up to the first stop at or after `wanted` is durable, when `committed` was the newest
 * one that is. False: that cannot be.
 */
bool space_model_confirm(struct space_model *model, uint64_t wanted, uint64_t committed, uint32_t event);

/* The oldest stop that may be found after a cut before `event`. */
uint64_t space_model_oldest(const struct space_model *model, uint32_t event);

/*
 * The stop that a store holds, as its system record says; NULL if there was none such before `event`. Its generation
 * may be earlier than the store's: giving up history is a generation too.
 */
const struct space_stop *space_model_opened(const struct space_model *model, struct store *store, uint32_t event);

/* A boot has opened the image: everything is as it was at a stop, and what was newer is gone. */
void space_model_resume(struct space_model *model, const struct space_stop *stop);

/* Compare all that a store holds with a stop; on a difference says what in `why`. */
bool space_model_equals(const struct space_model *model, const struct space_stop *stop, struct store *store, char *why,
                        uint32_t room);

#endif
