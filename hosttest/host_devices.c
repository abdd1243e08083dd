/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices, as the kernel's drivers offer them (include/serial.h, vga.h, keyboard.h, pci.h, virtio_blk.h, ata.h). The
 * serial line takes whatever it gets at once; its input waits while the receiver is paused.
 */
#include "host_devices.h"
#include "ata.h"
#include "host_boot.h"
#include "keyboard.h"
#include "log.h"
#include "pci.h"
#include "power_button.h"
#include "serial.h"
#include "vga.h"
#include "virtio_blk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text that keeps its newest half when it is full. */
struct text {
    char bytes[HOST_CONSOLE_BYTES];
    uint32_t length;
};

static struct text console, log_text;
static struct block_device *disk;

struct serial_port {
    struct text *text; /* that is written to it */
    struct wait_queue room;
    serial_receiver *receiver;
    void *receiver_context;
    bool is_paused;
};

static struct text control;
struct serial_port serial_console = {.text = &console};
struct serial_port serial_control = {.text = &control};

static void append(struct text *text, const void *bytes, size_t count)
{
    const uint32_t room = sizeof(text->bytes) - 1;

    if (count > room / 2) {
        return;
    }
    if (text->length + count > room) {
        uint32_t kept = room / 2;
        memmove(text->bytes, text->bytes + text->length - kept, kept);
        text->length = kept;
    }
    memcpy(text->bytes + text->length, bytes, count);
    text->length += (uint32_t)count;
    text->bytes[text->length] = 0;
}

void host_devices_start(struct block_device *with)
{
    disk = with;
    serial_console = (struct serial_port){.text = &console};
    serial_control = (struct serial_port){.text = &control};
    console.length = control.length = log_text.length = 0;
    console.bytes[0] = control.bytes[0] = log_text.bytes[0] = 0;
}

const char *host_console(void)
{
    return console.bytes;
}

const char *host_log(void)
{
    return log_text.bytes;
}

/* The serial lines ------------------------------------------------------------------------------------------------- */

void serial_init(void)
{
}

uint32_t serial_write_room(const struct serial_port *port)
{
    (void)port;
    return SERIAL_TRANSMIT_BYTES;
}

uint32_t serial_write(struct serial_port *port, const uint8_t *bytes, uint32_t length)
{
    append(port->text, bytes, length);
    return length;
}

struct wait_queue *serial_room_queue(struct serial_port *port)
{
    return &port->room;
}

void serial_set_receiver(struct serial_port *port, serial_receiver *receiver, void *context)
{
    port->receiver = receiver;
    port->receiver_context = context;
}

void serial_pause_receiver(struct serial_port *port)
{
    port->is_paused = true;
}

void serial_resume_receiver(struct serial_port *port)
{
    port->is_paused = false;
}

void serial_drain(struct serial_port *port)
{
    (void)port;
}

static uint32_t give(struct serial_port *port, const char *bytes, uint32_t count)
{
    uint32_t given = 0;

    for (; given < count && port->receiver != NULL && !port->is_paused; given++) {
        port->receiver((uint8_t)bytes[given], port->receiver_context);
    }
    return given;
}

uint32_t host_type(const char *bytes, uint32_t count)
{
    return give(&serial_console, bytes, count);
}

uint32_t host_ask(const char *bytes, uint32_t count)
{
    return give(&serial_control, bytes, count);
}

const char *host_answers(void)
{
    return control.bytes;
}

/* The rest --------------------------------------------------------------------------------------------------------- */

void keyboard_init(void)
{
}

void keyboard_set_receiver(keyboard_receiver *to, void *context)
{
    (void)to;
    (void)context;
}

void keyboard_set_scroller(keyboard_scroller *scroller)
{
    (void)scroller;
}

/* Nobody presses it. */
bool power_button_attach(power_button_handler *pressed)
{
    (void)pressed;
    return false;
}

void pci_init(void)
{
}

void vga_init(void)
{
}

void vga_show(enum vga_screen screen)
{
    (void)screen;
}

void vga_put(enum vga_screen screen, uint32_t row, uint32_t column, uint8_t character, uint8_t attribute)
{
    (void)screen, (void)row, (void)column, (void)character, (void)attribute;
}

void vga_cursor(enum vga_screen screen, uint32_t row, uint32_t column)
{
    (void)screen, (void)row, (void)column;
}

void vga_log_write(const char *text, size_t length)
{
    append(&log_text, text, length);
}

enum error virtio_blk_find(uint32_t index, struct block_device **out)
{
    (void)index;
    if (disk == NULL) {
        return ERROR_NOT_FOUND;
    }
    *out = disk;
    return OK;
}

enum error ata_find(uint32_t index, struct block_device **out)
{
    (void)index;
    (void)out;
    return ERROR_NOT_FOUND;
}
