/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ends that a boot can come to beside a panic.
 */
#ifndef KERNEL_REFUSE_H
#define KERNEL_REFUSE_H

#include "error.h"
#include "types.h"

/* What the launcher reads from the emulator's exit status; the program's own status stands in the log. */
#define POWER_OFF_ENDED    0x10u
#define POWER_OFF_STOPPED  0x11u
#define POWER_OFF_SWITCHED 0x12u

/* End the machine, once the serial line has said everything. */
_Noreturn void leave(uint8_t how);

/* Say what is wrong and what to do about it, and end the machine with the image as it is. */
_Noreturn void refuse(const char *what, const char *reason, const char *remedy);

/* What to do about an error of the image. */
const char *remedy_for(enum error error);

#endif
