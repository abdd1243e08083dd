/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen: where characters go, and what escape sequences do.
 */
#include "terminal_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t attribute_at(uint32_t row, uint32_t column)
{
    return terminal_attribute(terminal_screen_row(&terminal, row)[column]);
}

static uint8_t symbol_at(uint32_t row, uint32_t column)
{
    return terminal_symbol(terminal_screen_row(&terminal, row)[column] & CELL_CHARACTER_MASK);
}

static void assert_cursor(uint32_t row, uint32_t column)
{
    assert_int_equal(terminal.cursor.row, row);
    assert_int_equal(terminal.cursor.column, column);
}

/* Rows 0 to 24 hold their own number. */
static void fill_rows(void)
{
    char line[16];

    output("\033[H");
    for (int row = 0; row < 25; row++) {
        snprintf(line, sizeof(line), "row %d%s", row, row < 24 ? "\n" : "");
        output(line);
    }
}

static void text_fills_a_line_and_wraps_late(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TERMINAL_COLUMNS; i++) {
        output("x");
    }
    assert_cursor(0, TERMINAL_COLUMNS - 1);
    output("\r\n");
    assert_cursor(1, 0);
    for (uint32_t i = 0; i <= TERMINAL_COLUMNS; i++) {
        output("y");
    }
    assert_cursor(2, 1);
    assert_string_equal(row_text(2), "y");
}

static void screen_scrolls_and_keeps_what_left_it(void **state)
{
    (void)state;
    fill_rows();
    assert_string_equal(row_text(0), "row 0");
    output("\nnew");
    assert_string_equal(row_text(0), "row 1");
    assert_string_equal(row_text(24), "new");
    assert_int_equal(terminal.history, 1);
    assert_int_equal(effects.changed_from, 0);
    assert_int_equal(effects.changed_to, TERMINAL_ROWS);
    assert_int_equal((uint8_t)terminal_history_row(&terminal, 0, 1)[4], '0');
    assert_ptr_equal(terminal_history_row(&terminal, 1, 1), terminal_screen_row(&terminal, 0));
    for (int i = 0; i < 2000; i++) {
        output("line\n");
    }
    assert_int_equal(terminal.history, TERMINAL_CELLS / TERMINAL_COLUMNS - TERMINAL_ROWS);
}

static void cursor_moves_and_stops_at_the_edges(void **state)
{
    (void)state;
    output("\033[5;10H");
    assert_cursor(4, 9);
    output("\033[2A\033[3C\033[B\033[D");
    assert_cursor(3, 11);
    output("\033[999A\033[999D");
    assert_cursor(0, 0);
    output("\033[999;999H");
    assert_cursor(24, 79);
    output("\033[7G\033[3d");
    assert_cursor(2, 6);
    output("\033[H");
    assert_cursor(0, 0);
    output("\033[4E\033[F");
    assert_cursor(3, 0);
    output("a\tb");
    assert_cursor(3, 9);
    output("\033[99999999999999999999;1H");
    assert_cursor(24, 0);
}

static void erasing_clears_what_it_says(void **state)
{
    (void)state;
    fill_rows();
    output("\033[3;3H\033[K");
    assert_string_equal(row_text(2), "ro");
    output("\033[4;3H\033[1K");
    assert_string_equal(row_text(3), "    3");
    output("\033[5;1H\033[2K");
    assert_string_equal(row_text(4), "");
    output("\033[20;1H\033[J");
    assert_string_equal(row_text(18), "row 18");
    assert_string_equal(row_text(19), "");
    output("\033[2;80H\033[1J");
    assert_string_equal(row_text(1), "");
    assert_string_equal(row_text(5), "row 5");
    output("\033[2J");
    assert_string_equal(row_text(5), "");
}

static void lines_and_characters_are_inserted_and_deleted(void **state)
{
    (void)state;
    fill_rows();
    output("\033[2;1H\033[2L");
    assert_string_equal(row_text(1), "");
    assert_string_equal(row_text(3), "row 1");
    assert_string_equal(row_text(24), "row 22");
    output("\033[3M");
    assert_string_equal(row_text(1), "row 2");
    output("\033[2;2H\033[2@");
    assert_string_equal(row_text(1), "r  ow 2");
    output("\033[3P");
    assert_string_equal(row_text(1), "rw 2");
    output("\033[X");
    assert_string_equal(row_text(1), "r  2");
    output("\033[999L\033[999M\033[999@\033[999P\033[999X\033[999S\033[999T");
}

static void region_scrolls_by_itself(void **state)
{
    (void)state;
    fill_rows();
    output("\033[3;5r\033[5;1H\nnew");
    assert_string_equal(row_text(1), "row 1");
    assert_string_equal(row_text(2), "row 3");
    assert_string_equal(row_text(4), "new");
    assert_string_equal(row_text(5), "row 5");
    output("\033[3;1H\033M");
    assert_string_equal(row_text(2), "");
    assert_string_equal(row_text(3), "row 3");
    assert_int_equal(terminal.history, 0);
    output("\033[r");
    assert_int_equal(terminal.region_bottom, TERMINAL_ROWS);
    output("\033[9;3r");
    assert_int_equal(terminal.region_top, 0);
}

