/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted text: the part of printf that the kernel uses.
 *
 * Conversions %s %c %d %i %u %x %X %p %%, the lengths l, ll, h, hh and z, a width (a number or *), zero fill, '-', and
 * a precision for %s. No floating point. Output beyond the buffer is counted and dropped, as C99 says.
 */
#include "log.h"

#include <string.h>

/* Where the text goes. `length` counts everything, also what did not fit. */
struct output {
    char *buffer;
    size_t size;
    size_t length;
};

/* One conversion as written in the format. */
struct conversion {
    bool left;
    bool zero_fill;
    bool upper;
    uint32_t width;
    size_t precision;
    uint32_t longs; /* 0: int, 1: long, 2: long long; size_t is a long */
};

static void put(struct output *output, char character)
{
    if (output->length + 1 < output->size) {
        output->buffer[output->length] = character;
    }
    output->length++;
}

static void put_repeated(struct output *output, char character, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(output, character);
    }
}

/* `sign` precedes zero fill and follows blanks; "" if there is none. */
static void put_field(struct output *output, const struct conversion *conversion, const char *sign, const char *text,
                      size_t length)
{
    size_t total = strlen(sign) + length;
    size_t fill = conversion->width > total ? conversion->width - total : 0;
    if (!conversion->left && !conversion->zero_fill) {
        put_repeated(output, ' ', fill);
    }
    while (*sign != '\0') {
        put(output, *sign++);
    }
    if (!conversion->left && conversion->zero_fill) {
        put_repeated(output, '0', fill);
    }
    for (size_t i = 0; i < length; i++) {
        put(output, text[i]);
    }
    if (conversion->left) {
        put_repeated(output, ' ', fill);
    }
}

static void put_number(struct output *output, const struct conversion *conversion, const char *sign, uint64_t value,
                       uint32_t base)
{
    const char *digits = conversion->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[20];
    size_t first = sizeof(text);
    do {
        text[--first] = digits[value % base];
        value /= base;
    } while (value != 0);
    put_field(output, conversion, sign, &text[first], sizeof(text) - first);
}

static uint64_t unsigned_argument(const struct conversion *conversion, va_list *arguments)
{
    switch (conversion->longs) {
    case 0:
        return va_arg(*arguments, unsigned int);
    case 1:
        return va_arg(*arguments, unsigned long);
    default:
        return va_arg(*arguments, unsigned long long);
    }
}

static int64_t signed_argument(const struct conversion *conversion, va_list *arguments)
{
    switch (conversion->longs) {
    case 0:
        return va_arg(*arguments, int);
    case 1:
        return va_arg(*arguments, long);
    default:
        return va_arg(*arguments, long long);
    }
}

static void put_signed(struct output *output, const struct conversion *conversion, int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    put_number(output, conversion, value < 0 ? "-" : "", magnitude, 10);
}

static void put_string(struct output *output, struct conversion *conversion, const char *string)
{
    conversion->zero_fill = false;
    if (string == NULL) {
        string = "(null)";
    }
    put_field(output, conversion, "", string, strnlen(string, conversion->precision));
}

/* A number in the format, or the next argument for '*'. Negative widths are not supported and count as 0. */
static const char *read_number(const char *format, va_list *arguments, uint32_t *out)
{
    *out = 0;
    if (*format == '*') {
        int value = va_arg(*arguments, int);
        *out = value > 0 ? (uint32_t)value : 0;
        return format + 1;
    }
    while (*format >= '0' && *format <= '9') {
        *out = *out * 10 + (uint32_t)(*format++ - '0');
    }
    return format;
}

static const char *read_conversion(const char *format, va_list *arguments, struct conversion *out)
{
    *out = (struct conversion){.precision = SIZE_MAX};
    for (; *format == '-' || *format == '0'; format++) {
        out->left = out->left || *format == '-';
        out->zero_fill = out->zero_fill || *format == '0';
    }
    format = read_number(format, arguments, &out->width);
    if (*format == '.') {
        uint32_t precision;
        format = read_number(format + 1, arguments, &precision);
        out->precision = precision;
    }
    for (; *format == 'l' || *format == 'z' || *format == 'h'; format++) {
        out->longs += *format != 'h';
    }
    return format;
}

static void put_conversion(struct output *output, struct conversion *conversion, char type, va_list *arguments)
{
    switch (type) {
    case 's':
        put_string(output, conversion, va_arg(*arguments, const char *));
        break;
    case 'c': {
        char character = (char)va_arg(*arguments, int);
        put_field(output, conversion, "", &character, 1);
        break;
    }
    case 'd':
    case 'i':
        put_signed(output, conversion, signed_argument(conversion, arguments));
        break;
    case 'u':
        put_number(output, conversion, "", unsigned_argument(conversion, arguments), 10);
        break;
    case 'X':
        conversion->upper = true;
        put_number(output, conversion, "", unsigned_argument(conversion, arguments), 16);
        break;
    case 'x':
        put_number(output, conversion, "", unsigned_argument(conversion, arguments), 16);
        break;
    case 'p':
        put_number(output, conversion, "0x", (uintptr_t)va_arg(*arguments, void *), 16);
        break;
    case '%':
        put(output, '%');
        break;
    default:
        put(output, '%');
        put(output, type);
        break;
    }
}

int kernel_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output output = {.buffer = buffer, .size = size};
    va_list rest;
    va_copy(rest, arguments);
    while (*format != '\0') {
        if (*format != '%') {
            put(&output, *format++);
            continue;
        }
        struct conversion conversion;
        format = read_conversion(format + 1, &rest, &conversion);
        if (*format == '\0') {
            break;
        }
        put_conversion(&output, &conversion, *format++, &rest);
    }
    va_end(rest);
    if (size > 0) {
        buffer[output.length < size ? output.length : size - 1] = '\0';
    }
    return (int)output.length;
}

int kernel_snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = kernel_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
