/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image that lies are told in: who vouches for whom.
 *
 * A walk over the whole image, from both roots, notes for each block the places of the checksums that prove it. It is
 * made once, while all is true. To mend is to go through the blocks in an order in which those that are vouched for
 * come first, and to write each changed block's checksum where it belongs, which changes other blocks, up to the roots.
 */
#include "lie.h"
#include "store.h"
#include "store_checksum.h"
#include "store_node.h"
#include "store_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_PAGES (1u << 20)

static _Noreturn void give_up(const struct lie_image *image, const char *why)
{
    fprintf(stderr, "lie_tool: %s: %s\n", image->path, why);
    exit(2);
}

uint8_t *lie_block(const struct lie_image *image, uint32_t block)
{
    return image->bytes + (size_t)block * PAGE_SIZE;
}

static bool in_range(const struct lie_image *image, uint32_t block)
{
    return block >= DISK_RESERVED && block < image->block_count;
}

static uint64_t checksum_of(const struct lie_image *image, const struct lie_reference *reference)
{
    const uint8_t *content = lie_block(image, reference->target);
    bool is_page = reference->form == FORM_PUT || reference->form == FORM_ENTRY;

    return is_page ? store_checksum_page(image->space_id, reference->page, reference->written, content)
                   : store_checksum_block(image->space_id, reference->target, reference->written, content);
}

/* References ------------------------------------------------------------------------------------------------------- */

/* What the bytes of a structure that vouches say. */
static struct lie_reference reference_read(const struct lie_image *image, uint32_t holder, uint32_t start,
                                           enum lie_form form, uint32_t run)
{
    static const uint16_t sizes[] = {
        [FORM_RECORD] = sizeof(struct disk_record_ref), [FORM_BODY] = 24,
        [FORM_TREE] = sizeof(struct disk_tree_ref),     [FORM_CHILD] = sizeof(struct disk_map_entry),
        [FORM_PUT] = sizeof(struct disk_put),           [FORM_ENTRY] = sizeof(struct disk_map_entry),
        [FORM_CHUNK] = sizeof(struct disk_map_entry),   [FORM_LADDER] = sizeof(struct disk_ladder_ref)};
    static const uint16_t checksums[] = {[FORM_RECORD] = offsetof(struct disk_record_ref, checksum),
                                         [FORM_BODY] = offsetof(struct disk_head, next_checksum) -
                                                       offsetof(struct disk_head, generation),
                                         [FORM_TREE] = offsetof(struct disk_tree_ref, checksum),
                                         [FORM_CHILD] = offsetof(struct disk_map_entry, checksum),
                                         [FORM_PUT] = offsetof(struct disk_put, checksum),
                                         [FORM_ENTRY] = offsetof(struct disk_map_entry, checksum),
                                         [FORM_CHUNK] = offsetof(struct disk_map_entry, checksum),
                                         [FORM_LADDER] = offsetof(struct disk_ladder_ref, checksum)};
    struct lie_reference found = {.holder = holder,
                                  .start = (uint16_t)start,
                                  .bytes = sizes[form],
                                  .offset = (uint16_t)(start + checksums[form]),
                                  .run = (uint16_t)run,
                                  .form = (uint8_t)form};
    const uint8_t *at = lie_block(image, holder) + start;
    const struct disk_record_ref *record = (const void *)at;
    const struct disk_map_entry *entry = (const void *)at;
    const struct disk_put *put = (const void *)at;
    const struct disk_head *head = (const void *)lie_block(image, holder);

    if (form == FORM_RECORD) {
        found.target = record->block;
        found.written = record->generation;
    } else if (form == FORM_BODY) { /* from `generation` on, where head and body are alike */
        found.target = head->next_block;
        found.written = head->generation;
    } else if (form == FORM_TREE) {
        found.target = ((const struct disk_tree_ref *)(const void *)at)->block;
        found.written = store_link_generation(((const struct disk_tree_ref *)(const void *)at)->when);
    } else if (form == FORM_LADDER) {
        found.target = ((const struct disk_ladder_ref *)(const void *)at)->block;
        found.written = ((const struct disk_ladder_ref *)(const void *)at)->generation;
    } else if (form == FORM_PUT) {
        found.target = put->block;
        found.page = store_item_key((const void *)(lie_block(image, holder) + run), put);
        found.written = head->generation;
    } else {
        found.target = entry->block;
        found.page = entry->key;
        found.written = form == FORM_ENTRY   ? (entry->when & DISK_GENERATION_MAX) - (entry->when >> DISK_WHEN_BITS)
                        : form == FORM_CHILD ? store_link_generation(entry->when)
                                             : entry->when;
    }
    return found;
}

