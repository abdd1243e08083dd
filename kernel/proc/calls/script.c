/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first line of a script, as Linux reads it: blanks, a path, blanks, and the rest up to trailing blanks is one
 * argument. A line that does not end in time is cut, but not within the path.
 */
#include "script.h"
#include <string.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static uint32_t skip(const char *bytes, uint32_t at, uint32_t end, bool blanks)
{
    while (at < end && is_blank(bytes[at]) == blanks) {
        at++;
    }
    return at;
}

/* Where the line ends: at a line feed, or a zero byte, or the end of what there is. */
static uint32_t line_end(const char *bytes, uint32_t length, bool *is_complete)
{
    for (uint32_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || bytes[i] == 0) {
            *is_complete = true;
            return i;
        }
    }
    *is_complete = false;
    return length;
}

enum error script_parse(const char *bytes, uint32_t length, bool is_whole, struct script_line *out)
{
    bool is_complete;

    if (length < 2 || bytes[0] != '#' || bytes[1] != '!') {
        return ERROR_NOT_FOUND;
    }
    if (length > SCRIPT_LINE_BYTES) {
        length = SCRIPT_LINE_BYTES;
        is_whole = false;
    }
    uint32_t end = line_end(bytes, length, &is_complete);
    uint32_t path = skip(bytes, 2, end, true);
    uint32_t path_end = skip(bytes, path, end, false);
    if (path == path_end || (path_end == end && !is_complete && !is_whole)) {
        return ERROR_INVALID;
    }
    uint32_t argument = skip(bytes, path_end, end, true);
    while (end > argument && is_blank(bytes[end - 1])) {
        end--;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out->path, bytes + path, path_end - path);
    memcpy(out->argument, bytes + argument, end - argument);
    return OK;
}
