"""The kernel by itself: its own tests on the emulated machine, its panics, and machines it cannot run on."""

import re

import pytest

from machine import run_kernel

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
def test_kernel_passes_its_own_tests(tmp_path, disk, memory):
    status, log, serial = run_kernel(str(tmp_path), "selftest", *disk_devices(tmp_path, disk), memory=memory)
    assert "FAILED" not in log and "panic" not in log, log
    assert status == ENDED, serial
    passed, failed = map(int, re.search(r"^selftest: (\d+) passed, (\d+) failed$", log, re.MULTILINE).groups())
    assert failed == 0 and passed >= 30
    assert "nothing was tested" not in log


@pytest.mark.parametrize("name, what", [
    ("panic_stack_overflow", "stack overflowed"),
    ("panic_page_fault", "the kernel wrote to"),
    ("panic_division", "divi"),
    ("panic_assertion", "expected"),
])
def test_panic_says_what_and_where(tmp_path, name, what):
    status, log, serial = run_kernel(str(tmp_path), f"selftest={name}")
    assert status == STOPPED
    for text in (log, serial):
        assert re.search(rf"^panic: \S+: .*{what}", text, re.MULTILINE)
        assert re.search(rf"^  [0-9a-f]{{8}} {name}\+0x[0-9a-f]+$", text, re.MULTILINE), "no symbolised backtrace"


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
