/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line discipline: what readers get for what is typed, what is echoed, and what becomes of output.
 */
#include "terminal_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "linux/linux_abi.h"

static void set_raw(uint8_t least, uint8_t time)
{
    struct linux_termios settings = terminal.settings;

    settings.local_flags &= ~(ICANON | ECHO | ISIG | IEXTEN);
    settings.input_flags &= ~ICRNL;
    settings.characters[VMIN] = least;
    settings.characters[VTIME] = time;
    terminal_set_settings(&terminal, &settings);
}

static void line_typed_is_read_whole_once_it_ends(void **state)
{
    (void)state;
    type("hello");
    assert_string_equal(taken(100), "BUSY");
    assert_false(terminal_has_input(&terminal));
    type("\r");
    assert_true(effects.readable);
    assert_true(terminal_has_input(&terminal));
    assert_int_equal(terminal_input_ready(&terminal), 6);
    assert_string_equal(taken(100), "hello\n");
    assert_string_equal(taken(100), "BUSY");
    assert_string_equal(streamed(), "hello\r\n");
    assert_string_equal(row_text(0), "hello");
}

static void line_longer_than_a_read_comes_in_pieces(void **state)
{
    (void)state;
    type("abcdef\rgh\r");
    assert_string_equal(taken(4), "abcd");
    assert_string_equal(taken(4), "ef\n");
    assert_string_equal(taken(4), "gh\n");
}

static void erase_takes_back_one_character_on_the_screen_too(void **state)
{
    (void)state;
    type("ab\177c\r");
    assert_string_equal(taken(100), "ac\n");
    assert_string_equal(streamed(), "ab\b \bc\r\n");
    assert_string_equal(row_text(0), "ac");
}

static void erase_at_the_start_of_a_line_does_nothing(void **state)
{
    (void)state;
    output("prompt> ");
    type("x\177\177\177\177y\r");
    assert_string_equal(taken(100), "y\n");
    assert_string_equal(row_text(0), "prompt> y");
}

static void erase_of_a_control_character_takes_both_columns(void **state)
{
    (void)state;
    type("a\026\001\177b\r");
    assert_string_equal(taken(100), "ab\n");
    assert_string_equal(row_text(0), "ab");
}

static void erase_of_a_tab_goes_back_to_where_it_began(void **state)
{
    (void)state;
    output("> ");
    type("ab\tc\177\177d\r");
    assert_string_equal(taken(100), "abd\n");
    assert_string_equal(row_text(0), "> abd");
}

static void erase_takes_all_bytes_of_a_character(void **state)
{
    (void)state;
    type("a\303\244\342\202\254\177\177b\r");
    assert_string_equal(taken(100), "ab\n");
    assert_string_equal(row_text(0), "ab");
}

static void word_erase_and_kill_shorten_the_line(void **state)
{
    (void)state;
    type("one two  \027three\025four five\027six\r");
    assert_string_equal(taken(100), "four six\n");
    assert_string_equal(row_text(0), "four six");
}

static void reprint_shows_the_line_again(void **state)
{
    (void)state;
    type("abc\022d\r");
    assert_string_equal(taken(100), "abcd\n");
    assert_string_equal(streamed(), "abc^R\r\nabcd\r\n");
}

static void end_of_file_ends_a_line_without_a_byte(void **state)
{
    (void)state;
    type("\004");
    assert_string_equal(taken(100), "");
    type("abc\004def\r");
    assert_string_equal(taken(100), "abc");
    assert_string_equal(taken(100), "def\n");
    assert_string_equal(streamed(), "abcdef\r\n");
}

static void end_of_file_behind_a_full_read_is_not_one_of_its_own(void **state)
{
    (void)state;
    type("abc\004def\r");
    assert_string_equal(taken(3), "abc");
    assert_string_equal(taken(100), "def\n");
}

static void signal_characters_raise_and_flush(void **state)
{
    (void)state;
    type("old\rnew\003");
    assert_int_equal(effects.signal, SIGINT);
    assert_string_equal(taken(100), "BUSY");
    assert_string_equal(streamed(), "old\r\nnew^C");
    type("\034");
    assert_int_equal(effects.signal, SIGQUIT);
}

static void literal_next_takes_a_special_character_as_it_is(void **state)
{
    (void)state;
    type("\026\003\026\004\r");
    assert_int_equal(effects.signal, 0);
    assert_string_equal(taken(100), "\003\004\n");
}

