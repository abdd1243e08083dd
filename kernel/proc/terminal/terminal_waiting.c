/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for terminals: programs that want to read, and the console thread, which has something typed.
 */
#include "terminal_console.h"
#include "terminal_use.h"
#include "thread.h"
#include "watch.h"

struct wait_queue console_work;

static struct wait_queue readers;
static struct watch_list watches;

void terminal_wake_readers(void)
{
    DOES_NOT_SLEEP();
    wait_queue_wake(&readers, UINT32_MAX);
    watch_notify(&watches);
    wait_queue_wake(&console_work, UINT32_MAX);
}

void terminal_watch(struct terminal_id terminal, struct watch *watch, struct watcher *watcher)
{
    (void)terminal;
    watch_begin(&watches, watch, watcher);
}

enum error terminal_sleep(uint64_t deadline_boot_ns)
{
    return wait_queue_sleep(&readers, deadline_boot_ns, true);
}
