/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flat array of pointers: the limit. It has a slot for every key from the least on, and for no others, so it is for
 * dense keys only.
 */
#include "table.h"

#include <stdlib.h>

#define KEY_FIRST 0x00100000u /* of the dense family */

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
};

static const char table_name[] = "flat";
static const size_t table_link_bytes = 0;
static struct record **slots;

static void table_open(void)
{
    slots = calloc(records_max, sizeof(*slots));
    if (slots == NULL) {
        abort();
    }
}

static void table_close(void)
{
    free(slots);
}

static struct record *table_create(uint32_t key)
{
    struct record *record = record_allocate();

    record->key = key;
    slots[key - KEY_FIRST] = record;
    return record;
}

static struct record *table_find(uint32_t key)
{
    return key - KEY_FIRST < records_max ? slots[key - KEY_FIRST] : NULL;
}

static void table_delete(uint32_t key)
{
    record_free(slots[key - KEY_FIRST]);
    slots[key - KEY_FIRST] = NULL;
}

static uint32_t table_iterate(void)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < records_max; i++) {
        sum += slots[i] != NULL ? slots[i]->payload : 0;
    }
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0; /* all of it is malloc's */
}

#include "driver.h"
