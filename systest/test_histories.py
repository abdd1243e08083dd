# SPDX-License-Identifier: BSD-2-Clause
"""Random histories of programs that change their memory, clone themselves and become themselves again, each of which compares
what it has with a model of its own (programs/histories.c).
"""

import subprocess

import pytest

from machine import RESUMED


def on_linux(path, *arguments):
    try:
        return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=120, check=False).stdout
    except OSError:
        return pytest.skip("this machine runs no i386 programs to compare with")


def test_random_histories_of_programs_are_what_their_models_say(image, program, chance, soak):
    seed, count = str(chance.randrange(1 << 31)), "20000" if soak else "200"
    all_well = f"{count} histories, 0 wrong\n"
    assert on_linux(program("histories"), seed, count).endswith(all_well)  # the models themselves
    boot = image.boot("--memory", "32", program=[program("histories"), seed, count])
    assert boot.end(timeout=7200 if soak else 120) == 0, f"seed {seed}"
    assert all_well in boot.text(), f"seed {seed}"
    assert image.tool("verify").endswith("sound\n")


def test_random_histories_of_programs_go_on_whatever_was_cut(image, program, chance, soak):
    seed, count = str(chance.randrange(1 << 31)), "5000" if soak else "100"
    boot = image.boot("--memory", "32", "--interval", "10", program=[program("histories"), seed, count])
    boot.expect("begun")
    for _ in range(200 if soak else 6):
        boot.read_for(chance.uniform(0.1, 1.5))
        if not boot.is_running() or " histories, " in boot.text():
            break
        boot.kill()
        boot = image.boot("--memory", "32", "--interval", "10")
        boot.expect(RESUMED)
    assert boot.end(timeout=3600 if soak else 120) == 0, f"seed {seed}"
    assert f"{count} histories, 0 wrong\n" in boot.text(), f"seed {seed}"
    assert "WRONG" not in "".join(each.text() for each in image.boots), f"seed {seed}"
