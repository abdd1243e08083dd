/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: memory that belongs to devices.
 */
#ifndef ARCH_DEVICE_H
#define ARCH_DEVICE_H

#include "types.h"

/*
 * Map device memory uncached into the kernel's device window, for good; meant for boot time.
 * - physical, bytes: any range; it need not be page aligned, and the result points at its first byte.
 * - NULL: the range wraps or lies above 4 GiB, or the window is used up.
 */
void *device_map(uint64_t physical, size_t bytes);

#endif
