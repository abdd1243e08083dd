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
