# SPDX-License-Identifier: BSD-2-Clause
"""Machines on disks that the launcher does not offer: with a log of every write, or with injected errors.

A BareBoot is QEMU without ./eidolon around it: its disk is any chain of block drivers, and it starts and dies in a
fraction of the time. Everything else is as in machine.Boot.

    logged_disk(image, log)      every write and flush also goes into `log`, in the format of dm-log-writes
    failing_disk(image, fault)   the requests that the Fault describes fail
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pexpect

from machine import BUILD, ROOT, WAIT_S, Boot

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import boot as loader  # noqa: E402
from launcher import program as launcher_program  # noqa: E402

KERNEL = os.path.join(BUILD, "kernel", "eidolon.elf")
IMAGE_TOOL = os.path.join(BUILD, "tools", "image_tool")

# The host's disk need not follow: what is durable is judged by the log, or not at all.
NO_FLUSH = {"no-flush": True}

TORN_ROOT = re.compile(r"root in block \d: [^;]*")

ERRNO_EIO = 5
ERRNO_ENOSPC = 28


def file_node(path):
    return {"driver": "file", "filename": path, "cache": NO_FLUSH, "aio": "threads"}


def device_arguments(node, kind):
    device = {"virtio": "virtio-blk-pci", "ata": "ide-hd,bus=ide.0,unit=0"}[kind]
    return ["-blockdev", json.dumps({**node, "node-name": "image"}),
            "-device", f"{device},drive=image,werror=report,rerror=report"]


def plain_disk(path, kind="virtio"):
    """QEMU arguments for an image as it is."""
    return device_arguments({"driver": "raw", "file": file_node(path)}, kind)


def logged_disk(path, log, kind="virtio"):
    """QEMU arguments for an image whose writes and flushes are also appended to `log`, which is made empty."""
    with open(log, "wb"):
        pass
    return device_arguments({"driver": "blklogwrites", "file": {"driver": "raw", "file": file_node(path)},
                             "log": file_node(log)}, kind)


class Fault:
    """Requests of one kind that fail.

    - kind: "read", "write" or "flush". first: the number of the first one, from 1. count: how many; None: all from there on.
    - sector: only requests that touch this 512-byte sector; they are not counted then.
    """

    EVENTS = {"read": "read_aio", "write": "write_aio", "flush": "flush_to_disk"}

    def __init__(self, kind, first=1, count=1, sector=None, errno=ERRNO_EIO):
        self.kind = kind
        self.first = first
        self.count = count
        self.sector = sector
        self.errno = errno

    def error(self, **when):
        return {"iotype": self.kind, "errno": self.errno, "immediately": True, **when}

    def rules(self):
        """For blkdebug: a state for each request, and errors in some of the states."""
        if self.sector is not None:
            return {"inject-error": [self.error(event="none", once=False, sector=self.sector)]}
        event = self.EVENTS[self.kind]
        last = self.first + (self.count or 1)
        return {"set-state": [{"event": event, "state": state, "new_state": state + 1} for state in range(1, last)],
                "inject-error": [self.error(event=event, state=state, once=self.count is not None)
                                 for state in range(self.first, last)]}


def failing_disk(path, fault, kind="virtio"):
    """QEMU arguments for an image of which some requests fail."""
    node = {"driver": "blkdebug", "image": file_node(path), **fault.rules()}
    return device_arguments({"driver": "raw", "file": node}, kind)


def create_image(path, size_mib):
    subprocess.run([IMAGE_TOOL, "create", path, "--size", str(size_mib)], check=True, stdout=subprocess.DEVNULL,
                   timeout=WAIT_S)


def copy_sparse(source, target):
    """Copy a file without its holes."""
    subprocess.run(["cp", "--sparse=always", source, target], check=True, timeout=WAIT_S)


def look(path):
    """The image tool's verdict on an image: its newest generation (0: none yet), and what is wrong with it, or "".

    A root that did not arrive whole is what power cuts leave, and the reason why there are two: it is not held against
    an image that is sound apart from that.
    """
    result = subprocess.run([IMAGE_TOOL, "verify", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=WAIT_S, check=False)
    said = result.stdout
    found = re.search(r"^\d+ generations up to (\d+), .*\nsound$", said, re.MULTILINE)
    notes = re.findall(r"^note: (.*)$", said, re.MULTILINE)
    if found is None or result.returncode not in (0, 1) or not all(map(TORN_ROOT.fullmatch, notes)):
        return None, f"verify ended with {result.returncode}: {said}"
    return int(found[1]), ""


class BareBoot(Boot):
    """One run of QEMU on a disk of the test's making.

    - disk: QEMU's arguments for it. words: the kernel's options. program: its path and arguments, or nothing.
      kernel: another one than the one that ships.
    """

    def __init__(self, image, disk, words=(), program=(), memory=128, kernel=KERNEL):
        number = len(image.boots)
        folder = image.folder
        self.pidfile = os.path.join(folder, f"boot{number}.pid")
        self.log_path = os.path.join(folder, f"boot{number}.log")
        line = launcher_program.command_line(program[0], program[1:]) if program else None
        what = loader.Boot(kernel, list(words), program[0] if program else None, line)
        self.links = os.path.join(folder, f"boot{number}")
        os.makedirs(self.links)
        arguments = ["-machine", "pc,accel=tcg", "-m", str(memory), "-nodefaults", "-no-reboot", "-display", "none",
                     "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                     "-chardev", f"file,id=log,path={self.log_path}", "-device", "isa-debugcon,iobase=0xe9,chardev=log",
                     "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-pidfile", self.pidfile,
                     *disk, *loader.direct_arguments(what, self.links)]
        self.command = "qemu-system-i386 " + " ".join(arguments)
        self.started = time.monotonic()
        self.transcript = open(os.path.join(folder, f"boot{number}.txt"), "w+", encoding="latin-1", newline="")
        self.console = pexpect.spawn("qemu-system-i386", arguments, timeout=WAIT_S, encoding="latin-1", echo=False,
                                     dimensions=(25, 200))
        self.console.logfile_read = self.transcript
        self.console.delaybeforesend = None
        self.status = None
        image.boots.append(self)

    def qemu_pid(self):
        return self.console.pid

    def kill(self):
        """Pull the plug."""
        if self.status is None:
            os.kill(self.console.pid, signal.SIGKILL)
            assert self.end() == -signal.SIGKILL

    def close(self):
        super().close()
        shutil.rmtree(self.links, ignore_errors=True)
