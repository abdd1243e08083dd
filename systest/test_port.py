# SPDX-License-Identifier: BSD-2-Clause
"""The smallest port of vm_map and snap (docs/examples/port): a function of a Linux process goes on over kill -9."""

import itertools
import os
import re
import subprocess

import pytest

from machine import BUILD, eidolon

PORT = os.path.join(BUILD, "docs", "examples", "port", "port_example")
PRIMES = 30000
EACH = 200
LINES_A_LIFE = (5, 30)
LIVES_MAX = 100
END_S = 60

pytestmark = pytest.mark.skipif(not os.path.exists(PORT), reason="built on x86-64 hosts only")


def primes(count):
    """The first primes."""
    limit = 20 * count
    is_prime = bytearray([1]) * limit
    found = []
    for number in range(2, limit):
        if is_prime[number]:
            found.append(number)
            is_prime[number * number::number] = bytes(len(range(number * number, limit, number)))
    assert len(found) >= count
    return found[:count]


def run(path, lines=None, program=PORT):
    """One life of the process, to its end or for so many lines. Returns what it said and the process."""
    process = subprocess.Popen([program, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    said = [line.rstrip("\n") for line in itertools.islice(process.stdout, lines)]
    if lines is not None and len(said) == lines:
        process.kill()
    errors = process.communicate(timeout=END_S)[1]
    return said, errors, process.returncode


def resumed(errors):
    found = re.search(r"generation (\d+) goes on", errors)
    return int(found[1]) if found else 0


def test_function_killed_again_and_again_comes_to_its_end(tmp_path, chance):
    path = str(tmp_path / "port.img")
    right = primes(PRIMES)
    said = set()
    generations = []
    status = None
    while status != 0:
        assert len(generations) < LIVES_MAX, "it makes no progress"
        lines, errors, status = run(path, chance.randint(*LINES_A_LIFE) + len(generations))  # a life may end before its first commit
        generations.append(resumed(errors))
        said.update(lines)
        assert "panic" not in errors and "snapshots:" not in errors, errors
    assert len(generations) > 3 and generations == sorted(generations), generations
    whole = {f"{number} {right[number - 1]}" for number in range(EACH, PRIMES + 1, EACH)}
    total = sum(right) % (1 << 32)
    assert said == whole | {f"{total} {total}"}
    again = run(path)
    assert again[0] == [] and again[2] == 0, "what has ended ends again"
    assert "sound" in eidolon("image", "verify", path, status=0).stdout


def test_image_of_another_program_is_refused_as_it_is(tmp_path):
    path = str(tmp_path / "port.img")
    eidolon("image", "create", path, "--size", "16", status=0)
    for life in range(1, LIVES_MAX):  # until one has gone on from a generation: without one an image is as good as a new one
        if resumed(run(path, LINES_A_LIFE[0] + life)[1]) > 0:
            break
    else:
        pytest.fail("no life committed anything")
    other = str(tmp_path / "other")
    with open(PORT, "rb") as file:
        content = bytearray(file.read())
    content[15] = 1  # of the ELF header: without a meaning, but part of what is compared
    with open(other, "wb") as file:
        file.write(content)
    os.chmod(other, 0o755)
    with open(path, "rb") as file:
        before = file.read()
    said, errors, status = run(path, program=other)
    assert said == [] and status == 1 and "version" in errors, errors
    with open(path, "rb") as file:
        assert file.read() == before
