/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs: address space, regions and files that tasks share; their creation, their end, and their return after a
 * boot.
 *
 * A program's index is its process id. The record persists; the page tables of its space are volatile and fill by
 * faults. A program ends when its last task has left: its files are closed, its space is given up (space.c), and its
 * parent is told, who may ask for its status; in that order, so that an end which a power cut interrupts can be taken
 * up again from the record.
 */
#include "program.h"
#include "space/address_space.h"
#include "arch/pmap.h"
#include "file/file.h"
#include "space/limits.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "file/pipe.h"
#include "task/program_account.h"
#include "program_hold.h"
#include "signal/program_signal.h"
#include "space/space.h"
#include "system_state.h"
#include "task/task.h"
#include "terminal.h"
#include "vm_fault.h"
#include "vm_region.h"
#include <string.h>

struct vm_region_table region_table;

#define REGION_CLONE_MARGIN 192u /* that a clone leaves for programs that map, protect and unmap a little */
#define REGIONS_SPARE       640u  /* that stay when regions are given back: more than anybody has to leave */
#define REGIONS_TRIM_MIN    1024u /* free ones that are worth the trouble when somebody needs pages */
#define REGIONS_TRIM_ENOUGH 2048u /* and when nobody does */

static bool regions_are_sound; /* the table and all its trees have been adopted */
static uint32_t programs_alive;
static uint32_t last_exit_status;
static struct wait_queue all_ended;

static enum error commit_regions(struct vm_region_table *table, uint32_t count)
{
    (void)table;
    return record_commit(RECORD_REGION, count);
}

static void region_table_attach(void)
{
    region_table.records = record_at(RECORD_REGION, 0);
    region_table.capacity = record_layouts[RECORD_REGION].count;
    region_table.commit = commit_regions;
    region_table.clone_margin = REGION_CLONE_MARGIN;
}

static void follow(uint32_t *root)
{
    uint32_t now = vm_region_root_after_compact(&region_table, *root);

    if (now != *root) {
        *root = now;
    }
}

/* One step for whoever looks. It costs what has been freed since the last time, as long as that is half of what there is. */
static void compact_regions(void)
{
    vm_region_compact(&region_table);
    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        follow(&program_at(i)->region_root);
    }
    for (uint32_t i = 1; i < record_committed(RECORD_SPACE); i++) {
        follow(&space_at((struct space_id){i})->region_root);
    }
}

/* While this sleeps, others may need regions again: so no more pages go than were to go at first. */
void program_trim_regions(bool all)
{
    uint32_t surplus = regions_are_sound ? vm_region_surplus(&region_table) : 0;

    if (surplus < REGIONS_TRIM_MIN || (!all && (surplus < region_table.committed / 2 || surplus < REGIONS_TRIM_ENOUGH))) {
        return;
    }
    compact_regions();
    uint32_t kept = vm_region_shrink(&region_table, REGIONS_SPARE);
    uint32_t pages = ((surplus - REGIONS_SPARE) * (uint32_t)sizeof(struct vm_region)) >> PAGE_SHIFT;
    for (uint32_t i = 0; i < pages && kept <= region_table.committed; i++) {
        if (!record_give_back_last(RECORD_REGION, region_table.committed)) {
            return;
        }
    }
}

struct program_record *program_at(uint32_t index)
{
    return record_at(RECORD_PROGRAM, index);
}

uint32_t program_memory(uint32_t index)
{
    uint32_t lender = program_at(index)->lender;

    return lender != 0 ? lender : index;
}

static bool program_exists(uint32_t index)
{
    return index > 0 && index < record_committed(RECORD_PROGRAM) && program_at(index)->state != PROGRAM_FREE;
}

/* Faults ------------------------------------------------------------------------------------------------------------
 */

static uint8_t protection_for(enum pmap_access access)
{
    return access == PMAP_WRITE ? VM_WRITE : VM_READ | VM_EXECUTE;
}

static enum error check_access(struct gpn page, enum pmap_access access, struct vm_allowance *out)
{
    uint32_t index = space_owner(gpn_space(page));
    uint32_t number = gpn_address(page).value >> PAGE_SHIFT;

