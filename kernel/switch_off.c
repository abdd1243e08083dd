/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See switch_off.h. The interrupt wakes a thread, which waits for the snapshot. `state` moves forward only, with
 * interrupts disabled, so one of the two ends has the machine.
 */
#include "switch_off.h"
#include "arch/interrupt.h"
#include "console_stream.h"
#include "log.h"
#include "power_button.h"
#include "refuse.h"
#include "snap.h"
#include "terminal.h"
#include "thread.h"

static enum { IS_RUNNING, IS_PRESSED, IS_ENDING } state;
static struct wait_queue button_queue;

static void pressed(void)
{
    if (state == IS_RUNNING) {
        state = IS_PRESSED;
        wait_queue_wake(&button_queue, UINT32_MAX);
    }
}

static void wait_for_press(void)
{
    bool enabled = interrupt_disable();

    while (state != IS_PRESSED) {
        enum error error = wait_queue_sleep(&button_queue, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
    interrupt_restore(enabled);
}

static void switch_off_main(void *unused)
{
    struct snap_statistics statistics;

    (void)unused;
    wait_for_press();
    log_line("eidolon: the power button was pressed");
    stream_finish();
    enum error error = snap_sync(); /* the durable commit point of what has happened up to here */
    if (error != OK) {
        console_say("eidolon: switched off, but the last state could not be made durable: %s", error_text(error));
        leave(POWER_OFF_STOPPED);
    }
    snap_statistics(&statistics);
    log_line("eidolon: switched off, generation %llu is durable", (unsigned long long)statistics.committed.number);
    leave(POWER_OFF_SWITCHED);
}

enum error switch_off_start(void)
{
    struct thread *thread;

    state = IS_RUNNING;
    enum error error = thread_create("power button", switch_off_main, NULL, &thread);
    if (error == OK && !power_button_attach(pressed)) {
        log_line("power button: none");
    }
    return error;
}

void switch_off_end(void)
{
    bool enabled = interrupt_disable();

    if (state == IS_RUNNING) {
        state = IS_ENDING;
    }
    interrupt_restore(enabled);
    while (state == IS_PRESSED) {
        (void)!thread_sleep_until(DEADLINE_NEVER);
    }
}
