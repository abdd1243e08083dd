# SPDX-License-Identifier: BSD-2-Clause
"""Shared memory and files without a name at random (programs/views.c): what Linux answers, and what others see of it, with cuts."""

import re

from machine import RESUMED
from test_histories import on_linux

HASHES = re.compile(r"^(?:\d+|done) [0-9a-f]{8}$", re.MULTILINE)


def hashes(text):
    return HASHES.findall(text.replace("\r", ""))


def test_shared_memory_is_what_it_is_on_linux_whatever_was_cut(image, program, chance, soak):
    seed, steps = str(chance.randrange(1 << 31)), "100000" if soak else "4000"
    expected = hashes(on_linux(program("views"), seed, steps))
    assert expected[-1].startswith("done"), "nothing to compare with"
    boot = image.boot("--memory", "32", "--interval", "20", program=[program("views"), seed, steps])
    boot.expect(r"99 [0-9a-f]{8}")
    for _ in range(30 if soak else 3):
        boot.read_for(chance.uniform(0.2, 1))
        if not boot.is_running() or "done" in boot.text():
            break
        boot.kill()
        boot = image.boot("--interval", "20")
        boot.expect(RESUMED)
    assert boot.end(timeout=3600 if soak else 120) == 0, f"seed {seed}"
    for each in image.boots[:-1]:  # the last line of a boot may be cut, too
        assert set(hashes(each.text())[:-1]) <= set(expected), f"seed {seed}"
    assert hashes(boot.text())[-1] == expected[-1], f"seed {seed}: views {seed} {steps} trace FROM says what happens"
    assert image.tool("verify").endswith("sound\n")


def test_what_a_clone_stores_its_parent_sees_with_a_cut_in_between(image, program):
    boot = image.boot("--interval", "20", program=[program("shared")])
    boot.expect("before the clone")
    boot.read_for(0.5)
    boot.kill()
    boot = image.boot()
    boot.expect("clone stored, parent sees it")
    assert boot.end() == 0
