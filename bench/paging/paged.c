/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program on the kernel's fault path: its loads and stores go through page tables, a fault is answered by vm_fault(),
 * and what is read and written goes through the disk. Frames are limited by a budget: before a fault that would take
 * one more, the policy's victim goes. That is done here and not by kernel/vm_map/reclaim.c, which drops clean pages by
 * the batch when the machine as a whole runs short: so a run depends on nothing but its parameters.
 */
#include "lab.h"
#include "log.h"
#include "vm_fault.h"
#include "vm_map.h"

static struct {
    const struct lab_machine *machine;
    uint32_t frames;
    struct lab_paged_result *result;
} run;

static struct page_key page_at(uint32_t number)
{
    return (struct page_key){page_key_at(LAB_SPACE, (struct vaddr){LAB_ADDRESS}).number + number};
}

static uint32_t number_of(struct page_key page)
{
    return (uint32_t)(page.number - page_at(0).number);
}

/* The pager: every page is on the disk, and nothing comes along with it -------------------------------------------- */

static enum error measure(struct page_key page, uint32_t before_max, uint32_t after_max, struct vm_cluster_extent *out)
{
    (void)page;
    (void)before_max;
    (void)after_max;
    *out = (struct vm_cluster_extent){.is_zero = false};
    return OK;
}

static void read_pages(struct page_key first, uint32_t count, void *const contents[], bool out_good[])
{
    ASSERT(count == 1);
    run.machine->read(number_of(first), contents[0]);
    run.result->counts.reads++;
    out_good[0] = true;
}

static const struct vm_pager pager = {.measure = measure, .read = read_pages};

static enum error allow(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    (void)place;
    (void)access;
    *out = (struct vm_allowance){.may_write = true};
    return OK;
}

static const struct vm_fault_policy allow_all = {.check = allow};

/* Eviction --------------------------------------------------------------------------------------------------------- */

static bool every_page_may_go(const struct vm_page *page)
{
    (void)page;
    return true;
}

/* The D bit alone decides whether it is written. */
static void write_if_dirty(struct vm_map *map, struct vm_page *page)
{
    if (pmap_remove(vm_page_place(page))) {
        vm_page_mark_dirty(map, page);
        vm_page_begin_write(page);
        run.machine->write(number_of(vm_page_key(page)), frame_address(vm_page_frame(page)));
        vm_page_end_write(map, page);
        run.result->counts.writes++;
    }
}

static void evict(struct vm_map *map)
{
    struct vm_page *page = vm_replacement_victim(&map->replacement, every_page_may_go);
    struct frame frame;

    ASSERT(page != NULL);
    bool locked = vm_page_try_lock(page);
    ASSERT(locked);
    write_if_dirty(map, page);
    enum error error = vm_page_drop(map, page, &frame);
    ASSERT(error == OK);
    vm_page_unlock(page);
    frame_free(frame);
    run.result->counts.victims = lab_hash(run.result->counts.victims, number_of(vm_page_key(page)));
    error = vm_map_delete(map, vm_page_key(page));
    ASSERT(error == OK);
}

static void fault(uint32_t number, enum pmap_access access)
{
    struct vm_map *map = vm_object_space();

    if (vm_map_find(map, page_at(number)) == NULL) {
        run.result->counts.faults++;
        if (map->replacement.count == run.frames) {
            evict(map);
        }
    }
    enum error error = vm_fault(page_key_place(page_at(number)), access);
    if (error != OK) {
        panic("paging", "page %u cannot be had: %s", number, error_text(error));
    }
}

/* The program's memory --------------------------------------------------------------------------------------------- */

static uint32_t load(void *context, uint32_t word)
{
    uint32_t value;

    (void)context;
    lab_trace_touch(&run.result->trace, word / LAB_PAGE_WORDS, false);
    while (!run.machine->load((struct vaddr){LAB_ADDRESS + word * 4}, &value)) {
        fault(word / LAB_PAGE_WORDS, PMAP_READ);
    }
    return value;
}

static void store(void *context, uint32_t word, uint32_t value)
{
    (void)context;
    lab_trace_touch(&run.result->trace, word / LAB_PAGE_WORDS, true);
    while (!run.machine->store((struct vaddr){LAB_ADDRESS + word * 4}, value)) {
        fault(word / LAB_PAGE_WORDS, PMAP_WRITE);
    }
}

/* The pages that are left go unnoticed: they are no victims. */
static void end_space(void)
{
    struct lab_result counts = run.result->counts;
    struct vm_map *map = vm_object_space();

    while (map->replacement.count > 0) {
        evict(map);
    }
    run.result->counts = counts;
    pmap_activate(SPACE_SYSTEM);
    pmap_delete(LAB_SPACE);
    enum error error = vm_map_destroy(map);
    ASSERT(error == OK);
}

void lab_run_paged(const struct lab_machine *machine, const struct lab_program *program, const struct vm_policy *policy,
                   uint32_t pages, uint32_t frames, struct lab_paged_result *out)
{
    struct lab_memory memory = {.load = load, .store = store, .pages = pages};

    ASSERT(pages >= LAB_PAGES_MIN && pages <= LAB_PAGES_MAX && frames > 0);
    *out = (struct lab_paged_result){.counts = {.victims = LAB_HASH_START}};
    run.machine = machine;
    run.frames = frames;
    run.result = out;
    enum error error = vm_fault_initialise(&pager, &allow_all, policy);
    ASSERT(error == OK);
    vm_replacement_init(&vm_object_space()->replacement, policy, vm_object_space()->replacement.take_accessed,
                        LAB_SEED);
    error = pmap_create(LAB_SPACE);
    ASSERT(error == OK);
    pmap_activate(LAB_SPACE);
    lab_trace_begin(&out->trace, NULL);
    out->is_right = program->run(&memory);
    lab_trace_end(&out->trace);
    end_space();
}
