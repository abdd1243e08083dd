/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keyboard_decode(): scancodes in, bytes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "keyboard.h"

#define SHIFT   0x2A
#define CONTROL 0x1D
#define ALT     0x38
#define CAPS    0x3A
#define NUMBER  0x45
#define UP(key) ((key) | 0x80)

/* What a zero-terminated sequence of scancodes types. */
static const char *typed(const uint8_t *scancodes)
{
    static char text[256];
    struct keyboard_decoder decoder = {.extended = false};
    size_t length = 0;
    memset(text, 0, sizeof(text));
    for (; *scancodes != 0; scancodes++) {
        struct keyboard_output output = keyboard_decode(&decoder, *scancodes);
        memcpy(text + length, output.bytes, output.count);
        length += output.count;
    }
    return text;
}

#define TYPED(...) typed((const uint8_t[]){__VA_ARGS__, 0})

static void letters_follow_shift_and_caps_lock(void **state)
{
    (void)state;
    assert_string_equal(TYPED(0x1E, UP(0x1E), 0x30, UP(0x30)), "ab");
    assert_string_equal(TYPED(SHIFT, 0x1E, UP(SHIFT), 0x1E), "Aa");
    assert_string_equal(TYPED(0x36, 0x1E, UP(0x36), 0x1E), "Aa");
    assert_string_equal(TYPED(CAPS, UP(CAPS), 0x1E, 0x02, CAPS, UP(CAPS), 0x1E), "A1a");
    assert_string_equal(TYPED(CAPS, UP(CAPS), SHIFT, 0x1E, 0x02), "a!");
}

static void shifted_page_keys_scroll_and_type_nothing(void **state)
{
    (void)state;
    struct keyboard_decoder decoder = {.shift_left = true};
    const uint8_t keys[] = {0x49, 0x51};
    for (int8_t i = 0; i < 2; i++) {
        (void)keyboard_decode(&decoder, 0xE0);
        struct keyboard_output output = keyboard_decode(&decoder, keys[i]);
        assert_int_equal(output.count, 0);
        assert_int_equal(output.scroll, 1 - 2 * i);
        assert_int_equal(keyboard_decode(&decoder, UP(keys[i])).scroll, 0);
    }
    assert_string_equal(TYPED(0xE0, 0x49, 0xE0, 0x51), "\033[5~\033[6~");
}

static void every_row_is_where_it_belongs(void **state)
{
    (void)state;
    uint8_t row[16];
    struct {
        uint8_t first;
        const char *keys;
    } rows[] = {{0x02, "1234567890-=\177\t"}, {0x10, "qwertyuiop[]\r"}, {0x1E, "asdfghjkl;'`"}, {0x2B, "\\zxcvbnm,./"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t length = strlen(rows[i].keys);
        for (size_t j = 0; j < length; j++) {
            row[j] = (uint8_t)(rows[i].first + j);
        }
        row[length] = 0;
        assert_string_equal(typed(row), rows[i].keys);
    }
    assert_string_equal(TYPED(0x39, 0x01), " \033");
}

static void control_gives_control_characters(void **state)
{
    (void)state;
    assert_string_equal(TYPED(CONTROL, 0x2E, UP(CONTROL), 0x2E), "\003c");
    assert_string_equal(TYPED(CONTROL, 0x1A), "\033");
    assert_string_equal(TYPED(0xE0, CONTROL, 0x20, 0xE0, UP(CONTROL), 0x20), "\004d");
    struct keyboard_decoder decoder = {.control_left = true};
    struct keyboard_output output = keyboard_decode(&decoder, 0x39);
    assert_int_equal(output.count, 1);
    assert_int_equal(output.bytes[0], 0);
}

static void alt_puts_escape_in_front(void **state)
{
    (void)state;
    assert_string_equal(TYPED(ALT, 0x30, UP(ALT), 0x30), "\033bb");
}

static void grey_keys_give_sequences(void **state)
{
    (void)state;
    assert_string_equal(TYPED(0xE0, 0x48, 0xE0, UP(0x48)), "\033[A");
    assert_string_equal(TYPED(0xE0, 0x50, 0xE0, 0x4D, 0xE0, 0x4B), "\033[B\033[C\033[D");
    assert_string_equal(TYPED(0xE0, 0x47, 0xE0, 0x4F, 0xE0, 0x53), "\033[H\033[F\033[3~");
    assert_string_equal(TYPED(0xE0, 0x1C, 0xE0, 0x35), "\r/");
    assert_string_equal(TYPED(0x3B, 0x44, 0x58), "\033OP\033[21~\033[24~");
}

static void fake_shifts_around_grey_keys_change_nothing(void **state)
{
    (void)state;
    assert_string_equal(TYPED(0xE0, 0x2A, 0xE0, 0x53, 0xE0, UP(0x53), 0xE0, UP(0x2A), 0x1E), "\033[3~a");
    assert_string_equal(TYPED(SHIFT, 0xE0, UP(0x2A), 0x1E), "A");
}

static void number_pad_follows_number_lock(void **state)
{
    (void)state;
    assert_string_equal(TYPED(0x48, 0x4A, 0x4E, 0x37), "\033[A-+*");
    assert_string_equal(TYPED(NUMBER, UP(NUMBER), 0x48, 0x53, 0x4A, 0xE0, 0x48), "8.-\033[A");
}

static void pause_is_ignored_whole(void **state)
{
    (void)state;
    assert_string_equal(TYPED(0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0x48, 0x1E), "\033[Aa");
}

static void alt_function_keys_are_reported_without_bytes(void **state)
{
    (void)state;
    struct keyboard_decoder decoder = {.alt_left = true};
    struct keyboard_output output = keyboard_decode(&decoder, 0x3C);
    assert_int_equal(output.count, 0);
    assert_int_equal(output.alt_function, 2);
    output = keyboard_decode(&decoder, 0x58);
    assert_int_equal(output.alt_function, 12);
    assert_int_equal(keyboard_decode(&decoder, 0x1E).alt_function, 0);
}

/* Any sequence at all is good input: all pairs, with every combination of prefixes and held keys in front. */
static void any_scancodes_are_harmless(void **state)
{
    (void)state;
    static const uint8_t before[] = {0x00, SHIFT, CONTROL, ALT, CAPS, NUMBER, 0xE0, 0xE1};
    for (uint32_t first = 0; first < sizeof(before); first++) {
        for (uint32_t i = 0; i < sizeof(before) * 256; i++) {
            uint8_t second = before[i / 256], scancode = (uint8_t)(i % 256);
            struct keyboard_decoder decoder = {.extended = false};
            keyboard_decode(&decoder, before[first]);
            keyboard_decode(&decoder, second);
            struct keyboard_output output = keyboard_decode(&decoder, scancode);
            assert_true(output.count <= KEYBOARD_BYTES_MAX && output.alt_function <= 12);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_follow_shift_and_caps_lock),
        cmocka_unit_test(shifted_page_keys_scroll_and_type_nothing),
        cmocka_unit_test(every_row_is_where_it_belongs),
        cmocka_unit_test(control_gives_control_characters),
        cmocka_unit_test(alt_puts_escape_in_front),
        cmocka_unit_test(grey_keys_give_sequences),
        cmocka_unit_test(fake_shifts_around_grey_keys_change_nothing),
        cmocka_unit_test(number_pad_follows_number_lock),
        cmocka_unit_test(pause_is_ignored_whole),
        cmocka_unit_test(alt_function_keys_are_reported_without_bytes),
        cmocka_unit_test(any_scancodes_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
