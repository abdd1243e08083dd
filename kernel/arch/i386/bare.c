/*
 * A kernel without programs: what stands in for kernel/proc and kernel/main.c while they are not linked in.
 *
 * It runs the self tests and ends. A trap from user mode cannot happen then.
 */
#include "arch/cpu.h"
#include "log.h"
#include "selftest.h"
#include "thread.h"

#define NOT_LINKED __attribute__((weak))

void kernel_main(void);

NOT_LINKED void kernel_main(void)
{
    thread_start();
    selftest_run();
}

NOT_LINKED void trap_system_call(struct registers *registers)
{
    panic("bare", "expected no program, saw system call %u", registers->eax);
}

NOT_LINKED bool trap_page_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access,
                                bool present, bool from_user)
{
    (void)registers, (void)address, (void)access, (void)present;
    ASSERT(!from_user);
    return false;
}

NOT_LINKED void trap_exception(struct registers *registers)
{
    panic("bare", "expected no program, saw exception %u", registers->vector);
}

NOT_LINKED void trap_return(struct registers *registers)
{
    (void)registers;
}
