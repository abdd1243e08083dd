/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boost::unordered_flat_map: open addressing, key and pointer in groups of 15, doubles and rehashes at once.
 */
#include "table.h"

#include <boost/unordered/unordered_flat_map.hpp>

struct record {
    uint32_t key;
    uint32_t payload;
    char rest[RECORD_BODY_BYTES - 8];
};

static const char table_name[] = "boost_flat_map";
static const size_t table_link_bytes = 0;
static boost::unordered_flat_map<uint32_t, struct record *> *table;

static void table_open()
{
    table = new boost::unordered_flat_map<uint32_t, struct record *>;
}

static void table_close()
{
    delete table;
}

static struct record *table_create(uint32_t key)
{
    auto [place, inserted] = table->try_emplace(key, nullptr);

    if (!inserted) {
        return nullptr;
    }
    auto *record = static_cast<struct record *>(record_allocate());
    record->key = key;
    place->second = record;
    return record;
}

static struct record *table_find(uint32_t key)
{
    auto place = table->find(key);

    return place == table->end() ? nullptr : place->second;
}

static void table_delete(uint32_t key)
{
    auto place = table->find(key);

    record_free(place->second);
    table->erase(place);
}

static uint32_t table_iterate()
{
    uint32_t sum = 0;

    for (auto &entry : *table) {
        sum += entry.second->payload;
    }
    return sum;
}

static uint64_t table_bytes()
{
    return 0;
}

#include "driver.h"
