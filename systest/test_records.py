# SPDX-License-Identifier: BSD-2-Clause
"""Records of the newest generation that cannot be resumed: the boot goes on with the generation before by itself, and says so.

What is damaged is found by flipping bits and asking `image verify`, as nothing else knows where a record's page is.
"""

import os
import re
import subprocess

import pytest

from crash_machine import IMAGE_TOOL
from machine import BUILD, RESUMED

BLOCK = 4096
FLIPPED_BIT = 0x40
LIE_TOOL = os.path.join(BUILD, "hosttest", "lie_tool")


def blocks_with_content(path):
    with open(path, "rb") as file:
        number = 4
        file.seek(number * BLOCK)
        while content := file.read(BLOCK):
            if any(content):
                yield number
            number += 1


def flip(path, block, at=100):
    with open(path, "r+b") as file:
        file.seek(block * BLOCK + at)
        byte = file.read(1)[0]
        file.seek(block * BLOCK + at)
        file.write(bytes([byte ^ FLIPPED_BIT]))


def tool_verify(path):
    return subprocess.run([IMAGE_TOOL, "verify", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False).stdout


def verify(image):
    return tool_verify(image.path)


def generations(image):
    return [int(number) for number in re.findall(r"^ +(\d+)  \d{4}-", image.tool("log"), re.MULTILINE)]


def damage_records_of(image, count):
    """One page of records in each of the newest `count` generations, none of them in an older one."""
    newest = generations(image)[:count]
    wanted = set(newest)
    for block in blocks_with_content(image.path):
        if not wanted:
            break
        flip(image.path, block)
        found = re.search(rf"object 4095, written in generation (\d+), block {block}\b", verify(image))
        if found and int(found[1]) in wanted:
            wanted.discard(int(found[1]))
        else:
            flip(image.path, block)
    assert not wanted, "no page of records is the generation's own"
    return newest


@pytest.fixture
def ticking(image, program):
    """An image of a program that prints numbers, so that every generation has records of its own."""
    boot = image.boot("--size", "4", program=[program("trouble"), "tick"])
    boot.expect("tick 20")
    boot.kill()
    return image


@pytest.mark.parametrize("count", [1, 2])
def test_boot_goes_on_before_generations_whose_records_are_damaged(ticking, count):
    before = generations(ticking)
    damage_records_of(ticking, count)
    said = verify(ticking)
    assert f"generation {before[0]} cannot be resumed: its records are damaged" in said, said
    foretold = re.search(r"^a boot goes on with generation (\d+), (\d+\.\d) s before it$", said, re.MULTILINE)
    assert int(foretold[1]) == before[count]
    ticking.tool("pin", str(before[0]), "broken")
    boot = ticking.boot()
    boot.expect(rf"eidolon: image: generation {before[0]} cannot be resumed \(.*\); generation {before[count]} goes on, "
                rf"{foretold[2]} s before the newest")
    boot.expect(rf"the first snapshot replaces the newer ones, up to {before[0]}; pinned ones stay")
    assert int(boot.expect(RESUMED)[1]) == before[count]
    boot.expect(r"tick \d+")
    known = "|".join(map(str, before))
    ticking.wait_until_committed(boot, "log", rf"^ +(?!(?:{known}) )\d+  \d{{4}}-")
    boot.kill()
    after = generations(ticking)
    assert before[0] in after, "a pinned generation stays"
    assert max(after) > before[0] and (count == 1 or before[1] not in after)
    boot = ticking.boot()
    assert int(boot.expect(RESUMED)[1]) > before[0]
    boot.expect(r"tick \d+")
    boot.kill()


def test_generation_that_was_asked_for_is_not_replaced_by_another(ticking):
    newest = damage_records_of(ticking, 1)[0]
    before = ticking.content()
    boot = ticking.boot("--generation", str(newest))
    boot.expect("eidolon: image: the records cannot be resumed: .*; it was left as it is")
    assert boot.end() == 1
    assert ticking.content() == before


def test_image_of_which_no_generation_can_be_resumed_is_refused_unchanged(ticking):
    """A page of records that all generations share."""
    oldest = generations(ticking)[-1]
    for block in blocks_with_content(ticking.path):
        flip(ticking.path, block)
        said = verify(ticking)
        found = re.search(rf"object 4095, written in generation (\d+), block {block}\b", said)
        if found and int(found[1]) <= oldest and "none of the last generations can be resumed" in said:
            break  # the newer generations have it, too
        flip(ticking.path, block)
    else:
        pytest.fail("no page of records belongs to all generations")
    before = ticking.content()
    boot = ticking.boot()
    boot.expect(r"generation \d+ cannot be resumed \(.*\), and no earlier one that can be resumed is among the last")
    boot.expect("no generation goes on; it was left as it is")
    assert boot.end() == 1
    assert ticking.content() == before


def test_power_cut_while_falling_back_changes_nothing_that_matters(ticking, chance):
    before = generations(ticking)
    damage_records_of(ticking, 1)
    for _ in range(4):
        boot = ticking.boot("--interval", "0")
        boot.read_for(chance.random() * 1.5)
        boot.kill()
        assert generations(ticking) == before
    boot = ticking.boot()
    assert int(boot.expect(RESUMED)[1]) == before[1]
    boot.kill()


def lies_about_records(image, path, wanted):
    """Images with right checksums in which a record is not sound, one for each of so many kinds of record."""
    kinds = set()
    for seed in range(400):
        told = subprocess.run([LIE_TOOL, image.path, "--only", str(seed), "--write", path], check=True,
                              capture_output=True, text=True).stdout
        kind = re.match(r"lie \d+: (program|task|file|region|space|pipe) record", told)
        if kind and kind[1] not in kinds and "its records are not sound" in tool_verify(path):
            kinds.add(kind[1])
            yield told
        if len(kinds) == wanted:
            return
    pytest.fail(f"too few lies about records: {kinds}")


def test_records_that_are_not_sound_are_foretold_as_a_boot_finds_them(ticking, new_image):
    other = new_image("lie.img")
    ticking.tool("pin", str(generations(ticking)[-1]), "oldest")  # lies are told in images that have one
    for told in lies_about_records(ticking, other.path, wanted=3):
        said = tool_verify(other.path)
        newest = int(re.search(r"generation (\d+) cannot be resumed: its records are not sound", said)[1])
        foretold = re.search(r"^a boot goes on with generation (\d+)", said, re.MULTILINE)
        boot = other.boot("--interval", "0")
        boot.expect(rf"eidolon: image: generation {newest} cannot be resumed")
        if foretold:
            assert int(boot.expect(RESUMED)[1]) == int(foretold[1]), told
            boot.kill()
        else:
            boot.expect("no generation goes on; it was left as it is")
            assert boot.end() == 1, told
