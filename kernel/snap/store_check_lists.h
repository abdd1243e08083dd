/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an image says of itself that nobody reads until much later: proved before it is believed.
 */
#ifndef STORE_CHECK_LISTS_H
#define STORE_CHECK_LISTS_H

#include "store_internal.h"

struct lists_listener {
    void *context;
    void (*wrong)(void *context, const char *text);
};

/*
 * - dead lists: a record of the window gives up exactly what its generation does without, once, and with the right
 *   birth.
 *   (The list of the oldest has been acted upon, and its blocks may have a new use.)
 * - the merge under way: the page tree has what was merged so far.
 * - may sleep. ERROR_NO_MEMORY; damage is not told of here.
 */
MUST_CHECK enum error store_lists_check(struct store *store, const struct lists_listener *listener);

#endif
