/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines, and what stands in them. See line.h.
 */
#include "line.h"
#include <string.h>

#define ID_DIGITS_MAX 32u
#define BASE64_GROUP  4u

static void begin(struct control_line *line)
{
    line->length = 0;
    line->is_long = line->is_strange = false;
}

static enum control_line_event end(struct control_line *line)
{
    enum control_line_event event = line->is_strange    ? LINE_IS_STRANGE
                                    : line->is_long     ? LINE_IS_LONG
                                    : line->length == 0 ? LINE_GOES_ON
                                                        : LINE_IS_WHOLE;

    line->text[line->length] = 0;
    begin(line);
    return event;
}

enum control_line_event control_line_put(struct control_line *line, uint8_t byte)
{
    if (byte == '\n' || byte == '\r') {
        return end(line);
    }
    if (byte < ' ' || byte > '~') {
        line->is_strange = true;
    } else if (line->length == CONTROL_LINE_MAX) {
        line->is_long = true;
    } else {
        line->text[line->length++] = (char)byte;
    }
    return LINE_GOES_ON;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool control_id_parse(const char *text, uint64_t id[2])
{
    size_t length = strnlen(text, ID_DIGITS_MAX + 1);
    uint64_t high = 0, low = 0;

    if (length == 0 || length > ID_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        int digit = hex_value(text[i]);
        if (digit < 0) {
            return false;
        }
        high = high << 4 | low >> 60;
        low = low << 4 | (uint64_t)digit;
    }
    id[0] = high;
    id[1] = low;
    return true;
}

bool control_number_parse(const char *text, uint64_t most, uint64_t *out)
{
    uint64_t number = 0;

    for (const char *at = text; *at != 0; at++) {
        if (*at < '0' || *at > '9' || number > (UINT64_MAX - 9) / 10) {
            return false;
        }
        number = number * 10 + (uint64_t)(*at - '0');
    }
    *out = number;
    return *text != 0 && number <= most;
}

static int base64_value(char letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52;
    }
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

uint32_t control_base64(const char *text, uint8_t *out, uint32_t capacity)
{
    size_t length = strlen(text);
    uint32_t pads = 0, count = 0;

    if (length == 0 || length % BASE64_GROUP != 0) {
        return UINT32_MAX;
    }
    while (pads < 2 && text[length - 1 - pads] == '=') {
        pads++;
    }
    uint32_t bytes = (uint32_t)(length / BASE64_GROUP * 3) - pads;
    if (bytes > capacity) {
        return UINT32_MAX;
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        int value = i >= length - pads ? 0 : base64_value(text[i]);
        if (value < 0) {
            return UINT32_MAX;
        }
        bits = bits << 6 | (uint32_t)value;
        if (i % BASE64_GROUP == BASE64_GROUP - 1) {
            for (uint32_t shift = 24; shift > 0 && count < bytes; count++) {
                shift -= 8;
                out[count] = (uint8_t)(bits >> shift);
            }
            bits = 0;
        }
    }
    return count;
}
