/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The label, which says what the image is, and the two roots, which say what state it is in.
 *
 * Root n goes to slot n % 2, so a torn write of a root leaves the one before it. Each root carries the whole catalogue:
 * the kept generations, the pinned ones, who uses the image. Before a root is written the two slots are read again: a
 * root that this store neither wrote nor found there means that somebody else uses the image.
 */
#include "log.h"
#include "store_checksum.h"
#include "store_rules.h"
#include "store_suspect.h"
#include "zero.h"

#include <stdarg.h>
#include <string.h>

#define ROOT_TRIES 2u

void store_report_say(struct store_report *report, const char *format, ...)
{
    size_t length = strlen(report->reason);
    if (length > 0 && length + 2 < sizeof(report->reason)) {
        memcpy(report->reason + length, "; ", 3);
        length += 2;
    }
    va_list arguments;
    va_start(arguments, format);
    kernel_vsnprintf(report->reason + length, sizeof(report->reason) - length, format, arguments);
    va_end(arguments);
}

enum error store_label_write(struct block_device *device, const struct store_format_options *options)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_label *label = page;
    label->magic = DISK_LABEL_MAGIC;
    label->version = DISK_VERSION;
    label->block_bytes = DISK_BLOCK_BYTES;
    label->block_count = device->block_count;
    label->space_id[0] = options->space_id[0];
    label->space_id[1] = options->space_id[1];
    label->created_ns = options->wall_time_ns;
    kernel_snprintf(label->text, sizeof(label->text), "\nEidolon object space, format %u\n", DISK_VERSION);
    const uint32_t places[] = {DISK_LABEL_COPY, DISK_LABEL_BLOCK};
    for (uint32_t i = 0; i < 2 && error == OK; i++) {
        label->checksum = store_checksum_self(places[i], label);
        error = block_write(device, (struct block){places[i]}, label);
    }
    store_page_free(page);
    return error;
}

/* What a block that should hold a label holds. */
enum error store_label_judge(const struct disk_label *label, uint32_t block)
{
    if (label->magic != DISK_LABEL_MAGIC) {
        return ERROR_FORMAT_FOREIGN;
    }
    if (label->checksum != store_checksum_self(block, label)) {
        return ERROR_FORMAT_DAMAGED;
    }
    if (label->version != DISK_VERSION || label->block_bytes != DISK_BLOCK_BYTES) {
        return ERROR_FORMAT_VERSION;
    }
    bool sound = label->block_count >= STORE_BLOCKS_MIN && label->block_count <= STORE_BLOCKS_MAX;
    return sound ? OK : ERROR_FORMAT_DAMAGED;
}

static enum error label_find(struct block_device *device, struct disk_label *label, struct store_report *report)
{
    enum error error = block_read(device, (struct block){DISK_LABEL_BLOCK}, label);
    if (error == OK) {
        error = store_label_judge(label, DISK_LABEL_BLOCK);
    }
    if (error == OK || error == ERROR_FORMAT_VERSION) {
        return error;
    }
    enum error second = block_read(device, (struct block){DISK_LABEL_COPY}, label);
    second = second != OK ? second : store_label_judge(label, DISK_LABEL_COPY);
    if (second == OK || second == ERROR_FORMAT_VERSION) {
        store_report_say(report, "label: %s, its copy is used", error_text(error));
        return second;
    }
    return error;
}

enum error store_label_read(struct store *store, struct store_report *report)
{
    if (store->device->block_count < DISK_RESERVED) {
        return ERROR_FORMAT_FOREIGN;
    }
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_label *label = page;
    error = label_find(store->device, label, report);
    if (error == ERROR_FORMAT_VERSION) {
        store_report_say(report, "format %u; this version reads format %u", label->version, DISK_VERSION);
    }
    if (error == OK && label->block_count > store->device->block_count) {
        store_report_say(report, "the image has %u blocks, the device %u", label->block_count,
                         store->device->block_count);
        error = ERROR_TOO_SMALL;
    }
    if (error == OK) {
        store->block_count = label->block_count;
        store->created_ns = label->created_ns;
        memcpy(store->space_id, label->space_id, sizeof(store->space_id));
    }
    store_page_free(page);
    return error;
}

