/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JudyL: a radix tree that compresses its nodes as it goes; an entry holds the record's address.
 */
#include "table.h"

#include <Judy.h>

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
};

static const char table_name[] = "judy";
static const size_t table_link_bytes = 0;
static Pvoid_t table;

static void table_open(void)
{
    table = NULL;
}

static void table_close(void)
{
    JudyLFreeArray(&table, PJE0);
}

static struct record *table_create(uint32_t key)
{
    PPvoid_t slot = JudyLIns(&table, key, PJE0);

    if (slot == NULL || *slot != NULL) {
        return NULL;
    }
    struct record *record = record_allocate();

    record->key = key;
    *slot = record;
    return record;
}

static struct record *table_find(uint32_t key)
{
    PPvoid_t slot = JudyLGet(table, key, PJE0);

    return slot != NULL ? *slot : NULL;
}

static void table_delete(uint32_t key)
{
    record_free(table_find(key));
    JudyLDel(&table, key, PJE0);
}

static uint32_t table_iterate(void)
{
    Word_t key = 0;
    uint32_t sum = 0;

    for (PPvoid_t slot = JudyLFirst(table, &key, PJE0); slot != NULL; slot = JudyLNext(table, &key, PJE0)) {
        sum += ((struct record *)*slot)->payload;
    }
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0; /* all of it is malloc's */
}

#include "driver.h"
