/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a fault may do in the windows of programs, in the kernel's records and in pipes: the fault path (vm_fault.h)
 * asks.
 */
#include "atomic.h"
#include "file/pipe.h"
#include "linux/linux_abi.h"
#include "program.h"
#include "signal/signal.h"
#include "space/address_space.h"
#include "space/limits.h"
#include "space/object.h"
#include "space/space.h"
#include "task/task.h"
#include "terminal/terminal_use.h"
#include "vm_fault.h"
#include "vm_lineage.h"

static uint8_t protection_for(enum pmap_access access)
{
    return access == PMAP_WRITE ? VM_WRITE : VM_READ | VM_EXECUTE;
}

/*
 * The page of the object that a region shows there, if the object is so large (OBJECT-3). Of a private region that is
 * seen only where there is no copy, which need not be looked for before an access is allowed.
 */
static enum error show_object(const struct vm_region *region, uint32_t number, struct vm_allowance *out)
{
    uint32_t index = region->backing.offset + number - region->first_page;
    uint32_t pages = object_pages(region->backing.object);

    out->is_shared = region->backing.kind == VM_BACKING_OBJECT;
    out->has_base = !out->is_shared;
    out->shown = page_key_make(region->backing.object, index);
    out->shown_after = index < pages ? pages - index - 1 : VM_SHOWN_NOTHING;
    if (out->is_shared && out->pages_after > out->shown_after) {
        out->pages_after = out->shown_after;
    }
    return out->is_shared && index >= pages ? ERROR_RANGE : OK;
}

static enum error check_access(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    DOES_NOT_SLEEP();
    struct address_space space = memory_space(place_space(place));
    uint32_t number = place_address(place).value >> PAGE_SHIFT;

    if (place_space(place).number == SPACE_SYSTEM.number) {
        *out = (struct vm_allowance){.may_write = true};
        return OK;
    }
    if (place_space(place).number == SPACE_PIPES.number) {
        pipe_content_allow(place_key(place), out);
        return OK;
    }
    if (space.number == 0) {
        return ERROR_DENIED;
    }
    uint32_t *root = &space_at(space)->region_root;
    const struct vm_region *region = vm_region_find(&region_table, *root, number);
    if (region == NULL) {
        enum error error = limits_allow_stack(space, number) ? OK : ERROR_DENIED;
        if (error == OK) {
            error = vm_region_grow_down(&region_table, root, number, STACK_PAGES_MAX, STACK_GAP_PAGES,
                                        vm_lineage_depth(place_space(place)));
        }
        if (error != OK) {
            return ERROR_DENIED;
        }
        region = vm_region_find(&region_table, *root, number);
    }
    if (region->backing.kind == VM_BACKING_NONE || (region->protection & protection_for(access)) == 0) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){.may_write = (region->protection & VM_WRITE) != 0,
                                 .pages_before = number - region->first_page,
                                 .pages_after = vm_region_end(region) - number - 1};
    return vm_backing_has_object(&region->backing) ? show_object(region, number, out) : OK;
}

/* The source above, if what it had was there when the place was mapped. */
static struct space_id source_of(struct place place, struct space_id at)
{
    DOES_NOT_SLEEP();
    struct space_id source = vm_lineage_source(at);
    struct address_space space = memory_space(place_space(place));

    if (source.number == 0 || space.number == 0) {
        return SPACE_NONE;
    }
    const struct vm_region *region =
        vm_region_find(&region_table, space_at(space)->region_root, place_address(place).value >> PAGE_SHIFT);
    bool is_shown = region != NULL && region->backing.kind == VM_BACKING_MEMORY &&
                    vm_lineage_depth(source) >= region->backing.depth;
    return is_shown ? source : SPACE_NONE;
}

static void opening(struct place chunk)
{
    DOES_NOT_SLEEP();
    if (place_space(chunk).number == SPACE_SYSTEM.number) {
        task_capture_due();
    }
}

/* Nobody waits for it here: it ends as soon as it has its turn. */
static bool stop(struct space_id space)
{
    DOES_NOT_SLEEP();
    struct program_id id = space_owner(memory_space(space));

    if (id.number == 0 || program_at(id)->state != PROGRAM_RUNNING) {
        return false;
    }
    terminal_say(program_at(id)->terminal, "eidolon: %s: stopped: memory and disk are full, and it has taken most",
                 program_at(id)->name);
    return signal_send(id, SIGKILL) == OK;
}

const struct vm_fault_policy program_fault_policy = {
    .check = check_access, .opening = opening, .source = source_of, .stop = stop};
