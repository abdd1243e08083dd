# SPDX-License-Identifier: BSD-2-Clause
"""Random calls that change what is mapped, on Linux and here: the same errors, rights and contents (programs/mappings.c)."""

import re

from test_histories import on_linux

HASHES = re.compile(r"^\d+ [0-9a-f]{8}$", re.MULTILINE)


def compare(image, program, seed, calls, seconds):
    arguments = (program("mappings"), str(seed), str(calls))
    expected = HASHES.findall(on_linux(*arguments))
    assert expected, "nothing to compare with"
    boot = image.boot("--memory", "32", program=arguments)
    assert boot.end(timeout=seconds) == 0, f"seed {seed}"
    seen = HASHES.findall(boot.text().replace("\r", ""))
    assert seen == expected, f"seed {seed}: mappings {seed} {calls} trace FROM shows the call after the last equal line"


def test_random_mapping_calls_do_what_they_do_on_linux(image, program, chance, soak):
    compare(image, program, chance.randrange(1 << 31), 100_000 if soak else 2_000, 3600 if soak else 120)
