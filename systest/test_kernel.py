# SPDX-License-Identifier: BSD-2-Clause
"""The kernel by itself: its own tests on the emulated machine, its panics, and machines it cannot run on."""

import re

import pytest

from machine import run_kernel, stack_use

ENDED, STOPPED = 33, 35
SCRATCH_MARK = b"eidolon scratch disk: may be overwritten"


def scratch_disk(folder, name):
    """A disk that the kernel's tests may overwrite."""
    path = folder / name
    with open(path, "wb") as file:
        file.write(SCRATCH_MARK)
        file.truncate(64 << 20)
    return str(path)


def disk_devices(folder, kind):
    path = scratch_disk(folder, "scratch.img")
    interface = {"virtio": "virtio-blk-pci,drive=d", "virtio-legacy": "virtio-blk-pci,drive=d,disable-modern=on",
                 "virtio-modern": "virtio-blk-pci,drive=d,disable-legacy=on", "ata": "ide-hd,drive=d,bus=ide.0"}[kind]
    return ["-drive", f"if=none,id=d,format=raw,file={path}", "-device", interface]


@pytest.mark.parametrize("disk, memory", [
    ("virtio", 128), ("virtio-legacy", 128), ("virtio-modern", 128), ("ata", 128), ("virtio", 16), ("virtio", 768)])
def test_kernel_passes_its_own_tests(tmp_path, own_tests, disk, memory):
    wanted = f"selftest={own_tests}" if own_tests else "selftest"
    status, log, serial = run_kernel(str(tmp_path), wanted, *disk_devices(tmp_path, disk), memory=memory)
    assert "FAILED" not in log and "panic" not in log, log
    assert status == ENDED, serial
    passed, failed = map(int, re.search(r"^selftest: (\d+) passed, (\d+) failed$", log, re.MULTILINE).groups())
    assert failed == 0 and passed >= (1 if own_tests else 30)
    assert stack_use(log)["idle"] > 0
    assert "nothing was tested" not in log


@pytest.mark.parametrize("name, what, where", [
    ("panic_stack_overflow", "kernel stack overflowed", "overflow_stack"),
    ("panic_stack_overflow_of_a_thread", "kernel stack overflowed", "overflow_stack"),
    ("panic_page_fault", "the kernel wrote to", "panic_page_fault"),
    ("panic_division", "divi", "panic_division"),
    ("panic_assertion", "expected", "panic_assertion"),
    ("panic_sleep_in_atomic", "a function that may sleep was called in what is atomic", "panic_sleep_in_atomic"),
])
def test_panic_says_what_and_where(tmp_path, name, what, where):
    status, log, serial = run_kernel(str(tmp_path), f"selftest={name}")
    assert status == STOPPED
    for text in (log, serial):
        assert re.search(rf"^panic: \S+: .*{what}", text, re.MULTILINE)
        assert re.search(rf"^  [0-9a-f]{{8}} {where}\+0x[0-9a-f]+$", text, re.MULTILINE), "no symbolised backtrace"


@pytest.mark.parametrize("memory", [2, 8])
def test_too_little_memory_is_refused(tmp_path, memory):
    status, _, serial = run_kernel(str(tmp_path), "interval=100", memory=memory)
    assert status == STOPPED
    assert "not enough memory" in serial and "--memory 16" in serial


@pytest.mark.parametrize("missing, name", [("-sse2", "SSE2"), ("-fxsr", "FXSAVE"), ("-tsc", "TSC|time stamp")])
def test_processor_without_what_is_needed_is_refused(tmp_path, missing, name):
    status, _, serial = run_kernel(str(tmp_path), "selftest", "-cpu", f"qemu32,{missing}")
    assert status == STOPPED
    assert re.search(f"eidolon: this processor lacks .*({name})", serial)


def test_no_disk_is_refused(tmp_path):
    status, _, serial = run_kernel(str(tmp_path), "interval=100")
    assert status == STOPPED
    assert re.search("eidolon: no disk", serial)


def test_read_only_disk_is_refused(tmp_path):
    path = scratch_disk(tmp_path, "disk.img")
    status, _, serial = run_kernel(str(tmp_path), "interval=100", "-drive",
                                   f"if=none,id=d,format=raw,readonly=on,file={path}", "-device", "virtio-blk-pci,drive=d")
    assert status == STOPPED
    assert re.search("eidolon: .*read-only", serial)


WRONG_OPTIONS = [
    ("interval=", "option interval="), ("interval=-1", "interval=-1"), ("interval=soon", "0 to 3600000"),
    ("interval", "option interval:"), ("interval=3600001", "0 to 3600000"), ("interval=" + "9" * 40, "0 to 3600000"),
    ("start=never", "always or new"), ("start", "always or new"),
    ("policy=", "one of: random fifo"), ("policy", "one of: random fifo"), ("policy=SIEVE", "one of: random fifo"),
    ("generation=", "image log"), ("generation", "image log"), ("generation=0", "from 1"), ("generation=5x", "image log"),
    ("generation=" + "9" * 40, "image log"), ("generation=1099511627776", "image log"),
    ("generation=" + "n" * 32, "31 letters"), ("generation=999999", "generation 999999 is not kept"),
    ("generation=nobody", "generation nobody is not kept"),
    ("fresh=no", "without a value"), ("check=1", "without a value"), ("external-sync=", "without a value"),
    ("external-sync interval=0", "interval above 0"), ("fresh generation=3", "give one of them"),
    ("fresh interval=x", "interval=x"), ("fresh polcy=lru", "no option 'polcy'"), ("=", "no option ''"),
    ("policy=lru generatoin=3", "no option 'generatoin'"), ("x" * 64, "more than 63 letters"),
]


def test_wrong_options_of_the_kernel_are_named_and_cost_the_image_nothing(tmp_path, used_image):
    before = used_image.content()
    for words, named in WRONG_OPTIONS:
        status, _, serial = run_kernel(str(tmp_path), words, "-drive", f"if=none,id=d,format=raw,file={used_image.path}",
                                       "-device", "virtio-blk-pci,drive=d")
        assert status == STOPPED, (words, serial)
        assert re.search("^eidolon: .*" + re.escape(named), serial, re.MULTILINE), (words, serial)
        assert serial.count("\n") == 1, (words, serial)
        assert used_image.content() == before, words


def test_last_of_several_options_counts(tmp_path, used_image):
    words = "  interval=5 policy=lru  interval=0 policy=fifo external-sync  "
    status, _, serial = run_kernel(str(tmp_path), words, "-drive", f"if=none,id=d,format=raw,file={used_image.path}",
                                   "-device", "virtio-blk-pci,drive=d")
    assert status == STOPPED and "interval above 0" in serial
