/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GLib's GHashTable: open addressing, doubles and rehashes at once.
 */
#include "table.h"

#include <glib.h>

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
};

static const char table_name[] = "glib";
static const size_t table_link_bytes = 0;
static GHashTable *table;

static void table_open(void)
{
    table = g_hash_table_new(g_int_hash, g_int_equal);
}

static void table_close(void)
{
    g_hash_table_destroy(table);
}

static struct record *table_create(uint32_t key)
{
    struct record *record = record_allocate();

    record->key = key;
    g_hash_table_insert(table, &record->key, record);
    return record;
}

static struct record *table_find(uint32_t key)
{
    return g_hash_table_lookup(table, &key);
}

static void table_delete(uint32_t key)
{
    struct record *record = table_find(key);

    g_hash_table_remove(table, &key);
    record_free(record);
}

static uint32_t table_iterate(void)
{
    GHashTableIter place;
    gpointer key, value;
    uint32_t sum = 0;

    g_hash_table_iter_init(&place, table);
    while (g_hash_table_iter_next(&place, &key, &value)) {
        sum += ((struct record *)value)->payload;
    }
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0; /* all of it is malloc's */
}

#include "driver.h"
