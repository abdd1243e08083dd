/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Panic: say what was expected and what was seen, where, and how the kernel got there; then end the machine.
 *
 * Nothing here allocates, waits or touches the image; the keeper, which comes last, may write what the next boot should
 * know. A panic inside the report cuts the report short; one inside the keeper ends the machine at once.
 */
#include "panic.h"
#include "arch/context.h"
#include "arch/interrupt.h"
#include "early_console.h"
#include "log.h"
#include "memory.h"
#include "paging.h"
#include "thread.h"

#include <string.h>

#define STATUS_FAILED        0x11u /* what the launcher takes for a panic or a refusal */
#define BACKTRACE_FRAMES_MAX 24u
#define REPORT_LINE_BYTES    256u

static enum { CALM, REPORTING, KEEPING } stage;
static char first_line[REPORT_LINE_BYTES];
static panic_keeper *keeper;

void panic_set_keeper(panic_keeper *new_keeper)
{
    keeper = new_keeper;
}

static void report_text(const char *line)
{
    log_line("%s", line);
    early_serial_write(line, strlen(line));
    early_serial_write("\n", 1);
    early_screen_write(line, strlen(line));
    early_screen_write("\n", 1);
}

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void report(const char *format, ...)
{
    char line[REPORT_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    kernel_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    report_text(line);
}

static void report_registers(const struct registers *registers)
{
    report("  eip %08x  eflags %08x  vector %u  error %x  cs %x", registers->eip, registers->eflags, registers->vector,
           registers->error_code, registers->cs);
    report("  eax %08x  ebx %08x  ecx %08x  edx %08x", registers->eax, registers->ebx, registers->ecx, registers->edx);
    report("  esi %08x  edi %08x  ebp %08x  thread %s", registers->esi, registers->edi, registers->ebp,
           thread_current() == NULL ? "(boot)" : thread_name(thread_current()));
}

/* A return address may lie beyond the end of a function whose last act is a call; `back` bytes before it is within. */
static void report_place(uint32_t address, uint32_t back)
{
    uint32_t offset;
    const char *name = symbol_find(address - back, &offset);
    if (name != NULL) {
        report("  %08x %s+0x%x", address, name, offset + back);
    } else {
        report("  %08x", address);
    }
}

/* A frame on the kernel's stacks: the caller's frame, then the return address. */
struct stack_frame {
    const struct stack_frame *caller;
    uint32_t return_address;
};

static bool is_readable(const struct stack_frame *frame)
{
    uint32_t address = (uint32_t)frame;
    return address % 4 == 0 && address >= KERNEL_START && address < UINT32_MAX - sizeof(*frame) &&
           paging_is_mapped(address) && paging_is_mapped(address + sizeof(*frame) - 1);
}

static void report_backtrace(const struct stack_frame *frame)
{
    for (uint32_t i = 0; i < BACKTRACE_FRAMES_MAX && is_readable(frame); i++) {
        if (frame->return_address == 0) {
            break;
        }
        report_place(frame->return_address, 1);
        if (frame->caller <= frame) {
            break;
        }
        frame = frame->caller;
    }
}

_Noreturn static void end_report(void)
{
    stage = KEEPING;
    const char *said = keeper != NULL ? keeper(first_line) : NULL;
    if (said != NULL) {
        report_text(said);
    }
    report("The image is as the last committed snapshot left it.");
    cpu_halt(STATUS_FAILED);
}

static void begin_report(const char *subsystem, const char *format, va_list arguments)
{
    (void)interrupt_disable();
    if (stage == REPORTING) {
        report_text("A panic within the report ended it.");
        end_report();
    }
    if (stage == KEEPING) {
        report_text("A panic within the panic ended it.");
        cpu_halt(STATUS_FAILED);
    }
    stage = REPORTING;
    int length = kernel_snprintf(first_line, sizeof(first_line), "%s: ", subsystem);
    kernel_vsnprintf(first_line + length, sizeof(first_line) - (size_t)length, format, arguments);
    report("panic: %s", first_line);
}

_Noreturn void panic(const char *subsystem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin_report(subsystem, format, arguments);
    va_end(arguments);
    report_backtrace(__builtin_frame_address(0));
    end_report();
}

_Noreturn void panic_registers(const struct registers *registers, const char *subsystem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin_report(subsystem, format, arguments);
    va_end(arguments);
    report_registers(registers);
    report_place(registers->eip, 0);
    report_backtrace((const struct stack_frame *)registers->ebp);
    end_report();
}

_Noreturn void log_refuse(const char *format, ...)
{
    (void)interrupt_disable();
    char line[REPORT_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    kernel_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    report_text(line);
    cpu_halt(STATUS_FAILED);
}
