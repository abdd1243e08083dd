# SPDX-License-Identifier: BSD-2-Clause
"""The picture of an image: a well-formed drawing whose boxes and words are what the image tool says elsewhere."""

import os
import re
import shutil
import xml.etree.ElementTree

import pytest

from machine import eidolon

SVG = "{http://www.w3.org/2000/svg}"
BLOCKS = 4096  # of 16 MiB: each is a cell of its own
UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def draw(image, path, *arguments, status=0):
    image.tool("picture", str(path), *arguments, status=status)
    return xml.etree.ElementTree.parse(path).getroot()


def words(root):
    return [element.text for element in root.iter(SVG + "text")]


def blocks(root):
    """What each block is, by the words its box shows when it is pointed at."""
    result = {}
    for box in root.iter(SVG + "rect"):
        title = box.find(SVG + "title")
        if title is not None:
            first, last, what = re.fullmatch(r"blocks (\d+)-(\d+): (.*)", title.text).groups()
            assert int(box.get("width")) == 7 * (int(last) - int(first) + 1)
            for block in range(int(first), int(last) + 1):
                assert block not in result
                result[block] = what
    return result


def count(found, what):
    return sum(1 for value in found.values() if value == what)


@pytest.fixture
def lived_in(image, program):
    """An image with two programs, one of them much changed, and a pinned generation."""
    boot = image.boot("--size", "16", "--interval", "20", program=[program("crash_pages"), "300", "32", "5"])
    for _ in range(2):
        boot.expect(r"confirmed \d+ of \d+")
    boot.kill()
    image.tool("pin", "early")
    boot = image.boot("--interval", "20", program=[program("pattern")])
    boot.expect(r"pattern at")
    boot.read_for(1.0)
    boot.kill()
    return image


def test_every_block_is_what_the_tool_says_elsewhere(lived_in, tmp_path):
    root = draw(lived_in, tmp_path / "out.svg")
    found = blocks(root)
    assert [found[block] for block in range(4)] == ["label and roots"] * 4 and count(found, "label and roots") == 4
    sound = re.search(r"(\d+) pages of content, (\d+) blocks of records, (\d+) of map, (\d+) of free-space map",
                      lived_in.tool("verify"))
    pages, records, nodes, chunks = map(int, sound.groups())
    assert count(found, "commit records") == records
    assert count(found, "map of pages") == nodes
    assert count(found, "map of free blocks") == chunks
    history = count(found, "pages only other generations have")
    own = {name: count(found, name) for name in ("program 1, crash_pages", "program 2, pattern", "the kernel's records",
                                                     "pages that programs share")}
    assert history > 100 and all(own.values()) and history + sum(own.values()) == pages
    free = BLOCKS - len(found)
    legend = {text.rpartition(": ")[0]: text.rpartition(": ")[2] for text in words(root) if text.endswith("iB")}
    for name, blocks_of in [*own.items(), ("free", free), ("pages only other generations have", history)]:
        number, unit = legend[name].split()
        assert abs(float(number) * UNITS[unit] - 4096 * blocks_of) <= 0.11 * UNITS[unit], name
    assert {box.get("fill") for box in root.iter(SVG + "rect")} >= {"url(#grid)", "url(#guard)"}


def test_windows_are_those_of_the_programs(lived_in, tmp_path):
    texts = words(draw(lived_in, tmp_path / "out.svg"))
    assert "Program 1: crash_pages" in texts and "Program 2: pattern" in texts
    rows = [text for text in texts if re.match(r"[0-9a-f]{8}  [r-][w-][x-] ", text)]
    table = re.findall(r"^ +\d+ +0 +alive +\d+ +(\d+)", lived_in.tool("programs"), re.MULTILINE)
    assert len(rows) == sum(map(int, table)) > 10
    assert sum(text.endswith("  stack") for text in rows) == 2 and any(text.endswith("  guard") for text in rows)


def test_what_clones_share_is_drawn_once(image, program, tmp_path):
    boot = image.boot("--size", "16", "--interval", "20", program=[program("accounts")])
    boot.expect("system: ")
    boot.send_line("w")
    boot.expect("rewritten: ")
    boot.send_line("f")
    boot.expect("clone: ")
    boot.read_for(0.5)
    boot.kill()
    root = draw(image, tmp_path / "out.svg")
    found = blocks(root)
    own = count(found, "program 1, accounts"), count(found, "program 2, accounts")
    assert 0 < own[0] < 100 and 16 <= own[1] < 100, own
    assert count(found, "pages that programs share") > 150
    assert count(found, "pages of programs not drawn") == 0
    shared = root.findall(f".//{SVG}rect[@fill='#7d8794']")
    assert len(shared) > 100, "both windows show what is shared"
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert "accounts, with 2" in words and "accounts, with 1" in words, "each says whose file it sees, and who else does"


