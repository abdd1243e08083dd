# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's records have limits of their own, well before memory ends: a program
that reaches one gets an error, loses nothing, can give everything back and get it again, also when the plug is pulled in between.
"""

import pytest

from machine import RESUMED

ENOMEM = 12


@pytest.mark.parametrize("name, least", [("regions", 10000), ("crowd", 50)])
@pytest.mark.parametrize("memory", ["24", "128"])
def test_more_than_there_are_records_for_is_refused_and_given_back(image, program, name, least, memory):
    boot = image.boot("--memory", memory, "--interval", "20", program=[program(name)])
    refused = boot.expect(r"round 1: refused with (\d+) after (\d+)", timeout=120)
    assert int(refused[1]) == ENOMEM and int(refused[2]) >= least
    boot.kill()
    boot = image.boot("--memory", memory, "--interval", "20")
    boot.expect(RESUMED)
    boot.expect(r"all is well|UNEXPECTED.*", timeout=120)
    assert boot.end() == 0
    assert image.tool("verify").endswith("sound\n")


def test_crowd_of_anything_leaves_everything_else_and_comes_again_whatever_was_cut(image, program, chance):
    boot = image.boot("--memory", "24", "--interval", "20", program=[program("crowds")])
    for _ in range(4):
        boot.expect(r"refused with \d+ after \d+|all is well|UNEXPECTED.*", timeout=120)
        boot.read_for(chance.uniform(0, 2))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot("--memory", "24", "--interval", "20")
        boot.expect(RESUMED)
    assert boot.end(timeout=120) == 0
    assert "all is well.\n" in boot.text() and "UNEXPECTED" not in "".join(each.text() for each in image.boots)
    assert image.tool("verify").endswith("sound\n")


def test_programs_that_need_records_at_once_while_memory_is_short_get_them(image, program):
    boot = image.boot("--memory", "24", "--interval", "1", program=[program("growth"), "8", "5"])
    assert boot.end(timeout=120) == 0
    assert "all is well\n" in boot.text()
    assert image.tool("verify").endswith("sound\n")
