/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Concurrency Kit's ck_ht: open addressing, key and pointer side by side, doubles and rehashes at once.
 */
#include "table.h"
#include "vm_map_hash.h"

#include <ck_ht.h>
#include <stdlib.h>

#define CAPACITY_FIRST 1024u

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
};

static const char table_name[] = "ck_ht";
static const size_t table_link_bytes = 0;
static const uint32_t hash_seed[4] = {0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x83707345u};
static ck_ht_t table;

static void *allocate(size_t bytes)
{
    return malloc(bytes);
}

static void release(void *memory, size_t bytes, bool deferred)
{
    (void)bytes;
    (void)deferred;
    free(memory);
}

static struct ck_malloc allocator = {.malloc = allocate, .free = release};

/* Key 0 and the largest are its marks of free places. */
static uintptr_t stored(uint32_t key)
{
    return (uintptr_t)key + 1;
}

static ck_ht_hash_t hash(uint32_t key)
{
    ck_ht_hash_t result;

    result.value =
        (uint64_t)vm_map_hash(hash_seed, (struct page_key){key}) * 0x100000001u; /* it looks at both halves */
    return result;
}

static void table_open(void)
{
    if (!ck_ht_init(&table, CK_HT_MODE_DIRECT | CK_HT_WORKLOAD_DELETE, NULL, &allocator, CAPACITY_FIRST, 0)) {
        abort();
    }
}

static void table_close(void)
{
    ck_ht_destroy(&table);
}

static struct record *table_create(uint32_t key)
{
    struct record *record = record_allocate();
    ck_ht_entry_t entry;

    record->key = key;
    ck_ht_entry_set_direct(&entry, hash(key), stored(key), (uintptr_t)record);
    if (!ck_ht_put_spmc(&table, hash(key), &entry)) {
        record_free(record);
        return NULL;
    }
    return record;
}

static struct record *table_find(uint32_t key)
{
    ck_ht_entry_t entry;

    ck_ht_entry_key_set_direct(&entry, stored(key));
    return ck_ht_get_spmc(&table, hash(key), &entry) ? (struct record *)ck_ht_entry_value_direct(&entry) : NULL;
}

static void table_delete(uint32_t key)
{
    ck_ht_entry_t entry;

    ck_ht_entry_key_set_direct(&entry, stored(key));
    if (!ck_ht_remove_spmc(&table, hash(key), &entry)) {
        abort();
    }
    record_free((struct record *)ck_ht_entry_value_direct(&entry));
}

static uint32_t table_iterate(void)
{
    ck_ht_iterator_t place = CK_HT_ITERATOR_INITIALIZER;
    ck_ht_entry_t *entry;
    uint32_t sum = 0;

    while (ck_ht_next(&table, &place, &entry)) {
        sum += ((struct record *)ck_ht_entry_value_direct(entry))->payload;
    }
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0; /* all of it is malloc's */
}

#include "driver.h"
