/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map itself: struct vm_page is the record.
 */
#include "table.h"
#include "log.h"
#include "vm_map.h"

struct record {
    struct vm_page *hash_next;
    uint32_t key;
    uint32_t words[2];
    union {
        struct vm_page_link link;
        uint32_t payload; /* in place of the list's link: no page is in a list */
    };
    char rest[sizeof(struct vm_page) - offsetof(struct vm_page, list_link) - sizeof(struct vm_page_link)];
};
_Static_assert(sizeof(struct record) == sizeof(struct vm_page), "a record is a vm_page");
_Static_assert(offsetof(struct record, key) == offsetof(struct vm_page, key_low),
               "its key is the lower half of the page's");
_Static_assert(offsetof(struct record, payload) == offsetof(struct vm_page, list_link), "its payload is the link");
_Static_assert(sizeof(struct vm_page) - sizeof(struct vm_page *) == RECORD_BODY_BYTES, "peers' records are alike");

static const char table_name[] = "vm_map";
static const size_t table_link_bytes = sizeof(struct vm_page *);
static struct vm_map map;

static void table_open(void)
{
    struct vm_map_options options = {.seed = {0x243F6A8885A308D3u, 0x13198A2E03707344u}, .buckets_max = 5u << 20};

    if (vm_map_init(&map, &options) != OK) {
        panic("bench", "expected memory for a map");
    }
}

static void table_close(void)
{
    if (vm_map_destroy(&map) != OK) {
        panic("bench", "expected an empty map");
    }
}

static struct record *table_create(uint32_t key)
{
    struct vm_page *page;

    return vm_map_create(&map, (struct page_key){key}, &page) == OK ? (struct record *)page : NULL;
}

static struct record *table_find(uint32_t key)
{
    return (struct record *)vm_map_find(&map, (struct page_key){key});
}

static void table_delete(uint32_t key)
{
    if (vm_map_delete(&map, (struct page_key){key}) != OK) {
        panic("bench", "expected a page to delete");
    }
}

static uint32_t table_iterate(void)
{
    struct vm_map_cursor cursor = {0};
    uint32_t sum = 0;

    while (!cursor.done) {
        struct vm_page *page = vm_map_next(&map, &cursor);
        sum += page != NULL ? ((struct record *)page)->payload : 0;
    }
    return sum;
}

static uint64_t table_bytes(void)
{
    return frame_bytes_used();
}

#include "driver.h"
