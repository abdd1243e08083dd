/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal painted from another one's record is like it, whatever went through before and whatever comes after;
 * another size keeps what fits; a line that comes in between moves the rest and changes nothing of it.
 *
 *     terminal_repaint_test [SEED [ROUNDS]]      (round N of a seed is round 0 of SEED + N)
 */
#include "terminal_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_DEFAULT 300u

static uint64_t seed;
static uint32_t rounds = ROUNDS_DEFAULT;
static uint64_t drawn;
static struct terminal painted;
static struct terminal_effects painted_effects;

static void feed(const uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        terminal_screen_put(&painted, &painted_effects, bytes[i]);
    }
}

static uint32_t below(uint32_t limit)
{
    drawn = drawn * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(drawn >> 33) % limit;
}

/* Bytes that programs write: text of all kinds, sequences with plausible parameters, and noise. */
static uint32_t draw_bytes(uint8_t bytes[64])
{
    static const char *const texts[] = {
        "plain text",
        "x",
        "\r\n",
        "\n",
        "\t",
        "\b",
        "\303\244\342\224\200\342\224\202",
        "\346\274\242\345\255\227",
        "\360\237\230\200",
        "e\314\201",
        "\033[31m",
        "\033[1;4;44m",
        "\033[2;3m",
        "\033[5m",
        "\033[22;23;25m",
        "\033[0m",
        "\033[7m",
        "\033[97;105m",
        "\033[38;5;200m",
        "\033[48;2;1;200;30m",
        "\033[?1049h",
        "\033[?1049l",
        "\033[?25l",
        "\033[?25h",
        "\033[?7l",
        "\033[?7h",
        "\033[4h",
        "\033[4l",
        "\033[?2004h",
        "\033=",
        "\033(0",
        "\033(B",
        "\033)0",
        "\016",
        "\017",
        "\033(",
        "\033H",
        "\033[3g",
        "\0337",
        "\0338",
        "\033M",
        "\033[2J",
        "\033[K",
        "\033[r",
        "\033c",
        "\302",
        "\360\237",
        "\377",
        "\033",
        "the end of a line that is longer than it",
    };
    static const char finals[] = "ABCDEFGHdf@PXLMSTJKmrsuIZg";

    if (below(3) > 0) {
        const char *text = texts[below(sizeof(texts) / sizeof(texts[0]))];
        memcpy(bytes, text, strlen(text));
        return (uint32_t)strlen(text);
    }
    if (below(12) == 0) {
        bytes[0] = (uint8_t)below(256);
        return 1;
    }
    return (uint32_t)snprintf((char *)bytes, 64, "\033[%u;%u%c", below(30), below(90),
                              finals[below(sizeof(finals) - 1)]);
}

static void write_to_both(bool both)
{
    uint8_t bytes[64];
    uint32_t length = draw_bytes(bytes);

    for (uint32_t i = 0; i < length; i++) {
        terminal_screen_put(&terminal, &effects, bytes[i]);
    }
    if (both) {
        feed(bytes, length);
    }
    assert_int_equal(terminal_validate(&terminal), OK);
}

static void assert_same_cursor(const struct terminal_cursor *one, const struct terminal_cursor *other)
{
    assert_int_equal(one->row, other->row);
    assert_int_equal(one->column, other->column);
    assert_int_equal(one->wrap_pending, other->wrap_pending);
    assert_int_equal(one->shown, other->shown);
}

static void assert_same(void)
{
    assert_int_equal(terminal_validate(&painted), OK);
    for (uint32_t row = 0; row < terminal.rows; row++) {
        assert_memory_equal(terminal_screen_row(&terminal, row), terminal_screen_row(&painted, row),
                            terminal.columns * sizeof(terminal_cell_t));
        assert_memory_equal(terminal_main_row(&terminal, row), terminal_main_row(&painted, row),
                            terminal.columns * sizeof(terminal_cell_t));
    }
    for (uint32_t column = 0; column < terminal.columns; column++) {
        assert_int_equal(terminal_tab_is_at(&terminal, column), terminal_tab_is_at(&painted, column));
    }
    assert_same_cursor(&terminal.cursor, &painted.cursor);
    assert_int_equal(terminal.modes, painted.modes);
    assert_int_equal(terminal.alternate, painted.alternate);
    assert_int_equal(terminal.region_top, painted.region_top);
    assert_int_equal(terminal.region_bottom, painted.region_bottom);
}

static void paint_another(uint32_t rows, uint32_t columns)
{
    static const uint8_t before[] = "what was there\r\nbefore\033[3;4r\033[7m\033[4h\033[?7l";

    terminal_create(&painted, rows, columns);
    painted_effects = (struct terminal_effects){0};
    feed(before, sizeof(before) - 1);
    terminal_repaint(&terminal, below(2) == 0, feed);
}