static void line_without_end_keeps_room_for_its_end(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        assert_true(terminal_accepts(&terminal, 'x'));
        terminal_input(&terminal, &effects, 'x');
        terminal_flush(&effects);
    }
    (void)streamed();
    assert_int_equal(terminal.input_length, TERMINAL_INPUT_MAX - 1);
    type("\r");
    assert_int_equal(strlen(taken(TERMINAL_INPUT_MAX)), TERMINAL_INPUT_MAX);
}

static void full_queue_holds_input_back_until_a_line_is_read(void **state)
{
    (void)state;
    while (terminal_accepts(&terminal, 'y')) {
        type("yyyyyyyyyyyyyyy\r");
        (void)streamed();
    }
    assert_false(terminal_accepts(&terminal, '\r'));
    assert_true(terminal_accepts(&terminal, 3));
    (void)taken(100);
    assert_true(terminal_accepts(&terminal, 'y'));
}

static void kill_of_a_very_long_line_is_bounded(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4000; i++) {
        terminal_input(&terminal, &effects, 'x');
        terminal_flush(&effects);
    }
    (void)streamed();
    type("\025");
    assert_true(strlen(streamed()) <= 4000);
    type("ok\r");
    assert_string_equal(taken(100), "ok\n");
}

static void raw_input_is_readable_byte_by_byte(void **state)
{
    (void)state;
    set_raw(1, 0);
    assert_string_equal(taken(100), "BUSY");
    type("a\r\003");
    assert_string_equal(taken(2), "a\r");
    assert_string_equal(taken(100), "\003");
    assert_string_equal(streamed(), "");
}

static void raw_input_waits_for_the_least_number(void **state)
{
    (void)state;
    set_raw(3, 0);
    type("ab");
    assert_false(terminal_has_input(&terminal));
    assert_string_equal(taken(100), "BUSY");
    assert_string_equal(taken(2), "ab");
    type("abc");
    assert_string_equal(taken(100), "abc");
    set_raw(0, 0);
    assert_string_equal(taken(100), "");
    assert_false(terminal_has_input(&terminal));
}

static void mode_changes_keep_what_was_typed(void **state)
{
    (void)state;
    struct linux_termios canonical = terminal.settings;

    type("half");
    set_raw(1, 0);
    assert_string_equal(taken(2), "ha");
    type("way");
    terminal_set_settings(&terminal, &canonical);
    assert_int_equal(terminal_validate(&terminal), OK);
    assert_string_equal(taken(100), "lfway");
    type("x\r");
    assert_string_equal(taken(100), "x\n");
}

static void echo_off_shows_nothing_but_a_newline_if_wanted(void **state)
{
    (void)state;
    terminal.settings.local_flags &= ~ECHO;
    type("secret\177\r");
    assert_string_equal(streamed(), "");
    terminal.settings.local_flags |= ECHONL;
    type("secret\r");
    assert_string_equal(streamed(), "\r\n");
    assert_string_equal(taken(100), "secre\n");
}

static void carriage_return_and_newline_follow_the_input_flags(void **state)
{
    (void)state;
    terminal.settings.input_flags = IGNCR;
    type("a\rb\n");
    assert_string_equal(taken(100), "ab\n");
    terminal.settings.input_flags = INLCR;
    type("a\n");
    assert_string_equal(taken(100), "BUSY");
}

static void output_is_processed_as_the_flags_say(void **state)
{
    (void)state;
    output("a\nb\tc\n");
    assert_string_equal(streamed(), "a\r\nb\tc\r\n");
    terminal.settings.output_flags = OPOST | ONLCR | XTABS;
    output("ab\tc\n");
    assert_string_equal(streamed(), "ab      c\r\n");
    terminal.settings.output_flags = OPOST | OCRNL | ONOCR;
    output("\ra\r");
    assert_string_equal(streamed(), "\na\n");
    terminal.settings.output_flags = 0;
    output("\n\t\r");
    assert_string_equal(streamed(), "\n\t\r");
}

