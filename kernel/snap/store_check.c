/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of a whole image: reach everything, remember who owns each block, compare with the free-space map.
 */
#include "store_check.h"
#include "atomic.h"
#include "log.h"
#include "store_check_lists.h"
#include "store_checksum.h"
#include "store_reach.h"

#include <string.h>

#define MARKS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define PAGES_PER_ROOT (PAGE_SIZE / sizeof(void *))
#define PROGRESS_EACH  256u

struct checking {
    struct store *store;
    const struct store_check_options *options;
    struct store_check_result *result;
    void **owners; /* a mark of who owns each block, in three levels of pages */
    void *content; /* one page */
    uint64_t done;
};

static void find(struct checking *checking, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void find(struct checking *checking, const char *format, ...)
{
    checking->result->findings++;
    if (checking->options->finding == NULL) {
        return;
    }
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    kernel_vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    checking->options->finding(checking->options->context, text);
}

/*
 * A few bits that differ between owners, with near certainty; never 0. A retired block may be noted in several
 * generations: the free-space map that is made anew names it again.
 */
static uint32_t owner_mark(const struct reach_item *item)
{
    uint64_t value = item->key << 8 | (uint32_t)item->kind;
    uint64_t generation = item->kind == REACH_BAD ? 0 : item->generation;
    value = (value ^ generation * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xBF58476D1CE4E5B9);
    value ^= value >> 29;
    return (uint32_t)(value * UINT64_C(0x94D049BB133111EB) >> 32) | 1;
}

static enum error level_down(void **place, void **out)
{
    enum error error = *place == NULL ? store_page_new(place) : OK;
    *out = *place;
    return error;
}

/* The place of a block's mark. */
static enum error owner_slot(struct checking *checking, uint32_t block, uint32_t **out)
{
    uint32_t leaf = block / MARKS_PER_PAGE;
    void *table, *marks;
    enum error error = level_down(&checking->owners[leaf / PAGES_PER_ROOT], &table);
    if (error == OK) {
        error = level_down(&((void **)table)[leaf % PAGES_PER_ROOT], &marks);
    }
    if (error == OK) {
        *out = &((uint32_t *)marks)[block % MARKS_PER_PAGE];
    }
    return error;
}

_Static_assert((uint64_t)PAGES_PER_ROOT *PAGES_PER_ROOT *MARKS_PER_PAGE >= STORE_BLOCKS_MAX, "a mark for every block");

static void owners_free(struct checking *checking)
{
    for (uint32_t i = 0; checking->owners != NULL && i < PAGES_PER_ROOT; i++) {
        void **table = checking->owners[i];
        for (uint32_t k = 0; table != NULL && k < PAGES_PER_ROOT; k++) {
            store_page_free(table[k]);
        }
        store_page_free(table);
    }
    store_page_free(checking->owners);
}

_Static_assert((int)REACH_BAD == STORE_BLOCK_RETIRED && (int)REACH_PAGE == STORE_BLOCK_PAGE, "kinds in the same order");

static const char *kind_text(enum reach_kind kind)
{
    static const char *const texts[] = {"record", "map node", "page", "free-space map", "retired block"};
    return texts[kind];
}

static void tell(struct checking *checking, enum store_block_kind kind, uint32_t block, uint64_t key)
{
    if (checking->options->block != NULL) {
        checking->options->block(checking->options->context, kind, (struct block){block}, (struct page_key){key});
    }
}

/* Prove the content of a block. Metadata has been followed already, but maybe from a copy. */
static void content_check(struct checking *checking, const struct reach_item *item)
{
    const struct store *store = checking->store;
    enum error error = block_read(store->device, (struct block){item->block}, checking->content);
    if (error == OK) {
        uint64_t checksum =
            item->kind == REACH_PAGE
                ? store_checksum_page(store->space_id, item->key, item->stamp, checking->content)
                : store_checksum_block(store->space_id, item->bound, item->generation, checking->content);
        error = checksum == item->checksum ? OK : ERROR_CHECKSUM;
    }
    if (error != OK && item->kind == REACH_PAGE) {
        struct page_key page = {item->key};
        find(checking, "page %08x of object %u, written in generation %llu, block %u: %s", page_key_offset(page),
             page_key_object(page).number, (unsigned long long)item->stamp, item->block, error_text(error));
    } else if (error != OK) {
        const char *which = item->bound != item->block ? ", a copy," : "";
        find(checking, "%s of generation %llu, block %u%s: %s", kind_text(item->kind),
             (unsigned long long)item->generation, item->block, which, error_text(error));
    }
}

static enum error item_check(void *context, const struct reach_item *item)
{
    struct checking *checking = context;
    struct store_check_result *result = checking->result;
    uint64_t *const counts[] = {&result->records, &result->nodes, &result->pages, &result->chunks, &result->retired};
    ++*counts[item->kind];
    uint32_t *owner;
    enum error error = owner_slot(checking, item->block, &owner);
    if (error != OK) {
        return error;
    }
    *owner = owner_mark(item);
    tell(checking, (enum store_block_kind)item->kind, item->block, item->key);
    if (item->kind != REACH_BAD && (item->kind != REACH_PAGE || checking->options->read_pages)) {
        content_check(checking, item);
    }
    if (++checking->done % PROGRESS_EACH == 0 && checking->options->progress != NULL) {
        checking->options->progress(checking->options->context, checking->done, checking->store->space.used);
    }
    return OK;
}

static enum error again_check(void *context, const struct reach_item *item)
{
    struct checking *checking = context;
    uint32_t *owner;
    enum error error = owner_slot(checking, item->block, &owner);
    if (error == OK && *owner != 0 && *owner != owner_mark(item)) {
        find(checking, "block %u has two owners; one is a %s of generation %llu", item->block, kind_text(item->kind),
             (unsigned long long)item->generation);
    }
    return error;
}

static enum error damage_check(void *context, uint64_t generation, enum error error)
{
    struct checking *checking = context;
    find(checking, "generation %llu: part of its record or map cannot be read: %s", (unsigned long long)generation,
         error_text(error));
    return OK;
}

/* Compare a chunk of the free-space map with what was reached. */
static enum error chunk_compare(struct checking *checking, struct space *reached, uint32_t chunk)
{
    const void *bits;
    enum error error = store_space_bits(&checking->store->space, chunk, &bits);
    if (store_is_damage(error)) {
        return OK; /* the walk has found that */
    }
    const uint32_t *map = bits;
    if (error == OK) {
        error = store_space_bits(reached, chunk, &bits);
    }
    const uint32_t *needed = bits;
    for (uint32_t i = 0; error == OK && i < PAGE_SIZE / sizeof(*map); i++) {
        checking->result->leaked += (uint32_t)__builtin_popcount(map[i] & ~needed[i]);
        for (uint32_t wrong = needed[i] & ~map[i]; wrong != 0; wrong &= wrong - 1) {
            find(checking, "block %u is needed and counts as free",
                 chunk * DISK_CHUNK_BLOCKS + i * 32 + (uint32_t)__builtin_ctz(wrong));
        }
    }
    return error;
}

/* Nobody may need what is retired. */
static enum error retired_check(struct checking *checking, uint32_t block)
{
    struct reach_item item = {.kind = REACH_BAD,
                              .block = block,
                              .key = DISK_SPACE_BAD + block,
                              .generation = checking->store->state.record.generation};

    tell(checking, STORE_BLOCK_RETIRED, block, 0);
    return again_check(checking, &item);
}

/* Retired blocks that the free-space tree does not name yet. */
static enum error retired_reach(struct checking *checking, struct space *reached, const struct run_list *list)
{
    struct run_cursor cursor = {0};
    struct run run;
    uint32_t used_before = reached->used;
    enum error error = OK;
    while (error == OK && store_run_list_next(list, &cursor, &run)) {
        error = store_space_mark(reached, (struct extent){{run.first}, run.count}, true);
        for (uint32_t i = 0; error == OK && i < run.count; i++) {
            error = retired_check(checking, run.first + i);
        }
    }
    checking->result->retired += reached->used - used_before;
    return error;
}

/* STORE-6 */
static enum error map_compare(struct checking *checking, struct space *reached)
{
    struct store *store = checking->store;
    enum error error = retired_reach(checking, reached, &store->bad);
    if (error == OK) {
        error = retired_reach(checking, reached, &store->new_bad);
    }
    if (error != OK) {
        return error;
    }
    checking->result->map_is_due = store->wants_rebuild || (store->root->flags & DISK_ROOT_REBUILD) != 0;
    for (uint32_t i = 0; error == OK && !checking->result->map_is_due && i < store_space_chunk_count(&store->space);
         i++) {
        error = chunk_compare(checking, reached, i);
    }
    if (checking->result->leaked > 0) {
        find(checking, "%llu blocks are neither needed nor free", (unsigned long long)checking->result->leaked);
    }
    if (!checking->result->map_is_due && store->space.used != reached->used && checking->result->findings == 0) {
        find(checking, "%u blocks are in use, the record counts %u", reached->used, store->space.used);
    }
    return error;
}

static enum error reserved_only(struct store *store, uint32_t chunk, void *bits)
{
    (void)store;
    if (chunk == 0) {
        *(uint8_t *)bits = (1u << DISK_RESERVED) - 1;
    }
    return OK;
}

/* Either copy of the label will do to open the image; both have to be whole. */
static void labels_check(struct checking *checking)
{
    static const uint32_t places[] = {DISK_LABEL_BLOCK, DISK_LABEL_COPY};
    const struct disk_label *label = checking->content;
    for (uint32_t i = 0; i < 2; i++) {
        enum error error = block_read(checking->store->device, (struct block){places[i]}, checking->content);
        bool sound = error == OK && label->magic == DISK_LABEL_MAGIC &&
                     label->checksum == store_checksum_self(places[i], label) &&
                     memcmp(label->space_id, checking->store->space_id, sizeof(label->space_id)) == 0;
        if (!sound) {
            find(checking, "label, block %u: %s", places[i], error_text(error != OK ? error : ERROR_CHECKSUM));
        }
    }
}

/* A generation may have several names, and be in the window as well. */
static uint32_t generations_count(struct store *store)
{
    struct store_kept kept = {0};
    uint32_t count = 0;
    while (store_kept_before(store, kept.generation, &kept) == OK) {
        count++;
    }
    return count;
}

static void list_is_wrong(void *context, const char *text)
{
    find(context, "%s", text);
}

static enum error check(struct checking *checking, struct space *reached)
{
    struct lists_listener listener = {checking, list_is_wrong};
    struct store *store = checking->store;
    struct reach_visitor visitor = {checking, item_check, again_check, damage_check};
    labels_check(checking);
    if (store->ladder_is_lost) {
        find(checking, "the list of the ladder's generations does not prove itself: they are lost");
    }
    checking->result->generations = generations_count(store);
    enum error error = store_reach(store, UINT64_MAX, true, reached, &visitor);
    if (error == OK) {
        error = map_compare(checking, reached);
    }
    return error == OK ? store_lists_check(store, &listener) : error;
}

enum error store_check(struct store *store, const struct store_check_options *options,
                       struct store_check_result *result)
{
    thread_may_sleep();
    *result = (struct store_check_result){0};
    struct checking checking = {.store = store, .options = options, .result = result};
    struct space reached = {0};
    void *owners = NULL;
    enum error error = store_page_new(&checking.content);
    if (error == OK) {
        error = store_page_new(&owners);
    }
    checking.owners = owners;
    if (error == OK) {
        error = store_space_initialise(&reached, store, reserved_only, store->block_count, DISK_RESERVED);
    }
    if (error == OK) {
        error = check(&checking, &reached);
    }
    store_space_clear(&reached);
    owners_free(&checking);
    store_page_free(checking.content);
    return error;
}
