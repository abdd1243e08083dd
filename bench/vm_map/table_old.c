/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table that vm_map replaces, written anew for comparison: a fixed number of buckets of eight slots, chosen by the
 * remainder of the key. A ninth page of a bucket pushes one out, whose reference is lost. (Its record leaked then; here
 * it is given back, so that the passes of a measurement begin alike. The count of lost pages is the same.)
 */
#include "table.h"

#include <stdlib.h>

#define BUCKETS 99991u
#define SLOTS   8u

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
};

static const char table_name[] = "old_slots";
static const size_t table_link_bytes = 0;
static struct record *(*slots)[SLOTS];

static void table_open(void)
{
    slots = calloc(BUCKETS, sizeof(*slots));
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
    struct record **bucket = slots[key % BUCKETS];
    struct record *record = record_allocate();
    uint32_t slot = 0;

    record->key = key;
    while (slot < SLOTS - 1 && bucket[slot] != NULL) {
        slot++;
    }
    if (bucket[slot] != NULL) {
        record_free(bucket[slot]);
    }
    bucket[slot] = record;
    return record;
}

static struct record *table_find(uint32_t key)
{
    struct record **bucket = slots[key % BUCKETS];

    for (uint32_t slot = 0; slot < SLOTS && bucket[slot] != NULL; slot++) {
        if (bucket[slot]->key == key) {
            return bucket[slot];
        }
    }
    return NULL;
}

/* It had no delete; this is the obvious one. The hole it leaves ends the search of its bucket, so the last slot moves
 * up. */
static void table_delete(uint32_t key)
{
    struct record **bucket = slots[key % BUCKETS];
    uint32_t used = 0;

    while (used < SLOTS && bucket[used] != NULL) {
        used++;
    }
    for (uint32_t slot = 0; slot < used; slot++) {
        if (bucket[slot]->key == key) {
            record_free(bucket[slot]);
            bucket[slot] = bucket[used - 1];
            bucket[used - 1] = NULL;
            return;
        }
    }
}

static uint32_t table_iterate(void)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            sum += slots[i][slot] != NULL ? slots[i][slot]->payload : 0;
        }
    }
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0; /* all of it is malloc's */
}

#include "driver.h"
