/*
 * liburcu's lock-free hash table: linear hashing over split-ordered chains, resized by a thread of its own, whose time
 * is not counted. Readers are ordinary ones: an update waits for nobody here.
 */
#include "table.h"
#include "vm_map_hash.h"

#include <stdlib.h>
#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
    struct cds_lfht_node node;
};

static const char table_name[] = "lfht";
static const size_t table_link_bytes = sizeof(struct cds_lfht_node);
static const uint32_t seed[4] = {0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x83707345u};
static struct cds_lfht *table;

static struct record *record_of(struct cds_lfht_node *node)
{
    return node != NULL ? caa_container_of(node, struct record, node) : NULL;
}

static unsigned long hash(uint32_t key)
{
    return vm_map_hash(seed, (struct gpn){key});
}

static int matches(struct cds_lfht_node *node, const void *key)
{
    return record_of(node)->key == *(const uint32_t *)key;
}

static void table_open(void)
{
    urcu_qsbr_register_thread();
    table =
        _cds_lfht_new(1, 1, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &cds_lfht_mm_order, &urcu_qsbr_flavor, NULL);
    if (table == NULL) {
        abort();
    }
}

static void table_close(void)
{
    urcu_qsbr_quiescent_state();
    urcu_qsbr_thread_offline();
    if (cds_lfht_destroy(table, NULL) != 0) {
        abort();
    }
    urcu_qsbr_thread_online();
    urcu_qsbr_unregister_thread();
}

static struct record *table_create(uint32_t key)
{
    struct record *record = record_allocate();

    record->key = key;
    cds_lfht_node_init(&record->node);
    urcu_qsbr_read_lock();
    struct cds_lfht_node *there = cds_lfht_add_unique(table, hash(key), matches, &key, &record->node);
    urcu_qsbr_read_unlock();
    urcu_qsbr_quiescent_state();
    if (there != &record->node) {
        record_free(record);
        return NULL;
    }
    return record;
}

static struct record *table_find(uint32_t key)
{
    struct cds_lfht_iter place;

    urcu_qsbr_read_lock();
    cds_lfht_lookup(table, hash(key), matches, &key, &place);
    urcu_qsbr_read_unlock();
    return record_of(cds_lfht_iter_get_node(&place));
}

static void table_delete(uint32_t key)
{
    struct record *record = table_find(key);

    urcu_qsbr_read_lock();
    if (cds_lfht_del(table, &record->node) != 0) {
        abort();
    }
    urcu_qsbr_read_unlock();
    urcu_qsbr_quiescent_state();
    record_free(record); /* nobody else reads */
}

static uint32_t table_iterate(void)
{
    struct cds_lfht_iter place;
    uint32_t sum = 0;

    urcu_qsbr_read_lock();
    cds_lfht_first(table, &place);
    for (struct record *record; (record = record_of(cds_lfht_iter_get_node(&place))) != NULL;) {
        sum += record->payload;
        cds_lfht_next(table, &place);
    }
    urcu_qsbr_read_unlock();
    return sum;
}

static uint64_t table_bytes(void)
{
    return 0; /* all of it is malloc's */
}

#include "driver.h"