    if (gpn_space(page).number == SPACE_SYSTEM.number) {
        *out = (struct vm_allowance){.may_write = true};
        return OK;
    }
    if (gpn_space(page).number == SPACE_PIPES.number) {
        pipe_content_allow(page, out);
        return OK;
    }
    if (index == 0) {
        return ERROR_DENIED;
    }
    struct program_record *program = program_at(index);
    const struct vm_region *region = vm_region_find(&region_table, program->region_root, number);
    if (region == NULL) {
        enum error error = limits_allow_stack(program, number) ? OK : ERROR_DENIED;
        if (error == OK) {
            error =
                vm_region_grow_down(&region_table, &program->region_root, number, STACK_PAGES_MAX, STACK_GAP_PAGES);
        }
        if (error != OK) {
            return ERROR_DENIED;
        }
        region = vm_region_find(&region_table, program->region_root, number);
    }
    if (region->backing.kind == VM_BACKING_NONE || (region->protection & protection_for(access)) == 0) {
        return ERROR_DENIED;
    }
    out->may_write = (region->protection & VM_WRITE) != 0;
    out->pages_before = number - region->first_page;
    out->pages_after = region->first_page + region->page_count - number - 1;
    return OK;
}

/* The space whose page an untouched one shows. */
static struct space_id source_of(struct gpn page)
{
    struct space_id space = gpn_space(page);

    if (space.number == SPACE_SHARED.number || space.number == SPACE_SYSTEM.number ||
        space.number == SPACE_PIPES.number) {
        return SPACE_SHARED;
    }
    const struct vm_region *region =
        vm_region_find(&region_table, *space_regions(space), gpn_address(page).value >> PAGE_SHIFT);
    bool is_copy = region != NULL && region->backing.kind == VM_BACKING_COPY;
    return is_copy ? (struct space_id){region->backing.object} : SPACE_SHARED;
}

static void opening(struct gpn chunk)
{
    if (gpn_space(chunk).number == SPACE_SYSTEM.number) {
        task_capture_due();
    }
}

bool program_growth_goes_on(enum error error)
{
    return error == ERROR_DENIED && vm_region_records_available(&region_table) == 0 &&
           vm_region_reserve_growth(&region_table) == OK;
}

/* Nobody waits for it here: it ends as soon as it has its turn. */
static bool stop(struct space_id space)
{
    uint32_t index = space_owner(space);

    if (index == 0 || program_at(index)->state != PROGRAM_RUNNING) {
        return false;
    }
    terminal_say(program_at(index)->terminal, "eidolon: %s: stopped: memory and disk are full, and it has taken most",
                 program_at(index)->name);
    return signal_send(index, SIGKILL) == OK;
}

const struct vm_fault_policy program_fault_policy = {
    .check = check_access, .opening = opening, .source = source_of, .stop = stop};

/* Creation ----------------------------------------------------------------------------------------------------------
 */

enum error program_reserve(void)
{
    return record_reserve(RECORD_PROGRAM, 1);
}

enum error program_create_in(const char *name, uint32_t parent, struct space_id space, uint32_t *out_index)
{
    uint32_t index;

    if (!record_find_free(RECORD_PROGRAM, &index)) {
        return ERROR_NO_MEMORY;
    }
    enum error error = program_account_open(index);
    if (error != OK) {
        return error;
    }
    struct program_record *program = program_at(index);
    memset(program, 0, sizeof(*program));
    program->state = PROGRAM_RUNNING;
    program->parent = parent;
    program->space = space.number;
    program->umask = 022;
    limits_set_defaults(program);
    program->process_group = index;
    program->session = index;
    kernel_snprintf(program->name, sizeof(program->name), "%s", name);
    space_set_owner(space, index);
    programs_alive++;
    *out_index = index;
    return OK;
}

void program_create_undo(uint32_t index)
{
    space_set_owner((struct space_id){program_at(index)->space}, 0);
    program_account_close(index);
    program_forget(index);
    programs_alive--;
}

/* Others may take records while this sleeps; it has not slept if it did not have to commit any. */
static enum error reserve_with_space(void)
{
    enum error error;
    uint32_t before;

    do {
        before = record_changes();
        error = program_reserve();
        error = error == OK ? space_reserve(1) : error;
    } while (error == OK && record_changes() != before);
    return error;
}

enum error program_create(const char *name, uint32_t parent, uint32_t *out_index)
{
    struct space_id space;
    enum error error = reserve_with_space();

