/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `diff`: which pages differ between two kept generations.
 *
 * Both maps are walked side by side; pages are compared by what the maps say of them, their content is not read. So a
 * page that was written again with the content it had counts as changed.
 */
#include "image_tool.h"

#include <stdio.h>
#include <string.h>

enum kind { SAME, ADDED, REMOVED, CHANGED };

static const char *const kind_names[] = {"", "added", "removed", "changed"};

/* One side: the next entry, if there is one. */
struct side {
    struct store *store;
    struct page_key page;
    struct store_entry entry;
    bool is_there;
};

/* Neighbouring pages with the same difference are told of together. */
struct telling {
    enum kind kind;
    uint32_t count;
    struct page_key first;
    uint64_t totals[4];
};

static enum error side_next(struct side *side, struct page_key from)
{
    enum error error = store_next(side->store, from, &side->page, &side->entry);
    side->is_there = error == OK;
    return error == ERROR_NOT_FOUND ? OK : error;
}

static enum error side_step(struct side *side)
{
    return side_next(side, (struct page_key){side->page.number + 1});
}

static void tell(struct telling *telling)
{
    if (telling->count > 0 && telling->kind != SAME) {
        printf("object %4u  0x%08x  %6u page%s %s\n", page_key_object(telling->first).number,
               page_key_offset(telling->first), telling->count, telling->count == 1 ? " " : "s",
               kind_names[telling->kind]);
    }
    telling->count = 0;
}

static void note(struct telling *telling, enum kind kind, struct page_key page)
{
    bool goes_on = telling->count > 0 && telling->kind == kind &&
                   telling->first.number + telling->count == page.number && page_key_index(page) != 0;
    if (!goes_on) {
        tell(telling);
        telling->kind = kind;
        telling->first = page;
    }
    telling->count++;
    telling->totals[kind]++;
}

static bool entries_equal(const struct store_entry *a, const struct store_entry *b)
{
    return a->block.number == b->block.number && a->checksum == b->checksum &&
           a->generation.number == b->generation.number;
}

static enum error compare(struct side *a, struct side *b, struct telling *telling)
{
    enum error error = side_next(a, (struct page_key){0});
    if (error == OK) {
        error = side_next(b, (struct page_key){0});
    }
    while (error == OK && (a->is_there || b->is_there)) {
        bool take_a = a->is_there && (!b->is_there || a->page.number <= b->page.number);
        bool take_b = b->is_there && (!a->is_there || b->page.number <= a->page.number);
        enum kind kind = take_a && take_b ? (entries_equal(&a->entry, &b->entry) ? SAME : CHANGED)
                         : take_a         ? REMOVED
                                          : ADDED;
        note(telling, kind, take_a ? a->page : b->page);
        error = take_a ? side_step(a) : OK;
        if (error == OK && take_b) {
            error = side_step(b);
        }
    }
    tell(telling);
    return error;
}

int command_diff(int argc, char **argv)
{
    struct image from, to;
    if (!operands_are(argc, 3, "diff FILE GENERATION GENERATION")) {
        return STATUS_NOT_RUN;
    }
    int status = image_open(&from, argv[1], FILE_DISK_READ, argv[2]);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = image_open(&to, argv[1], FILE_DISK_READ, argv[3]);
    if (status != STATUS_SOUND) {
        (void)image_close(&from);
        return status;
    }
    struct side a = {.store = from.store}, b = {.store = to.store};
    struct telling telling = {0};
    enum error error = compare(&a, &b, &telling);
    if (error != OK) {
        complain("%s: the map: %s", argv[1], error_text(error));
    } else {
        printf("%llu added, %llu removed, %llu changed, %llu the same\n", (unsigned long long)telling.totals[ADDED],
               (unsigned long long)telling.totals[REMOVED], (unsigned long long)telling.totals[CHANGED],
               (unsigned long long)telling.totals[SAME]);
    }
    int closed = image_close(&from) | image_close(&to);
    bool differ = telling.totals[ADDED] + telling.totals[REMOVED] + telling.totals[CHANGED] > 0;
    return error != OK || closed != STATUS_SOUND ? STATUS_NOT_RUN : differ ? STATUS_FOUND : STATUS_SOUND;
}
