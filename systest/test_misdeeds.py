# SPDX-License-Identifier: BSD-2-Clause
"""Programs that do what they may not: they are stopped with a message, or told an error; nothing else suffers."""

import os
import re

import pytest

from machine import ROOT

SEGMENTATION, ILLEGAL, TRAP, ARITHMETIC = 128 + 11, 128 + 4, 128 + 5, 128 + 8
STATUSES = {"divide-by-zero": ARITHMETIC, "undefined-instruction": ILLEGAL, "breakpoint": TRAP}


def misdeeds():
    """The names in programs/misdeed.c."""
    with open(os.path.join(ROOT, "systest", "programs", "misdeed.c"), encoding="ascii") as file:
        return re.findall(r'^    \{"([a-z-]+)", \w+\},$', file.read(), re.MULTILINE)


@pytest.mark.parametrize("misdeed", misdeeds())
def test_misdeed_stops_the_program_and_spares_the_rest(image, program, misdeed):
    boot = image.boot(program=[program("misdeed"), misdeed])
    boot.expect_line(f"about to {misdeed}")
    assert boot.end() == STATUSES.get(misdeed, SEGMENTATION)
    assert "SURVIVED" not in boot.text()
    assert re.search(r"^eidolon: misdeed: ", boot.text(), re.MULTILINE), "no message says what happened"
    assert "panic" not in boot.log()
    assert image.boot(program=[program("hello"), "17"]).end() == 17


def test_misdeeds_leave_a_neighbour_alone(image, program):
    boot = image.boot(program=[program("list")])
    boot.expect(r"confirmed \d+\.")
    boot.kill()
    for misdeed in ("write-kernel", "overrun-stack", "stack-nowhere"):
        boot = image.boot(program=[program("misdeed"), misdeed])
        boot.expect(r"eidolon: misdeed: ")
        boot.expect(r"confirmed \d+\.")
        boot.expect(r"confirmed \d+\.")
        boot.kill()
        assert "CORRUPT" not in boot.text() and "\nstart\n" not in boot.text()


def test_wild_pointers_in_system_calls_are_answered_with_errors(image, program):
    boot = image.boot(program=[program("wild")])
    assert boot.end(timeout=60) == 0
    assert "UNEXPECTED" not in boot.text()
    assert re.search(r"^survived, \d{3} calls$", boot.text(), re.MULTILINE)
    assert "panic" not in boot.log()


def test_random_system_calls_do_not_hurt_the_kernel(image, program, chance, soak):
    for _ in range(50 if soak else 2):
        seed = str(chance.randrange(1, 1 << 31))
        boot = image.boot("--memory", "32", program=[program("random_calls"), seed, "20000"])
        # It may be stopped for what it did to itself; the kernel has to live on.
        status = boot.end(timeout=240)
        assert status == 0 or re.search(r"^eidolon: random_calls: ", boot.text(), re.MULTILINE), f"seed {seed}"
        assert "panic" not in boot.log(), f"seed {seed}"
    assert image.boot(program=[program("hello"), "18"]).end() == 18
