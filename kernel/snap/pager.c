/*
 * The store as the pager of the object space: what pages hold that are not in memory.
 *
 * Pages that were written together lie together, so neighbours in the space are often neighbours on the disk; those are
 * read with one request.
 */
#include "snap_pager.h"
#include "block_device.h"
#include "snap.h"
#include "store.h"
#include <string.h>

static struct store *backing;

/* Look up `first`, and its followers as long as their blocks follow too. *out_count is 0 if the first holds zeroes. */
static enum error find_run(struct gpn first, uint32_t count_max, struct store_entry *entries, uint32_t *out_count)
{
    uint32_t count = 0;

    while (count < count_max) {
        enum error error = store_find(backing, (struct gpn){first.number + count}, &entries[count]);
        if (error != OK && error != ERROR_NOT_FOUND && count == 0) {
            return error;
        }
        if (error != OK || block_is_none(entries[count].block) ||
            (count > 0 && entries[count].block.number != entries[0].block.number + count)) {
            break;
        }
        count++;
    }
    *out_count = count;
    return OK;
}

static enum error measure_run(struct gpn first, uint32_t count_max, uint32_t *out_count)
{
    struct store_entry entries[VM_READ_AHEAD_PAGES];

    return find_run(first, count_max < VM_READ_AHEAD_PAGES ? count_max : VM_READ_AHEAD_PAGES, entries, out_count);
}

static uint32_t count_proven(struct gpn first, uint32_t count, const struct store_entry *entries, void *const contents[])
{
    for (uint32_t i = 0; i < count; i++) {
        struct gpn page = {first.number + i};
        if (store_checksum(backing, page, entries[i].generation, contents[i]) != entries[i].checksum) {
            return i;
        }
    }
    return count;
}

static enum error read_run(struct gpn first, uint32_t count, void *const contents[], uint32_t *out_count)
{
    struct store_entry entries[VM_READ_AHEAD_PAGES];
    enum error error = find_run(first, count, entries, &count);

    if (error != OK) {
        return error;
    }
    if (count == 0) {
        memset(contents[0], 0, PAGE_SIZE);
        *out_count = 1;
        return OK;
    }
    struct block_request request = {
        .operation = BLOCK_READ,
        .first = entries[0].block,
        .count = count,
        .pages = contents,
    };
    block_submit(store_device(backing), &request);
    error = block_wait(store_device(backing), &request);
    if (error == OK) {
        *out_count = count_proven(first, count, entries, contents);
    }
    if (error == OK && *out_count > 0) {
        return OK;
    }
    /* Something in the run is bad: alone, the first page may be sound, and the store can say what is wrong with it. */
    *out_count = 1;
    return store_read(backing, first, &entries[0], contents[0]);
}

static enum error discard_pages(struct gpn first, uint32_t count)
{
    return store_delete(backing, first, count);
}

static const struct vm_pager store_pager = {
    .measure = measure_run, .read = read_run, .discard = discard_pages, .clean = snap_sync};

const struct vm_pager *snap_pager(struct store *store)
{
    backing = store;
    return &store_pager;
}
