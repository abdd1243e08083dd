# SPDX-License-Identifier: BSD-2-Clause
"""Programs that become others while memory is short: execve sleeps at each page of the new stack, and is met there by signals,
by the plug, and by a disk that is full.
"""

import re

from machine import RESUMED

SHORT = ("--memory", "16")
WORDS = ("4", "2", "1700")  # managers, programs that use up the memory, and their pages


def test_program_that_gets_signals_while_it_becomes_another_is_whole_or_ended_whatever_was_cut(image, program, chance, soak):
    rounds = "2000" if soak else "20"
    boot = image.boot(*SHORT, "--size", "64", program=[program("exec_storm"), *WORDS, rounds])
    boot.expect("became another", timeout=120)
    for _ in range(50 if soak else 2):
        boot.read_for(chance.uniform(0.1, 2))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot(*SHORT)
        boot.expect(RESUMED)
    boot.end(timeout=3600 if soak else 240)  # its status is that of whoever took longest to end
    text = "".join(each.text() for each in image.boots)
    assert "all is well.\n" in boot.text() and "UNEXPECTED" not in text
    assert max(int(count) for count in re.findall(r"(\d+) became another", text)) > 0
    assert image.tool("verify").endswith("sound\n")


def test_program_that_gets_signals_while_it_becomes_another_on_a_full_disk_leaves_the_kernel_alone(image, program):
    boot = image.boot(*SHORT, "--size", "8", program=[program("exec_storm"), *WORDS, "100"])
    boot.expect("no snapshot: disk full", timeout=120)
    boot.read_for(12)
    if boot.is_running():  # most programs wait for room that nobody makes
        boot.kill()
    else:
        assert boot.end() == 0
    assert "panic" not in boot.log() and "UNEXPECTED" not in boot.text()
