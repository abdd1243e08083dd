# SPDX-License-Identifier: BSD-2-Clause
"""Programs with POSIX threads, of two C libraries: they print what they print on Linux, and the same when the power is cut."""

import re
import subprocess

import pytest

from machine import RESUMED


@pytest.mark.parametrize("name", ["threads", "musl_threads"])
def test_threads_do_what_they_do_on_linux_whatever_is_cut(image, program, chance, name):
    rounds = "12"
    expected = subprocess.run([program(name), rounds], stdout=subprocess.PIPE, text=True, check=True).stdout
    boot = image.boot(program=[program(name), rounds])
    boot.expect("begun")
    for _ in range(6):
        boot.read_for(chance.uniform(0.1, 0.8))
        if not boot.is_running() or "done" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=120) == 0
    assert not any("WRONG" in each.text() for each in image.boots)
    lines = [line for line in boot.text().splitlines() if not line.startswith("eidolon: ")]
    assert lines == expected.splitlines()[len(expected.splitlines()) - len(lines):]
    seen = {line for each in image.boots for line in each.text().splitlines()}
    assert set(expected.splitlines()) <= seen


def test_program_that_makes_threads_until_it_cannot_leaves_others_theirs(image, program):
    boot = image.boot("--memory", "32", program=[program("threads"), "crowd"])
    assert boot.end(timeout=120) == 0
    assert re.search(r"^spared, 6\d threads$", boot.text(), re.MULTILINE), boot.text()
