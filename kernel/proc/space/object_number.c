/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which record is that of an object. A file's is found in a table, by the number; it is volatile, and made anew by a
 * boot.
 */
#include "fs.h"
#include "log.h"
#include "object_internal.h"

#define CHAINS 4096u
#define NONE   0u

/* Indices + 1: of the first of each chain, and of the next after each record. */
static uint16_t first[CHAINS], next[OBJECTS_RECORDED];

static uint16_t *chain_of(uint32_t number)
{
    return &first[(number * 0x9E3779B1u) >> 20];
}

bool object_number_find(uint32_t number, uint32_t *out_index)
{
    for (uint32_t at = *chain_of(number); at != NONE; at = next[at - 1]) {
        if (object_record(at - 1)->number == number) {
            *out_index = at - 1;
            return true;
        }
    }
    return false;
}

void object_number_add(uint32_t index)
{
    uint16_t *chain = chain_of(object_record(index)->number);

    next[index] = *chain;
    *chain = (uint16_t)(index + 1);
}

void object_number_remove(uint32_t index)
{
    uint16_t *at = chain_of(object_record(index)->number);

    while (*at != index + 1) {
        at = &next[*at - 1];
    }
    *at = next[index];
}

uint32_t object_index(struct object_id object)
{
    uint32_t index = object.number - OBJECTS_FIRST;

    if (fs_is_file(object)) {
        bool is_there = object_number_find(object.number, &index);
        ASSERT(is_there);
    }
    return index;
}

bool object_is_there(struct object_id object)
{
    uint32_t index = object.number - OBJECTS_FIRST;

    if (fs_is_file(object)) {
        return object_number_find(object.number, &index);
    }
    return object.number >= OBJECTS_FIRST && index < record_committed(RECORD_OBJECT) &&
           object_record(index)->state == OBJECT_USED && object_record(index)->number == 0;
}

bool object_find_files(void)
{
    uint32_t found;

    for (uint32_t index = 0; index < record_committed(RECORD_OBJECT); index++) {
        const struct object_record *record = object_record(index);
        if (record->state == OBJECT_FREE || record->number == 0) {
            continue;
        }
        if (!fs_is_file((struct object_id){record->number}) || object_number_find(record->number, &found)) {
            return false;
        }
        object_number_add(index);
    }
    return true;
}