static uint32_t root_slot(uint64_t sequence)
{
    return DISK_ROOT_BLOCK + (uint32_t)(sequence % DISK_ROOTS);
}

enum error store_root_write_first(struct block_device *device, const struct store_format_options *options)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_root *root = page;
    root->magic = DISK_ROOT_MAGIC;
    root->version = DISK_VERSION;
    root->flags = DISK_ROOT_CLEAN;
    memcpy(root->space_id, options->space_id, sizeof(root->space_id));
    store_rules_note(root, &options->rules);
    for (root->sequence = 1; root->sequence <= 2 && error == OK; root->sequence++) {
        root->checksum = store_checksum_self(root_slot(root->sequence), root);
        error = block_write(device, (struct block){root_slot(root->sequence)}, root);
    }
    store_page_free(page);
    return error;
}

bool store_ref_is_sound(const struct store *store, const struct disk_record_ref *ref)
{
    return ref->block >= DISK_RESERVED && ref->block < store->block_count && ref->generation != 0 &&
           ref->generation <= DISK_GENERATION_MAX;
}

/* A count that is too small hides what is kept. */
static bool unused_are_zero(const struct disk_root *root)
{
    uint32_t windows = DISK_WINDOW_MAX - root->window_count, pins = DISK_PINS_MAX - root->pin_count;
    return memory_is_zero(&root->window[root->window_count], windows * (uint32_t)sizeof(root->window[0])) &&
           memory_is_zero(&root->pins[root->pin_count], pins * (uint32_t)sizeof(root->pins[0]));
}

/* What a root says of the ladder; without the feature it says nothing. */
static bool ladder_is_sound(const struct store *store, const struct disk_root *root)
{
    const struct disk_rules *rules = &root->rules;
    struct store_rules wanted = {rules->newest, rules->minutes, rules->hours, rules->days, rules->percent};
    return (root->write_features & DISK_FEATURE_LADDER) == 0 ||
           (store_rules_are_valid(&wanted) && root->ladder_blocks <= store->block_count);
}

enum error store_root_judge(const struct store *store, const struct disk_root *root, uint32_t block)
{
    if (root->magic != DISK_ROOT_MAGIC) {
        return ERROR_FORMAT_FOREIGN;
    }
    if (root->checksum != store_checksum_self(block, root)) {
        return ERROR_CHECKSUM;
    }
    if (root->version != DISK_VERSION || (root->read_features & ~DISK_READ_FEATURES) != 0) {
        return ERROR_FORMAT_VERSION;
    }
    bool sound = memcmp(root->space_id, store->space_id, sizeof(root->space_id)) == 0 &&
                 root_slot(root->sequence) == block && root->sequence <= DISK_SEQUENCE_MAX &&
                 root->window_count <= DISK_WINDOW_MAX && root->pin_count <= DISK_PINS_MAX && unused_are_zero(root);
    for (uint32_t i = 0; sound && i < root->window_count; i++) {
        sound = store_ref_is_sound(store, &root->window[i]) &&
                (i == 0 || root->window[i].generation < root->window[i - 1].generation);
    }
    sound = sound && ladder_is_sound(store, root);
    for (uint32_t i = 0; sound && i < root->pin_count; i++) {
        sound = store_ref_is_sound(store, &root->pins[i].record) && root->pins[i].name[DISK_NAME_BYTES - 1] == 0;
    }
    return sound ? OK : ERROR_FORMAT_DAMAGED;
}

static enum error root_load(struct store *store, uint32_t slot, struct disk_root *root)
{
    enum error error = block_read(store->device, (struct block){slot}, root);
    return error == OK ? store_root_judge(store, root, slot) : error;
}

/* Whether a root is what somebody wrote, if not for this version. */
static bool is_whole(enum error judgement)
{
    return judgement == OK || judgement == ERROR_FORMAT_VERSION;
}