    if (error == OK) {
        error = space_create(&space);
    }
    if (error != OK) {
        return error;
    }
    error = program_create_in(name, parent, space, out_index);
    if (error != OK) {
        space_forget(space);
    }
    return error;
}

/* End ---------------------------------------------------------------------------------------------------------------
 */

/* Whoever waits for something about the programs it made. */
static struct wait_queue parents;

enum error program_wait_for_change(void)
{
    return wait_queue_sleep(&parents, DEADLINE_NEVER, true);
}

void program_release_parent(struct program_record *program)
{
    program->parent_waits = 0;
    wait_queue_wake(&parents, UINT32_MAX);
}

void program_forget(uint32_t index)
{
    memset(program_at(index), 0, sizeof(struct program_record));
}

/* Whether anybody will ask for the status of a program. */
static bool has_interested_parent(const struct program_record *program)
{
    if (!program_exists(program->parent) || program_at(program->parent)->state != PROGRAM_RUNNING) {
        return false;
    }
    const struct signal_action *action = &program_at(program->parent)->actions[SIGCHLD];
    return action->handler != SIG_IGN && (action->flags & SA_NOCLDWAIT) == 0;
}

static void disown_children(uint32_t parent)
{
    for (uint32_t index = 1; index < record_committed(RECORD_PROGRAM); index++) {
        struct program_record *child = program_at(index);
        if (child->state == PROGRAM_FREE || child->parent != parent) {
            continue;
        }
        child->parent = 0;
        if (child->state == PROGRAM_ENDED) {
            program_forget(index);
        }
    }
}

/* A parent that asked not to hear of ends does not. */
static void tell_parent(uint32_t parent, const struct signal_origin *origin)
{
    if (program_exists(parent) && program_at(parent)->actions[SIGCHLD].handler != SIG_IGN) {
        enum error error = signal_send_from(parent, SIGCHLD, origin);
        ASSERT(error == OK || error == ERROR_NOT_FOUND);
    }
}

#define STATUS_SIGNAL 0x7Fu

static struct signal_origin origin_of_end(uint32_t index, uint32_t status)
{
    uint32_t signal = status & STATUS_SIGNAL;

    return (struct signal_origin){.code = signal != 0 ? CLD_KILLED : CLD_EXITED,
                                  .program = index,
                                  .value = signal != 0 ? signal : status >> 8};
}

/* The last step: nothing sleeps. */
static void end(uint32_t index)
{
    struct program_record *program = program_at(index);
    uint32_t parent = program->parent;
    struct signal_origin origin = origin_of_end(index, program->exit_status);

    /* One that was never more than prepared has not ended; nobody is told a status of it. */
    if (program->state == PROGRAM_ZOMBIE) {
        last_exit_status = program->exit_status;
        system_state_note_end(program->name, program->exit_status);
    }
    disown_children(index);
    if (has_interested_parent(program)) {
        program->state = PROGRAM_ENDED;
    } else {
        program_forget(index);
    }
    tell_parent(parent, &origin);
    wait_queue_wake(&parents, UINT32_MAX);
    programs_alive--;
    if (programs_alive == 0) {
        wait_queue_wake(&all_ended, UINT32_MAX);
    }
}

/*
 * The space of a program that ends goes to one that runs in it, if there is any; if more do, it lends to the others. While
 * programs run no lender ends. A boot may find one without a task in an image that is not as a kernel left it.
 */
static void leave_space_to_borrower(struct program_record *program, uint32_t index)
{
    uint32_t heir = 0;

    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        struct program_record *borrower = program_at(i);
        if (borrower->state == PROGRAM_FREE || borrower->lender != index) {
            continue;
        }
        borrower->lender = heir;
        if (heir != 0) {
            continue;
        }
        heir = i;
        borrower->space = program->space;
        borrower->region_root = program->region_root;
        borrower->break_start = program->break_start;
        borrower->break_end = program->break_end;
        borrower->image_end = program->image_end;
        space_set_owner((struct space_id){program->space}, heir);
        program->space = program->region_root = 0;
    }
}

void program_destroy(uint32_t index)
{
    struct program_record *program = program_at(index);

    file_close_all(program);
    leave_space_to_borrower(program, index);
    program->lender = 0;
    program_release_parent(program);
    space_collect(space_abandon(program));
    program_account_close(index);
    end(index);
    record_trim(false);
}

uint32_t program_count(void)
{
    return programs_alive;
}

