/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `diff`: which pages differ between two kept generations.
 *
 * Both maps are walked side by side; pages are compared by what the maps say of them, their content is not read. So a
 * page that was written again with the content it had counts as changed. With --programs the pages that differ so are
 * looked at as programs see them (image_diff_programs.c).
 */
#include "image_diff.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
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
    struct page_list *pages; /* instead of telling, note them here */
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

static enum error page_keep(struct page_list *pages, struct page_key page)
{
    if (pages->count == pages->room) {
        size_t room = pages->room == 0 ? 1024 : 2 * pages->room;
        struct page_key *grown = realloc(pages->keys, room * sizeof(*grown));
        if (grown == NULL) {
            return ERROR_NO_MEMORY;
        }
        pages->keys = grown;
        pages->room = room;
    }
    pages->keys[pages->count++] = page;
    return OK;
}

static void tell(struct telling *telling)
{
    if (telling->pages == NULL && telling->count > 0 && telling->kind != SAME) {
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
        struct page_key page = take_a ? a->page : b->page;
        note(telling, kind, page);
        error = telling->pages != NULL && kind != SAME ? page_keep(telling->pages, page) : OK;
        if (error == OK && take_a) {
            error = side_step(a);
        }
        if (error == OK && take_b) {
            error = side_step(b);
        }
    }
    tell(telling);
    return error;
}

/* What was asked for, besides the file and two generations. */
struct wanted {
    bool programs;
    const char *program, *symbols;
};

static bool options_parse(int argc, char **argv, struct wanted *wanted)
{
    static const struct option options[] = {{"programs", no_argument, NULL, 'a'},
                                            {"program", required_argument, NULL, 'p'},
                                            {"symbols", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1 && option != '?') {
        wanted->programs = true;
        wanted->program = option == 'p' ? optarg : wanted->program;
        wanted->symbols = option == 's' ? optarg : wanted->symbols;
    }
    if (option != -1 || optind + 3 != argc || (wanted->symbols != NULL && wanted->program == NULL)) {
        complain("usage: diff FILE GENERATION GENERATION [--programs | --program P [--symbols ELF]]");
        return false;
    }
    return true;
}

/* Tell how two generations differ. Returns an exit status. */
static int diff(struct image *from, struct image *to, const struct wanted *wanted)
{
    struct side a = {.store = from->store}, b = {.store = to->store};
    struct page_list pages = {0};
    struct telling telling = {.pages = wanted->programs ? &pages : NULL};
    struct symbols symbols = {0};
    bool differs = false;
    if (wanted->symbols != NULL && !symbols_read(&symbols, wanted->symbols)) {
        return STATUS_NOT_RUN;
    }
    enum error error = compare(&a, &b, &telling);
    int status = STATUS_SOUND;
    if (error != OK) {
        complain("%s: the map: %s", from->path, error_text(error));
        status = STATUS_NOT_RUN;
    } else if (wanted->programs) {
        status = diff_programs(from, to, &pages, wanted->program, wanted->symbols != NULL ? &symbols : NULL, &differs);
    } else {
        printf("%llu added, %llu removed, %llu changed, %llu the same\n", (unsigned long long)telling.totals[ADDED],
               (unsigned long long)telling.totals[REMOVED], (unsigned long long)telling.totals[CHANGED],
               (unsigned long long)telling.totals[SAME]);
        differs = telling.totals[ADDED] + telling.totals[REMOVED] + telling.totals[CHANGED] > 0;
    }
    symbols_free(&symbols);
    free(pages.keys);
    return status != STATUS_SOUND ? status : differs ? STATUS_FOUND : STATUS_SOUND;
}

int command_diff(int argc, char **argv)
{
    struct image from, to;
    struct wanted wanted = {0};
    if (!options_parse(argc, argv, &wanted)) {
        return STATUS_NOT_RUN;
    }
    char **words = argv + optind;
    int status = image_open(&from, words[0], FILE_DISK_READ, words[1]);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = image_open(&to, words[0], FILE_DISK_READ, words[2]);
    if (status != STATUS_SOUND) {
        (void)image_close(&from);
        return status;
    }
    status = diff(&from, &to, &wanted);
    int closed = image_close(&from) | image_close(&to);
    return closed != STATUS_SOUND ? STATUS_NOT_RUN : status;
}
