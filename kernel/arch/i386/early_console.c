/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug console, serial line and screen, each in its simplest form.
 */
#include "early_console.h"
#include "arch/io.h"
#include "memory.h"

#define DEBUG_PORT 0xE9

#define SERIAL_PORT         0x3F8
#define SERIAL_INTERRUPTS   (SERIAL_PORT + 1)
#define SERIAL_LINE_CONTROL (SERIAL_PORT + 3)
#define SERIAL_LINE_STATUS  (SERIAL_PORT + 5)
#define SERIAL_DIVISOR_OPEN 0x80
#define SERIAL_8_BITS       0x03
#define SERIAL_ROOM         0x20
#define SERIAL_POLLS_MAX    1000000u

#define SCREEN_PHYSICAL  0xB8000u
#define SCREEN_COLUMNS   80u
#define SCREEN_ROWS      25u
#define SCREEN_ATTRIBUTE 0x4F00u /* white on red */

void early_debug_write(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        outb(DEBUG_PORT, (uint8_t)text[i]);
    }
}

static void serial_put(char character)
{
    /* A line that is missing or never ready must not keep the machine from ending. */
    for (uint32_t polls = 0; polls < SERIAL_POLLS_MAX; polls++) {
        if ((inb(SERIAL_LINE_STATUS) & SERIAL_ROOM) != 0) {
            break;
        }
    }
    outb(SERIAL_PORT, (uint8_t)character);
}

/* 115200 bits a second, 8 bits, no parity; nobody may have set the line up yet. */
static void serial_set_line(void)
{
    outb(SERIAL_INTERRUPTS, 0);
    outb(SERIAL_LINE_CONTROL, SERIAL_DIVISOR_OPEN);
    outb(SERIAL_PORT, 1);
    outb(SERIAL_PORT + 1, 0);
    outb(SERIAL_LINE_CONTROL, SERIAL_8_BITS);
}

void early_serial_write(const char *text, size_t length)
{
    serial_set_line();
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            serial_put('\r');
        }
        serial_put(text[i]);
    }
}

void early_screen_write(const char *text, size_t length)
{
    static uint32_t row, column;
    volatile uint16_t *cells = memory_at(SCREEN_PHYSICAL);
    for (size_t i = 0; i < length && row < SCREEN_ROWS; i++) {
        bool is_newline = text[i] == '\n';
        uint32_t end = is_newline ? SCREEN_COLUMNS : column + 1;
        for (; column < end; column++) {
            cells[row * SCREEN_COLUMNS + column] = SCREEN_ATTRIBUTE | (uint8_t)(is_newline ? ' ' : text[i]);
        }
        if (column == SCREEN_COLUMNS) {
            column = 0;
            row++;
        }
    }
}
