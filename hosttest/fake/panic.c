/*
 * Panic and log. A panic that a test expects jumps back to it; any other prints its report and aborts.
 */
#include "internal.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>

jmp_buf *fake_panic_target;
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
    fprintf(stderr, "panic: %s: %s\n", subsystem, fake_panic_text);
    abort();
}

void log_line(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (getenv("EIDOLON_LOG") != NULL) {
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
    }
    va_end(arguments);
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
