/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages in hand. See grip.h.
 */
#include "grip.h"
#include "atomic.h"
#include "log.h"
#include "thread.h"
#include "vm_fault.h"

static const struct fs_client *client;

void fs_set_client(const struct fs_client *of)
{
    client = of;
}

const struct fs_client *grip_client(void)
{
    return client;
}

void fs_begin(struct fs_grip *grip, struct space_id payer, uint64_t now_ns)
{
    grip->payer = payer;
    grip->now_ns = now_ns;
    grip->count = 0;
    grip->wanted = (struct page_key){0};
}

static void let_go_of(struct fs_grip *grip, uint32_t i)
{
    vm_unwire(grip->held[i].page);
    grip->held[i] = grip->held[--grip->count];
}

void fs_end(struct fs_grip *grip)
{
    while (grip->count > 0) {
        let_go_of(grip, grip->count - 1);
    }
}

/* What is in hand -------------------------------------------------------------------------------------------------- */

static struct fs_held *find(struct fs_grip *grip, struct page_key key)
{
    for (uint32_t i = grip->count; i-- > 0;) {
        if (grip->held[i].key.number == key.number) {
            return &grip->held[i];
        }
    }
    return NULL;
}

/* NULL as well when the content of the page was discarded while something slept: it is fetched anew. */
static const void *look(struct fs_grip *grip, struct page_key key, bool is_marked)
{
    struct fs_held *held = find(grip, key);
    const void *bytes = held != NULL ? vm_object_bytes(held->page) : NULL; /* FS-1 */

    if (bytes == NULL) {
        grip->wanted = key;
        return NULL;
    }
    held->is_marked |= is_marked;
    return bytes;
}

const void *grip_page(struct fs_grip *grip, struct page_key key)
{
    return look(grip, key, false);
}

const void *grip_mark(struct fs_grip *grip, struct page_key key)
{
    return look(grip, key, true);
}

void *grip_bytes(struct fs_grip *grip, struct page_key key)
{
    struct fs_held *held = find(grip, key);

    ASSERT(held != NULL && held->is_marked); /* FS-2 */
    return held->bytes;
}

/* Running ---------------------------------------------------------------------------------------------------------- */

static void unmark(struct fs_grip *grip)
{
    for (uint32_t i = 0; i < grip->count; i++) {
        grip->held[i].is_marked = false;
    }
    grip->wanted = (struct page_key){0};
    grip->waits_for = NULL;
    grip->wants_room = false;
}

static enum error make_writable(struct fs_grip *grip)
{
    enum error error = OK;

    for (uint32_t i = 0; error == OK && i < grip->count; i++) {
        if (grip->held[i].is_marked) {
            error = vm_object_write(grip->held[i].page, &grip->held[i].bytes);
            grip->waits_for = error == ERROR_BUSY ? grip->held[i].page : NULL;
            grip->wanted = error == ERROR_NOT_FOUND ? grip->held[i].key : grip->wanted;
            error = error == ERROR_NOT_FOUND ? ERROR_BUSY : error;
        }
    }
    return error;
}

/* One attempt, in one instant. */
static enum error attempt(struct fs_grip *grip, grip_plan *plan, grip_change *change, void *what)
{
    DOES_NOT_SLEEP();
    unmark(grip);
    enum error error = plan(grip, what);

    if (error == OK && change != NULL) {
        error = make_writable(grip);
        if (error == OK) {
            change(grip, what);
        }
    }
    return error;
}

/* The page that was wanted. With both hands full nothing that is held can be the right thing: it begins anew. */
static enum error fetch(struct fs_grip *grip)
{
    struct page_key key = grip->wanted;
    struct fs_held *held = find(grip, key);
    struct vm_page *page;

    if (held != NULL) {
        let_go_of(grip, (uint32_t)(held - grip->held));
    }
    if (grip->count == FS_GRIP_PAGES) {
        fs_end(grip);
    }
    enum error error;
    do {
        error = vm_object_hold(key, grip->payer, &page);
    } while (client->goes_on(error));
    if (error == OK) {
        grip->held[grip->count++] = (struct fs_held){.key = key, .page = page};
    }
    return error;
}

enum error grip_run(struct fs_grip *grip, grip_plan *plan, grip_change *change, void *what)
{
    thread_may_sleep();
    for (;;) {
        enum error error = attempt(grip, plan, change, what);
        if (error == ERROR_BUSY && grip_waits(grip)) {
            error = fetch(grip);
        } else if (error == ERROR_BUSY && grip->waits_for != NULL) {
            do {
                error = vm_object_wait(grip->waits_for);
            } while (client->goes_on(error));
        } else if (error == ERROR_BUSY && grip->wants_room) {
            error = client->reserve();
        } else {
            return error;
        }
        if (error != OK) {
            return error;
        }
    }
}