static void colours_are_those_of_the_screen(void **state)
{
    (void)state;
    output("\033[31ma\033[1mb\033[44mc\033[0md\033[7me\033[91mf\033[mg");
    assert_int_equal(attribute_at(0, 0), 0x04);
    assert_int_equal(attribute_at(0, 1), 0x0C);
    assert_int_equal(attribute_at(0, 2), 0x1C);
    assert_int_equal(attribute_at(0, 3), 0x07);
    assert_int_equal(attribute_at(0, 4), 0x70);
    assert_int_equal(attribute_at(0, 6), 0x07);
}

static void cursor_is_saved_and_restored(void **state)
{
    (void)state;
    output("\033[5;5H\0337\033[H\0338x\033[3;3H\033[s\033[H\033[uy");
    assert_int_equal(symbol_at(4, 4), 'x');
    assert_int_equal(symbol_at(2, 2), 'y');
    output("\033[?25l");
    assert_int_equal(terminal.modes, 1u << MODE_CURSOR_HIDDEN);
    output("\033[?25h");
    assert_int_equal(terminal.modes, 0);
}

static void unknown_sequences_leave_no_trace(void **state)
{
    (void)state;
    output("a\033[?2004hb\033]0;title\ac\033]1;x\033\\d\033(Be\033=f\033[>0cg\033[12;34;56;78;90;1;2;3;4;5zh");
    assert_string_equal(row_text(0), "abcdefgh");
    output("\033[12\030i");
    assert_string_equal(row_text(0), "abcdefghi");
}

static void text_in_utf_8_is_shown_as_far_as_the_screen_has_it(void **state)
{
    (void)state;
    output("\303\244\342\224\200\360\237\230\200x\377\303(");
    assert_int_equal(symbol_at(0, 0), 0x84);
    assert_int_equal(symbol_at(0, 1), 0xC4);
    assert_int_equal(symbol_at(0, 2), 0xFE); /* as wide as two */
    assert_int_equal(symbol_at(0, 3), ' ');
    assert_int_equal(symbol_at(0, 4), 'x');
    assert_int_equal(symbol_at(0, 5), 0xFE);
    assert_int_equal(symbol_at(0, 6), '(');
}

/* Two characters, four cells: an end or a beginning of the row goes from the middle of one on, or the middle of both. */
static void half_of_a_wide_character_is_a_blank(void **state)
{
    static const char *const erasures[] = {"\033[2G\033[K", "\033[3G\033[1K", "\033[2G\033[2X", "\033[2G\033[P"};
    static const uint32_t left[][4] = {
        {' ', ' ', ' ', ' '}, {' ', ' ', ' ', ' '}, {' ', ' ', ' ', ' '}, {' ', 0x5B57, 0, 'x'}};

    (void)state;
    for (uint32_t i = 0; i < sizeof(erasures) / sizeof(erasures[0]); i++) {
        output("\033c\346\274\242\345\255\227x");
        assert_int_equal(terminal_screen_row(&terminal, 0)[0] & CELL_CHARACTER_MASK, 0x6F22);
        assert_int_equal(terminal_screen_row(&terminal, 0)[1] & CELL_CHARACTER_MASK, 0);
        output(erasures[i]);
        for (uint32_t column = 0; column < 4; column++) {
            assert_int_equal(terminal_screen_row(&terminal, 0)[column] & CELL_CHARACTER_MASK, left[i][column]);
        }
    }
}

static void changed_rows_are_noted(void **state)
{
    (void)state;
    output("\033[4;1H");
    effects.changed_from = effects.changed_to = 0;
    output("x");
    assert_int_equal(effects.changed_from, 3);
    assert_int_equal(effects.changed_to, 4);
    effects.changed_from = effects.changed_to = 0;
    output("\033[7;1H");
    assert_int_equal(effects.changed_to, 7);
}

#define PLAIN(look) CELL_MAKE(look, COLOUR_DEFAULT, COLOUR_DEFAULT)

static void text_is_faint_or_italic_or_blinks_until_that_ends(void **state)
{
    (void)state;
    output("\033[2ma\033[1mb\033[22mc\033[3md\033[23me\033[2;94mf\033[0;2;31;46mg");
    output("\033[0;5mh\033[6;41mi\033[25mj");
    assert_int_equal(attribute_at(0, 0), 0x08);
    assert_int_equal(terminal_screen_row(&terminal, 0)[1], PLAIN(LOOK_BOLD) | 'b');
    assert_int_equal(terminal_screen_row(&terminal, 0)[2], CELL_PLAIN | 'c');
    assert_int_equal(terminal_screen_row(&terminal, 0)[3], PLAIN(LOOK_ITALIC) | 'd');
    assert_int_equal(terminal_screen_row(&terminal, 0)[4], CELL_PLAIN | 'e');
    assert_int_equal(attribute_at(0, 5), 0x01);
    assert_int_equal(attribute_at(0, 6), 0x34);
    assert_int_equal(terminal_screen_row(&terminal, 0)[7], PLAIN(LOOK_BLINK) | 'h');
    assert_int_equal(attribute_at(0, 7), 0x87);
    assert_int_equal(attribute_at(0, 8), 0xC7);
    assert_int_equal(attribute_at(0, 9), 0x47);
}

