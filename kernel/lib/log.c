/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's log: lines, handed to every sink, the last ones kept for sinks that come later.
 *
 * Lines may come from interrupt handlers, so a line is formatted on the caller's stack and delivered with interrupts
 * disabled: lines never mix. The history is a ring of bytes; its oldest, perhaps incomplete, line is skipped when it
 * is replayed.
 */
#include "log.h"
#include "atomic.h"
#include "arch/interrupt.h"

#include <string.h>

#define LINE_BYTES_MAX 256u
#define HISTORY_BYTES  8192u /* a power of two */
#define SINKS_MAX      4u

static log_sink *sinks[SINKS_MAX];
static uint32_t sink_count;

static char history[HISTORY_BYTES];
static uint32_t history_length; /* bytes ever written */

static void remember(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        history[history_length++ % HISTORY_BYTES] = text[i];
    }
}

static void replay_to(log_sink *sink)
{
    uint32_t from = 0;
    if (history_length > HISTORY_BYTES) {
        from = history_length - HISTORY_BYTES;
        while (from < history_length && history[from++ % HISTORY_BYTES] != '\n') {
        }
    }
    while (from < history_length) {
        uint32_t start = from % HISTORY_BYTES;
        uint32_t length = history_length - from;
        if (length > HISTORY_BYTES - start) {
            length = HISTORY_BYTES - start;
        }
        sink(&history[start], length);
        from += length;
    }
}

void log_add_sink(log_sink *sink)
{
    bool enabled = interrupt_disable();
    ASSERT(sink_count < SINKS_MAX);
    replay_to(sink);
    sinks[sink_count++] = sink;
    interrupt_restore(enabled);
}

void log_line(const char *format, ...)
{
    DOES_NOT_SLEEP();
    char line[LINE_BYTES_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int wanted = kernel_vsnprintf(line, LINE_BYTES_MAX, format, arguments);
    va_end(arguments);
    size_t length = (size_t)wanted < LINE_BYTES_MAX ? (size_t)wanted : LINE_BYTES_MAX - 1;
    line[length++] = '\n';

    bool enabled = interrupt_disable();
    remember(line, length);
    for (uint32_t i = 0; i < sink_count; i++) {
        sinks[i](line, length);
    }
    interrupt_restore(enabled);
}
