# SPDX-License-Identifier: BSD-2-Clause
"""A panic that comes again at every boot: it is said, the program is held, an earlier generation is tried; nothing is lost.

Panics are provoked with the kernel's option `test` (include/provoke.h). The program `trouble` makes, after a line of input
that it has made durable, the call that the kernel panics at.
"""

import os
import re
import struct
import time

import pytest

import format_reader
from crash_machine import BareBoot, Fault, failing_disk
from machine import RESUMED

BLOCK = 4096
STATUS_STOPPED = 35
LABEL, LABEL_COPY, NOTE_OFFSET, NOTE_BYTES = 0, 3, 512, 1024
PANICS = ("--kernel-options", "test=panic-call-999")
HELD = r"eidolon: program (\d+) \((\w+)\) is held"
HAS_PANICKED = r"eidolon: the kernel has panicked( again, (\d+) times now)?, at generation (\d+), with (no program|program \d+ \(\w+\)) "


def read_block(image, number):
    with open(image.path, "rb") as file:
        file.seek(number * BLOCK)
        return file.read(BLOCK)


def write_at(image, offset, content):
    with open(image.path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def note_magic(image):
    return read_block(image, LABEL_COPY)[NOTE_OFFSET:][:8]


def panicked(boot, noted=True):
    """Wait for the panic and the end of the machine. The note has been left, or has not."""
    boot.expect("panic: ")
    if noted:
        boot.expect("A note of it was left in the image for the next boot")
    assert boot.end() == 1


@pytest.fixture
def troubled(image, program):
    """An image with two programs, of which one has made the kernel panic once: 1 ticks, 2 is in trouble."""
    boot = image.boot("--size", "16", program=[program("trouble"), "tick"])
    boot.expect("tick 3")
    boot.kill()
    boot = image.boot(*PANICS, program=[program("trouble")])
    boot.expect("trouble is ready")
    boot.send_line("go")
    panicked(boot)
    return image


def test_panic_once_is_said_and_everything_goes_on(troubled):
    before = troubled.tool("info")
    assert re.search(r"^last panic .*program 2 \(trouble\)", before, re.MULTILINE), before
    note = format_reader.Image(troubled.path).note
    assert (note.settled, note.panics, note.boots, note.program, note.parent, note.name) == (False, 1, 0, 2, 0, "trouble")
    assert note.text == "trap: asked to panic when trouble makes system call 999"
    assert note.generation >= note.resumed > 0 and 0 < note.boot_ns < 1000 * 10**9 and abs(note.time / 1e9 - time.time()) < 86400
    boot = troubled.boot()
    said = boot.expect(HAS_PANICKED)
    assert said[1] is None and said[4] == "program 2 (trouble)"
    boot.expect(RESUMED)
    boot.expect("trouble went on: line 1, remembered 42, result -1")
    boot.expect("tick ")
    boot.send_line("more")
    boot.expect("trouble went on: line 2, remembered 43")
    boot.kill()
    boot = troubled.boot()
    boot.expect(RESUMED)
    assert "panicked" not in boot.text()
    boot.kill()
    troubled.tool("verify")


@pytest.mark.parametrize("disk", ["virtio", "ata"])
def test_panic_at_every_boot_holds_the_program_and_the_others_go_on(troubled, disk):
    options = ("--disk", disk, *PANICS)
    panicked(troubled.boot(*options))
    boot = troubled.boot(*options)
    said = boot.expect(HAS_PANICKED)
    assert said[2] == "2" and said[4] == "program 2 (trouble)"
    held = boot.expect(HELD)
    assert held[1] == "2" and held[2] == "trouble"
    boot.expect("tick ")
    troubled.wait_until_committed(boot, "programs", "^ +2 .* held ")
    boot.kill()
    listed = troubled.tool("programs")
    assert re.search(r"^ +2 .* held .* trouble$", listed, re.MULTILINE), listed
    assert re.search(r"^ +1 .* alive .* trouble$", listed, re.MULTILINE), listed
    # It lasts, whatever the kernel; nothing but letting go ends it.
    boot = troubled.boot()
    boot.expect(HELD)
    boot.expect("tick ")
    boot.kill()
    # The kernel is mended: it goes on where it was.
    boot = troubled.boot("--release", "2")
    boot.expect(r"eidolon: program 2 \(trouble\) is let go")
    boot.expect("trouble went on: line 1, remembered 42, result -1")
    troubled.wait_until_committed(boot, "programs", "^ +2 .* alive ")
    boot.kill()
    assert re.search(r"^ +2 .* alive .* trouble$", troubled.tool("programs"), re.MULTILINE)
    troubled.tool("verify")


def test_held_program_can_be_looked_at_and_ended(troubled):
    boot = troubled.boot("--hold", "2", *PANICS)
    boot.expect(HELD)
    troubled.wait_until_committed(boot, "programs", "^ +2 .* held ")
    boot.kill()
    core = os.path.join(troubled.folder, "core")
    troubled.tool("core", "2", core)
    with open(core, "rb") as file:
        assert file.read(4) == b"\x7fELF"
    boot = troubled.boot("--end", "2", *PANICS)
    boot.expect(r"eidolon: program 2 \(trouble\) is ended")
    troubled.wait_until_committed(boot, "programs", r"\A(?![\s\S]*^ +2 )[\s\S]*^ +1 .* alive ")
    boot.kill()


def test_programs_are_held_by_name_and_with_all_held_the_shell_is_there_to_let_one_go(troubled):
    boot = troubled.boot("--hold", "trouble")
    boot.expect(HELD)
    boot.expect("> ")
    boot.send_line("release 2")
    boot.expect("trouble went on: line 1, remembered 42")
    troubled.wait_until_committed(boot, "programs", "^ +2 .* alive ")
    boot.kill()
    listed = troubled.tool("programs")
    assert re.search(r"^ +1 .* held ", listed, re.MULTILINE), listed
    assert re.search(r"^ +2 .* alive ", listed, re.MULTILINE), listed


def test_choice_of_a_program_that_is_not_there_is_refused_and_costs_nothing(troubled):
    before = troubled.content()
    for option in ("--hold", "--end", "--release"):
        boot = troubled.boot(option, "nobody")
        boot.expect("no program nobody is alive in it; it was left as it is; ./eidolon image programs lists them")
        assert boot.end() == 1
        assert troubled.content() == before


def test_child_that_no_generation_has_is_held_through_its_parent(image, program):
    boot = image.boot("--size", "16", "--interval", "0", *PANICS, program=[program("trouble"), "fork"])
    boot.expect("trouble is ready")
    boot.send_line("go")
    panicked(boot)
    panicked(image.boot("--interval", "0", *PANICS))
    boot = image.boot("--interval", "0", *PANICS)
    assert boot.expect(HELD)[1] == "1"
    boot.kill()


def test_panic_without_a_program_goes_to_the_generation_before(image, program):
    boot = image.boot("--size", "16", program=[program("trouble"), "tick"])
    boot.expect("tick 9")
    boot.kill()
    resumed = []
    for _ in range(2):
        boot = image.boot("--kernel-options", "test=panic-commit-1")
        resumed.append(int(boot.expect(RESUMED)[1]))
        panicked(boot)
    assert resumed[0] == resumed[1]
    boot = image.boot("--kernel-options", "test=panic-commit-1")
    assert boot.expect(HAS_PANICKED)[4] == "no program"
    boot.expect(rf"generation {resumed[0]} makes the kernel panic again and again; generation (\d+) goes on, \d+\.\d s before")
    earlier = int(boot.expect(RESUMED)[1])
    assert earlier < resumed[0]
    panicked(boot)
    boot = image.boot()
    assert int(boot.expect(RESUMED)[1]) < earlier
    boot.expect("tick ")
    boot.read_for(0.5)
    boot.kill()
    image.tool("verify")


def test_choice_of_a_generation_is_not_overruled(troubled):
    panicked(troubled.boot(*PANICS))
    newest = re.findall(r"^ +(\d+)  \d{4}-", troubled.tool("log"), re.MULTILINE)[0]
    boot = troubled.boot("--generation", newest)
    assert boot.expect(RESUMED)[1] == newest
    boot.expect("trouble went on")
    assert "is held" not in boot.text()
    boot.kill()


def test_panic_that_comes_after_progress_is_a_first_one(troubled):
    boot = troubled.boot("--kernel-options", "test=panic-call-999 test=settle-1", "--hold", "2")
    boot.expect(HELD)
    boot.expect("tick ")
    boot.read_for(2.5)
    boot.kill()
    panicked(troubled.boot("--release", "2", *PANICS))
    boot = troubled.boot(*PANICS)
    assert boot.expect(HAS_PANICKED)[1] is None
    panicked(boot)


def test_panic_within_the_panic_leaves_no_note_and_harms_nothing(image, program):
    boot = image.boot("--size", "16", *PANICS, program=[program("trouble")])
    boot.expect("trouble is ready")
    boot.read_for(0.5)
    boot.kill()
    before = read_block(image, LABEL_COPY)
    boot = image.boot("--kernel-options", "test=panic-call-999 test=panic-twice")
    boot.expect(RESUMED)
    boot.send_line("go")
    boot.expect("A panic within the panic ended it")
    assert boot.end() == 1
    assert read_block(image, LABEL_COPY) == before
    boot = image.boot()
    boot.expect("trouble went on: line 1, remembered 42")
    boot.kill()


@pytest.mark.parametrize("when", ["start", "resume"])
def test_panic_before_the_image_is_in_use_writes_nothing(troubled, when):
    before = troubled.content()
    boot = troubled.boot("--kernel-options", f"test=panic-{when}")
    panicked(boot, noted=False)
    assert "note of it" not in boot.text()
    assert troubled.content() == before


def test_torn_note_is_none_and_is_made_whole(troubled):
    """Each sector of the block as it was before the panic, the others as the panic wrote them."""
    after = read_block(troubled, LABEL_COPY)
    for sector in range(8):
        torn = bytearray(after)
        torn[sector * 512:][:512] = bytes(512)
        torn[sector * 512:sector * 512 + 512] = bytes(512) if sector else b"\xff" * 512
        write_at(troubled, LABEL_COPY * BLOCK, torn)
        info = troubled.tool("info")
        assert ("last panic" in info) == (sector not in (1, 2)), sector
    write_at(troubled, LABEL_COPY * BLOCK + NOTE_OFFSET + 100, b"\xff")
    boot = troubled.boot()
    boot.expect(RESUMED)
    assert "panicked" not in boot.text()
    boot.kill()
    label = read_block(troubled, LABEL)
    copy = read_block(troubled, LABEL_COPY)
    assert copy[:-8] == label[:-8]


def test_note_of_another_image_is_none(troubled, new_image, program):
    other = new_image("other.img")
    boot = other.boot("--size", "16", program=[program("trouble"), "tick"])
    boot.expect("tick 3")
    boot.kill()
    note = read_block(troubled, LABEL_COPY)[NOTE_OFFSET:][:NOTE_BYTES]
    write_at(other, LABEL_COPY * BLOCK + NOTE_OFFSET, note)
    boot = other.boot()
    boot.expect(RESUMED)
    boot.expect("tick ")
    assert "panicked" not in boot.text()
    boot.kill()
    assert note_magic(other) == bytes(8)


def test_panic_leaves_the_only_label_alone(troubled):
    """With the first label damaged the second is the only one: no note is worth the risk."""
    write_at(troubled, LABEL * BLOCK + 100, b"\xff")
    before = read_block(troubled, LABEL_COPY)
    boot = troubled.boot(*PANICS)
    panicked(boot, noted=False)
    assert read_block(troubled, LABEL_COPY) == before


@pytest.mark.parametrize("disk", ["virtio", "ata"])
@pytest.mark.parametrize("kind", ["write", "flush"])
def test_panic_of_a_disk_that_fails_ends_without_a_note(troubled, kind, disk):
    """The root of the boot and the note's new count are written; from then on nothing is."""
    boot = BareBoot(troubled, failing_disk(troubled.path, Fault(kind, 4, None), disk), ["test=panic-call-999", "start=new"])
    boot.expect("panic: ")
    boot.expect("No note of it could be left in the image: ")
    assert boot.end() == STATUS_STOPPED
    boot = troubled.boot("--release", "trouble")  # the note may be there all the same
    boot.expect("trouble went on: line 1, remembered 42")
    boot.kill()


def test_power_cut_at_any_time_of_a_panic_and_after_leaves_an_image_that_goes_on(troubled, chance):
    for _ in range(6):
        boot = troubled.boot(*PANICS)
        boot.read_for(chance.random() * 1.2)
        while boot.is_running() and boot.qemu_pid() is None:
            boot.read_for(0.02)
        if boot.is_running():  # once its program is held the machine stays
            try:
                os.kill(boot.qemu_pid(), 9)
            except ProcessLookupError:
                pass
        boot.end()
        troubled.tool("verify")
    boot = troubled.boot("--release", "trouble")
    boot.expect("trouble went on: line 1, remembered 42")
    boot.kill()


# An end that the power cuts ----------------------------------------------------------------------------------------


def cut_between_end_and_power_off(image, *words):
    boot = image.boot("--size", "16", "--kernel-options", "test=stall-end", program=words)
    boot.read_for(0.1)
    limit = time.monotonic() + 30
    while "standing still" not in boot.log():
        assert time.monotonic() < limit, boot.log()
        boot.read_for(0.1)
    boot.kill()


def test_exit_status_survives_a_cut_before_the_power_off(image, program):
    cut_between_end_and_power_off(image, program("trouble"), "3")
    boot = image.boot()
    boot.expect("eidolon: the last program, trouble, had ended with status 3 when the power was cut")
    assert boot.end() == 3
    # Told once; the next boot begins with the shell, as after any end.
    boot = image.boot()
    boot.expect("> ")
    assert "had ended" not in boot.text()
    boot.kill()


def test_exit_status_is_said_and_a_program_that_was_asked_for_is_started(image, program):
    cut_between_end_and_power_off(image, program("trouble"), "3")
    boot = image.boot(program=[program("trouble"), "5"])
    boot.expect("trouble, had ended with status 3 when the power was cut")
    assert boot.end() == 5
