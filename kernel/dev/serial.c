/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550 UART at the first PC serial port.
 *
 * Both directions go through a ring. Sending: serial_write() fills the ring and enables the transmitter interrupt; each
 * interrupt moves up to a FIFO's worth to the chip, and disables itself when the ring is empty. Receiving: each
 * interrupt empties the chip's FIFO into the receiver, or into the ring until there is one. While the receiver is
 * paused the receive interrupt is masked and bytes stay in the chip, which makes the other end wait.
 *
 * Everything in `serial` is touched with interrupts disabled.
 */
#include "serial.h"
#include "atomic.h"

#include "arch/interrupt.h"
#include "arch/io.h"
#include "log.h"

#define BASE 0x3F8
#define LINE 4u

enum uart_register {
    UART_DATA = BASE,       /* received and to be sent; low divisor while LINE_CONTROL_DIVISOR is set */
    UART_ENABLE = BASE + 1, /* interrupts; high divisor */
    UART_CAUSE = BASE + 2,  /* read: interrupt cause */
    UART_FIFO = BASE + 2,   /* write: FIFO control */
    UART_LINE_CONTROL = BASE + 3,
    UART_MODEM_CONTROL = BASE + 4,
    UART_LINE_STATUS = BASE + 5,
    UART_MODEM_STATUS = BASE + 6,
    UART_SCRATCH = BASE + 7,
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

#define FIFO_ENABLE 0x81u /* receive interrupt at 8 of 16 bytes */
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

static uint8_t transmit_bytes[SERIAL_TRANSMIT_BYTES];
static uint8_t receive_bytes[RECEIVE_BYTES];

static struct {
    bool present;
    bool paused;
    bool stuck;      /* a polled write gave up: no other one waits until an interrupt has moved bytes again */
    uint8_t enabled; /* as last written to UART_ENABLE */
    struct ring transmit, receive;
    serial_receiver *receiver;
    void *receiver_context;
    struct wait_queue room;
} serial = {
    .transmit = {.bytes = transmit_bytes, .size = SERIAL_TRANSMIT_BYTES},
    .receive = {.bytes = receive_bytes, .size = RECEIVE_BYTES},
};

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

static void enable_interrupts(uint8_t causes)
{
    if (serial.enabled != causes) {
        serial.enabled = causes;
        outb(UART_ENABLE, causes);
    }
}

static void transmit(void)
{
    if ((inb(UART_LINE_STATUS) & STATUS_TRANSMIT_EMPTY) != 0) {
        serial.stuck = false;
        for (uint32_t i = 0; i < FIFO_BYTES && ring_used(&serial.transmit) > 0; i++) {
            outb(UART_DATA, ring_take(&serial.transmit));
        }
    }
    if (ring_used(&serial.transmit) == 0) {
        enable_interrupts(serial.enabled & (uint8_t)~ENABLE_TRANSMIT);
    }
    if (ring_room(&serial.transmit) >= SERIAL_TRANSMIT_BYTES / 2) {
        wait_queue_wake(&serial.room, UINT32_MAX);
    }
}

static bool can_take(void)
{
    return !serial.paused && (serial.receiver != NULL || ring_room(&serial.receive) > 0);
}

static void deliver(uint8_t byte)
{
    if (serial.receiver != NULL) {
        serial.receiver(byte, serial.receiver_context);
    } else {
        ring_put(&serial.receive, byte);
    }
}

/* Bytes that came before there was a receiver. */
static void deliver_waiting(void)
{
    while (serial.receiver != NULL && !serial.paused && ring_used(&serial.receive) > 0) {
        serial.receiver(ring_take(&serial.receive), serial.receiver_context);
    }
}

/* Let the other end send while bytes are taken, and have it wait while they are not. */
static void control_flow(void)
{
    if (!serial.present) {
        return;
    }
    bool open = can_take();
    enable_interrupts(open ? serial.enabled | ENABLE_RECEIVE : serial.enabled & (uint8_t)~ENABLE_RECEIVE);
    outb(UART_MODEM_CONTROL, open ? MODEM_OPEN : MODEM_CLOSED);
}

static void receive(void)
{
    for (uint32_t i = 0; i < FIFO_BYTES && can_take(); i++) {
        uint8_t status = inb(UART_LINE_STATUS);
        if ((status & STATUS_RECEIVED) == 0) {
            return;
        }
        uint8_t byte = inb(UART_DATA);
        if ((status & STATUS_DAMAGED) == 0) {
            deliver(byte);
        }
    }
    if (!can_take()) {
        control_flow();
    }
}

static void handle_interrupt(void *context)
{
    (void)context;
    for (uint32_t i = 0; i < CAUSES_MAX; i++) {
        uint8_t cause = inb(UART_CAUSE);
        if ((cause & CAUSE_NONE) != 0) {
            return;
        }
        switch (cause & CAUSE_MASK) {
        case CAUSE_TRANSMIT:
            transmit();
            break;
        case CAUSE_RECEIVE:
        case CAUSE_TIMEOUT:
            receive();
            break;
        case CAUSE_LINE:
            (void)inb(UART_LINE_STATUS);
            break;
        case CAUSE_MODEM:
        default:
            (void)inb(UART_MODEM_STATUS);
            break;
        }
    }
}

static bool find_chip(void)
{
    outb(UART_SCRATCH, 0x5A);
    bool first = inb(UART_SCRATCH) == 0x5A;
    outb(UART_SCRATCH, 0xA5);
    return first && inb(UART_SCRATCH) == 0xA5 && inb(UART_LINE_STATUS) != STATUS_NO_CHIP;
}

/* Turning the FIFO on empties it: take first what has arrived, cut off from the line so that nothing follows. */
static void start_fifo(void)
{
    outb(UART_MODEM_CONTROL, MODEM_LOOPBACK);
    receive();
    outb(UART_FIFO, FIFO_ENABLE);
}

void serial_init(void)
{
    if (!find_chip()) {
        log_line("serial: no port");
        return;
    }
    bool were_enabled = interrupt_disable();
    outb(UART_LINE_CONTROL, LINE_CONTROL_8N1);
    outb(UART_ENABLE, 0);
    start_fifo();
    outb(UART_LINE_CONTROL, LINE_CONTROL_DIVISOR | LINE_CONTROL_8N1);
    outb(UART_DATA, DIVISOR_115200 & 0xFF);
    outb(UART_ENABLE, DIVISOR_115200 >> 8);
    outb(UART_LINE_CONTROL, LINE_CONTROL_8N1);
    serial.present = true;
    interrupt_attach(LINE, handle_interrupt, NULL);
    control_flow();
    interrupt_restore(were_enabled);
}

uint32_t serial_write_room(void)
{
    return ring_room(&serial.transmit);
}

uint32_t serial_write(const uint8_t *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    if (!serial.present) {
        return length;
    }
    bool were_enabled = interrupt_disable();
    uint32_t room = ring_room(&serial.transmit);
    uint32_t taken = length < room ? length : room;
    for (uint32_t i = 0; i < taken; i++) {
        ring_put(&serial.transmit, bytes[i]);
    }
    if (taken > 0) {
        enable_interrupts(serial.enabled | ENABLE_TRANSMIT);
    }
    interrupt_restore(were_enabled);
    return taken;
}

struct wait_queue *serial_room_queue(void)
{
    return &serial.room;
}

void serial_set_receiver(serial_receiver *receiver, void *context)
{
    bool were_enabled = interrupt_disable();
    serial.receiver = receiver;
    serial.receiver_context = context;
    deliver_waiting();
    control_flow();
    interrupt_restore(were_enabled);
}

void serial_pause_receiver(void)
{
    bool were_enabled = interrupt_disable();
    serial.paused = true;
    control_flow();
    interrupt_restore(were_enabled);
}

void serial_resume_receiver(void)
{
    bool were_enabled = interrupt_disable();
    serial.paused = false;
    deliver_waiting();
    control_flow();
    interrupt_restore(were_enabled);
}

/* Spin until one of `status` is set. A line that has made us wait in vain is not waited for again, but looked at. */
static bool poll_status(uint8_t status)
{
    uint32_t spins_max = serial.stuck ? 1 : POLL_SPINS_MAX;
    for (uint32_t spins = 0; spins < spins_max; spins++) {
        if ((inb(UART_LINE_STATUS) & status) != 0) {
            return true;
        }
    }
    serial.stuck = true;
    return false;
}

void serial_drain(void)
{
    if (!serial.present) {
        return;
    }
    bool were_enabled = interrupt_disable();
    while (ring_used(&serial.transmit) > 0 && poll_status(STATUS_TRANSMIT_EMPTY)) {
        outb(UART_DATA, ring_take(&serial.transmit));
    }
    (void)poll_status(STATUS_TRANSMIT_DONE);
    interrupt_restore(were_enabled);
}
