# SPDX-License-Identifier: BSD-2-Clause
"""Page replacement: the policy is chosen at boot, a name that is none is refused before anything is touched, and what
the laboratory measures on the real machine is what the simulator says, exactly.
"""

import pytest

from machine import eidolon

POLICIES = ["random", "fifo", "second-chance", "lru", "sieve"]


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_brings_back_more_content_than_memory(image, program, policy):
    boot = image.boot("--policy", policy, "--memory", "24", "--interval", "50", program=[program("crash_memory")])
    boot.expect("ready")
    for command, answer in (("fill 9000", "filled 9000"), ("check", "right 9000"), ("check", "right 9000")):
        boot.send_line(command)
        boot.expect(answer, timeout=60)
    boot.kill()


def test_pages_that_are_only_read_are_not_written(image, program):
    boot = image.boot("--memory", "24", "--interval", "20", program=[program("reader"), "9000", "3"])
    found = boot.expect(r"read 27000 pages: (\d+) came in, (\d+) written", timeout=60)
    came_in, written = int(found[1]), int(found[2])
    assert came_in > 9000, "memory was not short: this shows nothing"
    assert written <= 8, "the program's stack and variables are all that it wrote to"
    assert boot.end() == 0


def test_policy_that_does_not_exist_is_refused_by_the_kernel(used_image):
    before = used_image.content()
    boot = used_image.boot("--kernel-options", "policy=mru")
    boot.expect("option policy=mru: give a page replacement policy, one of: " + " ".join(POLICIES))
    assert boot.end() == 1
    assert used_image.content() == before


@pytest.mark.parametrize("arguments, words", [
    (["--policy", "mru"], "'mru'"),
    (["--program", "tetris"], "'tetris'"),
    (["--pages", "7"], "8 to 1024"),
    (["--frames", "65"], "only 64 pages"),
    (["--frames", "0"], "1 to 1024"),
])
def test_wrong_option_of_the_laboratory_is_named(arguments, words):
    result = eidolon("bench", "paging", *arguments)
    assert result.returncode != 0 and words in result.stderr
