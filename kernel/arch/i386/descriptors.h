/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments, the interrupt table, and the task that runs when the kernel's own stack has failed.
 */
#ifndef I386_DESCRIPTORS_H
#define I386_DESCRIPTORS_H

#include "arch/cpu.h"

/* Selectors. User and TLS entries are numbered as Linux numbers them, for programs that compare. */
#define SELECTOR_KERNEL_CODE 0x08u
#define SELECTOR_KERNEL_DATA 0x10u
#define SELECTOR_TASK        0x18u
#define SELECTOR_FAULT_TASK  0x20u
#define SELECTOR_USER_CODE   (14u << 3 | 3u)
#define SELECTOR_USER_DATA   (15u << 3 | 3u)

#define VECTOR_DOUBLE_FAULT 8u
#define VECTOR_PAGE_FAULT   14u
#define VECTOR_INTERRUPTS   32u /* lines 0 .. 15 of the interrupt controllers */
#define VECTOR_SYSTEM_CALL  0x80u

void descriptors_initialise(void);

/* Where the stack of the running thread begins: its next trap from user mode starts there. */
void descriptors_set_stack(void *top);
void *descriptors_stack(void);

#endif
