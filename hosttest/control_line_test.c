/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of the control line out of any bytes, and what stands in them: ids, numbers, base 64, words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../kernel/control/line.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct control_line line;

static enum control_line_event put_text(const char *text)
{
    enum control_line_event event = LINE_GOES_ON;

    for (; *text != 0; text++) {
        assert_int_equal(event, LINE_GOES_ON);
        event = control_line_put(&line, (uint8_t)*text);
    }
    return event;
}

static void put_many(char letter, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(control_line_put(&line, (uint8_t)letter), LINE_GOES_ON);
    }
}

static void line_in_pieces_is_whole_at_its_end(void **state)
{
    (void)state;
    assert_int_equal(put_text("1 sta"), LINE_GOES_ON);
    assert_int_equal(put_text("tus\n"), LINE_IS_WHOLE);
    assert_string_equal(line.text, "1 status");
    assert_int_equal(put_text("\r"), LINE_GOES_ON);
    assert_int_equal(put_text("\n"), LINE_GOES_ON);
    assert_int_equal(put_text("2 ps\r"), LINE_IS_WHOLE);
    assert_string_equal(line.text, "2 ps");
}

static void line_of_the_longest_length_is_whole_and_one_more_is_long(void **state)
{
    (void)state;
    put_many('x', CONTROL_LINE_MAX);
    assert_int_equal(put_text("\n"), LINE_IS_WHOLE);
    assert_int_equal(strlen(line.text), CONTROL_LINE_MAX);
    put_many('x', CONTROL_LINE_MAX + 1);
    assert_int_equal(put_text("\n"), LINE_IS_LONG);
    put_many('y', 1u << 20);
    assert_int_equal(put_text("\n"), LINE_IS_LONG);
    assert_int_equal(put_text("3 ps\n"), LINE_IS_WHOLE);
    assert_string_equal(line.text, "3 ps");
}

static void line_with_a_strange_byte_is_reported_once_and_forgotten(void **state)
{
    (void)state;
    for (uint32_t byte = 0; byte < 256; byte++) {
        bool is_plain = (byte >= ' ' && byte <= '~') || byte == '\n' || byte == '\r';
        if (is_plain) {
            continue;
        }
        assert_int_equal(put_text("1 st"), LINE_GOES_ON);
        assert_int_equal(control_line_put(&line, (uint8_t)byte), LINE_GOES_ON);
        assert_int_equal(put_text("atus\n"), LINE_IS_STRANGE);
        assert_int_equal(put_text("1 status\n"), LINE_IS_WHOLE);
    }
}

/* Whatever comes, an end is found and the next line is as it was sent. */
static void line_after_any_bytes_is_whole(void **state)
{
    uint32_t seed = 20261130;

    (void)state;
    for (uint32_t round = 0; round < 2000; round++) {
        uint32_t count = (uint32_t)rand_r(&seed) % 6000;
        for (uint32_t i = 0; i < count; i++) {
            (void)control_line_put(&line, (uint8_t)rand_r(&seed));
            assert_true(line.length <= CONTROL_LINE_MAX);
        }
        (void)control_line_put(&line, '\n');
        assert_int_equal(put_text("1f snapshot\n"), LINE_IS_WHOLE);
        assert_string_equal(line.text, "1f snapshot");
    }
}

static void id_of_1_to_32_digits_is_one_number(void **state)
{
    uint64_t id[2];

    (void)state;
    assert_true(control_id_parse("0", id) && id[0] == 0 && id[1] == 0);
    assert_true(control_id_parse("1F", id) && id[0] == 0 && id[1] == 0x1f);
    assert_true(control_id_parse("0123456789abcdef0123456789ABCDEF", id));
    assert_true(id[0] == 0x0123456789abcdef && id[1] == 0x0123456789abcdef);
    assert_false(control_id_parse("", id));
    assert_false(control_id_parse("g", id));
    assert_false(control_id_parse("0x1", id));
    assert_false(control_id_parse("0123456789abcdef0123456789abcdef0", id));
}

static void number_beyond_its_bound_is_none(void **state)
{
    uint64_t number;

    (void)state;
    assert_true(control_number_parse("0", 0, &number) && number == 0);
    assert_true(control_number_parse("64", 64, &number) && number == 64);
    assert_false(control_number_parse("65", 64, &number));
    assert_false(control_number_parse("", 64, &number));
    assert_false(control_number_parse("-1", 64, &number));
    assert_false(control_number_parse("1 ", 64, &number));
    assert_true(control_number_parse("18446744073709551609", UINT64_MAX, &number));
    assert_false(control_number_parse("99999999999999999999999", UINT64_MAX, &number));
}

static void base64_is_as_the_standard_has_it(void **state)
{
    static const struct {
        const char *text, *bytes;
    } vectors[] = {{"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg==", "foob"}, {"Zm9vYmFy", "foobar"}};
    uint8_t out[8];

    (void)state;
    for (uint32_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint32_t length = (uint32_t)strlen(vectors[i].bytes);
        assert_int_equal(control_base64(vectors[i].text, out, sizeof(out)), length);
        assert_memory_equal(out, vectors[i].bytes, length);
        assert_int_equal(control_base64(vectors[i].text, out, length), length);
        assert_int_equal(control_base64(vectors[i].text, out, length - 1), UINT32_MAX);
    }
    static const char *const none[] = {"", "Z", "Zg", "Zg=", "Z===", "Zg==Zg==", "Zm9 ", "Zm9\x80", "===="};
    for (uint32_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(control_base64(none[i], out, sizeof(out)), UINT32_MAX);
    }
}

static void words_are_cut_at_blanks_and_decoded(void **state)
{
    char text[] = "  1 a%20b  %zz %4";
    const char *words[4];

    (void)state;
    assert_int_equal(words_split(text, words, 4), 4);
    for (uint32_t i = 0; i < 4; i++) {
        words_decode((char *)words[i]);
    }
    assert_string_equal(words[0], "1");
    assert_string_equal(words[1], "a b");
    assert_string_equal(words[2], "%zz");
    assert_string_equal(words[3], "%4");
    char more[] = "1 2 3 4 5";
    assert_int_equal(words_split(more, words, 4), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_in_pieces_is_whole_at_its_end),
        cmocka_unit_test(line_of_the_longest_length_is_whole_and_one_more_is_long),
        cmocka_unit_test(line_with_a_strange_byte_is_reported_once_and_forgotten),
        cmocka_unit_test(line_after_any_bytes_is_whole),
        cmocka_unit_test(id_of_1_to_32_digits_is_one_number),
        cmocka_unit_test(number_beyond_its_bound_is_none),
        cmocka_unit_test(base64_is_as_the_standard_has_it),
        cmocka_unit_test(words_are_cut_at_blanks_and_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
