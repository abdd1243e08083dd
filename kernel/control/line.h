/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/control: lines out of bytes.
 *
 * A line ends with a line feed or a carriage return. Lines without a letter do not count. One that is too long, or has
 * a byte in it that is no printing character of ASCII, is reported as that when it ends; nothing of it is kept.
 */
#ifndef CONTROL_LINE_H
#define CONTROL_LINE_H

#include "types.h"

#define CONTROL_LINE_MAX 4096u /* letters */

struct control_line {
    char text[CONTROL_LINE_MAX + 1];
    uint32_t length;
    bool is_long, is_strange;
};

enum control_line_event {
    LINE_GOES_ON,
    LINE_IS_WHOLE,  /* in `text`, until the next byte */
    LINE_IS_LONG,   /* more than CONTROL_LINE_MAX letters */
    LINE_IS_STRANGE /* bytes that no request has */
};

/* Take a byte. A zeroed line is ready. */
enum control_line_event control_line_put(struct control_line *line, uint8_t byte);

/*
 * An id: 1 to 32 hexadecimal digits. False: it is none. Only zeroes: a request that nobody wants remembered.
 */
bool control_id_parse(const char *text, uint64_t id[2]);

/* A whole number, in decimal digits only. False: it is none, or above `most`. */
bool control_number_parse(const char *text, uint64_t most, uint64_t *out);

/*
 * Base 64 (RFC 4648, section 4), padded. Returns how many bytes went to `out`; UINT32_MAX: the text is no such, or
 * there are more than `capacity`.
 */
uint32_t control_base64(const char *text, uint8_t *out, uint32_t capacity);

#endif