static uint64_t checksum_noted(const struct lie_image *image, const struct lie_reference *reference)
{
    uint64_t noted;
    memcpy(&noted, lie_block(image, reference->holder) + reference->offset, sizeof(noted));
    return noted;
}

/* Note a reference, if it is true: those to what is not kept any more are not. */
static bool note(struct lie_image *image, const struct lie_reference *reference)
{
    if (!in_range(image, reference->target) || checksum_of(image, reference) != checksum_noted(image, reference)) {
        return false;
    }
    if (image->reference_count == image->reference_room) {
        image->reference_room *= 2;
        image->references = realloc(image->references, image->reference_room * sizeof(*image->references));
    }
    struct lie_reference *place = &image->references[image->reference_count];
    *place = *reference;
    place->next = image->blocks[reference->target].references;
    image->blocks[reference->target].references = image->reference_count++;
    return true;
}

static bool begin(struct lie_image *image, uint32_t block, enum lie_kind kind, uint32_t copy)
{
    struct lie_block *known = &image->blocks[block];
    if (known->is_known) {
        return false;
    }
    known->is_known = true;
    known->kind = (uint8_t)kind;
    known->copy = in_range(image, copy) ? copy : 0;
    return true;
}

static void finish(struct lie_image *image, uint32_t block)
{
    image->order[image->order_count++] = block;
}

/* The walk --------------------------------------------------------------------------------------------------------- */

static void walk_leaf_entry(struct lie_image *image, uint32_t holder, uint32_t start, enum lie_form form, uint32_t run)
{
    struct lie_reference found = reference_read(image, holder, start, form, run);
    if (note(image, &found) && begin(image, found.target, form == FORM_CHUNK ? LIE_CHUNK : LIE_CONTENT, 0)) {
        finish(image, found.target);
    }
}

static void walk_node(struct lie_image *image, uint32_t block, uint32_t copy, bool is_space_tree)
{
    if (!begin(image, block, LIE_NODE, copy)) {
        return;
    }
    image->blocks[block].is_space_tree = is_space_tree;
    const struct disk_node *node = (const void *)lie_block(image, block);
    for (uint32_t i = 0; i < node->count; i++) {
        uint32_t start = (uint32_t)offsetof(struct disk_node, entries) + i * (uint32_t)sizeof(node->entries[0]);
        if (node->level == 0) {
            walk_leaf_entry(image, block, start, is_space_tree ? FORM_CHUNK : FORM_ENTRY, 0);
            continue;
        }
        struct lie_reference child = reference_read(image, block, start, FORM_CHILD, 0);
        if (note(image, &child)) {
            walk_node(image, child.target, store_link_copy(child.target, node->entries[i].when), is_space_tree);
        }
    }
    finish(image, block);
}

static void walk_tree(struct lie_image *image, uint32_t holder, uint32_t start, bool is_space_tree)
{
    struct lie_reference found = reference_read(image, holder, start, FORM_TREE, 0);
    const struct disk_tree_ref *tree = (const void *)(lie_block(image, holder) + start);
    if (note(image, &found)) {
        walk_node(image, found.target, store_link_copy(found.target, tree->when), is_space_tree);
    }
}

static void walk_record(struct lie_image *image, uint32_t holder, uint32_t start);

static void walk_items(struct lie_image *image, uint32_t block, uint32_t at, uint32_t bytes)
{
    uint32_t end = at + bytes;
    while (at + sizeof(struct disk_run) <= end) {
        struct disk_run run;
        uint32_t start = at;
        memcpy(&run, lie_block(image, block) + at, sizeof(run));
        at += (uint32_t)sizeof(run);
        for (uint32_t i = 0; i < run.count; i++, at += lie_items[run.type].bytes) {
            if (run.type == DISK_ITEM_PUT) {
                walk_leaf_entry(image, block, at, FORM_PUT, start);
            } else if (run.type == DISK_ITEM_PUT_STAMPED) {
                walk_leaf_entry(image, block, at, FORM_ENTRY, 0);
            } else if (run.type == DISK_ITEM_DEAD_RECORD) {
                walk_record(image, block, at);
            }
        }
    }
}

static void walk_bodies(struct lie_image *image, uint32_t holder)
{
    struct lie_reference found =
        reference_read(image, holder, (uint32_t)offsetof(struct disk_head, generation), FORM_BODY, 0);
    const struct disk_head *head = (const void *)lie_block(image, holder);
    if (note(image, &found) && begin(image, found.target, LIE_BODY, head->next_copy)) {
        const struct disk_body *body = (const void *)lie_block(image, found.target);
        walk_bodies(image, found.target);
        walk_items(image, found.target, (uint32_t)offsetof(struct disk_body, bytes), body->item_bytes);
        finish(image, found.target);
    }
}

