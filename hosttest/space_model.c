/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model: pages spread over the shared window, two private ones and the kernel's, some of them across the border of
 * two chunks.
 */
#include "space_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store.h"

/* Word offsets: both ends of the page and of sectors, and the middle. */
static const uint32_t offsets[SPACE_WORDS] = {0, 1, 127, 128, 511, 640, 1022, 1023};

uint32_t space_word_offset(uint32_t word)
{
    return offsets[word] * (uint32_t)sizeof(uint32_t);
}

static void add_pages(struct space_model *model, uint32_t space, uint32_t address, uint32_t count)
{
    struct page_key first = page_key_at((struct space_id){space}, (struct vaddr){address});

    ASSERT(model->page_count + count <= SPACE_PAGES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        model->pages[model->page_count].access = SPACE_WRITE;
        model->keys[model->page_count++].number = first.number + i;
    }
}

void space_model_start(struct space_model *model)
{
    *model = (struct space_model){0};
    for (uint32_t space = 1; space <= SPACE_PROGRAMS; space++) {
        add_pages(model, space, USER_START, 1);
        add_pages(model, space, 0x08048000u, 48);
        add_pages(model, space, 0x403F4000u, 24);
        add_pages(model, space, 0x803F0000u, space == 1 ? 32 : 0);
        add_pages(model, space, USER_END - PAGE_SIZE, 1);
    }
    model->record_first = model->page_count;
    add_pages(model, SPACE_SYSTEM.number, SYSTEM_START, 6);
    space_model_stop(model, 0, 0);
    (void)space_model_confirm(model, 0, 0, 0);
}

void space_model_free(struct space_model *model)
{
    for (uint32_t i = 0; i < model->stops_kept; i++) {
        free(model->stops[i]);
    }
    free(model->stops);
    free(model->confirmations);
}

