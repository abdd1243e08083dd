/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt lines through the two 8259 controllers.
 *
 * The second controller hangs on line 2 of the first. Lines stay masked until somebody attaches to them.
 */
#include "arch/interrupt.h"
#include "arch/io.h"
#include "atomic.h"
#include "descriptors.h"
#include "interrupt_controller.h"
#include "log.h"
#include "processor.h"
#include "trap.h"

#define FIRST_COMMAND  0x20
#define FIRST_DATA     0x21
#define SECOND_COMMAND 0xA0
#define SECOND_DATA    0xA1

#define COMMAND_INITIALISE    0x11 /* with a fourth word to follow */
#define COMMAND_END           0x20
#define COMMAND_READ_SERVICED 0x0B
#define MODE_8086             0x01
#define CASCADE_LINE          2u

#define LINES             16u
#define HANDLERS_LINE_MAX 4u

struct line {
    struct {
        interrupt_handler *handler;
        void *context;
    } handlers[HANDLERS_LINE_MAX];
    uint32_t count;
};

static struct line lines[LINES];
static uint32_t spurious_count;

bool interrupt_disable(void)
{
    bool enabled = (processor_flags() & EFLAGS_INTERRUPT) != 0;
    __asm__ volatile("cli" : : : "memory");
    return enabled;
}

bool interrupt_is_enabled(void)
{
    return (processor_flags() & EFLAGS_INTERRUPT) != 0;
}

void interrupt_restore(bool were_enabled)
{
    if (were_enabled) {
        __asm__ volatile("sti" : : : "memory");
    }
}

void interrupt_wait(void)
{
    /* sti takes effect after the next instruction, so no interrupt can come between the two. */
    __asm__ volatile("sti; hlt" : : : "memory");
}

void interrupt_controller_initialise(void)
{
    outb(FIRST_COMMAND, COMMAND_INITIALISE);
    outb(SECOND_COMMAND, COMMAND_INITIALISE);
    outb(FIRST_DATA, VECTOR_INTERRUPTS);
    outb(SECOND_DATA, VECTOR_INTERRUPTS + 8);
    outb(FIRST_DATA, 1u << CASCADE_LINE);
    outb(SECOND_DATA, CASCADE_LINE);
    outb(FIRST_DATA, MODE_8086);
    outb(SECOND_DATA, MODE_8086);
    outb(FIRST_DATA, 0xFF & ~(1u << CASCADE_LINE));
    outb(SECOND_DATA, 0xFF);
}

static void unmask(uint32_t line)
{
    uint16_t port = line < 8 ? FIRST_DATA : SECOND_DATA;
    outb(port, inb(port) & (uint8_t) ~(1u << line % 8));
}

void interrupt_attach(uint32_t line_number, interrupt_handler *handler, void *context)
{
    ASSERT(line_number < LINES && line_number != CASCADE_LINE);
    struct line *line = &lines[line_number];
    ASSERT(line->count < HANDLERS_LINE_MAX);
    bool enabled = interrupt_disable();
    line->handlers[line->count].handler = handler;
    line->handlers[line->count].context = context;
    line->count++;
    unmask(line_number);
    interrupt_restore(enabled);
}

/* A controller reports its last line when a request went away before it was acknowledged. */
static bool is_spurious(uint32_t line)
{
    if (line % 8 != 7) {
        return false;
    }
    uint16_t port = line < 8 ? FIRST_COMMAND : SECOND_COMMAND;
    outb(port, COMMAND_READ_SERVICED);
    return (inb(port) & 0x80) == 0;
}

void interrupt_dispatch(uint32_t line_number)
{
    if (is_spurious(line_number)) {
        spurious_count++;
        if (line_number >= 8) {
            outb(FIRST_COMMAND, COMMAND_END); /* the first controller did deliver its cascade line */
        }
        return;
    }
    const struct line *line = &lines[line_number];
    atomic_begin(); /* whoever was interrupted may be anywhere: nothing sleeps here */
    for (uint32_t i = 0; i < line->count; i++) {
        line->handlers[i].handler(line->handlers[i].context);
    }
    atomic_end();
    if (line_number >= 8) {
        outb(SECOND_COMMAND, COMMAND_END);
    }
    outb(FIRST_COMMAND, COMMAND_END);
}
