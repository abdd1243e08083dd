/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See console_stream.h. The outbox is a ring in the terminal's object; positions in it count all bytes that ever went
 * through, so that they never wrap in practice. A thread moves what may go out to the line.
 */
#include "console_stream.h"
#include "arch/interrupt.h"
#include "log.h"
#include "serial.h"
#include "snap.h"
#include "terminal.h"
#include "terminal_console.h"
#include "thread.h"
#include <string.h>

#define KERNEL_RESERVE 1024u /* of the outbox, for messages of the kernel and echo */
#define REQUEST_AT     (TERMINAL_OUTBOX_BYTES / 2)

static bool is_held;       /* bytes wait for their generation */
static bool mid_line;      /* the last byte sent ended no line */
static uint64_t at_stop;   /* the position that the running snapshot covers */
static uint64_t may_go_to; /* bytes up to this position are durable */
static uint64_t handed_to; /* and up to this one they were handed to the line */

static struct wait_queue pump_queue; /* the thread below sleeps here */
static struct wait_queue room_queue; /* those who wait for room, and stream_finish() */

static struct terminal_outbox *outbox(void)
{
    return &terminal_object(CONSOLE)->outbox;
}

static uint32_t waiting(void)
{
    return (uint32_t)(outbox()->written - outbox()->released);
}

/* Hand a piece to the line, as far as it has room and the piece is durable (STREAM-1). Returns whether none is left. */
static bool hand_piece(void)
{
    uint32_t start = (uint32_t)(handed_to % TERMINAL_OUTBOX_BYTES);
    uint64_t count = may_go_to - handed_to;

    count = count < TERMINAL_OUTBOX_BYTES - start ? count : TERMINAL_OUTBOX_BYTES - start;
    handed_to += serial_write(&serial_console, &outbox()->bytes[start], (uint32_t)count);
    return handed_to == may_go_to;
}

static void wait_for_line(uint32_t room)
{
    bool enabled = interrupt_disable();

    while (serial_write_room(&serial_console) < room) {
        enum error error = wait_queue_sleep(serial_room_queue(&serial_console), DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
    interrupt_restore(enabled);
}

/* What the line has sent is out of the outbox. */
static void pump(void *unused)
{
    (void)unused;
    for (;;) {
        while (handed_to == may_go_to) {
            enum error error = wait_queue_sleep(&pump_queue, DEADLINE_NEVER, false);
            ASSERT(error == OK);
        }
        while (!hand_piece()) {
            wait_for_line(SERIAL_TRANSMIT_BYTES / 2);
        }
        wait_for_line(SERIAL_TRANSMIT_BYTES);
        outbox()->released = handed_to; /* STREAM-2 */
        wait_queue_wake(&room_queue, UINT32_MAX);
    }
}

enum error stream_start(bool hold)
{
    struct thread *thread;

    is_held = hold;
    at_stop = may_go_to = outbox()->written;
    handed_to = outbox()->released; /* STREAM-3 */
    if (waiting() > 0) {
        console_say("eidolon: the next %u bytes may have been seen before", waiting());
    }
    return thread_create("stream", pump, NULL, &thread);
}

bool stream_is_held(void)
{
    return is_held;
}

uint32_t stream_room(void)
{
    if (!is_held) {
        return serial_write_room(&serial_console);
    }
    uint32_t room = TERMINAL_OUTBOX_BYTES - waiting();
    return room > KERNEL_RESERVE ? room - KERNEL_RESERVE : 0;
}

static void put_in_outbox(const uint8_t *bytes, uint32_t length)
{
    struct terminal_outbox *box = outbox();

    for (uint32_t i = 0; i < length; i++) {
        if (waiting() == TERMINAL_OUTBOX_BYTES) {
            log_line("console: %u bytes of messages and echo are lost: the outbox is full", length - i);
            break;
        }
        box->bytes[box->written++ % TERMINAL_OUTBOX_BYTES] = bytes[i];
    }
    if (waiting() >= REQUEST_AT) {
        (void)snap_request();
    }
}

/* Callers that may wait have made sure of room before; for the others a full line is emptied by polling. */
void stream_send_at_once(const uint8_t *bytes, uint32_t length)
{
    uint32_t sent = serial_write(&serial_console, bytes, length);

    if (sent < length) {
        serial_drain(&serial_console);
        (void)serial_write(&serial_console, bytes + sent, length - sent);
    }
}

void stream_send(const uint8_t *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    mid_line = length > 0 ? bytes[length - 1] != '\n' : mid_line;
    if (is_held) {
        put_in_outbox(bytes, length);
    } else {
        stream_send_at_once(bytes, length);
    }
}

static enum error wait_for_serial_room(uint32_t bytes, bool interruptible)
{
    bool enabled = interrupt_disable();
    enum error error = OK;

    while (serial_write_room(&serial_console) < bytes && error == OK) {
        error = wait_queue_sleep(serial_room_queue(&serial_console), DEADLINE_NEVER, interruptible);
    }
    interrupt_restore(enabled);
    return error;
}

enum error stream_wait_for_room(uint32_t bytes, bool interruptible)
{
    enum error error = OK;

    if (!is_held) {
        return wait_for_serial_room(bytes, interruptible);
    }
    while (stream_room() < bytes && error == OK) {
        error = wait_queue_sleep(&room_queue, DEADLINE_NEVER, interruptible);
    }
    return error;
}

void stream_stop(void)
{
    at_stop = outbox()->written;
}

void stream_durable(void)
{
    DOES_NOT_SLEEP();
    may_go_to = at_stop;
    wait_queue_wake(&pump_queue, 1);
}

void stream_finish(void)
{
    thread_may_sleep();
    if (waiting() == 0 || snap_sync() != OK) {
        return;
    }
    while (waiting() > 0) {
        enum error error = wait_queue_sleep(&room_queue, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
}

/* Messages that are not part of the object ------------------------------------------------------------------------- */

static void send_text(const char *text)
{
    stream_send_at_once((const uint8_t *)text, (uint32_t)strlen(text));
}

void console_say(const char *format, ...)
{
    char line[TERMINAL_MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)kernel_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log_line("%s", line);
    if (mid_line) {
        send_text("\r\n");
        mid_line = false;
    }
    send_text(line);
    send_text("\r\n");
}
