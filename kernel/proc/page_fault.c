/*
 * Page faults: of programs, which the object space answers or which become signals; and of the kernel, which may only hit
 * a record in the system window that a snapshot protects.
 *
 * A fault whose wait for memory was interrupted is tried again by the program itself, once the signal has been dealt with.
 */
#include "log.h"
#include "program.h"
#include "program_signal.h"
#include "vm_fault.h"

static bool fault_of_kernel(struct vaddr address, enum trap_fault_access access, bool present)
{
    return access == TRAP_WRITE && present && address.value >= SYSTEM_START && address.value < SYSTEM_END &&
           vm_fault_record(gpn_make(SPACE_SYSTEM, address));
}

static enum error fault_of_program(const struct task *task, struct vaddr address, enum trap_fault_access access)
{
    struct space_id space = task->context.space;

    if (address.value < USER_START || address.value >= SHARED_END) {
        return ERROR_DENIED;
    }
    if (address.value >= SHARED_START) {
        space = SPACE_SHARED;
    }
    return vm_fault(gpn_make(space, address), access == TRAP_WRITE ? PMAP_WRITE : PMAP_READ);
}

bool trap_page_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access, bool present,
                     bool from_user)
{
    if (!from_user) {
        return fault_of_kernel(address, access, present);
    }
    struct task *task = task_current();
    task->registers = registers;
    enum error error = fault_of_program(task, address, access);
    if (error != OK && error != ERROR_INTERRUPTED) {
        signal_page_fault(registers, address, access, error);
    }
    return true;
}
