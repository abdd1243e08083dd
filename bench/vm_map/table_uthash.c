/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uthash: chained, intrusive, doubles and rehashes at once.
 */
#include "table.h"

#include <uthash.h>

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
    UT_hash_handle hh;
};

static const char table_name[] = "uthash";
static const size_t table_link_bytes = sizeof(UT_hash_handle);
static struct record *table;

static void table_open(void)
{
    table = NULL;
}

static void table_close(void)
{
    HASH_CLEAR(hh, table);
}

static struct record *table_find(uint32_t key)
{
    struct record *record;

    HASH_FIND(hh, table, &key, sizeof(key), record);
    return record;
}

static struct record *table_create(uint32_t key)
{
    if (table_find(key) != NULL) {
        return NULL;
    }
    struct record *record = record_allocate();

    record->key = key;
    HASH_ADD(hh, table, key, sizeof(key), record);
    return record;
}

static void table_delete(uint32_t key)
{
    struct record *record = table_find(key);

    HASH_DEL(table, record);
    record_free(record);
}

static uint32_t table_iterate(void)
{
    uint32_t sum = 0;

    for (struct record *record = table; record != NULL; record = record->hh.next) {
        sum += record->payload;
    }
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0;
}

#include "driver.h"