uint32_t space_model_find(const struct space_model *model, struct page_key page)
{
    uint32_t low = 0;
    uint32_t high = model->page_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (model->keys[middle].number < page.number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < model->page_count && model->keys[low].number == page.number ? low : model->page_count;
}

uint32_t space_model_run(const struct space_model *model, uint32_t first)
{
    uint32_t count = 1;

    while (first + count < model->page_count &&
           model->keys[first + count].number == model->keys[first].number + count) {
        count++;
    }
    return count;
}

void space_model_stop(struct space_model *model, uint64_t generation, uint32_t event)
{
    struct space_stop *stop = malloc(sizeof(*stop));

    /* NOLINTNEXTLINE(bugprone-sizeof-expression): they are pointers */
    model->stops = realloc(model->stops, (model->stops_kept + 1) * sizeof(*model->stops));
    ASSERT(stop != NULL && model->stops != NULL);
    stop->number = model->stop_count++;
    stop->generation = generation;
    stop->event = event;
    memcpy(stop->pages, model->pages, sizeof(stop->pages));
    model->stops[model->stops_kept++] = stop;
}

static bool same_content(const struct space_model *model, const struct space_stop *a, const struct space_stop *b)
{
    for (uint32_t i = 0; i < model->page_count; i++) {
        bool open = a->pages[i].leaving || b->pages[i].leaving;
        if (!open && memcmp(a->pages[i].words, b->pages[i].words, sizeof(a->pages[i].words)) != 0) {
            return false;
        }
    }
    return true;
}

static const struct space_stop *find_stop(const struct space_model *model, uint64_t number)
{
    for (uint32_t i = model->stops_kept; i > 0; i--) {
        if (model->stops[i - 1]->number == number) {
            return model->stops[i - 1];
        }
    }
    return NULL;
}

bool space_model_confirm(struct space_model *model, uint64_t wanted, uint64_t committed, uint32_t event)
{
    const struct space_stop *durable = find_stop(model, committed);
    const struct space_stop *covering = find_stop(model, wanted);

    /* A stop that found nothing changed is not committed; the one before it serves. */
    if (durable == NULL || covering == NULL || (committed < wanted && !same_content(model, durable, covering))) {
        return false;
    }
    model->confirmations =
        realloc(model->confirmations, (model->confirmation_count + 1) * sizeof(*model->confirmations));
    ASSERT(model->confirmations != NULL);
    model->confirmations[model->confirmation_count++] = (struct space_confirmation){event, committed};
    return true;
}

uint64_t space_model_oldest(const struct space_model *model, uint32_t event)
{
    uint64_t oldest = 0;

    for (uint32_t i = 0; i < model->confirmation_count && model->confirmations[i].event <= event; i++) {
        oldest = model->confirmations[i].stop;
    }
    return oldest;
}

const struct space_stop *space_model_opened(const struct space_model *model, struct store *store, uint32_t event)
{
    uint64_t generation = store_committed(store).number;
    uint64_t number = 0;
    uint32_t length = sizeof(number);

    if (generation > 0 && store_system_record(store, &number, &length) != OK) {
        return NULL;
    }
    const struct space_stop *stop = find_stop(model, number);
    return stop != NULL && stop->event <= event && stop->generation <= generation ? stop : NULL;
}

void space_model_resume(struct space_model *model, const struct space_stop *stop)
{
    uint64_t number = stop->number;
    uint32_t kept = 0;

    memcpy(model->pages, stop->pages, sizeof(model->pages));
    for (uint32_t i = 0; i < model->stops_kept; i++) {
        if (model->stops[i]->number <= number) {
            model->stops[i]->event = 0;
            model->stops[kept++] = model->stops[i];
        } else {
            free(model->stops[i]);
        }
    }
    model->stops_kept = kept;
    model->confirmation_count = 1;
    model->confirmations[0] = (struct space_confirmation){0, number};
}

static bool page_equals(const struct space_page *page, const uint8_t *content)
{
    uint8_t expected[PAGE_SIZE] = {0};

    for (uint32_t i = 0; i < SPACE_WORDS; i++) {
        memcpy(expected + space_word_offset(i), &page->words[i], sizeof(page->words[i]));
    }
    return memcmp(expected, content, PAGE_SIZE) == 0;
}

static enum error read_content(struct store *store, struct page_key page, uint8_t *content)
{
    struct store_entry entry;
    enum error error = store_find(store, page, &entry);

    if (error == ERROR_NOT_FOUND) {
        memset(content, 0, PAGE_SIZE);
        return OK;
    }
    return error == OK ? store_read(store, page, &entry, content) : error;
}

/* Every page the store has is one of ours. */
static bool no_strangers(const struct space_model *model, struct store *store, char *why, uint32_t room)
{
    struct page_key at = {0}, key;
    struct store_entry entry;

    while (store_next(store, at, &key, &entry) == OK) {
        uint32_t object = page_key_object(key).number;
        bool is_foreign = model->foreign && object > SPACE_PROGRAMS && object != SPACE_SYSTEM.number;
        if (!is_foreign && space_model_find(model, key) == model->page_count) {
            snprintf(why, room, "page %llx is there and never was", (unsigned long long)key.number);
            return false;
        }
        at.number = key.number + 1;
    }
    return true;
}

bool space_model_equals(const struct space_model *model, const struct space_stop *stop, struct store *store, char *why,
                        uint32_t room)
{
    uint8_t content[PAGE_SIZE];

    for (uint32_t i = 0; i < model->page_count; i++) {
        if (stop->pages[i].leaving) {
            continue;
        }
        enum error error = read_content(store, model->keys[i], content);
        if (error != OK) {
            snprintf(why, room, "page %08llx: %s", (unsigned long long)model->keys[i].number, error_text(error));
            return false;
        }
        if (!page_equals(&stop->pages[i], content)) {
            snprintf(why, room, "page %08llx is not what it was at stop %llu",
                     (unsigned long long)model->keys[i].number, (unsigned long long)stop->number);
            return false;
        }
    }
    return no_strangers(model, store, why, room);
}
