/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two levels of bitmaps, found by a hash: a node for each chunk that has pages with records, and one for each
 * object that has such chunks. A node knows which of its words are not 0, so the next bit is three looks away. Nodes hash by a
 * secret factor, and there is a head for every eight frames: a chain is short even where each page is alone in its
 * chunk.
 *
 *     object . . 1 . 1 .            chunks that have any
 *                |   '------.
 *     chunk  1 1 . 1 .    . . 1     pages that have a record
 */
#include "presence.h"
#include "internal.h"

#include <string.h>

#define FRAMES_PER_HEAD 8u
#define SHIFT           10u
#define IS_OBJECT       (UINT64_C(1) << 63) /* in a key */
#define NONE            VM_PRESENCE_FANOUT

_Static_assert(1u << SHIFT == VM_PRESENCE_FANOUT && 2 * SHIFT == 20, "two levels are an object");

uint32_t vm_presence_heads(uint32_t frames)
{
    return vm_heads_for(frames / FRAMES_PER_HEAD);
}

void vm_presence_init(struct vm_map *map, void *heads, uint32_t head_count)
{
    map->presence_heads = heads;
    map->presence_head_mask = head_count - 1;
    pool_init(&map->presence_nodes, sizeof(struct vm_presence_node), FRAME_RECORDS);
}

/* Nodes ------------------------------------------------------------------------------------------------------------ */

static uint64_t chunk_key(struct page_key key)
{
    return key.number >> SHIFT;
}

static uint64_t object_key(uint64_t chunk)
{
    return chunk >> SHIFT | IS_OBJECT;
}

static struct vm_presence_node **head_of(const struct vm_map *map, uint64_t key)
{
    return &map->presence_heads[vm_map_hash(map->seed, (struct page_key){key}) & map->presence_head_mask];
}

static struct vm_presence_node *find(const struct vm_map *map, uint64_t key)
{
    struct vm_presence_node *node = *head_of(map, key);

    while (node != NULL && node->key != key) {
        node = node->hash_next;
    }
    return node;
}

/* The same for a chunk: pages come and go side by side. */
static inline struct vm_presence_node *find_chunk(struct vm_map *map, uint64_t key)
{
    if (map->presence_last == NULL || map->presence_last->key != key) {
        map->presence_last = find(map, key);
    }
    return map->presence_last;
}

static struct vm_presence_node *find_or_make(struct vm_map *map, uint64_t key)
{
    struct vm_presence_node *node = find(map, key);
    void *made;

    if (node != NULL || pool_allocate(&map->presence_nodes, &made) != OK) {
        return node;
    }
    struct vm_presence_node **head = head_of(map, key);
    node = made;
    node->key = key;
    node->hash_next = *head;
    *head = node;
    return node;
}

static void drop_if_empty(struct vm_map *map, struct vm_presence_node *node)
{
    struct vm_presence_node **at = head_of(map, node->key);

    if (node->words != 0) {
        return;
    }
    while (*at != node) {
        at = &(*at)->hash_next;
    }
    *at = node->hash_next;
    if (map->presence_last == node) {
        map->presence_last = NULL;
    }
    pool_free(&map->presence_nodes, node);
}

static void set(struct vm_presence_node *node, uint32_t index)
{
    index %= VM_PRESENCE_FANOUT;
    node->bits[index / 32] |= 1u << index % 32;
    node->words |= 1u << index / 32;
}

static void clear(struct vm_presence_node *node, uint32_t index)
{
    index %= VM_PRESENCE_FANOUT;
    node->bits[index / 32] &= ~(1u << index % 32);
    if (node->bits[index / 32] == 0) {
        node->words &= ~(1u << index / 32);
    }
}

static bool is_set(const struct vm_presence_node *node, uint32_t index)
{
    index %= VM_PRESENCE_FANOUT;
    return (node->bits[index / 32] >> index % 32 & 1) != 0;
}

