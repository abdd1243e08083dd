# SPDX-License-Identifier: BSD-2-Clause
"""Programs that play a scenario many times and say the same each time: as on Linux, also when the power is cut."""

import subprocess

import pexpect
import pytest

from machine import RESUMED
from test_transcripts import without_messages

CUTS = 4


def on_linux(path, rounds):
    """What a program says on this machine; skips the test if it runs no i386 programs."""
    try:
        return subprocess.run([path, rounds], stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
    except OSError:
        return pytest.skip("this machine runs no i386 programs to compare with")


# name, rounds of it that last for the cuts
SCENARIOS = [("traps", 300), ("senders", 150), ("old_signals", 200), ("waits", 3), ("vforks", 60), ("usage", 8), ("rlimits", 2)]


@pytest.mark.parametrize("name, rounds", SCENARIOS)
def test_every_round_is_as_on_linux_whatever_was_cut(image, program, chance, name, rounds):
    expected = on_linux(program(name), "2").splitlines()
    boot = image.boot("--interval", "20", program=[program(name), str(rounds)])
    boot.expect("begun")
    for _ in range(CUTS):
        boot.read_for(chance.uniform(0.1, 0.6))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot("--interval", "20")
        if boot.console.expect([RESUMED, pexpect.EOF]) != 0:
            break
    assert boot.end(timeout=120) == 0
    seen = without_messages(boot.text()).splitlines()
    assert seen[-len(expected) + 1:] == expected[1:]
