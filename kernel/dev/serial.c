/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550 UART at each of the first two PC serial ports.
 *
 * Both directions go through a ring. Sending: serial_write() fills the ring and enables the transmitter interrupt; each
 * interrupt moves up to a FIFO's worth to the chip, and disables itself when the ring is empty. Receiving: each
 * interrupt empties the chip's FIFO into the receiver, or into the ring until there is one. While the receiver is
 * paused the receive interrupt is masked and bytes stay in the chip, which makes the other end wait.
 *
 * Everything in a port is touched with interrupts disabled.
 */
#include "serial.h"
#include "atomic.h"

#include "arch/interrupt.h"
#include "arch/io.h"
#include "log.h"

enum uart_register {
    UART_DATA = 0,   /* received and to be sent; low divisor while LINE_CONTROL_DIVISOR is set */
    UART_ENABLE = 1, /* interrupts; high divisor */
    UART_CAUSE = 2,  /* read: interrupt cause */
    UART_FIFO = 2,   /* write: FIFO control */
    UART_LINE_CONTROL = 3,
    UART_MODEM_CONTROL = 4,
    UART_LINE_STATUS = 5,
    UART_MODEM_STATUS = 6,
    UART_SCRATCH = 7,
};

#define ENABLE_RECEIVE  0x01u
#define ENABLE_TRANSMIT 0x02u

#define CAUSE_NONE     0x01u
#define CAUSE_MASK     0x0Eu
#define CAUSE_MODEM    0x00u
#define CAUSE_TRANSMIT 0x02u
#define CAUSE_RECEIVE  0x04u
#define CAUSE_LINE     0x06u
#define CAUSE_TIMEOUT  0x0Cu

#define FIFO_ENABLE 0xC1u /* receive interrupt at 14 of 16 bytes, or when no more has come for a while */
#define FIFO_BYTES  16u

#define LINE_CONTROL_8N1     0x03u
#define LINE_CONTROL_DIVISOR 0x80u
#define DIVISOR_115200       1u

#define MODEM_DTR       0x01u
#define MODEM_RTS       0x02u
#define MODEM_INTERRUPT 0x08u /* OUT2 connects the interrupt line */
#define MODEM_LOOPBACK  0x10u
#define MODEM_OPEN      (MODEM_DTR | MODEM_RTS | MODEM_INTERRUPT)
#define MODEM_CLOSED    (MODEM_DTR | MODEM_INTERRUPT)

#define STATUS_RECEIVED       0x01u
#define STATUS_DAMAGED        0x1Cu /* parity, framing, break: the byte is not one that was sent */
#define STATUS_TRANSMIT_EMPTY 0x20u /* the FIFO has room for FIFO_BYTES */
#define STATUS_TRANSMIT_DONE  0x40u /* and the last byte has left */
#define STATUS_NO_CHIP        0xFFu

#define RECEIVE_BYTES  1024u
#define CAUSES_MAX     64u      /* handled in one interrupt; a chip that claims more gets no more time */
#define POLL_SPINS_MAX 2000000u /* about a second or two of port reads */

struct ring {
    uint8_t *bytes;
    uint32_t size;       /* a power of two */
    uint32_t head, tail; /* free-running: put at head, take at tail */
};

struct serial_port {
    const char *name;
    uint16_t base; /* of its registers */
    uint8_t line;  /* of its interrupts */
    bool present;
    bool paused;
    bool stuck;      /* a polled write gave up: no other one waits until an interrupt has moved bytes again */
    uint8_t enabled; /* as last written to UART_ENABLE */
    struct ring transmit, receive;
    serial_receiver *receiver;
    void *receiver_context;
    struct wait_queue room;
};

static uint8_t transmit_bytes[2][SERIAL_TRANSMIT_BYTES];
static uint8_t receive_bytes[2][RECEIVE_BYTES];

struct serial_port serial_console = {
    .name = "serial",
    .base = 0x3F8,
    .line = 4,
    .transmit = {.bytes = transmit_bytes[0], .size = SERIAL_TRANSMIT_BYTES},
    .receive = {.bytes = receive_bytes[0], .size = RECEIVE_BYTES},
};

