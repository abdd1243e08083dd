/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing and reading commit records.
 */
#include "store_record.h"
#include "atomic.h"
#include "log.h"
#include "store_checksum.h"

#include <string.h>

#define ITEM_BYTES_MAX 32u

static const uint8_t item_bytes[DISK_ITEM_TYPES] = {
    [DISK_ITEM_PUT] = sizeof(struct disk_put),
    [DISK_ITEM_PUT_STAMPED] = sizeof(struct disk_map_entry),
    [DISK_ITEM_DELETE] = sizeof(struct disk_extent),
    [DISK_ITEM_DEAD] = sizeof(struct disk_dead),
    [DISK_ITEM_DEAD_RECORD] = sizeof(struct disk_record_ref),
    [DISK_ITEM_FREED] = sizeof(struct disk_extent),
    [DISK_ITEM_ALLOCATED] = sizeof(struct disk_extent),
    [DISK_ITEM_BAD] = sizeof(struct disk_extent),
    [DISK_ITEM_CARRIED] = sizeof(struct disk_extent),
};

_Static_assert(sizeof(struct disk_record_ref) <= ITEM_BYTES_MAX, "largest item");

static uint32_t padded(uint32_t bytes)
{
    return (bytes + 7) & ~7u;
}

enum error store_record_begin(struct record_writer *writer, struct store *store, struct write_queue *queue,
                              struct run_list *blocks, uint64_t generation, const void *system, uint32_t system_bytes)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    *writer = (struct record_writer){.store = store, .queue = queue, .head = page, .blocks = blocks};
    writer->head->magic = DISK_HEAD_MAGIC;
    writer->head->generation = generation;
    writer->head->system_bytes = system_bytes;
    memcpy(writer->head->bytes, system, system_bytes);
    return OK;
}

/* Blocks for a part of the record. */
static enum error place_take(struct record_writer *writer, struct store_place *out)
{
    struct store_place place = {.generation = writer->head->generation};
    enum error error = store_run_list_reserve(writer->blocks, 2);
    if (error == OK) {
        error = store_place_allocate(writer->store, &place.block, &place.copy);
    }
    if (error != OK) {
        return error;
    }
    error = store_run_list_append(writer->blocks, place.block, 1, 0);
    if (error == OK && place.copy != 0) {
        error = store_run_list_append(writer->blocks, place.copy, 1, 0);
    }
    *out = place;
    return error;
}

/* Queue a finished part of the record. The page is the queue's from then on. */
static void place_put(struct record_writer *writer, struct store_place *place, void *content)
{
    place->checksum = store_checksum_block(writer->store->space_id, place->block, place->generation, content);
    store_write_queue_add(writer->queue, place->block, content, place->copy == 0);
    if (place->copy != 0) {
        store_write_queue_add(writer->queue, place->copy, content, true);
    }
}

static enum error body_put(struct record_writer *writer)
{
    writer->body->next_block = writer->next.block;
    writer->body->next_copy = writer->next.copy;
    writer->body->next_checksum = writer->next.checksum;
    struct store_place place;
    enum error error = place_take(writer, &place);
    if (error == OK) {
        place_put(writer, &place, writer->body);
        writer->next = place;
        writer->head->chain_blocks++;
        writer->body = NULL;
    }
    return error;
}

/* Room for an item, in a run of its type and with the same upper bits of the key. */
static uint8_t *place_in(uint8_t *bytes, uint32_t capacity, uint32_t *used, struct disk_run **run,
                         enum disk_item_type type, uint32_t key_high)
{
    bool new_run = *run == NULL || (*run)->type != type || (*run)->key_high != key_high || (*run)->count == UINT16_MAX;
    uint32_t needed = item_bytes[type] + (new_run ? (uint32_t)sizeof(struct disk_run) : 0);
    if (capacity - *used < needed) {
        return NULL;
    }
    if (new_run) {
        *run = (struct disk_run *)(void *)(bytes + *used);
        **run = (struct disk_run){.type = (uint16_t)type, .key_high = key_high};
        *used += (uint32_t)sizeof(struct disk_run);
    }
    uint8_t *place = bytes + *used;
    *used += item_bytes[type];
    (*run)->count++;
    return place;
}

static uint8_t *place_for(struct record_writer *writer, enum disk_item_type type, uint32_t key_high)
{
    if (writer->body != NULL) {
        return place_in(writer->body->bytes, sizeof(writer->body->bytes), &writer->body->item_bytes, &writer->run, type,
                        key_high);
    }
    struct disk_head *head = writer->head;
    uint32_t start = padded(head->system_bytes);
    return place_in(head->bytes + start, (uint32_t)sizeof(head->bytes) - start, &head->item_bytes, &writer->run, type,
                    key_high);
}

