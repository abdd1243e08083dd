/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The power button of a PC, as ACPI's fixed hardware has it (ACPI 1.0, 4.7.2.2.1), on the one chip that PCs of QEMU's
 * kind have: PIIX4 power management. Emulators press it when their user asks for a clean end (QEMU: system_powerdown).
 */
#ifndef POWER_BUTTON_H
#define POWER_BUTTON_H

#include "types.h"

/*
 * Have `pressed` called, in interrupt context, whenever the button is pressed. Called once.
 * - returns false if the machine has no such button.
 */
typedef void power_button_handler(void);
bool power_button_attach(power_button_handler *pressed);

#endif
