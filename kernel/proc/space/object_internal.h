/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc/space: what the files about objects have in common. Records are named by their index.
 */
#ifndef OBJECT_INTERNAL_H
#define OBJECT_INTERNAL_H

#include "object.h"

static inline struct object_record *object_record(uint32_t index)
{
    return record_at(RECORD_OBJECT, index);
}

/* object_number.c: records of files by their numbers. A record is added once it has its number. None of them sleeps. */
bool object_number_find(uint32_t number, uint32_t *out_index);
void object_number_add(uint32_t index);
void object_number_remove(uint32_t index);

/* object.c: what nobody refers to is on a list; the first of it, off it: false: there is none. None of them sleeps. */
void object_list_unused(uint32_t index);
bool object_take_unused(uint32_t *out);
bool object_is_unreferred(uint32_t index);

/* A record that nobody refers to is free. */
void object_forget_record(uint32_t index);

#endif
