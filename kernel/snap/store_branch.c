/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of a branch: the blocks before the first that is ever allocated, for an image that shares all others with
 * the one it branches off.
 *
 * What a pinned generation needs is not overwritten while it is pinned, but labels and roots are: so a branch has those
 * of its own. Its root names that generation alone, and says that the free-space map is to be made anew: of the
 * branch's own blocks all others are free.
 */
#include "store_checksum.h"
#include "store_internal.h"

#include <string.h>

_Static_assert(STORE_HEAD_BLOCKS == DISK_RESERVED, "what is never allocated");

/* The label that proves itself goes into both places; without the note of a panic, which is the other image's. */
static enum error label_take(struct store *store, uint8_t *head)
{
    static const uint32_t places[] = {DISK_LABEL_BLOCK, DISK_LABEL_COPY};
    struct disk_label *label = NULL;

    for (uint32_t i = 0; i < 2 && label == NULL; i++) {
        struct disk_label *found = (struct disk_label *)(void *)(head + places[i] * DISK_BLOCK_BYTES);
        label = store_label_judge(found, places[i]) == OK ? found : NULL;
    }
    if (label == NULL) {
        return ERROR_FORMAT_FOREIGN;
    }
    memset(label->zero, 0, sizeof(label->zero));
    store->block_count = label->block_count;
    memcpy(store->space_id, label->space_id, sizeof(store->space_id));
    for (uint32_t i = 0; i < 2; i++) {
        struct disk_label *copy = (struct disk_label *)(void *)(head + places[i] * DISK_BLOCK_BYTES);
        memmove(copy, label, sizeof(*copy));
        copy->checksum = store_checksum_self(places[i], copy);
    }
    return OK;
}

/* The newest root that proves itself: one may be half written just now. */
static const struct disk_root *root_find(const struct store *store, const uint8_t *head)
{
    const struct disk_root *newest = NULL;

    for (uint32_t i = 0; i < DISK_ROOTS; i++) {
        const void *block = head + (DISK_ROOT_BLOCK + i) * DISK_BLOCK_BYTES;
        const struct disk_root *root = block;
        bool is_root = store_root_judge(store, root, DISK_ROOT_BLOCK + i) == OK;
        newest = is_root && (newest == NULL || root->sequence > newest->sequence) ? root : newest;
    }
    return newest;
}

/* It becomes both roots, and names one generation. */
static void roots_make(uint8_t *head, const struct disk_root *root, const struct disk_record_ref *ref,
                       struct disk_root *made)
{
    *made = *root;
    memset(made->window, 0, sizeof(made->window));
    memset(made->pins, 0, sizeof(made->pins));
    made->window[0] = *ref;
    made->window_count = 1;
    made->pin_count = 0;
    made->user = 0;
    made->branch_after = made->branch_until = 0;
    made->ladder = (struct disk_ladder_ref){0};
    made->ladder_blocks = 0;
    made->flags = DISK_ROOT_REBUILD;
    for (uint32_t i = 0; i < DISK_ROOTS; i++) {
        uint32_t slot = DISK_ROOT_BLOCK + (uint32_t)(made->sequence % DISK_ROOTS);
        made->checksum = store_checksum_self(slot, made);
        memcpy(head + slot * DISK_BLOCK_BYTES, made, sizeof(*made));
        made->sequence--;
    }
}

static enum error head_make(struct store *store, uint8_t *head, const char *name, struct disk_root *made)
{
    struct disk_record_ref ref;
    enum error error = label_take(store, head);
    if (error != OK) {
        return error;
    }
    const struct disk_root *root = root_find(store, head);
    if (root == NULL) {
        return ERROR_FORMAT_DAMAGED;
    }
    store->root = (struct disk_root *)(uintptr_t)root;
    struct generation generation;
    error = store_pin_find(store, name, &generation);
    if (error == OK) {
        ref = *store_kept_find(store, generation.number);
        roots_make(head, root, &ref, made);
    }
    return error;
}

enum error store_branch_head(void *head, const char *name)
{
    void *state, *root;
    enum error error = store_page_new(&state);
    if (error != OK) {
        return error;
    }
    error = store_page_new(&root);
    if (error == OK) {
        error = head_make(state, head, name, root);
        store_page_free(root);
    }
    store_page_free(state);
    return error;
}