static void walk_record(struct lie_image *image, uint32_t holder, uint32_t start)
{
    struct lie_reference found = reference_read(image, holder, start, FORM_RECORD, 0);
    const struct disk_record_ref *ref = (const void *)(lie_block(image, holder) + start);
    if (!note(image, &found) || !begin(image, found.target, LIE_HEAD, ref->copy)) {
        return;
    }
    uint32_t block = found.target;
    const struct disk_head *head = (const void *)lie_block(image, block);
    walk_record(image, block, (uint32_t)offsetof(struct disk_head, predecessor));
    walk_tree(image, block, (uint32_t)offsetof(struct disk_head, page_tree), false);
    walk_tree(image, block, (uint32_t)offsetof(struct disk_head, space_tree), true);
    walk_bodies(image, block);
    uint32_t items = (uint32_t)offsetof(struct disk_head, bytes) + ((head->system_bytes + 7) & ~7u);
    walk_items(image, block, items, head->item_bytes);
    finish(image, block);
}

static void walk_ladder(struct lie_image *image, uint32_t holder)
{
    const struct disk_root *root = (const void *)lie_block(image, holder);
    uint32_t copy = root->ladder.copy;
    struct lie_reference found =
        reference_read(image, holder, (uint32_t)offsetof(struct disk_root, ladder), FORM_LADDER, 0);
    if (!note(image, &found) || !begin(image, found.target, LIE_LADDER, copy)) {
        return;
    }
    const struct disk_ladder *ladder = (const void *)lie_block(image, found.target);
    for (uint32_t i = 0; i < ladder->count; i++) {
        walk_record(image, found.target,
                    (uint32_t)(offsetof(struct disk_ladder, rungs) + i * sizeof(ladder->rungs[0])));
    }
    finish(image, found.target);
}

static void walk_root(struct lie_image *image, uint32_t block)
{
    const struct disk_root *root = (const void *)lie_block(image, block);
    if (root->magic != DISK_ROOT_MAGIC || !begin(image, block, LIE_ROOT, 0)) {
        return;
    }
    for (uint32_t i = 0; i < root->window_count; i++) {
        walk_record(image, block, (uint32_t)(offsetof(struct disk_root, window) + i * sizeof(root->window[0])));
    }
    for (uint32_t i = 0; i < root->pin_count; i++) {
        walk_record(image, block, (uint32_t)(offsetof(struct disk_root, pins) + i * sizeof(root->pins[0])));
    }
    walk_ladder(image, block);
    finish(image, block);
}

static void walk(struct lie_image *image)
{
    for (uint32_t i = 0; i < DISK_ROOTS; i++) {
        walk_root(image, DISK_ROOT_BLOCK + i);
    }
    image->blocks[DISK_LABEL_BLOCK] = (struct lie_block){.is_known = true, .kind = LIE_LABEL};
    finish(image, DISK_LABEL_BLOCK);
}

/* The newest generation, as the store reads it --------------------------------------------------------------------- */

static void read_pages(struct lie_image *image, struct store *store)
{
    struct page_key at = page_key_make((struct object_id){SPACE_SYSTEM.number}, 0), page;
    struct store_entry entry;

    while (store_next(store, at, &page, &entry) == OK && page_key_object(page).number == SPACE_SYSTEM.number) {
        image->record_pages[page_key_index(page)] = entry.block.number;
        at.number = page.number + 1;
    }
}

static void read_names(struct lie_image *image, struct store *store)
{
    struct store_kept kept = {0};
    struct generation pinned;
    for (uint32_t i = 0; i < 2 && store_kept_before(store, kept.generation, &kept) == OK; i++) {
        image->generations[i] = kept.generation.number;
    }
    if (store_pin_at(store, 0, &pinned, image->pin) != OK) {
        give_up(image, "it has no pinned generation");
    }
}

static void read_newest(struct lie_image *image)
{
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    struct file_disk *disk = lie_disk_use(image);

    if (store_open(&disk->device, &options, &store, &report) != OK) {
        give_up(image, report.reason);
    }
    read_pages(image, store);
    read_names(image, store);
    if (store_close(store) != OK) {
        give_up(image, "it cannot be closed");
    }
}