struct serial_port serial_control = {
    .name = "control line",
    .base = 0x2F8,
    .line = 3,
    .transmit = {.bytes = transmit_bytes[1], .size = SERIAL_TRANSMIT_BYTES},
    .receive = {.bytes = receive_bytes[1], .size = RECEIVE_BYTES},
};

static uint8_t in(const struct serial_port *port, enum uart_register which)
{
    return inb((uint16_t)(port->base + which));
}

static void out(const struct serial_port *port, enum uart_register which, uint8_t value)
{
    outb((uint16_t)(port->base + which), value);
}

static uint32_t ring_used(const struct ring *ring)
{
    return ring->head - ring->tail;
}

static uint32_t ring_room(const struct ring *ring)
{
    return ring->size - ring_used(ring);
}

static void ring_put(struct ring *ring, uint8_t byte)
{
    ASSERT(!interrupt_is_enabled());
    ring->bytes[ring->head++ & (ring->size - 1)] = byte;
}

static uint8_t ring_take(struct ring *ring)
{
    ASSERT(!interrupt_is_enabled());
    return ring->bytes[ring->tail++ & (ring->size - 1)];
}

static void enable_interrupts(struct serial_port *port, uint8_t causes)
{
    if (port->enabled != causes) {
        port->enabled = causes;
        out(port, UART_ENABLE, causes);
    }
}

static void transmit(struct serial_port *port)
{
    if ((in(port, UART_LINE_STATUS) & STATUS_TRANSMIT_EMPTY) != 0) {
        port->stuck = false;
        for (uint32_t i = 0; i < FIFO_BYTES && ring_used(&port->transmit) > 0; i++) {
            out(port, UART_DATA, ring_take(&port->transmit));
        }
    }
    if (ring_used(&port->transmit) == 0) {
        enable_interrupts(port, port->enabled & (uint8_t)~ENABLE_TRANSMIT);
    }
    if (ring_room(&port->transmit) >= SERIAL_TRANSMIT_BYTES / 2) {
        wait_queue_wake(&port->room, UINT32_MAX);
    }
}

static bool can_take(const struct serial_port *port)
{
    return !port->paused && (port->receiver != NULL || ring_room(&port->receive) > 0);
}

static void deliver(struct serial_port *port, uint8_t byte)
{
    if (port->receiver != NULL) {
        port->receiver(byte, port->receiver_context);
    } else {
        ring_put(&port->receive, byte);
    }
}

/* Bytes that came before there was a receiver. */
static void deliver_waiting(struct serial_port *port)
{
    while (port->receiver != NULL && !port->paused && ring_used(&port->receive) > 0) {
        port->receiver(ring_take(&port->receive), port->receiver_context);
    }
}

/* Let the other end send while bytes are taken, and have it wait while they are not. */
static void control_flow(struct serial_port *port)
{
    if (!port->present) {
        return;
    }
    bool open = can_take(port);
    enable_interrupts(port, open ? port->enabled | ENABLE_RECEIVE : port->enabled & (uint8_t)~ENABLE_RECEIVE);
    out(port, UART_MODEM_CONTROL, open ? MODEM_OPEN : MODEM_CLOSED);
}

static void receive(struct serial_port *port)
{
    for (uint32_t i = 0; i < FIFO_BYTES && can_take(port); i++) {
        uint8_t status = in(port, UART_LINE_STATUS);
        if ((status & STATUS_RECEIVED) == 0) {
            return;
        }
        uint8_t byte = in(port, UART_DATA);
        if ((status & STATUS_DAMAGED) == 0) {
            deliver(port, byte);
        }
    }
    if (!can_take(port)) {
        control_flow(port);
    }
}

static void handle_interrupt(void *context)
{
    struct serial_port *port = context;

    for (uint32_t i = 0; i < CAUSES_MAX; i++) {
        uint8_t cause = in(port, UART_CAUSE);
        if ((cause & CAUSE_NONE) != 0) {
            return;
        }
        switch (cause & CAUSE_MASK) {
        case CAUSE_TRANSMIT:
            transmit(port);
            break;
        case CAUSE_RECEIVE:
        case CAUSE_TIMEOUT:
            receive(port);
            break;
        case CAUSE_LINE:
            (void)in(port, UART_LINE_STATUS);
            break;
        case CAUSE_MODEM:
        default:
            (void)in(port, UART_MODEM_STATUS);
            break;
        }
    }
}

