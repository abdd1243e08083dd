/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel runs in every space: a pointer is the address.
 */
#include "arch/window.h"

void *window_pointer(struct vaddr address)
{
    return (void *)address.value;
}

struct vaddr window_address(const void *pointer)
{
    return (struct vaddr){(uint32_t)pointer};
}
