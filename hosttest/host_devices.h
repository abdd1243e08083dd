/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices of the fake machine that a boot of the kernel finds: a serial line, a screen that nobody looks at, and
 * the disk of a test.
 */
#ifndef HOST_DEVICES_H
#define HOST_DEVICES_H

#include "block_device.h"

void host_devices_start(struct block_device *disk);

#endif
