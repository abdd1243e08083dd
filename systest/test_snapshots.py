# SPDX-License-Identifier: BSD-2-Clause
"""What a snapshot promises a program: how long it stops, and that the calls which make things durable do so."""

import errno
import os
import re

import pytest

from crash_machine import BareBoot, create_image, device_arguments, look, plain_disk
from format_reader import Image as Format
from machine import RESUMED, eidolon

STOP_INSTRUCTIONS_MAX = 2000
STOP_DIFFERENCE_MAX = 100
ICOUNT = ("-icount", "shift=0,sleep=off")
MIB_MAX = 1 << 20


@pytest.mark.parametrize("how", ["sync", "fsync", "fdatasync", "msync"])
def test_call_that_makes_durable_does(image, program, how):
    boot = image.boot("--interval", "0", program=[program("durable")])
    boot.expect_line("ready")
    boot.send_line(f"set {how} 4711")
    boot.expect(rf"4711 by {how}: 0\.")
    boot.kill()
    boot = image.boot("--interval", "0")
    boot.expect(RESUMED)
    boot.expect(rf"4711 by {how}: 0\.")  # the cut found it inside the call, which is issued again
    boot.send_line("show")
    boot.expect(r"number 4711\.")


def test_wrong_arguments_of_durability_calls_are_answered_as_on_linux(image, program):
    boot = image.boot("--interval", "0", program=[program("durable")])
    boot.expect_line("ready")
    for how, code in (("unopened", errno.EBADF), ("unaligned", errno.EINVAL), ("unmapped", errno.ENOMEM),
                      ("flags", errno.EINVAL), ("empty", 0)):
        boot.send_line(f"call {how}")
        assert int(boot.expect(rf"{how}: (\d+)\.")[1]) == code, how


def stops(path):
    """Generation and instructions of the stop, of all that are kept."""
    image = Format(path)
    return {kept.generation: image.state(kept).record.stop_ns for kept in image.kept}


def test_stop_takes_the_same_few_instructions_whatever_is_dirty(image, program):
    """One instruction is one nanosecond here, and each record tells how long its stop was."""
    create_image(image.path, 64)
    words = [program("crash_memory")]
    boot = BareBoot(image, [*plain_disk(image.path), *ICOUNT], ["interval=0", "start=new"], words)
    boot.expect(r"ready\s")
    found = {}
    for more in (1, 30, 1000, 6000):
        boot.send_line(f"fill {more}")
        boot.expect(r"filled \d+\.\s", timeout=120)
        boot.send_line("sync")
        generation = int(boot.expect(r"durable (\d+)\.\s", timeout=120)[1])
        found[more] = stops(image.path)[generation]
    boot.kill()
    assert max(found.values()) < STOP_INSTRUCTIONS_MAX, found
    assert max(found.values()) - min(found.values()) < STOP_DIFFERENCE_MAX, found
    assert min(found.values()) > 100, f"this is no number of instructions: {found}"


def slow_disk(path, mib_a_second):
    """QEMU arguments for an image on a disk that takes so much and no more."""
    slow = {"driver": "throttle", "throttle-group": "slow",
            "file": {"driver": "raw", "file": {"driver": "file", "filename": path}}}
    return ["-object", f"throttle-group,id=slow,x-bps-write={mib_a_second << 20}", *device_arguments(slow, "virtio")]


def test_disk_slower_than_the_program_makes_it_wait_and_loses_nothing(image, program):
    """4 MiB a second, and a snapshot every 10 ms of a program that fills more memory than there is."""
    create_image(image.path, 64)
    disk = slow_disk(image.path, 4)
    words = [program("crash_memory")]
    boot = BareBoot(image, disk, ["interval=10", "start=new"], words, memory=24)
    boot.expect(r"ready\s")
    boot.send_line("fill 6000")
    boot.expect(r"filled 6000\.\s", timeout=120)
    boot.send_line("check")
    boot.expect(r"right 6000\.\s", timeout=120)
    boot.send_line("sync")
    boot.expect(r"durable \d+\.\s", timeout=120)
    boot.kill()
    assert look(image.path)[1] == ""
    boot = BareBoot(image, plain_disk(image.path), ["interval=10", "start=new"], words, memory=24)
    boot.expect(RESUMED)
    boot.send_line("check")
    boot.expect(r"right 6000\.\s", timeout=120)


def test_signals_do_not_call_off_what_waits_for_memory(image, program):
    """Programs that wait for the disk wherever they touch memory, the stacks of their handlers too, get signals all the time."""
    create_image(image.path, 512)
    boot = BareBoot(image, slow_disk(image.path, 8), ["interval=10", "start=new"],
                    [program("interrupts"), "3", "14", "2"], memory=24)
    boot.expect(r"(all is well|UNEXPECTED|no stack for the handler)", timeout=120)
    assert "all is well" in boot.text()


def test_largest_image_works_and_a_larger_one_is_refused(image, program):
    eidolon("image", "create", image.path, "--size", str(MIB_MAX), status=0)
    assert os.stat(image.path).st_blocks * 512 < 1 << 20, "the file is not sparse"
    boot = image.boot(program=[program("durable")])
    boot.expect_line("ready")
    boot.send_line("set sync 5")
    boot.expect(r"5 by sync: 0\.")
    boot.kill()
    assert re.search(r"^size +1 TiB$", image.tool("info"), re.MULTILINE)
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("show")
    boot.expect(r"number 5\.")
    boot.kill()
    image.tool("verify")
    message = eidolon("image", "create", image.path + ".larger", "--size", str(MIB_MAX + 1), status=2).stderr
    assert str(MIB_MAX) in message and not os.path.exists(image.path + ".larger")


def test_verify_says_by_its_status_what_it_found(used_image, tmp_path):
    used_image.tool("verify", status=0)
    foreign = tmp_path / "foreign.img"
    foreign.write_bytes(b"precious" * (1 << 20))
    for command in ("info", "log", "verify"):
        assert "not an Eidolon image" in eidolon("image", command, str(foreign), status=1).stderr
        for path in (str(tmp_path / "none.img"), str(tmp_path)):
            assert path in eidolon("image", command, path, status=2).stderr
    with open(used_image.path, "r+b") as file:
        file.seek(3 * 4096 + 100)
        file.write(b"\xff")
    assert "block 3" in used_image.tool("verify", status=1)