/* The first bit at or behind `index`, or NONE. */
static uint32_t next_bit(const struct vm_presence_node *node, uint32_t index)
{
    uint32_t word = index / 32;
    uint32_t bits = node->bits[word] & ~0u << index % 32;

    if (bits == 0) {
        uint32_t words = word == 31 ? 0 : node->words & ~0u << (word + 1);
        if (words == 0) {
            return NONE;
        }
        word = (uint32_t)__builtin_ctz(words);
        bits = node->bits[word];
    }
    return word * 32 + (uint32_t)__builtin_ctz(bits);
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

enum error vm_presence_add(struct vm_map *map, struct page_key key)
{
    struct vm_presence_node *chunk = find_chunk(map, chunk_key(key));

    if (chunk == NULL) {
        chunk = find_or_make(map, chunk_key(key));
    }
    if (chunk == NULL) {
        return ERROR_NO_MEMORY;
    }
    if (chunk->words == 0) { /* it is new */
        struct vm_presence_node *object = find_or_make(map, object_key(chunk->key));
        if (object == NULL) {
            drop_if_empty(map, chunk);
            return ERROR_NO_MEMORY;
        }
        set(object, (uint32_t)chunk->key);
    }
    set(chunk, (uint32_t)key.number);
    return OK;
}

void vm_presence_remove(struct vm_map *map, struct page_key key)
{
    struct vm_presence_node *chunk = find_chunk(map, chunk_key(key));

    ASSERT(chunk != NULL);
    clear(chunk, (uint32_t)key.number);
    if (chunk->words == 0) {
        struct vm_presence_node *object = find(map, object_key(chunk->key));
        ASSERT(object != NULL);
        clear(object, (uint32_t)chunk->key);
        drop_if_empty(map, object);
        drop_if_empty(map, chunk);
    }
}

/* The first page of a chunk at or behind `from` that has a record. */
static bool next_in_chunk(struct vm_map *map, struct page_key from, struct page_key *out)
{
    const struct vm_presence_node *chunk = find_chunk(map, chunk_key(from));
    uint32_t index = chunk == NULL ? NONE : next_bit(chunk, (uint32_t)from.number % VM_PRESENCE_FANOUT);

    out->number = (from.number & ~(uint64_t)(VM_PRESENCE_FANOUT - 1)) + index;
    return index != NONE;
}

/* The first page of the next chunk behind that of `from`, in its object, that has pages with records. */
static bool next_chunk(const struct vm_map *map, struct page_key from, struct page_key *out)
{
    const struct vm_presence_node *object = find(map, object_key(chunk_key(from)));
    uint32_t index = (uint32_t)chunk_key(from) % VM_PRESENCE_FANOUT + 1;

    if (object == NULL || index == VM_PRESENCE_FANOUT || (index = next_bit(object, index)) == NONE) {
        return false;
    }
    out->number = (object->key << SHIFT | index) << SHIFT;
    return true;
}

bool vm_presence_next(struct vm_map *map, struct page_key from, struct page_key last, struct page_key *out)
{
    ASSERT(map->is_ordered && page_key_object(from).number == page_key_object(last).number &&
           from.number <= last.number);
    struct page_key page;
    bool found = next_in_chunk(map, from, &page);

    if (!found && chunk_key(from) != chunk_key(last) && next_chunk(map, from, &page)) {
        found = next_in_chunk(map, page, &page);
        ASSERT(found); /* VM-12 */
    }
    if (found && page.number <= last.number) {
        *out = page;
        return true;
    }
    return false;
}

/* VM-12 ------------------------------------------------------------------------------------------------------------ */

bool vm_presence_has(const struct vm_map *map, struct page_key key)
{
    const struct vm_presence_node *chunk = find(map, chunk_key(key));
    const struct vm_presence_node *object = find(map, object_key(chunk_key(key)));

    return chunk != NULL && object != NULL && is_set(chunk, (uint32_t)key.number) &&
           is_set(object, (uint32_t)chunk->key);
}

/* How many bits a node has. False: its words are not as it says, or all are 0. */
static bool count_bits(const struct vm_presence_node *node, uint32_t *count)
{
    for (uint32_t word = 0; word < VM_PRESENCE_FANOUT / 32; word++) {
        if ((node->words >> word & 1) != (node->bits[word] != 0)) {
            return false;
        }
        *count += (uint32_t)__builtin_popcount(node->bits[word]);
    }
    return node->words != 0;
}

bool vm_presence_is_whole(const struct vm_map *map, uint32_t count)
{
    uint32_t nodes = 0, chunks = 0, pages = 0, chunks_known = 0;

    for (uint32_t head = 0; head <= map->presence_head_mask; head++) {
        for (const struct vm_presence_node *node = map->presence_heads[head]; node != NULL; node = node->hash_next) {
            bool is_object = (node->key & IS_OBJECT) != 0;
            chunks += !is_object;
            if (++nodes > map->presence_nodes.objects_used || head_of(map, node->key) != &map->presence_heads[head] ||
                !count_bits(node, is_object ? &chunks_known : &pages)) {
                return false;
            }
        }
    }
    return nodes == map->presence_nodes.objects_used && pages == count && chunks == chunks_known;
}
