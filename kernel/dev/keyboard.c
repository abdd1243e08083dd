/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard port of the PS/2 controller: each interrupt brings one scancode, which keyboard_decode() turns into
 * bytes. The controller translates to scancode set 1, as the firmware leaves it and as it is set here again.
 */
#include "keyboard.h"

#include "arch/interrupt.h"
#include "arch/io.h"
#include "log.h"
#include "vga.h"

#define PORT_DATA    0x60
#define PORT_STATUS  0x64 /* read */
#define PORT_COMMAND 0x64 /* write */
#define LINE         1u

#define STATUS_OUTPUT  0x01u /* a byte waits to be read */
#define STATUS_INPUT   0x02u /* the controller has not taken the last byte yet */
#define STATUS_MOUSE   0x20u /* the waiting byte is the mouse's */
#define STATUS_NO_CHIP 0xFFu

#define COMMAND_READ_CONFIGURATION  0x20u
#define COMMAND_WRITE_CONFIGURATION 0x60u
#define COMMAND_DISABLE_MOUSE       0xA7u
#define COMMAND_ENABLE_KEYBOARD     0xAEu

#define CONFIGURATION_INTERRUPT       0x01u
#define CONFIGURATION_MOUSE_INTERRUPT 0x02u
#define CONFIGURATION_KEYBOARD_OFF    0x10u
#define CONFIGURATION_TRANSLATE       0x40u

#define SPINS_MAX     100000u
#define SCANCODES_MAX 32u /* taken in one interrupt */

static struct {
    struct keyboard_decoder decoder;
    keyboard_receiver *receiver;
    void *receiver_context;
    keyboard_scroller *scroller;
} keyboard;

static bool wait_status(uint8_t mask, uint8_t value)
{
    for (uint32_t spins = 0; spins < SPINS_MAX; spins++) {
        if ((inb(PORT_STATUS) & mask) == value) {
            return true;
        }
    }
    return false;
}

static bool send(uint16_t port, uint8_t byte)
{
    if (!wait_status(STATUS_INPUT, 0)) {
        return false;
    }
    outb(port, byte);
    return true;
}

static void show_screen(uint8_t function_key)
{
    if (function_key == 1) {
        vga_show(VGA_TERMINAL);
    } else if (function_key == 2) {
        vga_show(VGA_LOG);
    }
}

static void handle_scancode(uint8_t scancode)
{
    struct keyboard_output output = keyboard_decode(&keyboard.decoder, scancode);
    show_screen(output.alt_function);
    if (output.scroll != 0 && keyboard.scroller != NULL) {
        keyboard.scroller(output.scroll);
    }
    for (uint32_t i = 0; i < output.count && keyboard.receiver != NULL; i++) {
        keyboard.receiver(output.bytes[i], keyboard.receiver_context);
    }
}

static void handle_interrupt(void *context)
{
    (void)context;
    for (uint32_t i = 0; i < SCANCODES_MAX; i++) {
        uint8_t status = inb(PORT_STATUS);
        if ((status & STATUS_OUTPUT) == 0) {
            return;
        }
        uint8_t scancode = inb(PORT_DATA);
        if ((status & STATUS_MOUSE) == 0) {
            handle_scancode(scancode);
        }
    }
}

static void flush_output(void)
{
    for (uint32_t i = 0; i < SCANCODES_MAX && (inb(PORT_STATUS) & STATUS_OUTPUT) != 0; i++) {
        (void)inb(PORT_DATA);
    }
}

/* Translation and the keyboard's interrupt on, the mouse off. */
static bool start_controller(void)
{
    if (!send(PORT_COMMAND, COMMAND_DISABLE_MOUSE)) {
        return false;
    }
    flush_output();
    if (!send(PORT_COMMAND, COMMAND_READ_CONFIGURATION) || !wait_status(STATUS_OUTPUT, STATUS_OUTPUT)) {
        return false;
    }
    uint8_t configuration = inb(PORT_DATA);
    configuration |= CONFIGURATION_INTERRUPT | CONFIGURATION_TRANSLATE;
    configuration &= (uint8_t) ~(CONFIGURATION_MOUSE_INTERRUPT | CONFIGURATION_KEYBOARD_OFF);
    return send(PORT_COMMAND, COMMAND_WRITE_CONFIGURATION) && send(PORT_DATA, configuration) &&
           send(PORT_COMMAND, COMMAND_ENABLE_KEYBOARD);
}

void keyboard_init(void)
{
    bool enabled = interrupt_disable();
    bool present = inb(PORT_STATUS) != STATUS_NO_CHIP && start_controller();
    interrupt_restore(enabled);
    if (!present) {
        log_line("keyboard: no controller");
        return;
    }
    interrupt_attach(LINE, handle_interrupt, NULL);
}

void keyboard_set_receiver(keyboard_receiver *receiver, void *context)
{
    bool enabled = interrupt_disable();
    keyboard.receiver = receiver;
    keyboard.receiver_context = context;
    interrupt_restore(enabled);
}

void keyboard_set_scroller(keyboard_scroller *scroller)
{
    keyboard.scroller = scroller;
}
