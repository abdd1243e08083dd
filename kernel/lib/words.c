/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of lines. See words.h.
 */
#include "words.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void words_decode(char *word)
{
    char *to = word;

    for (const char *from = word; *from != 0;) {
        if (from[0] == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
            *to++ = (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]));
            from += 3;
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
}

uint32_t words_split(char *text, const char **words, uint32_t capacity)
{
    uint32_t count = 0;

    for (char *at = text; *at != 0;) {
        while (*at == ' ') {
            *at++ = 0;
        }
        if (*at == 0) {
            break;
        }
        if (count == capacity) {
            return capacity + 1;
        }
        words[count++] = at;
        while (*at != ' ' && *at != 0) {
            at++;
        }
    }
    return count;
}
