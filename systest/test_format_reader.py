# SPDX-License-Identifier: BSD-2-Clause
"""docs/disk-format.md suffices to read an image: a reader written from it alone, against the store and the image tool.

The images are of two kinds. `store_world` makes some with everything in them that the format has, in a fraction of a
second, and says what every page of every kept generation is. The real machine makes others, which the image tool is
asked about.
"""

import os
import re
import subprocess

import pytest

from format_reader import BLOCK, Image, Unreadable
from machine import BUILD

WORLD = os.path.join(BUILD, "hosttest", "store_world")
TOOL = os.path.join(BUILD, "tools", "image_tool")
WORLDS, WORLDS_SOAK = 12, 400
FLIPS, FLIPS_SOAK = 60, 2000
LOST = None
WORD = (1 << 32) - 1
PROGRAM_SPACES = range(1, 4095)
SPACE_SHIFT = 20
STACK_PAGE = 0xBFFFE  # what a program began on is there


def page_content(number):
    """Of store_world's pages: content_fill() of hosttest/store_fixture.c."""
    if number == 1:
        return bytes(BLOCK)
    return b"".join((number * 2654435761 + index * 40503 & WORD).to_bytes(4, "little") for index in range(BLOCK // 4))


def system_record(number):
    """Of store_world's generations: record_fill() of the same."""
    return bytes(number >> index % 24 & 0xFF for index in range(number % 2049))


class World:
    """An image made by store_world, and what is in it: `generations[number] = (record, {page: content or LOST})`."""

    def __init__(self, path, seed, damaged=0):
        result = subprocess.run([WORLD, str(seed), "80", str(damaged), path], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        assert result.returncode == 0, f"store_world {seed} 80 {damaged}: {result.stdout[-2000:]}"
        self.generations = {}
        for what, number, value in map(str.split, result.stdout.splitlines()):
            if what == "generation":
                pages = {}
                self.generations[int(number)] = int(value), pages
            else:
                pages[int(number)] = LOST if value == "lost" else int(value)


def image_tool(*arguments):
    return subprocess.run([TOOL, *arguments], capture_output=True, timeout=120, check=False)


def logged(path):
    """What `image log` says: number, pages and names of each kept generation, newest first."""
    lines = image_tool("log", path).stdout.decode().splitlines()[1:]
    return [(int(line[0]), int(line[3]), " ".join(line[9:])) for line in map(str.split, lines)]


def read(image):
    """The same as logged(), as the reader has it."""
    return [(kept.generation, len(image.state(kept).pages), ", ".join(image.names(kept))) for kept in image.kept]


def counted(image):
    """The sums of `image verify`, as the reader has them."""
    states = [image.state(kept) for kept in image.kept]
    reached = [state.reached() for state in states]
    assert all(reached)
    pages = {entry.block for state in states for entry in state.pages.values() if entry.block}
    records = {block for state in states for record in state.log for block in record.blocks} | set(image.ladder_blocks)
    nodes = {block for state in states for block in state.node_blocks}
    chunks = {block for state in states for block in state.chunk_blocks}
    retired = set().union(states[0].retired_items(), *(state.retired_keys() for state in states))
    return [len(states), image.kept[0].generation, len(pages), len(records), len(nodes), len(chunks)] \
        + ([len(retired)] if retired else [])


def expect_world(world, image, where):
    assert [kept.generation for kept in image.kept] == list(world.generations), where
    for kept in image.kept:
        record, pages = world.generations[kept.generation]
        state = image.state(kept)
        assert state.system == system_record(record), f"{where}, generation {kept.generation}"
        sound = {page: number for page, number in pages.items() if number is not LOST}
        readable = {page for page in state.pages if state.content(page) is not None}
        assert readable == set(sound), f"{where}, generation {kept.generation}"
        for page, number in sound.items():
            assert state.content(page) == page_content(number), f"{where}, generation {kept.generation}, page {page}"


def test_random_images_are_read_as_the_store_reads_them(tmp_path, chance, soak):
    path = str(tmp_path / "world.img")
    for _ in range(WORLDS_SOAK if soak else WORLDS):
        seed = chance.randrange(1 << 31)
        world = World(path, seed)
        image = Image(path)
        expect_world(world, image, f"store_world {seed}")
        assert image.check() == {}, f"store_world {seed}"
        assert read(image) == logged(path), f"store_world {seed}"
        verdict = image_tool("verify", path).stdout.decode()
        assert verdict.endswith("sound\n"), f"store_world {seed}: {verdict}"
        assert list(map(int, re.findall(r"\d+", verdict))) == counted(image), f"store_world {seed}: {verdict}"


def test_damaged_images_are_read_as_the_store_reads_them(tmp_path, chance, soak):
    """Leaves are damaged while the image lives: what is in the log again because it could not be merged counts."""
    path = str(tmp_path / "world.img")
    lost = carried = 0
    for _ in range(WORLDS_SOAK if soak else WORLDS):
        seed = chance.randrange(1 << 31)
        world = World(path, seed, damaged=30)
        image = Image(path)
        expect_world(world, image, f"store_world {seed}, damaged")
        lost += sum(number is LOST for _, pages in world.generations.values() for number in pages.values())
        carried += sum(len(record.items[9]) for kept in image.kept for record in image.state(kept).log)
        damaged = image_tool("verify", path).returncode != 0
        assert damaged == bool(image.check()), f"store_world {seed}, damaged"
    assert lost > 0 and carried > 0


def test_any_flipped_bit_in_a_used_block_is_found_by_reader_and_tool(tmp_path, chance, soak):
    path = str(tmp_path / "world.img")
    World(path, chance.randrange(1 << 31))
    with open(path, "rb") as file:
        good = file.read()
    image = Image(path)
    states = [image.state(kept) for kept in image.kept]
    pages = {entry.block for state in states for entry in state.pages.values() if entry.block}
    used = set().union(*(state.reached() - state.retired_keys() for state in states))
    metadata = [0, 1, 2, 3] + sorted(used - pages)
    flips = FLIPS_SOAK if soak else FLIPS
    for block in metadata[:4] + chance.choices(metadata, k=flips) + chance.choices(sorted(pages), k=flips):
        offset, bit = chance.randrange(BLOCK), chance.randrange(8)
        where = f"bit {bit} of byte {offset} in block {block}"
        with open(path, "r+b") as file:
            file.seek(block * BLOCK + offset)
            file.write(bytes([good[block * BLOCK + offset] ^ 1 << bit]))
        assert found_by_reader(path, block), where
        said = image_tool("verify", path)
        assert said.returncode == 1, f"{where}: {said.stdout.decode()}"
        assert f"block {block}" in said.stdout.decode(), f"{where}: {said.stdout.decode()}"
        with open(path, "r+b") as file:
            file.seek(block * BLOCK)
            file.write(good[block * BLOCK:(block + 1) * BLOCK])


def found_by_reader(path, block):
    try:
        return block in Image(path).check()
    except Unreadable:
        return True


@pytest.fixture
def lived_image(image, program):
    """An image of the real machine with some generations behind it, some of them pinned."""
    boot = image.boot("--size", "16", program=[program("echo")])
    boot.expect("> ")
    boot.send_line("kept")
    boot.expect("line 1 is <kept>")
    boot.read_for(0.5)
    boot.kill()
    image.tool("pin", "first")
    boot = image.boot(program=[program("pattern")])
    boot.expect(r"pattern at 0x[0-9a-f]+, \d+ bytes")
    boot.read_for(1.0)
    boot.kill()
    image.tool("pin", "second")
    return image


def runs(pages):
    """Neighbouring pages of one space together: (first, count)."""
    start = previous = None
    for page in sorted(pages):
        if previous is None or page != previous + 1 or page >> SPACE_SHIFT != previous >> SPACE_SHIFT:
            if start is not None:
                yield start, previous - start + 1
            start = page
        previous = page
    if start is not None:
        yield start, previous - start + 1


def test_image_of_the_real_machine_is_read_as_the_tool_reads_it(lived_image):
    image = Image(lived_image.path)
    assert image.check() == {}
    assert read(image) == logged(lived_image.path)
    assert sorted(image.pins) == ["first", "second"]
    verdict = lived_image.tool("verify")
    assert list(map(int, re.findall(r"\d+", verdict))) == counted(image)
    for kept in image.kept:
        state = image.state(kept)
        listed = image_tool("programs", lived_image.path, str(kept.generation)).stdout.decode()
        programs = re.findall(r"^ *(\d+) ", listed, re.MULTILINE)
        assert programs, listed
        has_lived = bool(image.names(kept))  # others may be of the moment in which a program was being started
        most = max(compare(lived_image.path, state, program, has_lived) for program in programs)
        assert most > 5 or not has_lived, f"generation {kept.generation}: at most {most} pages of a program"


def given(path, state, program, page, count, may_be_none=False):
    """So many pages of a program, as `image cat` gives them; None if it has nothing there, where that may be."""
    address = (page & (1 << SPACE_SHIFT) - 1) * BLOCK
    result = image_tool("cat", path, program, hex(address), str(count * BLOCK), str(state.record.generation))
    if may_be_none and b"has nothing at" in result.stderr:
        return None
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def compare(path, state, program, has_lived):
    """All pages that a program has of its own: how many. Which space is the program's, its stack tells.

    One that has not run yet has its stack and no more, or not even that.
    """
    stacks = [page for page in state.pages if page >> SPACE_SHIFT in PROGRAM_SPACES
              and page & (1 << SPACE_SHIFT) - 1 == STACK_PAGE]
    own = [page for page in stacks if state.content(page) == given(path, state, program, page, 1, not has_lived)]
    if not own and not has_lived:
        return 0
    assert len(own) == 1, f"generation {state.record.generation}, program {program}: {len(own)} stacks"
    pages = [page for page in state.pages if page >> SPACE_SHIFT == own[0] >> SPACE_SHIFT]
    for first, count in runs(pages):
        expected = b"".join(state.content(page) for page in range(first, first + count))
        assert given(path, state, program, first, count) == expected, \
            f"generation {state.record.generation}, program {program}, page {first:#x}"
    return len(pages)
