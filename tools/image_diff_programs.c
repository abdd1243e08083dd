/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What differs between two generations as programs see it.
 *
 * The maps say which pages may differ. For each program those are taken that it can see: of its own memory, of what that
 * is a copy of, and of the objects that it shows. Their contents are compared as the program has them in either
 * generation; so what only moved, or was written again as it was, is no difference.
 */
#include "image_diff.h"
#include "image_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINEAGE_MAX     64u
#define NAMES_MAX       32u /* symbols told of for a region */
#define STACK_BELOW_END (1u << 20)

/* One generation's view of a program. */
struct view {
    const struct image *image;
    struct program_record program;
    struct space_record space;
    bool is_there;
    struct vm_region *regions;
    uint32_t region_count;
    struct space_id lineage[LINEAGE_MAX];
    uint32_t lineage_count;
};

struct changed_symbol {
    const struct symbol *symbol; /* NULL: bytes that none has */
    uint32_t bytes;
};

struct comparing {
    struct view views[2];
    const struct symbols *symbols;
    uint32_t pages, bytes; /* of the region that is looked at */
    struct changed_symbol names[NAMES_MAX];
    uint32_t name_count, names_left_out;
    bool said_program;
};

/* Views ------------------------------------------------------------------------------------------------------------- */

static enum error region_keep(const struct vm_region *region, void *context)
{
    struct view *view = context;
    struct vm_region *grown = realloc(view->regions, (view->region_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return ERROR_NO_MEMORY;
    }
    view->regions = grown;
    view->regions[view->region_count++] = *region;
    return OK;
}

static enum error view_open(struct view *view, const struct image *image, uint32_t index)
{
    *view = (struct view){.image = image};
    enum error error = program_find(image, index, &view->program, &view->space);
    view->is_there = error == OK && view->program.state == PROGRAM_RUNNING;
    if (!view->is_there) {
        return error;
    }
    error = regions_walk(image, &view->space, region_keep, view);
    struct space_id window = view->space.memory;
    while (error == OK && window.number != 0 && view->lineage_count < LINEAGE_MAX) {
        view->lineage[view->lineage_count++] = window;
        error = image_memory_source(image, window, &window);
    }
    return error;
}

static const struct vm_region *region_of(const struct view *view, uint32_t number)
{
    for (uint32_t i = 0; i < view->region_count; i++) {
        const struct vm_region *region = &view->regions[i];
        if (number >= region->first_page && number < vm_region_end(region)) {
            return region;
        }
    }
    return NULL;
}

static bool is_of_lineage(const struct view *view, struct page_key key)
{
    for (uint32_t i = 0; i < view->lineage_count; i++) {
        if (page_key_object(key).number == view->lineage[i].number) {
            return true;
        }
    }
    return false;
}

/* Where a region of a program shows a page. */
static bool page_shown(const struct view *view, const struct vm_region *region, struct page_key key, uint32_t *number)
{
    uint32_t index = page_key_index(key);
    if (is_of_lineage(view, key)) {
        *number = index;
        return index >= region->first_page && index < vm_region_end(region);
    }
    if (!vm_backing_has_object(&region->backing) || region->backing.object.number != page_key_object(key).number ||
        index < region->backing.offset || index - region->backing.offset >= region->page_count) {
        return false;
    }
    *number = region->first_page + (index - region->backing.offset);
    return true;
}

/* Comparing --------------------------------------------------------------------------------------------------------- */

static void name_count(struct comparing *comparing, uint32_t address)
{
    const struct symbol *symbol = comparing->symbols == NULL ? NULL : symbol_at(comparing->symbols, address);
    for (uint32_t i = 0; i < comparing->name_count; i++) {
        if (comparing->names[i].symbol == symbol) {
            comparing->names[i].bytes++;
            return;
        }
    }
    if (comparing->name_count == NAMES_MAX) {
        comparing->names_left_out++;
        return;
    }
    comparing->names[comparing->name_count++] = (struct changed_symbol){symbol, 1};
}

/* A page of which the contents may differ. Returns an exit status. */
static int page_compare(struct comparing *comparing, uint32_t number)
{
    uint8_t contents[2][PAGE_SIZE];
    uint32_t differing = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const struct view *view = &comparing->views[i];
        memset(contents[i], 0, PAGE_SIZE);
        enum error error =
            region_of(view, number) == NULL
                ? OK
                : image_program_read(view->image, &view->space, number << PAGE_SHIFT, PAGE_SIZE, contents[i]);
        if (error != OK) {
            complain("%s: 0x%08x in generation %llu: %s", view->image->path, number << PAGE_SHIFT,
                     (unsigned long long)view->image->report.generation.number, error_text(error));
            return STATUS_FOUND;
        }
    }
    for (uint32_t i = 0; i < PAGE_SIZE; i++) {
        if (contents[0][i] != contents[1][i]) {
            differing++;
            name_count(comparing, (number << PAGE_SHIFT) + i);
        }
    }
    comparing->bytes += differing;
    comparing->pages += differing > 0;
    return STATUS_SOUND;
}