/* Any bytes, any settings, any reads: the object stays sound, and nothing is made up. */
static void random_traffic_keeps_the_object_sound(void **state)
{
    (void)state;
    const char *given = getenv("EIDOLON_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : 1;
    print_message("seed %u\n", seed);
    srand(seed);
    for (uint32_t i = 0; i < 300000; i++) {
        uint8_t bytes[64];
        uint32_t length = 0;
        uint8_t byte = (uint8_t)(rand() % 4 == 0 ? rand() : "\r\n\004\177\025\027\026\022abc \t\033[5;3H"[rand() % 20]);
        switch (rand() % 8) {
        case 0:
            terminal_output(&terminal, &effects, byte);
            break;
        case 1:
            if (terminal_take(&terminal, bytes, (uint32_t)rand() % sizeof(bytes), &length) == OK) {
                assert_true(length <= sizeof(bytes));
            }
            break;
        case 2:
            if (rand() % 50 == 0) {
                struct linux_termios settings = terminal.settings;
                settings.local_flags = (uint32_t)rand() & 0xFFFF;
                settings.input_flags = (uint32_t)rand() & 0xFFFF;
                settings.output_flags = (uint32_t)rand() & 0xFFFF;
                settings.characters[(uint32_t)rand() % TERMIOS_CHARACTERS] = (uint8_t)rand();
                terminal_set_settings(&terminal, &settings);
            }
            break;
        default:
            terminal_input(&terminal, &effects, byte);
            break;
        }
        terminal_flush(&effects);
        (void)streamed();
        assert_int_equal(terminal_validate(&terminal), OK);
    }
}

static void damaged_objects_are_refused(void **state)
{
    (void)state;
    type("abc\rdef");
    struct terminal sound = terminal;

    terminal.input_start = TERMINAL_INPUT_MAX;
    assert_int_equal(terminal_validate(&terminal), ERROR_FORMAT_DAMAGED);
    terminal = sound;
    terminal.line_ends = 2;
    assert_int_equal(terminal_validate(&terminal), ERROR_FORMAT_DAMAGED);
    terminal = sound;
    terminal.line_length = 4;
    assert_int_equal(terminal_validate(&terminal), ERROR_FORMAT_DAMAGED);
    terminal = sound;
    terminal.cursor.column = TERMINAL_COLUMNS;
    assert_int_equal(terminal_validate(&terminal), ERROR_FORMAT_DAMAGED);
    terminal = sound;
    terminal.first_line = TERMINAL_CELLS / TERMINAL_COLUMNS;
    assert_int_equal(terminal_validate(&terminal), ERROR_FORMAT_DAMAGED);
    terminal = sound;
    terminal.region_top = terminal.region_bottom;
    assert_int_equal(terminal_validate(&terminal), ERROR_FORMAT_DAMAGED);
}

#define LINE_TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(line_typed_is_read_whole_once_it_ends),
        LINE_TEST(line_longer_than_a_read_comes_in_pieces),
        LINE_TEST(erase_takes_back_one_character_on_the_screen_too),
        LINE_TEST(erase_at_the_start_of_a_line_does_nothing),
        LINE_TEST(erase_of_a_control_character_takes_both_columns),
        LINE_TEST(erase_of_a_tab_goes_back_to_where_it_began),
        LINE_TEST(erase_takes_all_bytes_of_a_character),
        LINE_TEST(word_erase_and_kill_shorten_the_line),
        LINE_TEST(reprint_shows_the_line_again),
        LINE_TEST(end_of_file_ends_a_line_without_a_byte),
        LINE_TEST(end_of_file_behind_a_full_read_is_not_one_of_its_own),
        LINE_TEST(signal_characters_raise_and_flush),
        LINE_TEST(literal_next_takes_a_special_character_as_it_is),
        LINE_TEST(line_without_end_keeps_room_for_its_end),
        LINE_TEST(full_queue_holds_input_back_until_a_line_is_read),
        LINE_TEST(kill_of_a_very_long_line_is_bounded),
        LINE_TEST(raw_input_is_readable_byte_by_byte),
        LINE_TEST(raw_input_waits_for_the_least_number),
        LINE_TEST(mode_changes_keep_what_was_typed),
        LINE_TEST(echo_off_shows_nothing_but_a_newline_if_wanted),
        LINE_TEST(carriage_return_and_newline_follow_the_input_flags),
        LINE_TEST(output_is_processed_as_the_flags_say),
        LINE_TEST(random_traffic_keeps_the_object_sound),
        LINE_TEST(damaged_objects_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
