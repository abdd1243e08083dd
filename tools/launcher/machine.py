# SPDX-License-Identifier: BSD-2-Clause
"""One QEMU process: its command line, its life, and what its end means.

The kernel reports through two devices of the emulator. All it logs goes to a debug console, that is, to a file here.
When it is done it writes `eidolon: exit N` or `panic: ...` there as its last line and then leaves through
isa-debug-exit, which makes QEMU's own exit status STATUS_ENDED or STATUS_STOPPED, or, after the power button, STATUS_SWITCHED. Seven bits fit into that status, which
is why the program's own eight are in the log. Anything else means that the machine was ended from outside.

An image's file is opened with QEMU's file locking, so a second machine on it is refused before anything is written, and
with a cache that turns the guest's flush into fdatasync(). One that a server has (launcher.remote) is opened by QEMU's NBD
client, which turns it into the server's flush.

The launcher holds both ends that people hold of a computer: the console (launcher.console) and the power (launcher.qmp). QEMU
is a session of its own, so that a terminal's signals reach the launcher alone, which knows what to do about them; when the
launcher is killed, QEMU is.
"""

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import threading

from launcher import console, control, holder, overlay, qmp, remote
from launcher.common import Failure, say

EMULATOR = "qemu-system-i386"
STATUS_ENDED = 33
STATUS_STOPPED = 35
STATUS_SWITCHED = 37
SWITCH_OFF_S = 15  # that a kernel may take to make everything durable
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


def disk_arguments(path, kind, connection, folder, write_log=None):
    if remote.is_remote(path):
        file = remote.connected_node(path, connection)
    else:
        file = {"driver": "file", "filename": name_for_qemu(path, folder), "locking": "on", "aio": "threads",
                "cache": {"direct": False, "no-flush": False}}
    blockdev = {"driver": "raw", "cache": {"direct": False, "no-flush": False}, "file": file}
    if not remote.is_remote(path) and (branch := overlay.read(path)) is not None:
        blockdev = {**blockdev, "driver": "qcow2", "backing": overlay.below_node(branch.below, branch.kind)}
    if write_log:
        blockdev = {"driver": "blklogwrites", "file": blockdev,
                    "log": {"driver": "file", "filename": os.path.abspath(write_log), "cache": {"no-flush": True}}}
    blockdev["node-name"] = "image"
    device = {"virtio": "virtio-blk-pci,drive=image", "ata": "ide-hd,drive=image,bus=ide.0,unit=0"}[kind]
    # A write to a file that fails waits for its host (launcher.qmp). What is not a file has bad blocks, which the kernel
    # retires, or is a server that does not come back in this run.
    stops_for = "stop" if os.path.isfile(path) else "enospc"
    return ["-blockdev", json.dumps(blockdev), "-device", f"{device},werror={stops_for},rerror=report"]


def name_for_qemu(path, folder):
    """JSON is Unicode, the bytes of a file's name need not be: such a one is known to QEMU by a link to it."""
    whole = os.path.abspath(path)
    try:
        whole.encode("utf-8")
    except UnicodeEncodeError:
        link = os.path.join(folder, "image")
        os.symlink(whole, link)
        return link
    return whole


def arguments(options, log, boot_arguments, folder, connection=None):
    """The command line of QEMU, without the launcher's own connections. `options`: of the run command. `folder`: temporary.
    `connection`: the descriptor of one to the image's server, if it has one."""
    result = [EMULATOR, "-machine", f"pc,accel={options.accel}", "-cpu", PROCESSORS[options.cpu], "-m", str(options.memory), "-nodefaults", "-vga",
              "std", "-no-reboot", *display_arguments(options.headless),
              "-chardev", f"file,id=log,path={log.replace(',', ',,')}",
              "-device", "isa-debugcon,iobase=0xe9,chardev=log", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
              *disk_arguments(options.image, options.disk, connection, folder, options.write_log), *boot_arguments]
    if options.icount:
        result += ["-icount", "shift=0,sleep=off"]
    if options.pidfile:
        result += ["-pidfile", os.path.abspath(options.pidfile)]
    return result + options.qemu


def socket_arguments(serial, requests, control):
    """The connections that the launcher has to the machine: its two serial lines, and QEMU itself."""
    return ["-chardev", f"socket,id=console,fd={serial}", "-serial", "chardev:console",
            "-chardev", f"socket,id=requests,fd={requests}", "-serial", "chardev:requests",
            "-chardev", f"socket,id=control,fd={control}", "-mon", "chardev=control,mode=control"]


