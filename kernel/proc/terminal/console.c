/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console: from the keyboard and the serial line into the terminal object.
 *
 * Interrupts put what is typed into a small volatile ring. The console thread takes it from there into the object, so
 * that the object is changed by threads only and never while a snapshot looks at it. When the object has no room for
 * input the ring fills, and then the serial line's sender is held back; only a character that raises a signal
 * overtakes.
 */
#include "arch/interrupt.h"
#include "console_stream.h"
#include "keyboard.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "record.h"
#include "serial.h"
#include "signal/signal.h"
#include "terminal.h"
#include "terminal_console.h"
#include "terminal_use.h"
#include "thread.h"

#define ECHO_ROOM 4000u /* most bytes of stream that one typed byte makes */

#define RING_BYTES  1024u /* a power of two */
#define RING_PAUSE  (RING_BYTES - 64u)
#define RING_RESUME (RING_BYTES / 2u)

/* Changed with interrupts disabled. */
static struct {
    uint8_t bytes[RING_BYTES];
    uint32_t first, count;
    bool paused;         /* the serial line's sender is held back */
    int32_t scroll_wish; /* pages to scroll back, not yet done */
} ring;

static void receive(uint8_t byte, void *context)
{
    bool from_serial_line = context != NULL;
    bool is_typed = !from_serial_line || window_take(byte);

    ASSERT(!interrupt_is_enabled());
    if (is_typed && ring.count < RING_BYTES) {
        ring.bytes[(ring.first + ring.count) % RING_BYTES] = byte;
        ring.count++;
    }
    if (from_serial_line && ring.count >= RING_PAUSE && !ring.paused) {
        ring.paused = true;
        serial_pause_receiver(&serial_console);
    }
    wait_queue_wake(&console_work, UINT32_MAX);
}

static void wish_to_scroll(int32_t pages)
{
    ring.scroll_wish += pages;
    wait_queue_wake(&console_work, UINT32_MAX);
}

static void drop_from_ring(uint32_t count)
{
    ASSERT(!interrupt_is_enabled());
    ring.first = (ring.first + count) % RING_BYTES;
    ring.count -= count;
    if (ring.paused && ring.count <= RING_RESUME) {
        ring.paused = false;
        serial_resume_receiver(&serial_console);
    }
}

/* Take the next byte that the object accepts; while it is full, that is the first which raises a signal. */
static bool take_from_ring(uint8_t *byte)
{
    for (uint32_t i = 0; i < ring.count; i++) {
        *byte = ring.bytes[(ring.first + i) % RING_BYTES];
        if (terminal_accepts(terminal_object(CONSOLE), *byte)) {
            drop_from_ring(i + 1);
            return true;
        }
    }
    return false;
}

/* Sleep until something was typed that the object accepts, or somebody wants to scroll. Interrupts are disabled. */
static bool wait_for_work(uint8_t *byte)
{
    while (!take_from_ring(byte)) {
        if (ring.scroll_wish != 0 || window_has_wish()) {
            return false;
        }
        enum error error = wait_queue_sleep(&console_work, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
    return true;
}

/* What was typed raises a signal. */
static void raise_signal(void)
{
    uint32_t signal = terminal_pending.signal;

    if (signal == 0) {
        return;
    }
    terminal_pending.signal = 0;
    bool is_switch = signal == SIGTSTP && terminal_switch(CONSOLE);
    if (!is_switch && signal_send_group(terminal_foreground(CONSOLE), signal) != OK) {
        log_line("terminal: nobody is there for signal %u", signal);
    }
}

static void console_main(void *argument)
{
    (void)argument;
    for (;;) {
        uint8_t byte;
        bool enabled = interrupt_disable();
        bool typed = wait_for_work(&byte);
        int32_t wish = ring.scroll_wish;
        ring.scroll_wish = 0;
        interrupt_restore(enabled);
        struct terminal_window window;
        if (window_wish(&window)) {
            window_apply(window);
        }
        if (wish != 0) {
            terminal_scroll(terminal_object(CONSOLE), wish);
        }
        if (typed) {
            enum error error = stream_wait_for_room(ECHO_ROOM, false);
            ASSERT(error == OK);
            terminal_input(terminal_object(CONSOLE), &terminal_pending, byte);
            raise_signal();
            terminal_carry_out(CONSOLE);
        }
    }
}

/* Start ------------------------------------------------------------------------------------------------------------ */

enum error terminal_start(bool resumed, struct terminal_window window)
{
    thread_may_sleep();
    struct thread *thread;
    enum error error = record_commit(RECORD_TERMINAL, CONSOLE.number + 1);

    window_start(window);
    if (window.rows == 0) {
        window = (struct terminal_window){.rows = TERMINAL_ROWS, .columns = TERMINAL_COLUMNS};
    }
    terminal_clip_size(&window.rows, &window.columns);
    if (error == OK && resumed) {
        error = terminal_validate(terminal_object(CONSOLE));
    } else if (error == OK) {
        terminal_create(terminal_object(CONSOLE), window.rows, window.columns);
    }
    if (error == OK) {
        error = thread_create("console", console_main, NULL, &thread);
    }
    if (error != OK) {
        log_line("terminal: %s", error_text(error));
        return error;
    }
    terminal_show(terminal_object(CONSOLE));
    if (!resumed && window_is_terminal()) { /* which may show anything */
        terminal_repaint(terminal_object(CONSOLE), true, stream_send_at_once);
    }
    return OK;
}

void terminal_attach(void)
{
    static uint8_t serial_line;

    terminal_tell_size();
    keyboard_set_receiver(receive, NULL);
    keyboard_set_scroller(wish_to_scroll);
    serial_set_receiver(&serial_console, receive, &serial_line);
}
