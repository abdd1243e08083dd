/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first two serial ports (115200 8N1), each a stream of bytes in both directions, driven by interrupts.
 *
 * A machine without a port is fine: what is written to it is thrown away and nothing is ever received.
 */
#ifndef SERIAL_H
#define SERIAL_H

#include "thread.h"
#include "types.h"

#define SERIAL_TRANSMIT_BYTES 8192u /* room when nothing is waiting to be sent */

struct serial_port;
extern struct serial_port serial_console; /* COM1: of people and programs */
extern struct serial_port serial_control; /* COM2: of whoever has the machine (control.h) */

/* Find and program the ports. Called once; interrupts may be enabled or not. */
void serial_init(void);

/* How many bytes serial_write() would take now. Callable anywhere. */
uint32_t serial_write_room(const struct serial_port *port);

/* Take what fits of `length` bytes for sending and return how many that were. Never sleeps; callable anywhere. */
uint32_t serial_write(struct serial_port *port, const uint8_t *bytes, uint32_t length);

/*
 * Woken while bytes are sent and at least half of the room is free. A writer that found no room sleeps here with
 * interrupts disabled since it looked, and looks again when it wakes.
 */
struct wait_queue *serial_room_queue(struct serial_port *port);

/*
 * Deliver received bytes to `receiver`, in interrupt context, one call each. Bytes that came before there was a
 * receiver are delivered from within this call.
 */
typedef void serial_receiver(uint8_t byte, void *context);
void serial_set_receiver(struct serial_port *port, serial_receiver *receiver, void *context);

/*
 * Flow control: between pause and resume no byte is delivered; the sender at the other end has to wait (the emulator
 * holds its input back, a real line sees RTS drop). Callable by the receiver itself: the byte it was called with was
 * the last one.
 */
void serial_pause_receiver(struct serial_port *port);
void serial_resume_receiver(struct serial_port *port);

/*
 * Send what is waiting by polling. Gives up on a line that does not move for a second or two; what is left then goes on
 * waiting.
 */
void serial_drain(struct serial_port *port);

#endif