def die_with_parent(parent):
    """In the child: be killed when its parent is, so that no machine is left behind holding the image."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it was killed before


class Machine:
    """A running QEMU. It takes over the connection to the image's server, if there is one.

    - again: makes the command, and such a connection, of the machine that goes on from a generation in its place; None: it
      cannot be rolled back, and why is in `again_trouble`.
    """

    def __init__(self, command, log, image_path, connection=None, again=None, again_trouble=None):
        self.log = log
        self.image_path = image_path
        self.again = again
        self.again_trouble = again_trouble
        self.asked_to_end = None  # the exit status that whoever asked is to get
        self.goes_on_from = None  # the generation, once this QEMU has ended
        self.again_lock = threading.Lock()
        self.has_gone_on = threading.Event()
        self.server = control.Server(self, image_path)
        serial, requests = self.begin(command, connection)
        self.server.read_from(requests)
        self.console = console.Console(serial, log, lambda: self.process.kill(), lambda: self.switch_off(0),
                                       lambda: self.switch_off(128 + signal.SIGPIPE))
    def begin(self, command, connection):
        """Start QEMU. Returns our ends of its serial lines."""
        pairs = [socket.socketpair() for _ in range(3)]
        inherited = [its.fileno() for _, its in pairs]
        (serial, _), (requests, _), (qmp_line, _) = pairs
        self.complaints = []
        me = os.getpid()
        try:
            self.process = subprocess.Popen(command + socket_arguments(*inherited), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
                                            preexec_fn=lambda: die_with_parent(me),
                                            pass_fds=inherited + ([connection] if connection else []))
        except FileNotFoundError:
            raise Failure(f"{EMULATOR} is missing; install it: apt-get install qemu-system-x86") from None
        finally:
            for _, its in pairs:
                its.close()
            if connection:
                os.close(connection)
        self.listener = threading.Thread(target=self.listen, args=(self.process, self.complaints), daemon=True)
        self.listener.start()
        self.control = qmp.Control(qmp_line, self.image_path, self.server.listen)
        return serial, requests

    def go_on(self):
        """Another QEMU in the place of this one, which has ended."""
        generation, self.goes_on_from = self.goes_on_from, None
        self.server.forget_waiting("gone", "the machine was rolled back")
        serial, requests = self.begin(*self.again(generation))
        self.server.read_from(requests)
        self.console.reattach(serial)
        if self.asked_to_end is not None:  # while neither of the two could be told; nothing has happened in this one
            self.process.terminate()
        self.has_gone_on.set()

    @staticmethod
    def listen(process, complaints):
        """Keep what QEMU says on stderr, to be explained once it has ended."""
        for line in process.stderr:
            complaints.append(line.decode(errors="surrogateescape").rstrip())

    def roll_back(self, generation):
        """End this QEMU, and go on from a generation. Returns None, or why not; the new one has begun, or will."""
        if self.again is None:
            return self.again_trouble
        with self.again_lock:
            if self.asked_to_end is not None:
                return "the machine is ending"
            self.has_gone_on.clear()
            self.goes_on_from = generation
            self.process.kill()
            self.has_gone_on.wait()
        return None

    def switch_off(self, status):
        """End with everything durable; a kernel that does not do so in time loses its power.

        A hangup sends more than one signal, so asking again changes nothing."""
        if self.asked_to_end is not None:
            return
        self.asked_to_end = status
        if not self.console.is_ready():  # nobody in there listens, and nothing has happened that could be lost
            self.process.terminate()
            return
        self.control.press_power_button()
        patience = threading.Timer(SWITCH_OFF_S, self.process.terminate)
        patience.daemon = True
        patience.start()

    def wait(self):
        """Wait for the end. Returns the exit status for the launcher; raises Failure for ends that need explaining."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: self.switch_off(128 + number))
        self.console.start()
        status = None
        try:
            status = self.process.wait()
            while self.goes_on_from is not None:
                self.go_on()
                status = self.process.wait()
            self.listener.join(timeout=1)
            # The console may have to wait for whoever reads it, and must not hold a launcher that is to end.
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                if signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, signal.default_int_handler)
            return self.explain(status)
        finally:
            self.has_gone_on.set()
            self.server.finish(self.switched_off_at(status) if status is not None else None)
            self.console.finish()

    def log_lines(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()
        except OSError:
            return []

    def explain(self, status):
        self.console.show_rest()
        lines = self.log_lines()
        if status == STATUS_ENDED:
            found = [match for match in (re.fullmatch(r"eidolon: exit (\d+)", line) for line in lines) if match]
            if found:
                return min(int(found[-1][1]), 255)
        if status == STATUS_SWITCHED:
            return self.explain_switched(lines)
        if status == STATUS_STOPPED:
            self.refused(lines)
        if status == -signal.SIGKILL:
            raise Failure("the machine was killed; run it again, and it goes on from its last snapshot",
                          128 + signal.SIGKILL)
        complaint = "\n".join(self.complaints)
        if "Failed to get" in complaint and "lock" in complaint:
            raise Failure(f"{self.image_path} is in use by {holder.describe(self.image_path)}; end that first, or choose "
                          "another --image")
        if status in (0, -signal.SIGTERM):
            if any(line.startswith("panic:") for line in lines):
                self.refused(lines)
            raise Failure("the machine was switched off; run it again, and it goes on from its last snapshot",
                          self.asked_to_end or STATUS_FAILURE)
        tail = "\n".join(["the kernel's log ends with:", *lines[-LOG_TAIL_LINES:]] if lines else [])
        raise Failure(f"QEMU failed with status {status}", details=f"{complaint}\n{tail}".strip())

    def switched_off_at(self, status):
        """The generation that is durable after the power button; None: the end was another."""
        number = durable_generation(self.log_lines()) if status == STATUS_SWITCHED else "?"
        return int(number) if number.isdigit() else None

    def explain_switched(self, lines):
        generation = durable_generation(lines)
        message = f"switched off: generation {generation} is durable; run it again, and it goes on there"
        if self.asked_to_end:
            raise Failure(message, self.asked_to_end)
        say(message)
        return 0

    def refused(self, lines):
        """The kernel stopped. What it said on the console is not said again there."""
        line, why = stop_reason(lines)
        raise Failure(None if line and self.console.has_shown(line) else f"{self.image_path}: {why}")


def durable_generation(lines):
    """What the kernel said last, when it was switched off."""
    return next((line.split()[4] for line in reversed(lines) if line.startswith("eidolon: switched off, generation")), "?")


def stop_reason(lines):
    """Why the kernel stopped, from its log: the line as it stands there, and what it says."""
    for line in reversed(lines):
        for prefix in ("panic: ", "eidolon: "):
            if line.startswith(prefix):
                return line, line if prefix == "panic: " else line.removeprefix(prefix).removeprefix("image: ")
    return None, "the kernel stopped and did not say why"
