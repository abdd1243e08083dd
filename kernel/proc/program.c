/*
 * Programs: address space, regions and files that tasks share; their creation, their end, and their return after a boot.
 *
 * A program's index is its space id and its process id. The record persists; the space's page tables are volatile and
 * fill by faults. A program ends when its last task has left: its files are closed, its pages discarded, its regions
 * released, in that order, so that an end which a power cut interrupts can be taken up again from the record.
 */
#include "program.h"
#include "address_space.h"
#include "arch/pmap.h"
#include "file.h"
#include "log.h"
#include "program_account.h"
#include "task.h"
#include "vm_fault.h"
#include "vm_region.h"
#include <string.h>


struct vm_region_table region_table;

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
}

struct program_record *program_at(uint32_t index)
{
    return record_at(RECORD_PROGRAM, index);
}

static bool program_exists(uint32_t index)
{
    return index > 0 && index < record_committed(RECORD_PROGRAM) && program_at(index)->state != PROGRAM_FREE;
}

/* Faults ------------------------------------------------------------------------------------------------------------ */

static uint8_t protection_for(enum pmap_access access)
{
    return access == PMAP_WRITE ? VM_WRITE : VM_READ | VM_EXECUTE;
}

static enum error check_access(struct gpn page, enum pmap_access access, struct vm_allowance *out)
{
    uint32_t index = gpn_space(page).number;
    uint32_t number = gpn_address(page).value >> PAGE_SHIFT;

    if (index == SPACE_SYSTEM.number) {
        *out = (struct vm_allowance){.may_write = true};
        return OK;
    }
    if (!program_exists(index)) {
        return ERROR_DENIED;
    }
    struct program_record *program = program_at(index);
    const struct vm_region *region = vm_region_find(&region_table, program->region_root, number);
    if (region == NULL) {
        enum error error = vm_region_grow_down(&region_table, &program->region_root, number, STACK_PAGES_MAX,
                                               STACK_GAP_PAGES);
        if (error != OK) {
            return ERROR_DENIED;
        }
        region = vm_region_find(&region_table, program->region_root, number);
    }
    if (region->ticket.kind == VM_TICKET_NONE || (region->protection & protection_for(access)) == 0) {
        return ERROR_DENIED;
    }
    out->may_write = (region->protection & VM_WRITE) != 0;
    out->pages_before = number - region->first_page;
    out->pages_after = region->first_page + region->page_count - number - 1;
    return OK;
}

static void opening(struct gpn chunk)
{
    if (gpn_space(chunk).number == SPACE_SYSTEM.number) {
        task_capture_due();
    }
}

const struct vm_fault_policy program_fault_policy = {.check = check_access, .opening = opening};

/* Creation ---------------------------------------------------------------------------------------------------------- */

static enum error find_free_index(uint32_t *out)
{
    for (uint32_t index = 1; index <= PROGRAMS_MAX; index++) {
        enum error error = record_commit(RECORD_PROGRAM, index + 1);
        if (error != OK) {
            return error;
        }
        if (program_at(index)->state == PROGRAM_FREE) {
            *out = index;
            return OK;
        }
    }
    return ERROR_NO_MEMORY;
}

enum error program_create(const char *name, uint32_t parent, uint32_t *out_index)
{
    uint32_t index;
    enum error error = find_free_index(&index);

    if (error != OK) {
        return error;
    }
    error = pmap_create((struct space_id){index});
    if (error != OK) {
        return error;
    }
    error = program_account_open(index);
    if (error != OK) {
        pmap_delete((struct space_id){index});
        return error;
    }
    struct program_record *program = program_at(index);
    memset(program, 0, sizeof(*program));
    program->state = PROGRAM_RUNNING;
    program->parent = parent;
    program->umask = 022;
    program->process_group = index;
    program->session = index;
    kernel_snprintf(program->name, sizeof(program->name), "%s", name);
    programs_alive++;
    *out_index = index;
    return OK;
}

/* End --------------------------------------------------------------------------------------------------------------- */

/* Discard the memory of a program region by region. A region leaves the tree only after its pages are gone. */
static void release_memory(uint32_t index)
{
    struct program_record *program = program_at(index);
    const struct vm_region *region;

    while ((region = vm_region_next(&region_table, program->region_root, 0)) != NULL) {
        uint32_t first = region->first_page;
        uint32_t count = region->page_count;
        enum error error = vm_discard((struct gpn){index << 20 | first}, count);
        if (error == OK) {
            error = vm_region_release(&region_table, &program->region_root, first, count);
        }
        if (error != OK) {
            log_line("program: memory of %s is not released for now: %s", program->name, error_text(error));
            return;
        }
    }
}

void program_destroy(uint32_t index)
{
    struct program_record *program = program_at(index);

    file_close_all(program);
    release_memory(index);
    pmap_delete((struct space_id){index});
    program_account_close(index);
    last_exit_status = program->exit_status;
    if (program->region_root == 0) {
        program->state = PROGRAM_FREE;
    }
    programs_alive--;
    if (programs_alive == 0) {
        wait_queue_wake(&all_ended, UINT32_MAX);
    }
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

/* After a boot ------------------------------------------------------------------------------------------------------ */

enum error program_start_empty(void)
{
    enum error error = record_commit(RECORD_REGION, 1);

    if (error != OK) {
        return error;
    }
    region_table_attach();
    return vm_region_table_create(&region_table);
}

/* A record that a program could not have made is not trusted to be one. */
static enum error program_adopt(uint32_t index)
{
    const struct program_record *program = program_at(index);
    enum error error = vm_region_adopt(&region_table, program->region_root);

    if (program->state > PROGRAM_ZOMBIE || program->name[PROGRAM_NAME_MAX - 1] != 0 ||
        program->break_start > program->break_end || program->break_end > USER_END) {
        error = ERROR_FORMAT_DAMAGED;
    }
    for (uint32_t i = 0; i < PROGRAM_FILES_MAX; i++) {
        if (program->files[i] >= record_committed(RECORD_FILE) && program->files[i] != 0) {
            error = ERROR_FORMAT_DAMAGED;
        }
    }
    if (error != OK) {
        log_line("program: record %u is not sound: %s", index, error_text(error));
    }
    return error;
}

enum error program_resume_all(void)
{
    region_table_attach();
    enum error error = vm_region_table_adopt(&region_table);

    for (uint32_t index = 1; error == OK && index < record_committed(RECORD_PROGRAM); index++) {
        if (program_at(index)->state == PROGRAM_FREE) {
            continue;
        }
        error = program_adopt(index);
        if (error == OK) {
            error = pmap_create((struct space_id){index});
        }
        if (error == OK) {
            error = program_account_open(index);
        }
        if (error == OK) {
            program_account_restore(index, program_at(index)->counters);
            programs_alive++;
        }
    }
    if (error == OK) {
        error = file_resume();
    }
    if (error == OK && !vm_region_table_is_whole(&region_table)) {
        log_line("program: regions that belong to no program");
        error = ERROR_FORMAT_DAMAGED;
    }
    if (error == OK) {
        error = task_resume_all();
    }
    for (uint32_t index = 1; error == OK && index < record_committed(RECORD_PROGRAM); index++) {
        if (program_exists(index) && program_at(index)->task_count == 0) {
            program_destroy(index);
        }
    }
    return error;
}
