/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's formatted text against the C library's: for every conversion the kernel knows, the same characters, the
 * same count, the same cut.
 */
#include "log.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20000

static uint32_t random_state = 1;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

/* Format with both, into buffers of the same size, and compare. */
static void same(size_t size, const char *format, ...)
{
    char ours[128], theirs[128];
    memset(ours, '~', sizeof(ours));
    memset(theirs, '~', sizeof(theirs));
    va_list arguments;
    va_start(arguments, format);
    int our_length = kernel_vsnprintf(ours, size, format, arguments);
    va_end(arguments);
    va_start(arguments, format);
    int their_length = vsnprintf(theirs, size, format, arguments);
    va_end(arguments);
    if (our_length != their_length || memcmp(ours, theirs, sizeof(ours)) != 0) {
        fail_msg("\"%s\" into %zu: %d [%.60s], the C library: %d [%.60s]", format, size, our_length, ours, their_length,
                 theirs);
    }
}

static void append_flags(char *format)
{
    strcat(format, "%");
    if (draw(3) == 0) {
        strcat(format, draw(2) == 0 ? "-" : "0");
    }
    if (draw(2) == 0) {
        sprintf(format + strlen(format), "%u", 1 + draw(30));
    }
}

static unsigned long long some_number(void)
{
    static const unsigned long long edges[] = {0, 1, 9, 10, INT_MAX, UINT_MAX, LLONG_MAX, ULLONG_MAX, 1ull << 63};
    if (draw(2) == 0) {
        return edges[draw(sizeof(edges) / sizeof(edges[0]))];
    }
    return ((unsigned long long)draw(1u << 24) << 40 ^ (unsigned long long)draw(1u << 24) << 16) >> draw(64);
}

static void format_numbers_read_as_in_c(void **state)
{
    (void)state;
    static const char conversions[] = "diuxX";
    for (int round = 0; round < ROUNDS; round++) {
        char format[64] = "<";
        size_t size = draw(4) == 0 ? draw(12) : 128;
        char conversion = conversions[draw(sizeof(conversions) - 1)];
        append_flags(format);
        switch (draw(3)) {
        case 0:
            sprintf(format + strlen(format), "%c>", conversion);
            same(size, format, (int)some_number());
            break;
        case 1:
            sprintf(format + strlen(format), "l%c>", conversion);
            same(size, format, (long)some_number());
            break;
        default:
            sprintf(format + strlen(format), "ll%c>", conversion);
            same(size, format, (long long)some_number());
            break;
        }
    }
}

static void format_strings_read_as_in_c(void **state)
{
    (void)state;
    static const char *const words[] = {"", "a", "generation", "a longer one, with blanks"};
    for (int round = 0; round < ROUNDS; round++) {
        char format[64] = "";
        size_t size = draw(4) == 0 ? draw(12) : 128;
        strcat(format, draw(2) == 0 ? "%-" : "%");
        if (draw(2) == 0) {
            sprintf(format + strlen(format), "%u", 1 + draw(30));
        }
        if (draw(2) == 0) {
            sprintf(format + strlen(format), ".%u", draw(20));
        }
        strcat(format, "s %c %%");
        same(size, format, words[draw(4)], 'a' + (int)draw(26));
    }
}

static void format_stars_and_sizes_read_as_in_c(void **state)
{
    (void)state;
    same(128, "%*d|%.*s|%-*s|", 7, -12, 3, "abcdef", 5, "x");
    same(128, "%zu %zx", (size_t)-1, (size_t)4096);
    same(128, "%p", (void *)(uintptr_t)0xC0100000);
    same(0, "nothing fits");
    same(1, "nothing fits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_numbers_read_as_in_c),
        cmocka_unit_test(format_strings_read_as_in_c),
        cmocka_unit_test(format_stars_and_sizes_read_as_in_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