static void painted_terminal_is_the_same_and_stays_so(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t rows = 2 + below(40), columns = 8 + below(150);
        drawn = seed + round;
        terminal_create(&terminal, rows, columns);
        effects = (struct terminal_effects){0};
        for (uint32_t i = below(400); i > 0; i--) {
            write_to_both(false);
        }
        paint_another(rows, columns);
        assert_same();
        for (uint32_t i = 0; i < 40; i++) {
            write_to_both(true);
            assert_same();
        }
    }
}

static void screen_of_another_size_keeps_the_line_of_the_cursor(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < rounds; round++) {
        drawn = seed + round;
        terminal_create(&terminal, TERMINAL_ROWS, TERMINAL_COLUMNS);
        for (uint32_t i = 0; i < 60; i++) {
            uint32_t rows = 1 + below(below(8) == 0 ? 3000 : 60), columns = 1 + below(below(8) == 0 ? 700 : 200);
            write_to_both(false);
            (void)streamed();
            output("\r\n\033[0m\033(B\017kept\033[?7h");
            terminal_clip_size(&rows, &columns);
            uint32_t history = terminal.history;
            bool changes = rows != terminal.rows || columns != terminal.columns;
            bool fits = terminal.escape == ESCAPE_NONE && terminal.cursor.column >= 4 && terminal.cursor.column < 8;
            assert_int_equal(terminal_resize(&terminal, &effects, rows, columns), changes);
            assert_int_equal(terminal_validate(&terminal), OK);
            assert_int_equal(terminal.rows, rows);
            assert_true(!fits || strstr(row_text(terminal.cursor.row), "kept") != NULL || history > 0);
        }
    }
}

static void size_back_and_forth_changes_nothing_that_fits(void **state)
{
    (void)state;
    output("one\r\ntwo\r\nthree");
    (void)terminal_resize(&terminal, &effects, 40, 132);
    (void)terminal_resize(&terminal, &effects, 5, 20);
    assert_string_equal(row_text(0), "one");
    assert_string_equal(row_text(2), "three");
    output("\033[?1049h\033[Hvi\r\n~");
    (void)terminal_resize(&terminal, &effects, 30, 100);
    assert_string_equal(row_text(0), "vi");
    assert_string_equal(row_text(1), "~");
    (void)terminal_resize(&terminal, &effects, 2, 10);
    (void)terminal_resize(&terminal, &effects, 25, 80);
    assert_string_equal(row_text(1), "~");
    output("\033[?1049l");
    assert_string_equal(row_text(terminal.cursor.row), "three");
}

static void smaller_screen_scrolls_what_is_above_the_cursor(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        output("line\r\n");
    }
    output("last");
    (void)terminal_resize(&terminal, &effects, 10, 80);
    assert_string_equal(row_text(9), "last");
    assert_int_equal(terminal.history, 11);
    assert_int_equal(terminal.cursor.row, 9);
}

static void line_in_between_stands_above_the_cursor_and_its_line(void **state)
{
    (void)state;
    output("first\r\n> half a li");
    assert_true(terminal_insert_line(&terminal, &effects, "news"));
    assert_string_equal(row_text(0), "first");
    assert_string_equal(row_text(1), "news");
    assert_string_equal(row_text(2), "> half a li");
    output("ne");
    assert_string_equal(row_text(2), "> half a line");
    output("\033[2J\033[25;1Hx\r\n> y");
    output("\033[24;1Habove\033[25;4H");
    assert_true(terminal_insert_line(&terminal, &effects, "more news"));
    assert_string_equal(row_text(22), "above");
    assert_string_equal(row_text(23), "more news");
    assert_string_equal(row_text(24), "> y");
    assert_int_equal(terminal_validate(&terminal), OK);
}

static void line_in_between_is_behind_the_other_screen_and_not_in_a_drawing(void **state)
{
    (void)state;
    output("$ vi\r\n\033[?1049h\033[Htext");
    assert_true(terminal_insert_line(&terminal, &effects, "news"));
    assert_string_equal(row_text(0), "text");
    output("\033[?1049l$ ");
    assert_string_equal(row_text(0), "$ vi");
    assert_string_equal(row_text(1), "news");
    assert_string_equal(row_text(2), "$");
    output("\033[?25l");
    assert_false(terminal_insert_line(&terminal, &effects, "news"));
}

#define REPAINT_TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        REPAINT_TEST(painted_terminal_is_the_same_and_stays_so),
        REPAINT_TEST(screen_of_another_size_keeps_the_line_of_the_cursor),
        REPAINT_TEST(size_back_and_forth_changes_nothing_that_fits),
        REPAINT_TEST(smaller_screen_scrolls_what_is_above_the_cursor),
        REPAINT_TEST(line_in_between_stands_above_the_cursor_and_its_line),
        REPAINT_TEST(line_in_between_is_behind_the_other_screen_and_not_in_a_drawing),
    };

    const char *given = argc > 1 ? argv[1] : getenv("EIDOLON_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : ROUNDS_DEFAULT;
    print_message("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