/* Go on in an empty body. */
static enum error body_next(struct record_writer *writer)
{
    void *page;
    enum error error = writer->body == NULL ? OK : body_put(writer);
    if (error == OK) {
        error = store_page_new(&page);
    }
    if (error != OK) {
        return error;
    }
    writer->body = page;
    writer->body->magic = DISK_BODY_MAGIC;
    writer->body->generation = writer->head->generation;
    writer->run = NULL;
    return OK;
}

static enum error append(struct record_writer *writer, enum disk_item_type type, uint32_t key_high, const void *item)
{
    uint8_t *place = place_for(writer, type, key_high);
    if (place == NULL) {
        enum error error = body_next(writer);
        if (error != OK) {
            return error;
        }
        place = place_for(writer, type, key_high);
        ASSERT(place != NULL);
    }
    memcpy(place, item, item_bytes[type]);
    return OK;
}

enum error store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item)
{
    return append(writer, type, 0, item);
}

enum error store_record_append_page(struct record_writer *writer, enum disk_item_type type, uint64_t key,
                                    const void *item)
{
    return append(writer, type, (uint32_t)(key >> DISK_KEY_BITS), item);
}

enum error store_record_close(struct record_writer *writer)
{
    enum error error = writer->body == NULL ? OK : body_put(writer);
    writer->head->chain_blocks++;
    return error == OK ? place_take(writer, &writer->own) : error;
}

void store_record_finish(struct record_writer *writer, struct disk_record_ref *out)
{
    struct disk_head *head = writer->head;
    head->next_block = writer->next.block;
    head->next_copy = writer->next.copy;
    head->next_checksum = writer->next.checksum;
    place_put(writer, &writer->own, head);
    *out = (struct disk_record_ref){
        .generation = head->generation,
        .checksum = writer->own.checksum,
        .block = writer->own.block,
        .copy = writer->own.copy,
        .wall_time_ns = head->wall_time_ns,
    };
    writer->head = NULL;
}

void store_record_end(struct record_writer *writer)
{
    store_page_free(writer->head);
    store_page_free(writer->body);
    writer->head = NULL;
    writer->body = NULL;
}

const uint8_t *store_record_system(const struct disk_head *head)
{
    return head->bytes;
}

static struct store_place head_place(const struct disk_record_ref *ref)
{
    return (struct store_place){ref->block, ref->copy, ref->generation, ref->checksum};
}

static bool head_is_sound(const struct disk_head *head, const struct disk_record_ref *ref)
{
    return head->magic == DISK_HEAD_MAGIC && head->generation == ref->generation && head->generation != 0 &&
           head->generation <= DISK_GENERATION_MAX && head->system_bytes <= STORE_SYSTEM_RECORD_MAX &&
           head->item_bytes <= sizeof(head->bytes) - padded(head->system_bytes) && head->chain_blocks != 0 &&
           head->map_base < head->generation && head->space_base < head->generation &&
           head->merge_end < head->generation && (head->merge_end == 0 || head->merge_end > head->map_base) &&
           store_when_birth(head->page_tree.when) <= head->generation &&
           store_when_birth(head->space_tree.when) <= head->generation &&
           (head->predecessor.block == 0 || head->predecessor.generation < head->generation);
}

enum error store_record_read_head(struct store *store, struct read_window *window, const struct disk_record_ref *ref,
                                  struct disk_head *head)
{
    thread_may_sleep();
    struct store_place place = head_place(ref);
    enum error error = store_place_read(store, window, &place, head);
    if (error != OK) {
        return error;
    }
    return head_is_sound(head, ref) ? OK : ERROR_FORMAT_DAMAGED;
}

uint64_t store_item_key(const struct disk_run *run, const struct disk_put *put)
{
    return (uint64_t)run->key_high << DISK_KEY_BITS | put->key_low;
}

bool store_item_range(const struct disk_run *run, const void *item, uint64_t *first, uint64_t *last)
{
    struct disk_extent pages;
    memcpy(&pages, item, sizeof(pages));
    *first = (uint64_t)run->key_high << DISK_KEY_BITS | pages.first;
    *last = *first + pages.count - 1;
    return pages.count != 0 && pages.count <= OBJECT_PAGES - page_key_index((struct page_key){*first});
}