static bool find_chip(const struct serial_port *port)
{
    out(port, UART_SCRATCH, 0x5A);
    bool first = in(port, UART_SCRATCH) == 0x5A;
    out(port, UART_SCRATCH, 0xA5);
    return first && in(port, UART_SCRATCH) == 0xA5 && in(port, UART_LINE_STATUS) != STATUS_NO_CHIP;
}

/* Turning the FIFO on empties it: take first what has arrived, cut off from the line so that nothing follows. */
static void start_fifo(struct serial_port *port)
{
    out(port, UART_MODEM_CONTROL, MODEM_LOOPBACK);
    receive(port);
    out(port, UART_FIFO, FIFO_ENABLE);
}

static void start(struct serial_port *port)
{
    if (!find_chip(port)) {
        log_line("%s: no port", port->name);
        return;
    }
    bool were_enabled = interrupt_disable();
    out(port, UART_LINE_CONTROL, LINE_CONTROL_8N1);
    out(port, UART_ENABLE, 0);
    start_fifo(port);
    out(port, UART_LINE_CONTROL, LINE_CONTROL_DIVISOR | LINE_CONTROL_8N1);
    out(port, UART_DATA, DIVISOR_115200 & 0xFF);
    out(port, UART_ENABLE, DIVISOR_115200 >> 8);
    out(port, UART_LINE_CONTROL, LINE_CONTROL_8N1);
    port->present = true;
    interrupt_attach(port->line, handle_interrupt, port);
    control_flow(port);
    interrupt_restore(were_enabled);
}

void serial_init(void)
{
    start(&serial_console);
    start(&serial_control);
}

uint32_t serial_write_room(const struct serial_port *port)
{
    return ring_room(&port->transmit);
}

uint32_t serial_write(struct serial_port *port, const uint8_t *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    if (!port->present) {
        return length;
    }
    bool were_enabled = interrupt_disable();
    uint32_t room = ring_room(&port->transmit);
    uint32_t taken = length < room ? length : room;
    for (uint32_t i = 0; i < taken; i++) {
        ring_put(&port->transmit, bytes[i]);
    }
    if (taken > 0) {
        enable_interrupts(port, port->enabled | ENABLE_TRANSMIT);
    }
    interrupt_restore(were_enabled);
    return taken;
}

struct wait_queue *serial_room_queue(struct serial_port *port)
{
    return &port->room;
}

void serial_set_receiver(struct serial_port *port, serial_receiver *receiver, void *context)
{
    bool were_enabled = interrupt_disable();
    port->receiver = receiver;
    port->receiver_context = context;
    deliver_waiting(port);
    control_flow(port);
    interrupt_restore(were_enabled);
}

void serial_pause_receiver(struct serial_port *port)
{
    bool were_enabled = interrupt_disable();
    port->paused = true;
    control_flow(port);
    interrupt_restore(were_enabled);
}

void serial_resume_receiver(struct serial_port *port)
{
    bool were_enabled = interrupt_disable();
    port->paused = false;
    deliver_waiting(port);
    control_flow(port);
    interrupt_restore(were_enabled);
}

/* Spin until one of `status` is set. A line that has made us wait in vain is not waited for again, but looked at. */
static bool poll_status(struct serial_port *port, uint8_t status)
{
    uint32_t spins_max = port->stuck ? 1 : POLL_SPINS_MAX;
    for (uint32_t spins = 0; spins < spins_max; spins++) {
        if ((in(port, UART_LINE_STATUS) & status) != 0) {
            return true;
        }
    }
    port->stuck = true;
    return false;
}

void serial_drain(struct serial_port *port)
{
    if (!port->present) {
        return;
    }
    bool were_enabled = interrupt_disable();
    while (ring_used(&port->transmit) > 0 && poll_status(port, STATUS_TRANSMIT_EMPTY)) {
        out(port, UART_DATA, ring_take(&port->transmit));
    }
    (void)poll_status(port, STATUS_TRANSMIT_DONE);
    interrupt_restore(were_enabled);
}