void lie_image_open(struct lie_image *image, const char *path)
{
    struct stat status;
    *image = (struct lie_image){.path = path, .reference_count = 1, .reference_room = 4096};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        give_up(image, strerror(errno));
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED) {
        give_up(image, strerror(errno));
    }
    close(file);
    image->bytes = bytes;
    image->block_count = (uint32_t)(status.st_size / PAGE_SIZE);
    memcpy(image->space_id, ((const struct disk_label *)bytes)->space_id, sizeof(image->space_id));
    image->blocks = calloc(image->block_count, sizeof(*image->blocks));
    image->order = calloc(image->block_count, sizeof(*image->order));
    image->references = calloc(image->reference_room, sizeof(*image->references));
    image->record_pages = calloc(SYSTEM_PAGES, sizeof(*image->record_pages));
    walk(image);
    read_newest(image);
}

uint32_t lie_record_block(const struct lie_image *image, uint32_t address)
{
    return image->record_pages[address >> PAGE_SHIFT];
}

uint8_t *lie_record_byte(const struct lie_image *image, uint32_t address)
{
    uint32_t block = lie_record_block(image, address);
    return block == 0 ? NULL : lie_block(image, block) + (address & PAGE_MASK);
}

/* Mending ---------------------------------------------------------------------------------------------------------- */

static void write_checksum(struct lie_image *image, uint32_t holder, uint32_t offset, uint64_t checksum)
{
    memcpy(lie_block(image, holder) + offset, &checksum, sizeof(checksum));
    image->blocks[holder].is_changed = true;
}

static void mend_block(struct lie_image *image, uint32_t block)
{
    struct lie_block *known = &image->blocks[block];
    if (known->kind == LIE_LABEL || known->kind == LIE_ROOT) {
        struct disk_root *root = (void *)lie_block(image, block); /* a label's checksum is in the same place */
        root->checksum = store_checksum_self(block, root);
    }
    if (known->kind == LIE_LABEL) {
        struct disk_label *copy = (void *)lie_block(image, DISK_LABEL_COPY);
        *copy = *(const struct disk_label *)(const void *)lie_block(image, block);
        copy->checksum = store_checksum_self(DISK_LABEL_COPY, copy);
    }
    if (known->copy != 0) {
        memcpy(lie_block(image, known->copy), lie_block(image, block), PAGE_SIZE);
    }
    for (uint32_t i = known->references; i != 0; i = image->references[i].next) {
        const struct lie_reference *reference = &image->references[i];
        write_checksum(image, reference->holder, reference->offset, checksum_of(image, reference));
    }
    known->is_changed = false;
}

static void mend_note(struct lie_image *image)
{
    struct disk_label *label = (void *)lie_block(image, DISK_LABEL_COPY);
    struct disk_note *note = (void *)(lie_block(image, DISK_LABEL_COPY) + DISK_NOTE_OFFSET);
    note->checksum = store_checksum_note(image->space_id, note->generation, note);
    label->checksum = store_checksum_self(DISK_LABEL_COPY, label);
}

void lie_mend(struct lie_image *image, uint32_t block)
{
    if (block == DISK_LABEL_COPY) {
        mend_note(image);
        return;
    }
    image->blocks[block].is_changed = true;
    for (uint32_t i = 0; i < image->order_count; i++) {
        if (image->blocks[image->order[i]].is_changed) {
            mend_block(image, image->order[i]);
        }
    }
}

static bool touches(uint32_t offset, uint32_t length, uint32_t start, uint32_t bytes)
{
    return offset + length > start && offset < start + bytes;
}

/* Whether what vouches speaks of something else when these bytes change; its checksum is not meant. */
static bool is_moved(const struct lie_reference *reference, uint32_t offset, uint32_t length)
{
    bool is_run = reference->form == FORM_PUT && touches(offset, length, reference->run, sizeof(struct disk_run));
    return is_run || (touches(offset, length, reference->start, reference->bytes) &&
                      !touches(offset, length, reference->offset, sizeof(uint64_t)));
}

void lie_vouch(struct lie_image *image, uint32_t block, uint32_t offset, uint32_t length)
{
    for (uint32_t i = 1; i < image->reference_count; i++) {
        struct lie_reference *old = &image->references[i];
        if (old->holder != block || !is_moved(old, offset, length)) {
            continue;
        }
        struct lie_reference now = reference_read(image, block, old->start, (enum lie_form)old->form, old->run);
        if (in_range(image, now.target) && now.target != block) {
            uint64_t checksum = checksum_of(image, &now);
            memcpy(lie_block(image, block) + now.offset, &checksum, sizeof(checksum));
        }
    }
}