uint32_t program_wait_all(void)
{
    while (programs_alive > 0) {
        enum error error = wait_queue_sleep(&all_ended, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
    return last_exit_status;
}

_Noreturn void program_exit(uint32_t status)
{
    struct task *task = task_current();

    if (task->program->state == PROGRAM_RUNNING) {
        task->program->state = PROGRAM_ZOMBIE;
        task->program->exit_status = status;
        task_end_others(task);
    }
    task_exit();
}

/* After a boot ------------------------------------------------------------------------------------------------------
 */

enum error program_start_empty(void)
{
    enum error error = record_commit(RECORD_REGION, 1);

    if (error != OK) {
        return error;
    }
    region_table_attach();
    error = vm_region_table_create(&region_table);
    regions_are_sound = error == OK;
    return error == OK ? pipe_start() : error;
}

/* What a program without a space of its own runs in, if it runs (SPACE-5). */
static bool lender_is_sound(const struct program_record *program)
{
    if (program->lender == 0) {
        return true; /* in its own space, if it has a task */
    }
    if (program->space != 0 || program->lender >= record_committed(RECORD_PROGRAM)) {
        return false;
    }
    const struct program_record *lender = program_at(program->lender);
    return lender->state == PROGRAM_RUNNING && lender->space != 0 &&
           lender->lender == 0;
}

/* A record that a program could not have made is not trusted to be one. */
static enum error program_adopt(uint32_t index)
{
    const struct program_record *program = program_at(index);
    enum error error = vm_region_adopt(&region_table, program->region_root);

    if (program->state > PROGRAM_ENDED || program->name[PROGRAM_NAME_MAX - 1] != 0 ||
        program->break_start > program->break_end || program->break_end > USER_END ||
        (program->held & ~(uint32_t)PROGRAM_HOLDS_KNOWN) != 0) {
        error = ERROR_FORMAT_DAMAGED;
    }
    for (uint32_t i = 0; i < PROGRAM_FILES_MAX; i++) {
        if (program->files[i] >= record_committed(RECORD_FILE) && program->files[i] != 0) {
            error = ERROR_FORMAT_DAMAGED;
        }
    }
    if (program->space >= record_committed(RECORD_SPACE) || program->parent >= record_committed(RECORD_PROGRAM) ||
        !limits_are_sound(program) || !lender_is_sound(program) ||
        (program->space == 0 ? program->region_root != 0
                             : space_at((struct space_id){program->space})->state != SPACE_OWNED ||
                                   space_owner((struct space_id){program->space}) != 0)) {
        error = ERROR_FORMAT_DAMAGED;
    }
    if (error != OK) {
        log_line("program: record %u is not sound: %s", index, error_text(error));
        return error;
    }
    return OK;
}

static enum error program_revive(uint32_t index)
{
    struct program_record *program = program_at(index);
    enum error error = program_account_open(index);

    if (error == OK) {
        program_account_restore(index, program->counters);
        if (program->space != 0) {
            space_set_owner((struct space_id){program->space}, index);
        }
        programs_alive++;
    }
    return error;
}

enum error program_adopt_all(void)
{
    region_table_attach();
    enum error error = vm_region_table_adopt(&region_table);

    if (error == OK) {
        error = pipe_start();
    }
    for (uint32_t index = 1; error == OK && index < record_committed(RECORD_PROGRAM); index++) {
        if (program_at(index)->state == PROGRAM_FREE) {
            continue;
        }
        error = program_adopt(index);
        if (error == OK && program_at(index)->state != PROGRAM_ENDED) {
            error = program_revive(index);
        }
    }
    if (error == OK) {
        error = space_resume();
    }
    if (error == OK) {
        error = file_resume();
    }
    if (error == OK && !vm_region_table_is_whole(&region_table)) {
        log_line("program: regions that belong to no space");
        error = ERROR_FORMAT_DAMAGED;
    }
    return error == OK ? task_adopt_all() : error;
}

enum error program_resume_all(void)
{
    enum error error = task_resume_all();

    for (uint32_t index = 1; error == OK && index < record_committed(RECORD_PROGRAM); index++) {
        if (program_exists(index) && program_at(index)->state != PROGRAM_ENDED && program_at(index)->task_count == 0) {
            program_destroy(index);
        }
    }
    if (error == OK) {
        regions_are_sound = true;
        space_collect_all();
        record_trim(false);
    }
    return error;
}
