/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The border between the map, whose pages are numbered with 32 bits, and the store, whose pages are known by their keys.
 *
 * The page of a window is a page of the object that has the window's number. All who go from one to the other do it
 * here.
 */
#ifndef SNAP_KEY_H
#define SNAP_KEY_H

#include "types.h"

static inline struct page_key snap_key(struct gpn page)
{
    return page_key_make((struct object_id){gpn_space(page).number}, page.number & (OBJECT_PAGES - 1));
}

/* The page of a window that has this key; false, and `out` unchanged, if it is no window's. */
static inline bool snap_page_of(struct page_key key, struct gpn *out)
{
    struct object_id object = page_key_object(key);
    if (object.number >= OBJECTS_FIRST) {
        return false;
    }
    *out = gpn_make((struct space_id){object.number}, (struct vaddr){page_key_offset(key)});
    return true;
}

#endif
