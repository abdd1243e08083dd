/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text screen of a PC, 80 by 25 cells: two screens share it, and one of them is shown.
 *
 * The terminal keeps its own content and mirrors it here cell by cell; the log screen is a plain stream of lines. Both
 * are kept in memory, so that either can be shown at any moment (Alt-F1 and Alt-F2 on the keyboard, and by a panic).
 * Without a display adapter everything here does nothing. All functions are callable anywhere and never sleep.
 */
#ifndef VGA_H
#define VGA_H

#include "types.h"

#define VGA_ROWS    25u
#define VGA_COLUMNS 80u

/* Attribute: foreground colour in bits 0-3, background in 4-6. */
#define VGA_ATTRIBUTE_NORMAL 0x07u

enum vga_screen { VGA_TERMINAL, VGA_LOG, VGA_SCREENS };

/* Find the adapter and show the log; what was put on the screens before is there, the rest is blank. */
void vga_init(void);

void vga_show(enum vga_screen screen);

/* Set one cell. A row or column outside the screen changes nothing. `character` is of code page 437. */
void vga_put(enum vga_screen screen, uint32_t row, uint32_t column, uint8_t character, uint8_t attribute);

/* Where the cursor blinks; outside the screen: nowhere. */
void vga_cursor(enum vga_screen screen, uint32_t row, uint32_t column);

/* Append to the log screen: text with newlines, a sink for log lines. */
void vga_log_write(const char *text, size_t length);

#endif
