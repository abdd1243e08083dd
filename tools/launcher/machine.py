# SPDX-License-Identifier: BSD-2-Clause
"""One QEMU process: its command line, its life, and what its end means.

The kernel reports through two devices of the emulator. All it logs goes to a debug console, that is, to a file here.
When it is done it writes `eidolon: exit N` or `panic: ...` there as its last line and then leaves through
isa-debug-exit, which makes QEMU's own exit status STATUS_ENDED or STATUS_STOPPED. Seven bits fit into that status, which
is why the program's own eight are in the log. Anything else means that the machine was ended from outside.

An image's file is opened with QEMU's file locking, so a second machine on it is refused before anything is written, and
with a cache that turns the guest's flush into fdatasync(). One that a server has (launcher.remote) is opened by QEMU's NBD
client, which turns it into the server's flush.
"""

import ctypes
import json
import os
import re
import signal
import subprocess
import threading

from launcher import console, remote
from launcher.common import Failure

EMULATOR = "qemu-system-i386"
STATUS_ENDED = 33
STATUS_STOPPED = 35
LOG_TAIL_LINES = 20

# By the name that --cpu gives them. The baseline is what an i386 program finds in v86 as well (docs/web.md).
PROCESSORS = {"qemu32": "qemu32", "baseline": "qemu32,+popcnt,+rdrand", "max": "max"}


def display_arguments(headless):
    if headless:
        return ["-display", "none"]
    known = subprocess.run([EMULATOR, "-display", "help"], capture_output=True, text=True, check=False).stdout.split()
    for kind in ("gtk", "sdl"):
        if kind in known:
            return ["-display", kind]
    raise Failure("QEMU has no window here; install it (apt-get install qemu-system-gui) or use --headless")


def has_display():
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def disk_arguments(path, kind, connection):
    if remote.is_remote(path):
        file = remote.connected_node(path, connection)
    else:
        file = {"driver": "file", "filename": os.path.abspath(path), "locking": "on", "aio": "threads",
                "cache": {"direct": False, "no-flush": False}}
    blockdev = {"driver": "raw", "node-name": "image", "cache": {"direct": False, "no-flush": False}, "file": file}
    device = {"virtio": "virtio-blk-pci,drive=image", "ata": "ide-hd,drive=image,bus=ide.0,unit=0"}[kind]
    return ["-blockdev", json.dumps(blockdev), "-device", device]


def arguments(options, log, boot_arguments, connection=None):
    """The whole command line of QEMU. `options`: of the run command. `connection`: the descriptor of one to the image's
    server, if it has one."""
    result = [EMULATOR, "-machine", f"pc,accel={options.accel}", "-cpu", PROCESSORS[options.cpu], "-m", str(options.memory), "-nodefaults", "-vga",
              "std", "-no-reboot", *display_arguments(options.headless), *console.qemu_arguments(),
              "-chardev", f"file,id=log,path={log.replace(',', ',,')}",
              "-device", "isa-debugcon,iobase=0xe9,chardev=log", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
              *disk_arguments(options.image, options.disk, connection), *boot_arguments]
    if options.icount:
        result += ["-icount", "shift=0,sleep=off"]
    if options.pidfile:
        result += ["-pidfile", os.path.abspath(options.pidfile)]
    return result + options.qemu


def die_with_parent():
    """In the child: be killed when the launcher is, so that no machine is left behind holding the image."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Machine:
    """A running QEMU. It takes over the connection to the image's server, if there is one."""

    def __init__(self, command, log, image_path, connection=None):
        self.log = log
        self.image_path = image_path
        self.complaints = []
        self.console = console.Console(log)
        try:
            self.process = subprocess.Popen(command, stdin=self.console.stdin, stderr=subprocess.PIPE,
                                            preexec_fn=die_with_parent, pass_fds=[connection] if connection else [])
        except FileNotFoundError:
            raise Failure(f"{EMULATOR} is missing; install it: apt-get install qemu-system-x86") from None
        finally:
            if connection:
                os.close(connection)
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        self.console.feed(self.process)

    def listen(self):
        """Keep what QEMU says on stderr, to be explained once it has ended."""
        for line in self.process.stderr:
            self.complaints.append(line.decode(errors="replace").rstrip())

    def stop(self, *_):
        """End QEMU: for the guest, a power cut."""
        self.process.terminate()

    def wait(self):
        """Wait for the end. Returns the exit status for the launcher; raises Failure for ends that need explaining."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self.stop)
        status = self.process.wait()
        self.listener.join(timeout=1)
        self.console.restore()
        return self.explain(status)

    def log_lines(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()
        except OSError:
            return []

    def explain(self, status):
        lines = self.log_lines()
        if status == STATUS_ENDED:
            found = [match for match in (re.fullmatch(r"eidolon: exit (\d+)", line) for line in lines) if match]
            if found:
                return min(int(found[-1][1]), 255)
        if status == STATUS_STOPPED:
            raise Failure(f"{self.image_path}: {stop_reason(lines)}")
        if status == -signal.SIGKILL:
            raise Failure("the machine was killed; run it again, and it goes on from its last snapshot",
                          128 + signal.SIGKILL)
        complaint = "\n".join(self.complaints)
        if "Failed to get" in complaint and "lock" in complaint:
            raise Failure(f"{self.image_path} is in use by another machine; end that one first, or choose another "
                          "--image")
        if status in (0, -signal.SIGTERM):
            if any(line.startswith("panic:") for line in lines):
                raise Failure(f"{self.image_path}: {stop_reason(lines)}")
            raise Failure("the machine was switched off; run it again, and it goes on from its last snapshot")
        tail = "\n".join(["the kernel's log ends with:", *lines[-LOG_TAIL_LINES:]] if lines else [])
        raise Failure(f"QEMU failed with status {status}\n{complaint}\n{tail}".rstrip())


def stop_reason(lines):
    """Why the kernel stopped, from its log."""
    for line in reversed(lines):
        for prefix in ("panic: ", "eidolon: "):
            if line.startswith(prefix):
                return line if prefix == "panic: " else line.removeprefix(prefix).removeprefix("image: ")
    return "the kernel stopped and did not say why"
