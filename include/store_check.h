/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proving an image: everything that the kept generations need is there, proves itself, belongs to one owner, and the
 * free-space map knows it.
 *
 * It writes nothing. It reads all metadata, and all pages if asked to. It needs 4 bytes of memory a block in use.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store.h"

struct store_check_result {
    uint64_t findings;
    uint64_t generations, records, nodes, chunks, retired; /* blocks of each kind, and how many generations */
    uint64_t pages;                                        /* blocks with content of pages */
    uint64_t leaked;                                       /* blocks that nobody needs and are not free */
    bool map_is_due; /* the free-space map will be made anew by the next commit, and was not compared */
};

/* What the blocks that are needed are needed for; in the order of enum reach_kind. */
enum store_block_kind {
    STORE_BLOCK_RECORD,
    STORE_BLOCK_MAP_NODE,
    STORE_BLOCK_PAGE,
    STORE_BLOCK_FREE_MAP,
    STORE_BLOCK_RETIRED /* not needed, and never to be used again */
};

struct store_check_options {
    void *context;
    bool read_pages; /* prove the content of every page, in every kept generation */
    /* One thing that is wrong, for people. May be NULL. */
    void (*finding)(void *context, const char *text);
    /* Every block that some kept generation needs, or that is retired; `page`: of STORE_BLOCK_PAGE. May be NULL. */
    void (*block)(void *context, enum store_block_kind kind, struct block block, struct page_key page);
    /* Called now and then; NULL: not. `total` blocks are expected. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
};

/*
 * Check an open store; no snapshot may be sealed and nothing else may use it meanwhile. May sleep.
 * - ERROR_NO_MEMORY: it could not be finished. What is wrong with the image is no error: see result->findings.
 */
MUST_CHECK enum error store_check(struct store *store, const struct store_check_options *options,
                                  struct store_check_result *result);

#endif
