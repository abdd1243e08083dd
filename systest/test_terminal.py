# SPDX-License-Identifier: BSD-2-Clause
"""The console as an object that persists: what was typed, what was shown, who gets the input."""

import re

from machine import RESUMED

INTERRUPT = "\x03"


def test_shell_starts_by_itself_and_keeps_what_it_was_told(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("note the first one")
    boot.expect("That makes 1")
    boot.send_line("sync")
    boot.expect(r"Generation \d+ is durable")
    boot.expect("> ")
    boot.kill()
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("notes")
    boot.expect(r"came back 1 time")
    boot.expect(r"  1  \S+ \S+  the first one")
    boot.expect("> ")
    boot.send_line("exit 5")
    assert boot.end() == 5


def test_half_typed_line_is_still_there_after_a_power_cut(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send("note half a li")
    boot.expect("half a li")
    boot.read_for(1)
    boot.kill()
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send("X\x7fne\r")
    boot.expect("That makes 1")
    boot.send_line("notes")
    boot.expect(r"half a line\r*\n")
    boot.send_line("exit")
    assert boot.end() == 0


def test_interrupt_character_ends_a_program_that_does_not_want_it(image, program):
    boot = image.boot(program=[program("sleeper"), "60"])
    boot.expect_line("sleeping")
    boot.send(INTERRUPT)
    assert boot.end() == 128 + 2
    assert re.search(r"^eidolon: sleeper: interrupted$", boot.text(), re.MULTILINE)


def test_interrupt_character_ends_the_line_but_not_the_shell(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("note kept")
    boot.expect("That makes 1.\r*\n> ")
    boot.send("forget al" + INTERRUPT)
    boot.expect("\n> ")
    boot.send("l\r")
    boot.expect("help")
    boot.send(INTERRUPT)
    boot.expect("\n> ")
    boot.read_for(0.5)
    boot.kill()
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send(INTERRUPT)
    boot.expect("\n> ")
    boot.send_line("notes")
    boot.expect("  1  .*kept")
    boot.send_line("exit 3")
    assert boot.end() == 3


def test_interrupt_character_ends_a_long_output(image, program):
    boot = image.boot(program=[program("bulk")])
    boot.expect("00000100")
    boot.send(INTERRUPT)
    assert boot.end() == 128 + 2


def test_interrupt_character_stops_a_command_and_not_the_shell(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("count 1000")
    boot.expect("3 4")
    boot.send(INTERRUPT)
    boot.expect("> ")
    boot.send_line("exit 9")
    assert boot.end() == 9


def test_input_goes_to_the_program_in_front_and_then_to_the_one_behind_it(image, program):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("sync")
    boot.expect("durable")
    boot.kill()
    boot = image.boot(program=[program("echo")])
    boot.expect("echo is ready")
    boot.send_line("some words")
    boot.expect("line 1 is <some words> of 10")
    boot.send_line("quit")
    boot.expect("quit after")
    boot.send_line("exit 6")
    assert boot.end() == 6


SUSPEND = "\x1a"


def test_program_started_beside_another_says_who_has_the_keyboard_and_how_to_change_that(image, program):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("sync")
    boot.expect("durable")
    boot.kill()
    boot = image.boot(program=[program("echo")])
    boot.expect(r"eidolon: echo \(2\) has the keyboard; \^Z gives it to shell \(1\)")
    boot.expect("echo is ready")
    boot.send_line("to echo")
    boot.expect("line 1 is <to echo>")
    boot.send(SUSPEND)
    boot.expect(r"eidolon: shell \(1\) has the keyboard; \^Z gives it to echo \(2\)")
    boot.send_line("note to the shell")
    boot.expect("That makes 1")
    boot.send_line("sync")
    boot.expect("durable")
    boot.kill()
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("note to the shell again")
    boot.expect("That makes 2")
    boot.send(SUSPEND)
    boot.expect(r"eidolon: echo \(2\) has the keyboard; \^Z gives it to shell \(1\)")
    boot.send_line("to echo again")
    boot.expect("line 2 is <to echo again>")
    boot.send_line("quit")
    boot.expect(r"eidolon: shell \(1\) has the keyboard\r*\n")
    boot.send_line("exit 6")
    assert boot.end() == 6


def test_keyboard_goes_round_among_three_and_past_those_that_have_ended(image, program):
    for count in range(3):
        boot = image.boot(program=[program("echo")])
        boot.expect("echo is ready")
        if count < 2:
            boot.read_for(0.5)
            boot.kill()
    for number in (2, 1, 3):
        boot.send(SUSPEND)
        boot.expect(rf"eidolon: echo \({number}\) has the keyboard; \^Z gives it to echo \(\d\)")
        boot.send_line("here")
        boot.expect("line 1 is <here>")
    boot.send_line("quit")
    boot.expect(r"eidolon: echo \(2\) has the keyboard\r*\n")
    boot.send(SUSPEND)
    boot.expect(r"eidolon: echo \(1\) has the keyboard; \^Z gives it to echo \(2\)")
    boot.send_line("quit")
    boot.expect(r"eidolon: echo \(2\) has the keyboard\r*\n")
    boot.send_line("quit")
    assert boot.end() == 2


def test_suspend_character_does_nothing_to_a_program_that_is_alone(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send(SUSPEND)
    boot.send_line("note still here")
    boot.expect("That makes 1")
    assert "keyboard" not in boot.text()
    boot.send_line("exit 4")
    assert boot.end() == 4
