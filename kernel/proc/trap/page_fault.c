/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults: of programs, which the object space answers or which become signals; and of the kernel, which may only hit
 * a record in the system window that a snapshot protects.
 *
 * A fault whose wait for memory was interrupted is tried again by the program itself, once the signal has been dealt with.
 */
#include "log.h"
#include "program.h"
#include "signal/program_signal.h"
#include "task/program_usage.h"
#include "vm_account.h"
#include "vm_fault.h"

static struct gpn page_at(const struct task *task, struct vaddr address)
{
    return gpn_make(address.value >= SHARED_START ? SPACE_SHARED : task->context.space, address);
}

/*
 * The kernel touches programs' memory only after preparing it. All that can be amiss then is a translation from before, with
 * fewer rights, that the processor still held; the fault itself made it forget it.
 */
static bool is_stale_translation(struct vaddr address, enum trap_fault_access access)
{
    const struct task *task = task_current();
    enum pmap_access allowed;

    if (task == NULL || address.value < USER_START || address.value >= SHARED_END) {
        return false;
    }
    struct gpn page = page_at(task, address);
    return pmap_query(page, &allowed) && (access != TRAP_WRITE || (allowed == PMAP_WRITE && !pmap_is_closed(page)));
}

static bool fault_of_kernel(struct vaddr address, enum trap_fault_access access, bool present)
{
    if (!present) {
        return false;
    }
    if (address.value >= SYSTEM_START && address.value < SYSTEM_END) {
        return access == TRAP_WRITE && vm_fault_record(gpn_make(SPACE_SYSTEM, address));
    }
    return is_stale_translation(address, access);
}

static enum error fault_of_program(const struct task *task, struct vaddr address, enum trap_fault_access access)
{
    if (address.value < USER_START || address.value >= SHARED_END) {
        vm_account_count(page_at(task, (struct vaddr){0}), EIDOLON_FAULT_DENIED);
        return ERROR_DENIED;
    }
    enum error error;
    do {
        error = vm_fault(page_at(task, address), access == TRAP_WRITE ? PMAP_WRITE : PMAP_READ);
    } while (program_growth_goes_on(error));
    return error;
}

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
