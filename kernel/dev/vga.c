/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VGA text buffer: one 16-bit word a cell, character below attribute.
 *
 * Each screen has its cells and its cursor in memory; the adapter's buffer is only ever written, and only where it
 * differs from what is already there (`displayed`), because a write to it costs far more than one to memory.
 * Everything in `vga` is touched with interrupts disabled.
 */
#include "vga.h"

#include "arch/device.h"
#include "arch/interrupt.h"
#include "arch/io.h"

#include <string.h>

#define BUFFER_PHYSICAL 0xB8000u
#define CELLS           (VGA_ROWS * VGA_COLUMNS)
#define LAST_ROW        (CELLS - VGA_COLUMNS) /* its first cell */
#define BLANK           ' '

#define PORT_INDEX           0x3D4
#define PORT_VALUE           0x3D5
#define REGISTER_CURSOR      0x0Au /* start line and bit 5: off */
#define REGISTER_START_HIGH  0x0Cu
#define REGISTER_START_LOW   0x0Du
#define REGISTER_CURSOR_HIGH 0x0Eu
#define REGISTER_CURSOR_LOW  0x0Fu

struct screen {
    uint16_t cells[CELLS];
    uint32_t cursor; /* cell number; CELLS: nowhere */
};

static struct {
    volatile uint16_t *buffer; /* NULL: no adapter */
    uint16_t displayed[CELLS];
    uint32_t displayed_cursor;
    enum vga_screen shown;
    struct screen screens[VGA_SCREENS];
} vga;

static uint16_t cell_of(uint8_t character, uint8_t attribute)
{
    return (uint16_t)(attribute << 8 | character);
}

static void write_register(uint8_t index, uint8_t value)
{
    outb(PORT_INDEX, index);
    outb(PORT_VALUE, value);
}

static void display_cells(uint32_t first, uint32_t count)
{
    const uint16_t *cells = vga.screens[vga.shown].cells;
    for (uint32_t i = first; i < first + count; i++) {
        if (vga.displayed[i] != cells[i]) {
            vga.displayed[i] = cells[i];
            vga.buffer[i] = cells[i];
        }
    }
}

/* A cursor nowhere is put behind the last visible cell. */
static void display_cursor(void)
{
    uint32_t cursor = vga.screens[vga.shown].cursor;
    if (vga.displayed_cursor != cursor) {
        vga.displayed_cursor = cursor;
        write_register(REGISTER_CURSOR_HIGH, (uint8_t)(cursor >> 8));
        write_register(REGISTER_CURSOR_LOW, (uint8_t)cursor);
    }
}

static void refresh(enum vga_screen screen)
{
    if (vga.buffer != NULL && screen == vga.shown) {
        display_cells(0, CELLS);
        display_cursor();
    }
}

/* Zeroed cells are those that nothing was written to before vga_init(). */
static void fill_unwritten(struct screen *screen)
{
    for (uint32_t i = 0; i < CELLS; i++) {
        if (screen->cells[i] == 0) {
            screen->cells[i] = cell_of(BLANK, VGA_ATTRIBUTE_NORMAL);
        }
    }
}

/* Everything moves up by a row; a blank one comes in at the bottom. */
static void scroll(struct screen *screen)
{
    memmove(screen->cells, screen->cells + VGA_COLUMNS, LAST_ROW * sizeof(screen->cells[0]));
    for (uint32_t i = LAST_ROW; i < CELLS; i++) {
        screen->cells[i] = cell_of(BLANK, VGA_ATTRIBUTE_NORMAL);
    }
}

static bool find_adapter(volatile uint16_t *buffer)
{
    buffer[0] = 0x0741;
    buffer[1] = 0x0742;
    return buffer[0] == 0x0741 && buffer[1] == 0x0742;
}

void vga_init(void)
{
    bool enabled = interrupt_disable();
    vga.shown = VGA_LOG;
    for (uint32_t i = 0; i < VGA_SCREENS; i++) {
        fill_unwritten(&vga.screens[i]);
    }
    volatile uint16_t *buffer = device_map(BUFFER_PHYSICAL, CELLS * sizeof(*buffer));
    if (buffer != NULL && find_adapter(buffer)) {
        vga.buffer = buffer;
        for (uint32_t i = 0; i < CELLS; i++) {
            vga.displayed[i] = 0;
            vga.buffer[i] = 0;
        }
        vga.displayed_cursor = UINT32_MAX;
        write_register(REGISTER_START_HIGH, 0);
        write_register(REGISTER_START_LOW, 0);
        write_register(REGISTER_CURSOR, 14); /* an underline in the 16-line font */
        refresh(vga.shown);
    }
    interrupt_restore(enabled);
}

void vga_show(enum vga_screen screen)
{
    bool enabled = interrupt_disable();
    if (screen < VGA_SCREENS) {
        vga.shown = screen;
        refresh(screen);
    }
    interrupt_restore(enabled);
}

void vga_put(enum vga_screen screen, uint32_t row, uint32_t column, uint8_t character, uint8_t attribute)
{
    if (row >= VGA_ROWS || column >= VGA_COLUMNS) {
        return;
    }
    bool enabled = interrupt_disable();
    uint32_t cell = row * VGA_COLUMNS + column;
    vga.screens[screen].cells[cell] = cell_of(character, attribute);
    if (vga.buffer != NULL && screen == vga.shown) {
        display_cells(cell, 1);
    }
    interrupt_restore(enabled);
}

void vga_cursor(enum vga_screen screen, uint32_t row, uint32_t column)
{
    bool enabled = interrupt_disable();
    bool inside = row < VGA_ROWS && column < VGA_COLUMNS;
    vga.screens[screen].cursor = inside ? row * VGA_COLUMNS + column : CELLS;
    if (vga.buffer != NULL && screen == vga.shown) {
        display_cursor();
    }
    interrupt_restore(enabled);
}

/* One character of the log: the cursor is where the next one goes, one cell past the end after the last column. */
static void log_character(struct screen *screen, char character)
{
    if (character == '\n') {
        screen->cursor += VGA_COLUMNS - screen->cursor % VGA_COLUMNS;
    } else {
        screen->cells[screen->cursor++] = cell_of((uint8_t)character, VGA_ATTRIBUTE_NORMAL);
    }
    if (screen->cursor >= CELLS) {
        scroll(screen);
        screen->cursor = LAST_ROW;
    }
}

void vga_log_write(const char *text, size_t length)
{
    bool enabled = interrupt_disable();
    struct screen *screen = &vga.screens[VGA_LOG];
    for (size_t i = 0; i < length; i++) {
        log_character(screen, text[i]);
    }
    refresh(VGA_LOG);
    interrupt_restore(enabled);
}
