# SPDX-License-Identifier: BSD-2-Clause
"""Image files that are no image, or damaged: refused by what was found, with the remedy, and left as they are."""

import hashlib
import os
import re

import pytest
import xxhash

from machine import RESUMED, eidolon

BLOCK = 4096
LABEL, ROOTS, LABEL_COPY = 0, (1, 2), 3
VERSION_OFFSET = 8
FORMAT_1 = os.path.join(os.path.dirname(__file__), "..", "hosttest", "golden", "format-1.txt")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refused_unchanged(path, *arguments):
    """Run on an image that must be refused. Returns the launcher's message; the file is as it was."""
    before = digest(path), os.stat(path).st_size
    result = eidolon("run", "--headless", "--boot", "direct", "--image", str(path), *arguments, status=1)
    assert (digest(path), os.stat(path).st_size) == before, "the file was changed"
    assert str(path) in result.stderr, result.stderr
    assert "panic" not in result.stdout + result.stderr
    return result.stderr


def overwrite(path, block, content):
    with open(path, "r+b") as file:
        file.seek(block * BLOCK)
        file.write(content)


@pytest.mark.parametrize("content", [bytes(1), b"\xff", b"hsqs" + bytes(4092), bytes(range(256))])
def test_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign.img"
    path.write_bytes(content * ((8 << 20) // len(content)))
    assert "not an Eidolon image" in refused_unchanged(path)


def test_foreign_file_is_not_discarded_by_fresh(tmp_path):
    path = tmp_path / "foreign.img"
    path.write_bytes(b"precious" * (1 << 20))
    assert "not an Eidolon image" in refused_unchanged(path, "--fresh", "--yes")


def format_1(path):
    """The golden image of the format before: as a test has written it when it was current."""
    blocks = {}
    with open(FORMAT_1, encoding="ascii") as lines:
        for block, offset, content in map(str.split, lines):
            stretch = bytes.fromhex(content)
            blocks.setdefault(int(block), bytearray(BLOCK))[int(offset):int(offset) + len(stretch)] = stretch
    path.write_bytes(bytes(8 << 20))
    for block, content in blocks.items():
        overwrite(path, block, content)
    return path


def test_image_of_format_1_is_refused_by_name_and_left_as_it_is(tmp_path):
    """By kernel, launcher and tools."""
    path = format_1(tmp_path / "old.img")
    why = "format 1; this version reads format 2"
    assert why in refused_unchanged(path)
    assert why in refused_unchanged(path, "--generation", "12")
    before = digest(path)
    for words in ("info", "log", "verify", "programs"):
        result = eidolon("image", words, str(path), status=1)
        assert why in result.stdout + result.stderr, f"image {words}: {result.stdout + result.stderr}"
    for words in (["pin", str(path), "new"], ["unpin", str(path), "fourth"]):
        result = eidolon("image", *words, status=1)
        assert why in result.stdout + result.stderr, f"image {words}: {result.stdout + result.stderr}"
    assert digest(path) == before


def test_image_of_another_version_is_refused(used_image):
    """A label that is sound in every other way: docs/disk-format.md says how it is sealed."""
    for block in (LABEL, LABEL_COPY):
        label = bytearray(used_image.content()[block * BLOCK:][:BLOCK])
        label[VERSION_OFFSET:VERSION_OFFSET + 4] = (99).to_bytes(4, "little")
        label[-8:] = xxhash.xxh3_64_intdigest(bytes(label[:-8]), block).to_bytes(8, "little")
        overwrite(used_image.path, block, label)
    assert "format 99" in refused_unchanged(used_image.path)


def test_image_with_both_roots_damaged_is_refused(used_image):
    for root in ROOTS:
        overwrite(used_image.path, root, b"damage" * 100)
    message = refused_unchanged(used_image.path)
    assert "root" in message and "image verify" in message


def test_image_with_one_root_damaged_goes_on_and_says_so(used_image):
    newest = max(ROOTS, key=lambda root: int.from_bytes(used_image.content()[root * BLOCK + 16:][:8], "little"))
    overwrite(used_image.path, newest, b"damage" * 100)
    boot = used_image.boot()
    boot.expect("eidolon: image: .*root")
    boot.expect(RESUMED)
    boot.send_line("again")
    boot.expect(r"line [23] is <again>")


def test_image_with_its_label_damaged_goes_on(used_image):
    overwrite(used_image.path, LABEL, b"damage" * 100)
    boot = used_image.boot()
    boot.expect(RESUMED)
    boot.send_line("again")
    boot.expect("line 3 is <again>")


def test_image_cut_short_is_refused(used_image):
    os.truncate(used_image.path, 8 << 20)
    assert re.search("short|small", refused_unchanged(used_image.path))


def test_generation_that_does_not_exist_is_refused(used_image):
    message = refused_unchanged(used_image.path, "--generation", "999999")
    assert "999999" in message and "image log" in message


def test_earlier_generation_can_be_resumed(used_image):
    boot = used_image.boot()
    generation = int(boot.expect(RESUMED)[1])
    boot.send_line("third")
    boot.expect("line 3 is <third>")
    boot.read_for(0.5)
    boot.kill()
    boot = used_image.boot("--generation", str(generation))
    assert int(boot.expect(RESUMED)[1]) == generation
    boot.send_line("another third")
    boot.expect("line 3 is <another third>")


def test_earlier_generation_replaces_newer_ones_but_pinned_after_saying_so(used_image):
    earlier = int(used_image.boot("--interval", "0").expect(RESUMED)[1])
    used_image.boots[-1].kill()
    boot = used_image.boot()
    boot.expect(RESUMED)
    for number in (3, 4):
        boot.send_line("newer")
        boot.expect(f"line {number} is <newer>")
        boot.read_for(0.5)
    boot.kill()
    used_image.tool("pin", "newer")
    newest = int(re.findall(r"^ *(\d+) .*newer$", used_image.tool("log"), re.MULTILINE)[0])
    boot = used_image.boot("--generation", str(earlier), "--interval", "0")
    boot.expect(f"generation {earlier} was asked for; the first snapshot replaces the newer ones, up to {newest}; "
                "pinned ones stay")
    boot.expect(RESUMED)
    boot.kill()
    assert re.search(rf"^ *{newest} ", used_image.tool("log"), re.MULTILINE), "replaced without a snapshot"
    boot = used_image.boot("--generation", str(earlier))
    boot.expect(RESUMED)
    boot.send_line("another third")
    boot.expect("line 3 is <another third>")
    boot.read_for(0.5)
    boot.kill()
    kept = [int(number) for number in re.findall(r"^ *(\d+) ", used_image.tool("log"), re.MULTILINE)]
    assert max(kept) > newest and newest in kept and not set(range(earlier + 1, newest)) & set(kept)
    used_image.tool("verify")
    boot = used_image.boot("--generation", "newer")
    assert int(boot.expect(RESUMED)[1]) == newest
    boot.send_line("still there")
    boot.expect("line 5 is <still there>")


def test_generation_of_the_ladder_outlives_the_window_and_can_be_resumed(used_image):
    """The first of a minute stays while the window goes on; the image's rules say so, and can be changed."""
    assert "last 60 minutes, 24 hours, 30 days" in used_image.tool("ladder")
    boot = used_image.boot("--interval", "20")
    boot.expect(RESUMED)
    for number in range(3, 30):
        boot.send_line("later")
        boot.expect(f"line {number} is <later>")
        boot.read_for(0.1)
    boot.kill()
    kept = [int(number) for number in re.findall(r"^ *(\d+) ", used_image.tool("log"), re.MULTILINE)]
    window, rungs = kept[:16], kept[16:]
    assert window[0] - window[-1] == 15 and rungs and rungs[0] < window[-1] - 1, kept
    assert f"now      {len(rungs)} older generations" in used_image.tool("ladder")
    used_image.tool("verify")
    boot = used_image.boot("--generation", str(rungs[-1]))
    assert int(boot.expect(RESUMED)[1]) == rungs[-1]
    boot.kill()
    shown = used_image.tool("ladder", "--minutes", "20", "--days", "60", "--percent", "40")
    assert "last 20 minutes, 24 hours, 60 days" in shown and "40 %" in shown
    used_image.tool("ladder", "--minutes", "0", "--hours", "0", "--days", "0")
    boot = used_image.boot()
    boot.expect(RESUMED)
    boot.send_line("forget")
    boot.expect(r"line \d+ is <forget>")
    boot.read_for(0.5)
    boot.send_line("more")
    boot.expect(r"line \d+ is <more>")
    assert "last 5 minutes, 0 hours, 0 days" in used_image.tool("ladder", "--minutes", "5", "--newest", "4")
    told = eidolon("ctl", "--image", used_image.path, "ladder", status=0).stdout
    assert told.startswith("keeps    the newest 4, and the first of each of the last 5 minutes") and "now      0 older" in told
    for words, why in ((["--minutes"], "usage"), (["--years", "1"], "usage"), (["--newest", "1"], "2 to 16"),
                       (["--minutes", "100", "--days", "27"], "126 together")):
        assert why in eidolon("ctl", "--image", used_image.path, "ladder", *words, status=2).stderr
        assert why in eidolon("image", "ladder", used_image.path, *words, status=2).stderr
    for number in range(6):
        boot.send_line("on")
        boot.expect(r"line \d+ is <on>")
        boot.read_for(0.1)
    boot.kill()
    assert "the newest 4" in used_image.tool("ladder")
    kept = [int(number) for number in re.findall(r"^ *(\d+) ", used_image.tool("log"), re.MULTILINE)]
    assert kept[0] - kept[3] == 3 and 5 <= len(kept) <= 9, kept
    used_image.tool("verify")


def test_pinned_generation_can_be_resumed_by_its_name(used_image):
    used_image.tool("pin", "before-third")
    boot = used_image.boot()
    generation = int(boot.expect(RESUMED)[1])
    for number in (3, 4, 5):
        boot.send_line("later")
        boot.expect(f"line {number} is <later>")
        boot.read_for(1.0)
    boot.kill()
    assert "before-third" in used_image.tool("log")
    boot = used_image.boot("--generation", "before-third")
    assert int(boot.expect(RESUMED)[1]) == generation
    boot.send_line("another")
    boot.expect("line 3 is <another>")


def test_generation_of_no_such_name_is_refused(used_image):
    message = refused_unchanged(used_image.path, "--generation", "nobody")
    assert "nobody" in message and "image log" in message


def test_image_tool_finds_damage_and_changes_nothing(used_image):
    used_image.tool("verify")
    overwrite(used_image.path, 4, bytes(range(256)) * 16)
    for block in range(5, 40):
        overwrite(used_image.path, block, b"x")
    before = digest(used_image.path)
    used_image.tool("verify", status=1)
    assert digest(used_image.path) == before
