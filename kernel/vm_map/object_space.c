/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one object space of the running kernel.
 */
#include "object_space.h"

struct vm_objects vm_objects;

struct vm_map *vm_object_space(void)
{
    return &vm_objects.map;
}

bool vm_go_up(struct place place, struct page_key *at)
{
    struct space_id source =
        vm_objects.policy->source != NULL ? vm_objects.policy->source(place, page_key_window(*at)) : SPACE_NONE;

    if (source.number == SPACE_NONE.number) {
        return false;
    }
    *at = page_key_at(source, page_key_address(*at));
    return true;
}