static const char *region_text(const struct view *view, const struct vm_region *region)
{
    static char text[40];
    uint32_t first = region->first_page << PAGE_SHIFT;
    const char *what = first < view->space.image_end                                        ? "program"
                       : first < view->space.break_end                                      ? "heap"
                       : vm_region_end(region) > (USER_END - STACK_BELOW_END) >> PAGE_SHIFT ? "stack"
                       : vm_backing_has_object(&region->backing)                            ? "object"
                                                                                            : "mapping";
    snprintf(text, sizeof(text), "%c%c%c %-8s", region->protection & VM_READ ? 'r' : '-',
             region->protection & VM_WRITE ? 'w' : '-', region->protection & VM_EXECUTE ? 'x' : '-', what);
    return text;
}

static void say_program(struct comparing *comparing, uint32_t index, const char *what)
{
    const struct view *view = comparing->views[1].is_there ? &comparing->views[1] : &comparing->views[0];
    if (!comparing->said_program) {
        printf("program %u %.*s%s\n", index, (int)PROGRAM_NAME_MAX, view->program.name, what);
        comparing->said_program = true;
    }
}

static void say_region(struct comparing *comparing, uint32_t index, const struct view *view,
                       const struct vm_region *region)
{
    say_program(comparing, index, "");
    printf("  0x%08x  %s  %5u page%s  %7u bytes\n", region->first_page << PAGE_SHIFT, region_text(view, region),
           comparing->pages, comparing->pages == 1 ? " " : "s", comparing->bytes);
    for (uint32_t i = 0; comparing->symbols != NULL && i < comparing->name_count; i++) {
        const struct changed_symbol *name = &comparing->names[i];
        printf("    %-32s  %7u bytes\n", name->symbol == NULL ? "(no symbol)" : name->symbol->name, name->bytes);
    }
    if (comparing->symbols != NULL && comparing->names_left_out > 0) {
        printf("    %-32s  %7u bytes\n", "(further symbols)", comparing->names_left_out);
    }
}

static int region_compare(struct comparing *comparing, uint32_t index, const struct view *view,
                          const struct vm_region *region, const struct page_list *pages)
{
    const struct view *other = &comparing->views[view == &comparing->views[0] ? 1 : 0];
    comparing->pages = comparing->bytes = comparing->name_count = comparing->names_left_out = 0;
    uint64_t last = UINT64_MAX;
    for (size_t i = 0; i < pages->count; i++) {
        uint32_t number;
        /* what the other view's memory is a copy of may show here, too */
        bool is_shown = page_shown(view, region, pages->keys[i], &number) ||
                        (is_of_lineage(other, pages->keys[i]) && page_key_index(pages->keys[i]) >= region->first_page &&
                         (number = page_key_index(pages->keys[i])) < vm_region_end(region));
        if (!is_shown || number == last) {
            continue;
        }
        last = number;
        int status = page_compare(comparing, number);
        if (status != STATUS_SOUND) {
            return status;
        }
    }
    if (comparing->bytes > 0) {
        say_region(comparing, index, view, region);
    }
    return STATUS_SOUND;
}

static int program_compare(struct comparing *comparing, uint32_t index, const struct page_list *pages)
{
    int status = STATUS_SOUND;
    comparing->said_program = false;
    if (comparing->views[0].is_there != comparing->views[1].is_there) {
        say_program(comparing, index, comparing->views[1].is_there ? ": new" : ": has ended");
        return STATUS_SOUND;
    }
    const struct view *newer = &comparing->views[1], *older = &comparing->views[0];
    for (uint32_t i = 0; i < newer->region_count && status == STATUS_SOUND; i++) {
        status = region_compare(comparing, index, newer, &newer->regions[i], pages);
    }
    for (uint32_t i = 0; i < older->region_count && status == STATUS_SOUND; i++) {
        if (region_of(newer, older->regions[i].first_page) == NULL) {
            say_program(comparing, index, "");
            printf("  0x%08x  %s  unmapped\n", older->regions[i].first_page << PAGE_SHIFT,
                   region_text(older, &older->regions[i]));
        }
    }
    return status;
}

static int index_compare(struct comparing *comparing, const struct image *images[2], uint32_t index,
                         const struct page_list *pages)
{
    enum error error = OK;
    int status = STATUS_SOUND;
    for (uint32_t i = 0; i < 2 && error == OK; i++) {
        error = view_open(&comparing->views[i], images[i], index);
    }
    if (error != OK) {
        complain("%s: program %u: %s", images[0]->path, index, error_text(error));
        status = STATUS_FOUND;
    } else if (comparing->views[0].is_there || comparing->views[1].is_there) {
        status = program_compare(comparing, index, pages);
    }
    free(comparing->views[0].regions);
    free(comparing->views[1].regions);
    comparing->views[0].regions = comparing->views[1].regions = NULL;
    return status;
}

int diff_programs(const struct image *from, const struct image *to, const struct page_list *pages, const char *program,
                  const struct symbols *symbols, bool *differs)
{
    const struct image *images[2] = {from, to};
    struct comparing comparing = {.symbols = symbols};
    uint32_t first = 1, last = PROGRAMS_MAX;
    int status = records_check(from);
    status = status == STATUS_SOUND ? records_check(to) : status;
    if (status == STATUS_SOUND && program != NULL) {
        struct program_record record;
        struct space_record space;
        status = program_named(to, program, &first, &record, &space);
        last = first;
    }
    *differs = false;
    for (uint32_t index = first; status == STATUS_SOUND && index <= last; index++) {
        status = index_compare(&comparing, images, index, pages);
        *differs = *differs || comparing.said_program;
        comparing.said_program = false;
    }
    if (status == STATUS_SOUND && !*differs) {
        printf("programs see no difference\n");
    }
    return status;
}
