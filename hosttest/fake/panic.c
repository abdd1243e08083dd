/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Panic and log. A panic that a test expects jumps back to it; any other prints its report and aborts.
 */
#include "internal.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

jmp_buf *fake_panic_target;
void (*fake_panic_hook)(const char *subsystem);
char fake_panic_text[256];

_Noreturn void panic(const char *subsystem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fake_panic_text, sizeof(fake_panic_text), format, arguments);
    va_end(arguments);
    if (fake_panic_target != NULL) {
        longjmp(*fake_panic_target, 1);
    }
    if (fake_panic_hook != NULL) {
        fake_panic_hook(subsystem);
    }
    fprintf(stderr, "panic: %s: %s\n", subsystem, fake_panic_text);
    abort();
}

static log_sink *log_to; /* the last one that asked for it */

void log_add_sink(log_sink *sink)
{
    log_to = sink;
}

void log_line(const char *format, ...)
{
    va_list arguments;
    char line[512];

    va_start(arguments, format);
    vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    if (getenv("EIDOLON_LOG") != NULL) {
        fputs(line, stderr);
    }
    if (log_to != NULL) {
        log_to(line, strlen(line));
    }
}

int kernel_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    return vsnprintf(buffer, size, format, arguments);
}

int kernel_snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