def test_earlier_generation_is_drawn_as_it_was(lived_in, tmp_path):
    now = blocks(draw(lived_in, tmp_path / "now.svg"))
    early = blocks(draw(lived_in, tmp_path / "early.svg", "early"))
    assert count(early, "program 2, pattern") == 0 < count(now, "program 2, pattern")
    assert len(early) == len(now)
    assert all(early[block] in ("pages only other generations have", "pages of programs that have ended")
               for block, what in now.items() if what == "program 2, pattern")


def test_any_name_of_a_program_is_drawn(image, program, tmp_path):
    path = tmp_path / "a<b>&c"
    shutil.copyfile(program("echo"), path)
    os.chmod(path, 0o755)
    boot = image.boot("--size", "16", program=[str(path)])
    boot.expect("> ")
    boot.read_for(0.5)
    boot.kill()
    assert any(text.startswith("Program 1: a<b>&c") for text in words(draw(image, tmp_path / "out.svg")))


def test_picture_of_a_large_image_ends_with_what_is_used(image, program, tmp_path):
    boot = image.boot("--size", "1024", program=[program("echo")])
    boot.expect("> ")
    boot.read_for(0.5)
    boot.kill()
    root = draw(image, tmp_path / "out.svg")
    line = next(text for text in words(root) if text.startswith("262144 blocks, "))
    number, unit = re.search(r"drawn are the first ([\d.]+) (\w+),", line).groups()
    assert "a cell is 4.00 KiB" in line or "a cell is 4 KiB" in line, line
    last = max(blocks(root))
    assert abs(float(number) * UNITS[unit] - 4096 * (last + 1)) <= 0.11 * UNITS[unit] and last < 10000


def test_large_image_in_use_is_drawn_with_cells_of_several_blocks(image, program, tmp_path):
    boot = image.boot("--size", "1024", "--interval", "1000", program=[program("fourfold"), "64", "0", "stay"])
    boot.expect(r"durable 64\.", timeout=120)
    boot.kill()
    root = draw(image, tmp_path / "out.svg")
    line = next(text for text in words(root) if text.startswith("262144 blocks, "))
    assert re.search(r"a cell is (8|12|16|20|24|28|32) KiB", line), line
    assert os.path.getsize(tmp_path / "out.svg") < 1 << 20


def test_damaged_image_is_drawn_and_said_to_be_damaged(lived_in, tmp_path):
    node = None
    while node is None:  # until the log has grown long enough to be merged
        boot = lived_in.boot("--interval", "5")
        for _ in range(5):
            boot.expect(r"confirmed \d+ of \d+")
        boot.kill()
        found = blocks(draw(lived_in, tmp_path / "sound.svg"))
        node = next((block for block, what in found.items() if what == "map of pages"), None)
        assert len(lived_in.boots) < 20, "the log is never merged"
    with open(lived_in.path, "r+b") as file:
        file.seek(4096 * node + 100)
        file.write(b"\xff" * 8)
    result = eidolon("image", "picture", lived_in.path, str(tmp_path / "out.svg"), status=1)
    assert "not sound" in result.stderr and "image verify" in result.stderr
    assert blocks(xml.etree.ElementTree.parse(tmp_path / "out.svg").getroot())


def test_picture_never_takes_the_place_of_the_image(lived_in, tmp_path):
    before = lived_in.content()
    link = tmp_path / "link.svg"
    link.symlink_to(lived_in.path)
    for path in (lived_in.path, str(link)):
        result = eidolon("image", "picture", lived_in.path, path, status=2)
        assert "the image itself" in result.stderr
    assert lived_in.content() == before


def test_file_that_cannot_be_written_is_named(lived_in, tmp_path):
    path = str(tmp_path / "no" / "out.svg")
    result = eidolon("image", "picture", lived_in.path, path, status=2)
    assert path in result.stderr and "No such file" in result.stderr
    assert "usage" in eidolon("image", "picture", lived_in.path, status=2).stderr
