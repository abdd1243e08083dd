/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that are not for everybody.
 */
#ifndef VM_RESERVE_H
#define VM_RESERVE_H

#include "types.h"

/* Frames that only the kernel may take. Set once at boot, from the size of memory. */
uint32_t vm_frame_reserve(void);

/* Frames that copies for a running snapshot may take, apart from those of the kernel's own records. */
uint32_t vm_copies_max(void);

#endif
