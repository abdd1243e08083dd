/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what the parts of the line discipline share: terminal_line.c, terminal_queue.c,
 * terminal_output.c.
 */
#ifndef TERMINAL_LINE_H
#define TERMINAL_LINE_H

#include "terminal_object.h"

#define TAB_COLUMNS 8u

static inline bool has(uint32_t flags, uint32_t flag)
{
    return (flags & flag) != 0;
}

static inline bool is_canonical(const struct terminal *terminal)
{
    return has(terminal->settings.local_flags, ICANON);
}

static inline bool is_control(uint8_t byte)
{
    return byte < 0x20 || byte == 0x7F;
}

/* A byte of a character in UTF-8 other than its first. */
static inline bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Cell `index` of the queue of input, counted from the oldest. */
uint16_t *terminal_cell(struct terminal *terminal, uint32_t index);

/* Add a byte to the queue, which has room. */
void terminal_push(struct terminal *terminal, uint8_t byte, uint16_t marks);

/* A byte as it leaves, without output processing: to the screen and the stream. */
void terminal_emit(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);

#endif
