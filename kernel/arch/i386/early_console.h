/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output that works from the first instruction on and in the worst of times: polled, no interrupts, no memory.
 */
#ifndef I386_EARLY_CONSOLE_H
#define I386_EARLY_CONSOLE_H

#include "types.h"

/* The emulator's debug console, port 0xE9. Writes to nowhere on machines without one. */
void early_debug_write(const char *text, size_t length);

/* The first serial line, for reports that end the machine: it belongs to the programs until then. */
void early_serial_write(const char *text, size_t length);

/* The screen, from its top line on, over whatever it shows. */
void early_screen_write(const char *text, size_t length);

#endif