enum error store_root_read(struct store *store, struct store_report *report)
{
    void *pages[DISK_ROOTS] = {NULL, NULL};
    enum error errors[DISK_ROOTS] = {ERROR_NO_MEMORY, ERROR_NO_MEMORY};
    for (uint32_t i = 0; i < DISK_ROOTS; i++) {
        enum error error = store_page_new(&pages[i]);
        if (error != OK) {
            store_page_free(pages[0]);
            return error;
        }
        errors[i] = root_load(store, DISK_ROOT_BLOCK + i, pages[i]);
        if (errors[i] == ERROR_FORMAT_VERSION) {
            const struct disk_root *root = pages[i];
            store_report_say(report,
                             "root in block %u: format %u with features %x; this version reads format %u with %x",
                             DISK_ROOT_BLOCK + i, root->version, root->read_features, DISK_VERSION, DISK_READ_FEATURES);
        } else if (errors[i] != OK) {
            store_report_say(report, "root in block %u: %s", DISK_ROOT_BLOCK + i, error_text(errors[i]));
            report->read_failed = report->read_failed || errors[i] == ERROR_IO;
        }
    }
    const struct disk_root *first = pages[0], *second = pages[1];
    uint32_t newest = !is_whole(errors[0]) || (is_whole(errors[1]) && second->sequence > first->sequence) ? 1 : 0;
    store_page_free(pages[1 - newest]);
    if (errors[newest] != OK) { /* the older one is not taken for one that this version does not know */
        store_page_free(pages[newest]);
        return errors[newest] == ERROR_FORMAT_VERSION ? ERROR_FORMAT_VERSION : ERROR_FORMAT_DAMAGED;
    }
    report->fell_back = errors[1 - newest] != OK;
    store->root = pages[newest];
    if ((store->root->write_features & DISK_FEATURE_LADDER) == 0) {
        store->root->ladder = (struct disk_ladder_ref){0};
        store->root->rules = (struct disk_rules){0};
        store->root->ladder_blocks = 0;
    }
    return OK;
}

/* What the roots on the disk say about who uses the image (STORE-4). */
static enum error roots_compare(const struct store *store, void *const pages[DISK_ROOTS])
{
    bool ours = false;
    for (uint32_t i = 0; i < DISK_ROOTS; i++) {
        const struct disk_root *root = pages[i];
        if (store_root_judge(store, root, DISK_ROOT_BLOCK + i) != OK) {
            continue;
        }
        ours = ours || root->checksum == store->root->checksum;
        if (root->sequence > store->root->sequence) {
            return ERROR_IN_USE;
        }
    }
    return ours ? OK : ERROR_IN_USE;
}

enum error store_root_confirm(struct store *store)
{
    void *pages[DISK_ROOTS] = {NULL, NULL};
    enum error error = store_page_new(&pages[0]);
    if (error == OK) {
        error = store_page_new(&pages[1]);
    }
    if (error == OK) {
        struct block_request request = {
            .operation = BLOCK_READ, .count = DISK_ROOTS, .first = {DISK_ROOT_BLOCK}, .pages = pages};
        block_submit(store->device, &request);
        error = block_wait(store->device, &request);
    }
    if (error == OK) {
        error = roots_compare(store, pages);
    }
    store_page_free(pages[0]);
    store_page_free(pages[1]);
    store->is_confirmed = error == OK;
    return error;
}

/* Write a root until it has got through with no request failing beside it: what it leads to is durable already. */
static enum error root_write_through(struct store *store, struct disk_root *root)
{
    enum error error = ERROR_IO;
    for (uint32_t i = 0; i < ROOT_TRIES && error == ERROR_IO; i++) {
        store_write_begin(store);
        error = block_write(store->device, (struct block){root_slot(root->sequence)}, root); /* this write commits */
        if (error == OK) {
            error = store_flush(store);
        }
    }
    return error;
}

enum error store_root_commit(struct store *store, const struct disk_root *root)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_root *next = page;
    *next = *root;
    next->sequence = store->root->sequence + 1;
    next->checksum = store_checksum_self(root_slot(next->sequence), next);
    error = root_write_through(store, next);
    store->in_doubt = error != OK;
    if (error == OK) {
        store_unread_forget(store);
        store_page_free(store->root);
        store->root = next;
    } else {
        store_page_free(next);
    }
    return error;
}

enum error store_root_resolve(struct store *store)
{
    return store->in_doubt ? store_root_commit(store, store->root) : OK;
}
