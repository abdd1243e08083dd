/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults: of programs, which the object space answers or which become signals; and of the kernel, which may only
 * hit a record in the system window that a snapshot protects.
 *
 * A fault whose wait for memory was interrupted is tried again by the program itself, once the signal has been dealt
 * with.
 */
#include "arch/cpu.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "program/programs.h"
#include "signal/signal_frame.h"
#include "space/address_space.h"
#include "space/space.h"
#include "space/space_map.h"
#include "task/program_usage.h"
#include "vm_account.h"
#include "vm_fault.h"

static struct page_key page_at(const struct task *task, struct vaddr address)
{
    return page_key_at(task->context.space, address);
}

/*
 * The kernel touches programs' memory only after preparing it. All that can be amiss then is a translation from before,
 * with fewer rights, that the processor still held; the fault itself made it forget it.
 */
static bool is_stale_translation(struct vaddr address, enum trap_fault_access access)
{
    const struct task *task = task_current();
    enum pmap_access allowed;

    if (task == NULL || address.value < USER_START || address.value >= USER_END) {
        return false;
    }
    struct page_key page = page_at(task, address);
    return pmap_query(page_key_place(page), &allowed) &&
           (access != TRAP_WRITE || (allowed == PMAP_WRITE && !pmap_is_closed(page_key_place(page))));
}

static bool fault_of_kernel(struct vaddr address, enum trap_fault_access access, bool present)
{
    if (!present) {
        return false;
    }
    if (address.value >= SYSTEM_START && address.value < SYSTEM_END) {
        return access == TRAP_WRITE && vm_fault_record(page_key_at(SPACE_SYSTEM, address));
    }
    return is_stale_translation(address, access);
}

static enum error fault_of_program(const struct task *task, struct vaddr address, enum trap_fault_access access)
{
    if (address.value < USER_START || address.value >= USER_END) {
        vm_account_count(task->context.space, EIDOLON_FAULT_DENIED);
        return ERROR_DENIED;
    }
    struct address_space space = address_space_of_task(task);
    enum error error;
    uint32_t epoch;
    do {
        epoch = space_epoch(space);
        error = vm_fault(page_key_place(page_at(task, address)), access == TRAP_WRITE ? PMAP_WRITE : PMAP_READ);
    } while (regions_growth_goes_on(error) || (error == ERROR_DENIED && epoch != space_epoch(space)));
    return error;
}

/* What nothing could resolve becomes a signal ---------------------------------------------------------------------- */

#define SEGV_MAPERR       1
#define SEGV_ACCERR       2
#define BUS_ADRERR        2
#define VECTOR_PAGE_FAULT 14u

/* Whether an address that is in no usable region lies between a stack and what limits it. */
static bool is_below_a_stack(uint32_t root, uint32_t address)
{
    uint32_t page = address >> PAGE_SHIFT;
    const struct vm_region *region = vm_region_next(&region_table, root, page);

    if (region != NULL && region->backing.kind == VM_BACKING_NONE) {
        region = vm_region_next(&region_table, root, region->first_page + region->page_count);
    }
    return region != NULL && (region->flags & VM_REGION_GROWS_DOWN) != 0 && region->first_page > page &&
           region->first_page - page <= STACK_PAGES_MAX;
}

static const char *error_reason(enum error error)
{
    switch (error) {
    case ERROR_NO_MEMORY:
        return "out of memory";
    case ERROR_CHECKSUM:
        return "damaged page";
    case ERROR_RANGE:
        return "beyond the end of what is mapped";
    default:
        return "unreadable page";
    }
}

static void signal_page_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access,
                              enum error error)
{
    struct task *task = task_current();
    uint32_t root = space_at(address_space_of(task->program_id))->region_root;
    uint32_t page = address.value >> PAGE_SHIFT;
    struct signal_fault fault = {
        .signal = SIGSEGV, .address = address.value, .vector = VECTOR_PAGE_FAULT, .error_code = registers->error_code};
    const char *what = "segmentation fault";

    task->registers = registers;
    if (error == ERROR_DENIED) {
        bool mapped = vm_region_find(&region_table, root, page) != NULL;
        fault.code = mapped ? SEGV_ACCERR : SEGV_MAPERR;
        if (access != TRAP_EXECUTE && is_below_a_stack(root, address.value)) {
            what = "stack overflow";
        }
    } else {
        fault.signal = error == ERROR_NO_MEMORY ? SIGKILL : SIGBUS;
        fault.code = BUS_ADRERR;
        what = error_reason(error);
    }
    kernel_snprintf(fault.detail, sizeof(fault.detail), "%s at 0x%x (eip 0x%x)", what, address.value, registers->eip);
    program_force_signal(registers, &fault);
}

/* Both ------------------------------------------------------------------------------------------------------------- */

bool trap_page_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access, bool present,
                     bool from_user)
{
    if (!from_user) {
        return fault_of_kernel(address, access, present);
    }
    struct task *task = task_current();
    task->registers = registers;
    usage_enter(task);
    enum error error = fault_of_program(task, address, access);
    if (error != OK && error != ERROR_INTERRUPTED) {
        signal_page_fault(registers, address, access, error);
    }
    return true;
}
