/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inner side of kernel entry and exit.
 */
#ifndef I386_TRAP_H
#define I386_TRAP_H

#include "arch/cpu.h"

/* Called by entry.S. */
void trap_dispatch(struct registers *registers);
void trap_return_failed(struct registers *registers);
void trap_leave(struct registers *registers);
_Noreturn void cpu_enter_registers(struct registers *registers);

/* interrupt.c: call the handlers of a line and tell the controllers. */
void interrupt_dispatch(uint32_t line);

#endif
