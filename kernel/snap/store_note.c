/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The note of the last panic, in the second label's zeroes: read, written, and filled in by a kernel that panics.
 *
 * The block keeps being a whole label with a note in it, so that every reader of the format may go on using it as one.
 * It is only written while the first label proves itself, because a write can be torn (NOTE-1).
 */
#include "store_note.h"
#include "atomic.h"
#include "disk_format.h"
#include "store_checksum.h"
#include "store_internal.h"
#include "store_suspect.h"

#include <string.h>

_Static_assert(STORE_NOTE_NAME_BYTES == sizeof(((struct disk_note *)0)->name) &&
                   STORE_NOTE_TEXT_BYTES == sizeof(((struct disk_note *)0)->text),
               "a note holds what the disk's note has room for");

static struct disk_note *note_in(void *block)
{
    return (struct disk_note *)((uint8_t *)block + DISK_NOTE_OFFSET);
}

struct block store_note_place(void)
{
    return (struct block){DISK_LABEL_COPY};
}

/* NOTE-2 */
static bool is_whole(const struct store *store, const struct disk_note *note)
{
    return note->magic == DISK_NOTE_MAGIC &&
           note->checksum == store_checksum_note(store->space_id, note->generation, note) &&
           note->name[sizeof(note->name) - 1] == 0 && note->text[sizeof(note->text) - 1] == 0;
}

static void note_take(const struct disk_note *from, struct store_note *out)
{
    *out = (struct store_note){
        .settled = (from->flags & DISK_NOTE_SETTLED) != 0,
        .panics = from->panics,
        .generation = {from->generation},
        .resumed = {from->resumed},
        .wall_time_ns = from->wall_time_ns,
        .boot_ns = from->boot_ns,
        .boots = from->boots,
        .program = from->program,
        .parent = from->parent,
    };
    memcpy(out->name, from->name, sizeof(out->name));
    memcpy(out->text, from->text, sizeof(out->text));
}

static void note_put(struct disk_label *label, const struct store_note *from)
{
    struct disk_note *note = note_in(label);
    memset(note, 0, sizeof(*note));
    note->magic = DISK_NOTE_MAGIC;
    note->flags = from->settled ? DISK_NOTE_SETTLED : 0;
    note->panics = from->panics;
    note->generation = from->generation.number;
    note->resumed = from->resumed.number;
    note->wall_time_ns = from->wall_time_ns;
    note->boot_ns = from->boot_ns;
    note->boots = from->boots;
    note->program = from->program;
    note->parent = from->parent;
    memcpy(note->name, from->name, strnlen(from->name, sizeof(note->name) - 1));
    memcpy(note->text, from->text, strnlen(from->text, sizeof(note->text) - 1));
    note->checksum = store_checksum_note(label->space_id, note->generation, note);
}

enum error store_note_fill(void *block, const struct store_note *note)
{
    DOES_NOT_SLEEP();
    struct disk_label *label = block;
    if (store_label_judge(label, DISK_LABEL_COPY) != OK) {
        return ERROR_FORMAT_DAMAGED;
    }
    note_put(label, note);
    label->checksum = store_checksum_self(DISK_LABEL_COPY, label);
    return OK;
}

enum error store_note_read(struct store *store, struct store_note *out)
{
    thread_may_sleep();
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    error = block_read(store->device, store_note_place(), page);
    if (error == OK && is_whole(store, note_in(page))) {
        note_take(note_in(page), out);
    } else if (error == OK) {
        error = store_label_judge(page, DISK_LABEL_COPY) == OK ? ERROR_NOT_FOUND : ERROR_FORMAT_DAMAGED;
    }
    store_page_free(page);
    return error;
}

enum error store_note_prepare(struct store *store, void *block)
{
    thread_may_sleep();
    if (store->read_only || store->is_waiting) {
        return ERROR_READ_ONLY;
    }
    struct disk_label *label = block;
    enum error error = block_read(store->device, (struct block){DISK_LABEL_BLOCK}, label);
    if (error != OK) {
        return error;
    }
    if (store_label_judge(label, DISK_LABEL_BLOCK) != OK ||
        memcmp(label->space_id, store->space_id, sizeof(store->space_id)) != 0) {
        return ERROR_FORMAT_DAMAGED;
    }
    label->checksum = store_checksum_self(DISK_LABEL_COPY, label);
    return OK;
}

enum error store_note_write(struct store *store, const struct store_note *note)
{
    thread_may_sleep();
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    /* a commit's flushes count failures, and must not be told that there were none */
    mutex_lock(&store->commit_lock, LOCK_COMMIT);
    error = store_note_prepare(store, page);
    error = error != OK || note == NULL ? error : store_note_fill(page, note);
    if (error == OK) {
        store_write_begin(store);
        error = block_write(store->device, store_note_place(), page);
        if (error == OK) {
            error = store_flush(store);
        }
    }
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    store_page_free(page);
    return error;
}
