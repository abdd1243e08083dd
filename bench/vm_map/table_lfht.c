/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * liburcu's lock-free hash table: linear hashing over split-ordered chains. It doubles and halves when the thread that
 * inserts or deletes asks, at one page a bucket: left to its own thread, it falls far behind on a busy machine. For
 * large steps it starts threads, whose time counts only where a single operation waits for them. They may still read
 * what was deleted, so records are given back when the table ends: what a grace period costs is not counted.
 */
#include "table.h"
#include "vm_map_hash.h"

#include <stdlib.h>
#include <urcu/urcu-memb.h>
#include <urcu/rculfhash.h>

struct record {
    uint32_t key;
    uint32_t payload;
    struct record *deleted_next;
    char rest[RECORD_BODY_BYTES - 8 - sizeof(struct record *)];
    struct cds_lfht_node node;
};

static const char table_name[] = "lfht";
static const size_t table_link_bytes = sizeof(struct cds_lfht_node);
static const uint32_t hash_seed[4] = {0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x83707345u};
static struct cds_lfht *table;
static struct record *deleted;
static unsigned long buckets;
static unsigned long pages;

static struct record *record_of(struct cds_lfht_node *node)
{
    return node != NULL ? caa_container_of(node, struct record, node) : NULL;
}

static unsigned long hash(uint32_t key)
{
    return vm_map_hash(hash_seed, (struct page_key){key});
}

static int matches(struct cds_lfht_node *node, const void *key)
{
    return record_of(node)->key == *(const uint32_t *)key;
}

static void resize(unsigned long new_buckets)
{
    cds_lfht_resize(table, new_buckets);
    buckets = new_buckets;
}

static void table_open(void)
{
    urcu_memb_register_thread();
    buckets = 1;
    table = _cds_lfht_new(1, 1, 0, 0, &cds_lfht_mm_order, &urcu_memb_flavor, NULL);
    if (table == NULL) {
        abort();
    }
}

static void table_close(void)
{
    if (cds_lfht_destroy(table, NULL) != 0) {
        abort();
    }
    urcu_memb_unregister_thread();
    while (deleted != NULL) {
        struct record *record = deleted;
        deleted = record->deleted_next;
        record_free(record);
    }
}

static struct record *table_create(uint32_t key)
{
    struct record *record = record_allocate();

    record->key = key;
    cds_lfht_node_init(&record->node);
    urcu_memb_read_lock();
    struct cds_lfht_node *there = cds_lfht_add_unique(table, hash(key), matches, &key, &record->node);
    urcu_memb_read_unlock();
    if (there != &record->node) {
        record_free(record);
        return NULL;
    }
    if (++pages > buckets) {
        resize(buckets * 2);
    }
    return record;
}

static struct record *table_find(uint32_t key)
{
    struct cds_lfht_iter place;

    urcu_memb_read_lock();
    cds_lfht_lookup(table, hash(key), matches, &key, &place);
    urcu_memb_read_unlock();
    return record_of(cds_lfht_iter_get_node(&place));
}

static void table_delete(uint32_t key)
{
    struct record *record = table_find(key);

    urcu_memb_read_lock();
    if (cds_lfht_del(table, &record->node) != 0) {
        abort();
    }
    urcu_memb_read_unlock();
    record->deleted_next = deleted;
    deleted = record;
    if (--pages < buckets / 4) {
        resize(buckets / 2);
    }
}

static uint32_t table_iterate(void)
{
    struct cds_lfht_iter place;
    uint32_t sum = 0;

    urcu_memb_read_lock();
    cds_lfht_first(table, &place);
    for (struct record *record; (record = record_of(cds_lfht_iter_get_node(&place))) != NULL;) {
        sum += record->payload;
        cds_lfht_next(table, &place);
    }
    urcu_memb_read_unlock();
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0; /* all of it is malloc's */
}

#include "driver.h"