static void every_look_and_pair_of_colours_is_kept(void **state)
{
    (void)state;
    for (uint32_t foreground = 0; foreground < COLOURS; foreground++) {
        for (uint32_t background = 0; background < COLOURS; background++) {
            for (uint32_t look = 0; look < LOOKS; look++) {
                terminal_cell_t cell = CELL_MAKE(look, foreground, background) | 0x3FFFD;
                assert_int_equal(cell_foreground(cell), foreground);
                assert_int_equal(cell_background(cell), background);
                assert_int_equal(cell_look(cell), look);
                assert_int_equal(cell & CELL_CHARACTER_MASK, 0x3FFFD);
            }
        }
    }
}

static void tab_stops_are_where_a_program_put_them(void **state)
{
    (void)state;
    output("\tx");
    assert_cursor(0, 9);
    output("\r\033[3g\033[11G\033H\033[31G\033H\r\tx");
    assert_cursor(0, 11);
    output("\t\t");
    assert_cursor(0, TERMINAL_COLUMNS - 1);
    output("\033[Z");
    assert_cursor(0, 30);
    output("\033[9Z");
    assert_cursor(0, 0);
    output("\033[2I");
    assert_cursor(0, 30);
    output("\033[g\r\033[9999I");
    assert_cursor(0, TERMINAL_COLUMNS - 1);
    output("\033c\t");
    assert_cursor(0, 8);
}

static void letters_draw_lines_while_a_program_says_so(void **state)
{
    (void)state;
    output("lqk\033(0lqk_~\033(Blqk");
    assert_int_equal(terminal_screen_row(&terminal, 0)[0] & CELL_CHARACTER_MASK, 'l');
    assert_int_equal(terminal_screen_row(&terminal, 0)[3] & CELL_CHARACTER_MASK, 0x250C);
    assert_int_equal(terminal_screen_row(&terminal, 0)[4] & CELL_CHARACTER_MASK, 0x2500);
    assert_int_equal(symbol_at(0, 5), 0xBF);
    assert_int_equal(terminal_screen_row(&terminal, 0)[6] & CELL_CHARACTER_MASK, 0xA0);
    assert_int_equal(terminal_screen_row(&terminal, 0)[7] & CELL_CHARACTER_MASK, 0xB7);
    assert_int_equal(terminal_screen_row(&terminal, 0)[8] & CELL_CHARACTER_MASK, 'l');
    output("\r\n\033)0x\016x\017x\033)B\016x\033c");
    assert_int_equal(terminal.modes, 0);
    output("\033)0x\016x\017x");
    assert_int_equal(terminal_screen_row(&terminal, 0)[0] & CELL_CHARACTER_MASK, 'x');
    assert_int_equal(terminal_screen_row(&terminal, 0)[1] & CELL_CHARACTER_MASK, 0x2502);
    assert_int_equal(terminal_screen_row(&terminal, 0)[2] & CELL_CHARACTER_MASK, 'x');
}

static void reset_brings_a_blank_screen(void **state)
{
    (void)state;
    fill_rows();
    output("\033[31m\033[3;5r\033c");
    assert_string_equal(row_text(7), "");
    assert_cursor(0, 0);
    output("x");
    assert_int_equal(attribute_at(0, 0), 0x07);
}

#define SCREEN_TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCREEN_TEST(text_fills_a_line_and_wraps_late),
        SCREEN_TEST(screen_scrolls_and_keeps_what_left_it),
        SCREEN_TEST(cursor_moves_and_stops_at_the_edges),
        SCREEN_TEST(erasing_clears_what_it_says),
        SCREEN_TEST(lines_and_characters_are_inserted_and_deleted),
        SCREEN_TEST(region_scrolls_by_itself),
        SCREEN_TEST(colours_are_those_of_the_screen),
        SCREEN_TEST(cursor_is_saved_and_restored),
        SCREEN_TEST(unknown_sequences_leave_no_trace),
        SCREEN_TEST(text_in_utf_8_is_shown_as_far_as_the_screen_has_it),
        SCREEN_TEST(half_of_a_wide_character_is_a_blank),
        SCREEN_TEST(changed_rows_are_noted),
        SCREEN_TEST(text_is_faint_or_italic_or_blinks_until_that_ends),
        SCREEN_TEST(every_look_and_pair_of_colours_is_kept),
        SCREEN_TEST(tab_stops_are_where_a_program_put_them),
        SCREEN_TEST(letters_draw_lines_while_a_program_says_so),
        SCREEN_TEST(reset_brings_a_blank_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
