/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control thread. See control.h.
 *
 * Interrupts put what arrives into a ring, and wake the thread when a line ends or the ring is half full. It makes
 * lines of the bytes and carries them out one by one. While the ring is full the sender waits; nothing is ever waited
 * for in an interrupt. A thread that sleeps for the other end to take an answer holds nothing that others want.
 */
#include "control.h"
#include "answer.h"
#include "arch/interrupt.h"
#include "commands.h"
#include "line.h"
#include "log.h"
#include "memory.h"
#include "requests.h"
#include "report.h"
#include "serial.h"
#include "snap.h"
#include "thread.h"

#define RING_BYTES  2048u /* a power of two */
#define RING_PAUSE  (RING_BYTES - 64u)
#define RING_RESUME (RING_BYTES / 2u)

/* Changed with interrupts disabled. */
static struct {
    uint8_t bytes[RING_BYTES];
    uint32_t first, count;
    uint32_t line_ends; /* among them */
    bool is_paused;     /* the sender is held back */
} ring;

static struct wait_queue work_queue; /* the thread sleeps here */
static struct wait_queue idle_queue; /* control_end() does */
static struct store *store_of_boot;
static struct control_line line;
static struct generation announced; /* to those who watch */
static bool has_news;               /* a request is over, or there is a generation to announce */
static bool is_busy, is_ending;

static bool is_end(uint8_t byte)
{
    return byte == '\n' || byte == '\r';
}

static void receive(uint8_t byte, void *context)
{
    (void)context;
    ASSERT(!interrupt_is_enabled());
    if (ring.count < RING_BYTES) {
        ring.bytes[(ring.first + ring.count) % RING_BYTES] = byte;
        ring.count++;
        ring.line_ends += is_end(byte);
    }
    if (ring.count >= RING_PAUSE && !ring.is_paused) {
        ring.is_paused = true;
        serial_pause_receiver(&serial_control);
    }
    if (is_end(byte) || ring.count >= RING_RESUME) {
        wait_queue_wake(&work_queue, UINT32_MAX);
    }
}

static bool take_byte(uint8_t *out)
{
    bool enabled = interrupt_disable();
    bool has_one = ring.count > 0;

    if (has_one) {
        *out = ring.bytes[ring.first];
        ring.first = (ring.first + 1) % RING_BYTES;
        ring.count--;
        ring.line_ends -= is_end(*out);
    }
    if (ring.is_paused && ring.count <= RING_RESUME) {
        ring.is_paused = false;
        serial_resume_receiver(&serial_control);
    }
    interrupt_restore(enabled);
    return has_one;
}

static void take(uint8_t byte)
{
    switch (control_line_put(&line, byte)) {
    case LINE_IS_WHOLE:
        command_line(store_of_boot, line.text);
        break;
    case LINE_IS_LONG:
        answer_error("", "usage", "a request has at most 4096 letters", NULL);
        break;
    case LINE_IS_STRANGE:
        answer_error("", "usage", "a request has printing characters of ASCII only", NULL);
        break;
    case LINE_GOES_ON:
        break;
    }
}

static void announce(void)
{
    struct snap_statistics snapshots;

    snap_statistics(&snapshots);
    if (command_is_watched() && snapshots.committed.number != announced.number) {
        announced = snapshots.committed;
        report_generation();
    }
}

static void work(void)
{
    uint8_t byte;

    while (!is_ending && take_byte(&byte)) {
        take(byte);
        if (thread_should_yield()) {
            thread_yield();
        }
    }
    has_news = false;
    if (!is_ending) {
        command_answer_waiting(store_of_boot);
        announce();
    }
}

static bool has_work(void)
{
    return !is_ending && (has_news || ring.line_ends > 0 || ring.count >= RING_RESUME);
}

static void control_main(void *unused)
{
    (void)unused;
    for (;;) {
        bool enabled = interrupt_disable();
        while (!has_work()) {
            enum error error = wait_queue_sleep(&work_queue, DEADLINE_NEVER, false);
            ASSERT(error == OK);
        }
        interrupt_restore(enabled);
        is_busy = true;
        work();
        is_busy = false;
        wait_queue_wake(&idle_queue, UINT32_MAX);
    }
}

void control_snapshot_finished(enum error error)
{
    DOES_NOT_SLEEP();
    struct snap_statistics snapshots;

    snap_statistics(&snapshots);
    if (requests_finished(snapshots.committed) || (error == OK && command_is_watched())) {
        has_news = true;
        wait_queue_wake(&work_queue, UINT32_MAX);
    }
}

enum error control_start(struct store *store, struct generation resumed)
{
    struct thread *thread;

    store_of_boot = store;
    memory_resumed(resumed);
    enum error error = thread_create("control", control_main, NULL, &thread);
    if (error == OK) {
        serial_set_receiver(&serial_control, receive, NULL);
    }
    return error;
}

void control_end(void)
{
    thread_may_sleep();
    is_ending = true;
    while (is_busy) {
        enum error error = wait_queue_sleep(&idle_queue, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
}
