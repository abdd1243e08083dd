/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The catalogue of kept generations: the history, and those pinned under a name.
 *
 * A pin is an entry in the root, and so is its removal. What a removed pin alone needed is found by a rebuild of the
 * free-space map, which the next commit makes; the root says that it is due.
 */
#include "atomic.h"
#include "log.h"
#include "store_chain.h"
#include "store_rules.h"

#include <string.h>

_Static_assert(DISK_PINS_MAX == STORE_PINS_MAX && DISK_NAME_BYTES == STORE_NAME_BYTES, "what a root has room for");

static bool name_is_valid(const char *name)
{
    size_t length = strnlen(name, DISK_NAME_BYTES);
    if (length == 0 || length >= DISK_NAME_BYTES || (name[0] >= '0' && name[0] <= '9')) {
        return false; /* a name that begins with a digit could be taken for a number */
    }
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return false;
        }
    }
    return true;
}

static uint32_t pin_index(const struct disk_root *root, const char *name)
{
    uint32_t i = 0;
    while (i < root->pin_count && strncmp(root->pins[i].name, name, DISK_NAME_BYTES) != 0) {
        i++;
    }
    return i;
}

/* The root as it is, in a page of its own, to be changed and committed. */
static enum error root_copy(const struct store *store, struct disk_root **out)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error == OK) {
        *out = page;
        **out = *store->root;
    }
    return error;
}

static enum error root_replace(struct store *store, const struct disk_root *root)
{
    enum error error = store_root_resolve(store);
    if (error == OK) {
        error = store_root_confirm(store);
    }
    return error == OK ? store_root_commit(store, root) : error;
}

static enum error pin(struct store *store, struct disk_root *root, uint64_t generation, const char *name)
{
    if (pin_index(root, name) < root->pin_count) {
        return ERROR_EXISTS;
    }
    if (root->pin_count == DISK_PINS_MAX) {
        return ERROR_NO_SPACE;
    }
    const struct disk_record_ref *ref = store_kept_find(store, generation);
    if (ref == NULL) {
        return ERROR_NOT_FOUND;
    }
    struct disk_pin *new_pin = &root->pins[root->pin_count++];
    new_pin->record = *ref;
    memcpy(new_pin->name, name, strnlen(name, DISK_NAME_BYTES - 1));
    return root_replace(store, root);
}

enum error store_pin(struct store *store, struct generation generation, const char *name)
{
    if (store->read_only || store->is_waiting) {
        return ERROR_READ_ONLY;
    }
    if (!name_is_valid(name)) {
        return ERROR_INVALID;
    }
    mutex_lock(&store->commit_lock, LOCK_COMMIT);
    struct disk_root *root;
    enum error error = root_copy(store, &root);
    if (error == OK) {
        error = pin(store, root, generation.number, name);
        store_page_free(root);
    }
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    return error;
}

static enum error unpin(struct store *store, struct disk_root *root, const char *name)
{
    uint32_t index = pin_index(root, name);
    if (index == root->pin_count) {
        return ERROR_NOT_FOUND;
    }
    root->pin_count--;
    memmove(&root->pins[index], &root->pins[index + 1], (root->pin_count - index) * sizeof(root->pins[0]));
    memset(&root->pins[root->pin_count], 0, sizeof(root->pins[0]));
    root->flags |= DISK_ROOT_REBUILD;
    return root_replace(store, root);
}

enum error store_unpin(struct store *store, const char *name)
{
    if (store->read_only || store->is_waiting) {
        return ERROR_READ_ONLY;
    }
    mutex_lock(&store->commit_lock, LOCK_COMMIT);
    struct disk_root *root;
    enum error error = root_copy(store, &root);
    if (error == OK) {
        error = unpin(store, root, name);
        store_page_free(root);
    }
    store->wants_rebuild = store->wants_rebuild || error == OK;
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    return error;
}

enum error store_pin_at(const struct store *store, uint32_t index, struct generation *generation,
                        char name[STORE_NAME_BYTES])
{
    if (index >= store->root->pin_count) {
        return ERROR_NOT_FOUND;
    }
    const struct disk_pin *found = &store->root->pins[index];
    generation->number = found->record.generation;
    memcpy(name, found->name, DISK_NAME_BYTES);
    return OK;
}

enum error store_pin_find(const struct store *store, const char *name, struct generation *out)
{
    uint32_t index = pin_index(store->root, name);
    if (index == store->root->pin_count) {
        return ERROR_NOT_FOUND;
    }
    out->number = store->root->pins[index].record.generation;
    return OK;
}

enum error store_rules_set(struct store *store, const struct store_rules *rules)
{
    if (store->read_only || store->is_waiting) {
        return ERROR_READ_ONLY;
    }
    if (!store_rules_are_valid(rules)) {
        return ERROR_RANGE;
    }
    mutex_lock(&store->commit_lock, LOCK_COMMIT);
    struct disk_root *root;
    enum error error = root_copy(store, &root);
    if (error == OK) {
        store_rules_note(root, rules);
        error = root_replace(store, root);
        store_page_free(root);
    }
    if (error == OK) {
        store->tuning.history = rules->newest == 0 ? HISTORY_MAX : rules->newest;
    }
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    return error;
}

const struct disk_record_ref *store_kept_at(const struct store *store, uint32_t index)
{
    const struct disk_root *root = store->root;
    if (index < root->window_count) {
        return &root->window[index];
    }
    index -= root->window_count;
    if (index < root->pin_count) {
        return &root->pins[index].record;
    }
    index -= root->pin_count;
    return store->ladder != NULL && index < store->ladder->count ? &store->ladder->rungs[index] : NULL;
}

const struct disk_record_ref *store_kept_find(const struct store *store, uint64_t generation)
{
    const struct disk_record_ref *ref;
    for (uint32_t i = 0; (ref = store_kept_at(store, i)) != NULL; i++) {
        if (ref->generation == generation) {
            return ref;
        }
    }
    return NULL;
}

/* The newest kept generation that is older than `before`. */
static const struct disk_record_ref *kept_before(const struct store *store, uint64_t before)
{
    const struct disk_record_ref *best = NULL, *ref;
    for (uint32_t i = 0; (ref = store_kept_at(store, i)) != NULL; i++) {
        if (ref->generation < before && (best == NULL || ref->generation > best->generation)) {
            best = ref;
        }
    }
    return best;
}

enum error store_kept_before(struct store *store, struct generation before, struct store_kept *out)
{
    thread_may_sleep();
    const struct disk_record_ref *found = kept_before(store, before.number == 0 ? UINT64_MAX : before.number);
    if (found == NULL) {
        return ERROR_NOT_FOUND;
    }
    const struct disk_record_ref ref = *found; /* a commit replaces the root that it stands in */
    *out = (struct store_kept){.generation = {ref.generation}, .wall_time_ns = ref.wall_time_ns};
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    const struct disk_head *head = page;
    out->record = store_record_read_head(store, NULL, &ref, page);
    if (out->record == OK) {
        out->stop_ns = head->stop_ns;
        out->pages = head->pages_live;
        out->pages_changed = head->pages_changed;
        out->blocks_written = head->blocks_written;
    }
    store_page_free(page);
    return OK;
}
