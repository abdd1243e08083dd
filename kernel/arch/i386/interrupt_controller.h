/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controllers, set up once at boot with every line masked.
 */
#ifndef I386_INTERRUPT_CONTROLLER_H
#define I386_INTERRUPT_CONTROLLER_H

void interrupt_controller_initialise(void);

#endif
