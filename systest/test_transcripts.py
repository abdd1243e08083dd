# SPDX-License-Identifier: BSD-2-Clause
"""Programs that print the same on Linux and here, and the same again when the power is cut in the middle."""

import re
import subprocess
import time

import pexpect
import pytest

from machine import RESUMED

INTERRUPT = "\x03"

# From a program's saying that it is about to wait to its waiting.
UNTIL_IT_WAITS_S = 1


def drive_nothing(console):
    del console


def drive_calls(console):
    console.expect("type a line")
    console.send("some words\r")


def drive_signals(console):
    for what in ("the sleep", "the read", "the read that goes on, then type a line"):
        console.expect(rf"interrupt {what}\r*\n")
        time.sleep(UNTIL_IT_WAITS_S)
        console.send(INTERRUPT)
    # The words may come only when the handler has run, or Linux echoes them before what it prints.
    console.expect("handler of signal 2")
    console.send("some words\r")


class OnLinux:
    """A program on a terminal of this machine, with what a Boot has of it."""

    def __init__(self, path, *arguments):
        try:
            self.console = pexpect.spawn(path, list(arguments), timeout=60, encoding="latin-1", dimensions=(25, 80))
        except pexpect.ExceptionPexpect:
            pytest.skip("this machine runs no i386 programs to compare with")

    def expect(self, pattern):
        self.console.expect(pattern)

    def send(self, text):
        self.console.send(text)


def transcript_on_linux(path, drive, *arguments):
    linux = OnLinux(path, *arguments)
    linux.console.logfile_read = log = Collector()
    drive(linux)
    linux.console.expect(pexpect.EOF)
    linux.console.close()
    return log.text


class Collector:
    """A file that keeps what is written to it."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text.replace("\r", "")

    def flush(self):
        pass


def without_messages(text):
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("eidolon: "))


@pytest.mark.parametrize("name, drive", [("calls", drive_calls), ("signals", drive_signals), ("memory", drive_nothing)])
def test_program_prints_what_it_prints_on_linux(image, program, name, drive):
    arguments = ["1000"] if name == "memory" else []
    expected = transcript_on_linux(program(name), drive, *arguments)
    boot = image.boot(program=[program(name), *arguments])
    drive(boot)
    boot.end(timeout=120)
    assert without_messages(boot.text()).splitlines() == expected.splitlines()


def test_mappings_are_what_they_should_be_whatever_was_cut(image, program, chance):
    rounds = "4000"
    expected = subprocess.run([program("memory"), rounds], stdout=subprocess.PIPE, text=True, check=True).stdout
    boot = image.boot(program=[program("memory"), rounds])
    boot.expect("begun and durable")
    for _ in range(8):
        boot.read_for(chance.uniform(0.2, 1.5))
        if not boot.is_running() or "done" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=180) == 0
    assert not any("CORRUPT" in each.text() for each in image.boots)
    assert boot.text().splitlines()[-1] == expected.splitlines()[-1]


def test_one_long_write_goes_on_behind_what_was_committed_of_it(image, program, chance):
    boot = image.boot(program=[program("bulk")])
    boot.expect("begun and durable")
    for _ in range(5):
        boot.read_for(chance.uniform(0.05, 0.4))
        if not boot.is_running() or "wrote" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=120) == 0
    assert re.search(r"^wrote 540000$", boot.text(), re.MULTILINE)
    seen = -1
    for each in image.boots:
        numbers = [int(line) for line in each.text().splitlines() if re.fullmatch(r"\d{8}", line)]
        assert all(after == before + 1 for before, after in zip(numbers, numbers[1:]))
        # A line that was cut in two does not count as seen; nothing else may be missing.
        assert not numbers or numbers[0] <= seen + 2
        seen = numbers[-1] if numbers else seen
    assert seen == 59999
