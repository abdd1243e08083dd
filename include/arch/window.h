/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: where the kernel sees the windows of an address space.
 *
 * The kernel reads and writes its records, and what it has prepared of a program's memory, through plain pointers. On
 * the real machine such a pointer is the address itself; a machine whose addresses are others answers here. Loads and
 * stores through it are translated, noted (A, D) and trapped as the program's own would be.
 */
#ifndef ARCH_WINDOW_H
#define ARCH_WINDOW_H

#include "types.h"

/* The pointer to an address of the active space, in its private, shared or system window. Nothing is looked at. */
void *window_pointer(struct vaddr address);

/* The address that a pointer into a window stands for. */
struct vaddr window_address(const void *pointer);

#endif
