/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal on the host: its stream goes into a buffer.
 */
#include "terminal_fixture.h"

#include <string.h>

#define STREAM_MAX (64u * 1024u)

struct terminal terminal;
struct terminal_effects effects;

static char stream[STREAM_MAX];
static size_t stream_length;

static void collect(const uint8_t *bytes, uint32_t length)
{
    assert_true(stream_length + length < STREAM_MAX);
    memcpy(stream + stream_length, bytes, length);
    stream_length += length;
}

int fixture_reset(void **state)
{
    (void)state;
    terminal_create(&terminal, TERMINAL_ROWS, TERMINAL_COLUMNS);
    effects = (struct terminal_effects){.send = collect};
    stream_length = 0;
    return 0;
}

static void check(void)
{
    terminal_flush(&effects);
    assert_int_equal(terminal_validate(&terminal), OK);
}

static void type_bytes(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        terminal_input(&terminal, &effects, (uint8_t)bytes[i]);
        check();
    }
}

void type(const char *text)
{
    type_bytes(text, strlen(text));
}

void output(const char *text)
{
    for (; *text != 0; text++) {
        terminal_output(&terminal, &effects, (uint8_t)*text);
        check();
    }
}

const char *streamed(void)
{
    stream[stream_length] = 0;
    stream_length = 0;
    return stream;
}

const char *taken(uint32_t capacity)
{
    static char text[TERMINAL_INPUT_MAX + 1];
    uint32_t length = 0;

    if (terminal_take(&terminal, (uint8_t *)text, capacity, &length) == ERROR_BUSY) {
        return "BUSY";
    }
    assert_true(length <= capacity);
    assert_int_equal(terminal_validate(&terminal), OK);
    text[length] = 0;
    return text;
}

const char *row_text(uint32_t row)
{
    static char text[TERMINAL_COLUMNS_MAX + 1];
    const terminal_cell_t *cells = terminal_screen_row(&terminal, row);
    uint32_t length = terminal.columns;

    while (length > 0 && (cells[length - 1] & CELL_CHARACTER_MASK) == ' ') {
        length--;
    }
    for (uint32_t i = 0; i < length; i++) {
        text[i] = (char)(cells[i] & CELL_CHARACTER_MASK);
    }
    text[length] = 0;
    return text;
}
