# SPDX-License-Identifier: BSD-2-Clause
"""What survives a power cut beside memory: registers, blocked calls, clocks, half-typed lines, the launcher's words."""

import re
import time

import pytest

from machine import RESUMED


def test_sleep_across_a_power_cut_keeps_its_deadline(image, program):
    boot = image.boot(program=[program("sleeper"), "3"])
    boot.expect_line("sleeping")
    boot.read_for(1.0)
    boot.kill()
    time.sleep(2.0)
    before = time.monotonic()
    boot = image.boot()
    boot.expect(RESUMED)
    slept_ms, result = map(int, boot.expect(r"woke after (\d+) ms with (-?\d+)").groups())
    # Time stood still while the machine was off, so the sleep took its length of the program's time.
    assert result == 0 and 3000 <= slept_ms < 3500
    assert 1.0 < time.monotonic() - before < 6.0
    assert boot.end() == 0


def test_sleep_longer_than_the_time_between_cuts_ends(image, program):
    boot = image.boot(program=[program("sleeper"), "3"])
    boot.expect_line("sleeping")
    for _ in range(8):
        boot.read_for(1.2)
        if "woke after" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert re.search(r"woke after 3\d\d\d ms with 0", boot.text())


def test_registers_and_thread_local_storage_survive_cuts_in_mid_computation(image, program, chance):
    rounds = 40
    boot = image.boot(program=[program("compute"), str(rounds)])
    boot.expect_line("start")
    for _ in range(6):
        boot.expect(r"round \d+ is right")
        boot.read_for(chance.uniform(0.0, 0.3))
        assert boot.is_running(), "the computation was over before it could be cut"
        boot.kill()
        assert "WRONG" not in boot.text()
        boot = image.boot()
    boot.expect_line("all rounds are right", timeout=120)
    assert boot.end() == 0
    # A line may be lost with what the serial line still held at a cut, so not every round has to be seen.
    texts = "".join(boot.text() for boot in image.boots)
    assert "WRONG" not in texts and len(re.findall(r"^start$", texts, re.MULTILINE)) == 1
    assert set(map(int, re.findall(r"^round (\d+) is right$", texts, re.MULTILINE))) <= set(range(rounds))


def test_blocked_read_goes_on_waiting_after_a_power_cut(image, program):
    boot = image.boot(program=[program("echo")])
    boot.expect("> ")
    boot.send_line("before")
    boot.expect("line 1 is <before> of 6")
    boot.read_for(0.5)
    boot.kill()
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("after")
    boot.expect("line 2 is <after> of 5")


def test_half_typed_line_is_still_there_after_a_power_cut(image, program):
    boot = image.boot(program=[program("echo")])
    boot.expect("> ")
    boot.send("half a ")
    boot.expect("half a ")
    boot.read_for(0.5)
    boot.kill()
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("line")
    boot.expect("line 1 is <half a line> of 11")


def test_second_program_runs_beside_one_that_goes_on(image, program):
    boot = image.boot(program=[program("list")])
    boot.expect(r"confirmed \d+\.")
    boot.kill()
    boot = image.boot(program=[program("hello"), "5"])
    boot.expect(RESUMED)
    boot.expect("hello from a program of 2 arguments")
    boot.expect(r"state \d+ [0-9a-f]+\.")
    assert "CORRUPT" not in boot.text() and "\nstart\n" not in boot.text()


def test_clean_end_is_no_power_cut(image, program):
    assert image.boot(program=[program("hello"), "0"]).end() == 0
    boot = image.boot(program=[program("echo")])
    boot.expect("> ")
    boot.send_line("quit")
    assert boot.end() == 1


@pytest.mark.parametrize("loader", ["direct", "grub"])
def test_shell_starts_without_a_program_and_its_state_survives(image, loader):
    boot = image.boot("--boot", loader)
    boot.expect(r"\$ |> |# ")
    boot.send("half typed")
    boot.expect("half typed")
    boot.read_for(0.5)
    boot.kill()
    boot = image.boot("--boot", loader)
    boot.expect(RESUMED)


def test_interval_zero_takes_no_snapshot_unasked(image, program):
    boot = image.boot("--interval", "0", program=[program("echo")])
    boot.expect("> ")
    boot.send_line("forgotten")
    boot.expect("line 1 is")
    boot.read_for(1.0)
    boot.kill()
    boot = image.boot("--interval", "0", program=[program("echo")])
    boot.expect_line("echo is ready")
    boot.send_line("new")
    boot.expect("line 1 is <new>")


def test_fresh_discards_the_state(image, program):
    boot = image.boot(program=[program("echo")])
    boot.expect("> ")
    boot.send_line("old")
    boot.expect("line 1 is <old>")
    boot.read_for(0.5)
    boot.kill()
    boot = image.boot("--fresh", "--yes", program=[program("echo")])
    boot.expect_line("echo is ready")
    boot.send_line("new")
    boot.expect("line 1 is <new>")
