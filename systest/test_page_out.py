# SPDX-License-Identifier: BSD-2-Clause
"""More live data than memory: a program whose memory is four times the machine's fills it, changes it and verifies every
byte, and the plug is pulled in the middle of that five times.
"""

import pytest

from machine import RESUMED

MEMORY_MIB = 24
MIB = 4 * MEMORY_MIB
ROUNDS = 2
STEPS = 10 * (1 + ROUNDS)
CUTS = 5
WINDOW_MIB = 1700


@pytest.mark.parametrize("interval, words", [("100", ()), ("0", ("sync",))], ids=["snapshots", "on-request"])
def test_four_times_as_much_as_memory_survives_five_cuts(image, program, chance, interval, words):
    options = ("--size", "512", "--memory", str(MEMORY_MIB), "--interval", interval)
    boot = image.boot(*options, program=[program("fourfold"), str(MIB), str(ROUNDS), *words])
    for step in sorted(chance.sample(range(2, STEPS), CUTS)):
        boot.expect(rf"at {step}\.\s", timeout=120)
        boot.kill()
        boot = image.boot(*options[2:])
        boot.expect(RESUMED)
    boot.expect(rf"(right {MIB}\.|CORRUPT.*)\s", timeout=240)
    assert "CORRUPT" not in boot.text()
    assert boot.end() == 0
    assert image.tool("verify").endswith("sound\n")


def test_object_space_of_eight_gibibytes_on_a_small_machine(image, program, soak):
    """Five programs that fill a window each. After each cut those that were there look at every byte of theirs."""
    if not soak:
        pytest.skip("takes many minutes and 20 GiB of disk: part of the soak")
    options = ("--memory", "128", "--interval", "1000")
    for running in range(1, 6):
        size = ("--size", "24576") if running == 1 else ()
        boot = image.boot(*size, *options, program=[program("fourfold"), str(WINDOW_MIB), "0", "stay"])
        for _ in range(running):
            boot.expect(rf"(durable {WINDOW_MIB}\.|CORRUPT.*)\s", timeout=3600)
        assert "CORRUPT" not in boot.text()
        boot.kill()
    assert image.tool("verify").endswith("sound\n")


def test_object_space_larger_than_the_disk_can_back_is_an_error(image, program):
    """The disk is full of what is not committed yet: the program waits or is told, and what is durable stays."""
    boot = image.boot("--size", "16", "--memory", "24", "--interval", "100", program=[program("fourfold"), "64", "0"])
    boot.expect(r"at 2\.\s", timeout=60)
    boot.read_for(3)
    assert "disk full" in boot.log()
    assert "CORRUPT" not in boot.text() and "right" not in boot.text()
    if boot.is_running():
        boot.kill()
    assert image.tool("verify").endswith("sound\n")