static enum error items_visit(const struct disk_head *head, const uint8_t *bytes, uint32_t length,
                              const struct record_visitor *visitor)
{
    uint32_t at = 0;
    while (at < length) {
        struct disk_run run;
        if (length - at < sizeof(run)) {
            return ERROR_FORMAT_DAMAGED;
        }
        memcpy(&run, bytes + at, sizeof(run));
        at += (uint32_t)sizeof(run);
        if (run.type == 0 || run.type >= DISK_ITEM_TYPES || run.key_high > DISK_KEY_MAX >> DISK_KEY_BITS ||
            run.count > (length - at) / item_bytes[run.type]) {
            return ERROR_FORMAT_DAMAGED;
        }
        for (uint32_t i = 0; i < run.count; i++, at += item_bytes[run.type]) {
            enum error error = OK;
            if (visitor->item != NULL) {
                error = visitor->item(visitor->context, head, &run, bytes + at);
            }
            if (error != OK) {
                return error;
            }
        }
    }
    return OK;
}

/*
 * Some bodies of a chain. They are read last items first and visited the other way round, so that what a visitor hears
 * is in ascending order for as long as memory for bodies lasts.
 */
#define BODIES_MAX    32u
#define BODIES_SINGLE 4u /* so many are read one by one, unless many records are */

struct body_group {
    uint32_t room, count;
    struct store_place places[BODIES_MAX];
    struct disk_body *bodies[BODIES_MAX];
};

_Static_assert(sizeof(struct body_group) <= PAGE_SIZE, "a group of bodies is one page");

static void group_free(struct body_group *group)
{
    for (uint32_t i = 0; group != NULL && i < group->room; i++) {
        store_page_free(group->bodies[i]);
    }
    store_page_free(group);
}

/* A group with room for `wanted` bodies, or as many as there is memory for, which is at least one. */
static enum error group_new(uint32_t wanted, struct body_group **out)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct body_group *group = page;
    while (group->room < wanted && group->room < BODIES_MAX && store_page_new(&page) == OK) {
        group->bodies[group->room++] = page;
    }
    if (group->room == 0) {
        group_free(group);
        return ERROR_NO_MEMORY;
    }
    *out = group;
    return OK;
}

/* Read as many of the `left` bodies from `place` on as there is room for; `place` moves on. */
static enum error group_read(struct store *store, const struct disk_head *head, uint32_t left,
                             struct store_place *place, struct body_group *group)
{
    group->count = 0;
    while (group->count < group->room && group->count < left) {
        struct disk_body *body = group->bodies[group->count];
        enum error error = store_place_read(store, store->window, place, body);
        if (error != OK) {
            return error;
        }
        if (body->magic != DISK_BODY_MAGIC || body->generation != head->generation ||
            body->item_bytes > sizeof(body->bytes)) {
            return ERROR_FORMAT_DAMAGED;
        }
        group->places[group->count++] = *place;
        *place = (struct store_place){body->next_block, body->next_copy, head->generation, body->next_checksum};
    }
    return OK;
}

static enum error group_visit(const struct disk_head *head, const struct body_group *group,
                              const struct record_visitor *visitor)
{
    enum error error = OK;
    for (uint32_t i = group->count; error == OK && i-- > 0;) {
        const struct disk_body *body = group->bodies[i];
        error = visitor->block == NULL ? OK : visitor->block(visitor->context, &group->places[i]);
        if (error == OK) {
            error = items_visit(head, body->bytes, body->item_bytes, visitor);
        }
    }
    return error;
}

static enum error bodies_visit(struct store *store, const struct disk_head *head, const struct record_visitor *visitor)
{
    struct store_place place = {head->next_block, head->next_copy, head->generation, head->next_checksum};
    struct body_group *group = NULL;
    struct read_window *window = NULL;
    uint32_t left = head->chain_blocks - 1;
    enum error error = left == 0 ? OK : group_new(left, &group);
    if (left > BODIES_SINGLE && store->window == NULL) {
        store->window = window = store_read_window_open();
    }
    while (error == OK && left > 0) {
        error = group_read(store, head, left, &place, group);
        if (error == OK) {
            error = group_visit(head, group, visitor);
        }
        left -= error == OK ? group->count : 0;
    }
    if (window != NULL) {
        store_read_window_close(window);
        store->window = NULL;
    }
    group_free(group);
    return error == OK && place.block != 0 ? ERROR_FORMAT_DAMAGED : error;
}

enum error store_record_read(struct store *store, const struct disk_record_ref *ref,
                             const struct record_visitor *visitor)
{
    void *head = NULL;
    struct store_place place = head_place(ref);
    enum error error = store_page_new(&head);
    if (error == OK) {
        error = store_record_read_head(store, store->window, ref, head);
    }
    if (error == OK && visitor->block != NULL) {
        error = visitor->block(visitor->context, &place);
    }
    if (error == OK) {
        error = bodies_visit(store, head, visitor);
    }
    if (error == OK) {
        /* Last, because its items were the first, and what comes before is read from the end. */
        const struct disk_head *found = head;
        error = items_visit(found, found->bytes + padded(found->system_bytes), found->item_bytes, visitor);
    }
    store_page_free(head);
    return error;
}
