# SPDX-License-Identifier: BSD-2-Clause
"""Looking into the memory of programs from outside: image programs, cat and core."""

import os
import re
import struct
import subprocess

import pytest

from machine import BUILD, eidolon

TOOL = os.path.join(BUILD, "tools", "image_tool")
PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_PRXFPREG = 1, 0x46E62B7F
PROGRAM_COUNTER_WORD, STACK_POINTER_WORD = 12, 15
INT_80 = b"\xcd\x80"
NOTE_REGISTERS = 72


def pattern(length):
    return bytes((index * 2654435761 & 0xFFFFFFFF) >> 24 for index in range(length))


class Core:
    """An ELF core file of a 32-bit program."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        assert self.bytes[:6] == b"\x7fELF\x01\x01"
        kind, machine = struct.unpack_from("<HH", self.bytes, 16)
        assert (kind, machine) == (4, 3), "a core file of an i386"
        start, = struct.unpack_from("<I", self.bytes, 28)
        count, = struct.unpack_from("<H", self.bytes, 44)
        self.segments = [struct.unpack_from("<8I", self.bytes, start + 32 * index) for index in range(count)]

    def memory(self, address, length):
        for kind, offset, start, _, size, *_ in self.segments:
            if kind == PT_LOAD and start <= address and address + length <= start + size:
                return self.bytes[offset + address - start:][:length]
        raise AssertionError(f"no segment has {length} bytes at {address:#x}")

    def notes(self):
        """Pairs of type and content."""
        offset, end = next((item[1], item[1] + item[4]) for item in self.segments if item[0] == PT_NOTE)
        while offset < end:
            name, length, kind = struct.unpack_from("<3I", self.bytes, offset)
            offset += 12 + (name + 3 & ~3)
            yield kind, self.bytes[offset:offset + length]
            offset += length + 3 & ~3


@pytest.fixture
def pattern_image(image, program):
    """An image with a program that has a pattern on its heap. Returns it, and the pattern's address, length and frame."""
    boot = image.boot(program=[program("pattern")])
    match = boot.expect(r"pattern at 0x([0-9a-f]+), (\d+) bytes; frame at 0x([0-9a-f]+)\s")
    boot.read_for(0.5)
    boot.kill()
    return image, int(match[1], 16), int(match[2]), int(match[3], 16)


def the_program(image):
    """The number of the program `pattern`, from the list."""
    return re.search(r"^ *(\d+) .* pattern$", image.tool("programs"), re.M)[1]


def test_programs_are_listed(pattern_image):
    image, *_ = pattern_image
    match = re.search(r"^ *1 +0 +alive +1 +(\d+) +(\S+) MiB +(\S+) KiB +pattern$", image.tool("programs"), re.M)
    assert match, image.tool("programs")
    assert int(match[1]) > 3 and float(match[3]) > 300


def test_memory_can_be_copied_out(pattern_image):
    image, address, length, _ = pattern_image
    expected = pattern(length)
    for offset, size in ((0, length), (1, 1), (4095, 8193), (length - 7, 7)):
        arguments = [image.path, the_program(image), hex(address + offset), str(size)]
        result = subprocess.run([TOOL, "cat", *arguments], capture_output=True, check=True)
        assert result.stdout == expected[offset:offset + size]


def test_core_file_has_memory_and_registers(pattern_image, tmp_path):
    image, address, length, frame = pattern_image
    path = tmp_path / "core"
    image.tool("core", the_program(image), str(path))
    core = Core(path)
    assert core.memory(address, length) == pattern(length)
    notes = dict(core.notes())
    registers = struct.unpack_from("<17I", notes[NT_PRSTATUS], NOTE_REGISTERS)
    assert 0 <= frame - registers[STACK_POINTER_WORD] < 65536, "the stack pointer is below the frame of main()"
    assert len(notes[NT_PRXFPREG]) == 512
    assert core.memory(registers[PROGRAM_COUNTER_WORD], 2) == INT_80, "it waits in a system call, which is issued again"


def test_program_in_its_parents_memory_is_shown_with_that(image, program, tmp_path):
    boot = image.boot(program=[program("pattern"), "lent"])
    match = boot.expect(r"pattern at 0x([0-9a-f]+), (\d+) bytes; frame at 0x([0-9a-f]+)\s")
    boot.read_for(0.5)
    boot.kill()
    address, length = int(match[1], 16), int(match[2])
    listed = image.tool("programs")
    child = re.search(r"^ *(\d+) +1 +alive +1 +0 +0 \S+ +0 \S+ +pattern$", listed, re.M)
    assert child, listed
    result = subprocess.run([TOOL, "cat", image.path, child[1], hex(address), str(length)], capture_output=True,
                            check=True)
    assert result.stdout == pattern(length)
    image.tool("core", child[1], str(tmp_path / "core"))
    assert Core(tmp_path / "core").memory(address, length) == pattern(length)


BAD_ARGUMENTS = (
    (("cat", "0", "0x10000", "1"), "not the number of a program"),
    (("cat", "x", "0x10000", "1"), "not the number of a program"),
    (("cat", "4095", "0x10000", "1"), "not the number of a program"),
    (("cat", "77", "0x10000", "1"), "there is no program 77"),
    (("cat", "1", "0xbfffffff", "2"), "not an address and a length"),
    (("cat", "1", "-1", "2"), "not an address and a length"),
    (("cat", "1", "12x", "2"), "not an address and a length"),
    (("core", "1"), "usage"),
    (("core", "77", "core"), "there is no program 77"),
    (("core", "1", "no/such/folder"), "no/such/folder"),
    (("programs", "999999"), "generation 999999 is not kept"),
)


def test_bad_arguments_are_named(pattern_image):
    image, *_ = pattern_image
    for (command, *arguments), message in BAD_ARGUMENTS:
        result = eidolon("image", command, image.path, *arguments, status=2)
        assert message in result.stderr


def test_core_file_is_not_overwritten(pattern_image, tmp_path):
    image, *_ = pattern_image
    path = tmp_path / "core"
    path.write_text("precious")
    result = eidolon("image", "core", image.path, "1", str(path), status=2)
    assert "exists" in result.stderr and path.read_text() == "precious"


def test_image_without_a_generation_has_no_programs(tmp_path):
    path = str(tmp_path / "new.img")
    eidolon("image", "create", path, "--size", "8", status=0)
    assert "no generation yet" in eidolon("image", "programs", path, status=2).stderr
