/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers on their way to the line. See answer.h. Only the control thread writes any.
 */
#include "answer.h"
#include "arch/clock.h"
#include "arch/interrupt.h"
#include "log.h"
#include "serial.h"
#include "thread.h"
#include <string.h>

#define PIECE_BYTES 256u
#define TEXT_BYTES  32u

static char piece[PIECE_BYTES];
static uint32_t piece_length;
static bool needs_comma;
static bool is_lost; /* the rest of this answer */

/* Wait until the line takes something. */
static bool has_room(void)
{
    uint64_t until = clock_boot_ns() + ANSWER_PATIENCE_NS;
    bool enabled = interrupt_disable();
    enum error error = OK;

    while (serial_write_room(&serial_control) == 0 && error == OK) {
        error = wait_queue_sleep(serial_room_queue(&serial_control), until, false);
    }
    interrupt_restore(enabled);
    return error == OK;
}

static void send_piece(void)
{
    uint32_t sent = 0;

    while (sent < piece_length && !is_lost) {
        sent += serial_write(&serial_control, (const uint8_t *)piece + sent, piece_length - sent);
        is_lost = sent < piece_length && !has_room();
    }
    piece_length = 0;
}

static void put(char c)
{
    if (piece_length == PIECE_BYTES) {
        send_piece();
    }
    piece[piece_length++] = c;
}

static void put_plain(const char *text)
{
    while (*text != 0) {
        put(*text++);
    }
}

static void put_quoted(const char *text)
{
    char code[TEXT_BYTES];

    put('"');
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\') {
            put('\\');
            put(*text);
        } else if (*text >= ' ' && *text <= '~') {
            put(*text);
        } else {
            kernel_snprintf(code, sizeof(code), "\\u%04x", (unsigned)(uint8_t)*text);
            put_plain(code);
        }
    }
    put('"');
}

static void put_key(const char *key)
{
    if (needs_comma) {
        put(',');
    }
    needs_comma = true;
    put_quoted(key);
    put(':');
}

void answer_number(const char *key, uint64_t value)
{
    char digits[TEXT_BYTES];

    put_key(key);
    kernel_snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    put_plain(digits);
}

void answer_text(const char *key, const char *value)
{
    put_key(key);
    put_quoted(value);
}

void answer_flag(const char *key, bool value)
{
    put_key(key);
    put_plain(value ? "true" : "false");
}

void answer_list_begin(const char *key)
{
    put_key(key);
    put('[');
    needs_comma = false;
}

void answer_item_begin(void)
{
    if (needs_comma) {
        put(',');
    }
    put('{');
    needs_comma = false;
}

void answer_object_begin(const char *key)
{
    put_key(key);
    put('{');
    needs_comma = false;
}

void answer_item_end(void)
{
    put('}');
    needs_comma = true;
}

void answer_list_end(void)
{
    put(']');
    needs_comma = true;
}

/* What went before may have been cut off. */
static void begin(void)
{
    bool was_lost = is_lost;

    piece_length = 0;
    is_lost = needs_comma = false;
    if (was_lost) {
        put('\n');
    }
    put('{');
}

void answer_begin(const char *id)
{
    begin();
    answer_text("id", id);
    answer_flag("ok", true);
}

void answer_event(const char *kind)
{
    begin();
    answer_text("event", kind);
}

void answer_end(void)
{
    put_plain("}\n");
    send_piece();
}

void answer_error(const char *id, const char *kind, const char *text, const char *details)
{
    begin();
    answer_text("id", id);
    answer_flag("ok", false);
    answer_text("kind", kind);
    answer_text("error", text);
    if (details != NULL) {
        answer_text("details", details);
    }
    answer_end();
}
