# SPDX-License-Identifier: BSD-2-Clause
"""Machines for tests: an image, the boots of it one after the other, and the plug that can be pulled.

An Image is a file and everything that happened on it. Image.boot() runs `./eidolon run --headless` on it, as users do,
on a terminal of its own; the Boot that comes back is talked to with expect() and send(). Every wait has a limit. A
machine is ended by kill() (QEMU is killed, as by a power cut), by end() (waits for its programs to end), or with the
test.
"""

import os
import re
import signal
import subprocess
import time

import pexpect

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("EIDOLON_BUILD", os.path.join(ROOT, "build")))
LAUNCHER = os.path.join(ROOT, "eidolon")

WAIT_S = 30
STORY_BOOTS = 3
LOG_TAIL_LINES = 60

DURABLE = r"Generation \d+ is durable"  # the shell's words
RESUMED = r"eidolon: resumed generation (\d+), (\d+\.\d) s old"


def eidolon(*arguments, status=None, stdin="", timeout=WAIT_S, cwd=None):
    """Run the launcher to its end. Returns the finished process; checks its exit status if one is given."""
    result = subprocess.run([LAUNCHER, *arguments], input=stdin, text=True, capture_output=True, timeout=timeout,
                            check=False, cwd=cwd, env=environment())
    if status is not None:
        assert result.returncode == status, f"exit status {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def environment():
    """Of every launcher in the tests: the build that is under test, no window, and a terminal that nothing is painted on."""
    result = dict(os.environ, EIDOLON_BUILD=BUILD, EIDOLON_IS_BUILT="1", TERM="dumb")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        result.pop(name, None)
    return result


class Boot:
    """One run of a machine, from power on to its end."""

    def __init__(self, folder, number, path, options, words):
        self.pidfile = os.path.join(folder, f"boot{number}.pid")
        self.log_path = os.path.join(folder, f"boot{number}.log")
        arguments = ["run", "--headless", "--image", path, "--pidfile", self.pidfile, "--log", self.log_path, *options]
        if words:
            arguments += ["--", *words]
        self.command = " ".join(arguments)
        self.started = time.monotonic()
        self.transcript = open(os.path.join(folder, f"boot{number}.txt"), "w+", encoding="latin-1", newline="")
        self.console = pexpect.spawn(LAUNCHER, arguments, timeout=WAIT_S, encoding="latin-1", env=environment(),
                                     echo=False, dimensions=(25, 200))
        self.console.logfile_read = self.transcript
        self.console.delaybeforesend = None
        self.status = None

    def expect(self, pattern, timeout=WAIT_S):
        """Wait until the console shows a pattern. Returns the match."""
        try:
            self.console.expect(pattern, timeout=timeout)
        except pexpect.TIMEOUT:
            raise AssertionError(f"the console did not show {pattern!r} within {timeout} s") from None
        except pexpect.EOF:
            raise AssertionError(f"the machine ended and its console had not shown {pattern!r}") from None
        return self.console.match

    def expect_line(self, text, timeout=WAIT_S):
        """Wait for a line of exactly this text."""
        return self.expect(r"(?:^|\n)" + re.escape(text) + r"\r*\n", timeout)

    def send(self, text):
        self.console.send(text)

    def send_line(self, text):
        self.console.send(text + "\r")

    def read_for(self, seconds):
        """Take in whatever is written within that time. Stops early if the machine ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.console.read_nonblocking(65536, timeout=max(0.0, end - time.monotonic()))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                return

    def qemu_pid(self):
        """QEMU's process id, or None if it has not begun yet."""
        try:
            with open(self.pidfile, encoding="ascii") as file:
                return int(file.read().strip())
        except (OSError, ValueError):
            return None

    def kill(self):
        """Pull the plug: QEMU is killed on the spot. Waits for its launcher."""
        limit = time.monotonic() + WAIT_S
        while self.qemu_pid() is None:
            assert time.monotonic() < limit and self.console.isalive(), "QEMU did not start"
            time.sleep(0.005)
        os.kill(self.qemu_pid(), signal.SIGKILL)
        assert self.end() == 128 + signal.SIGKILL

    def end(self, timeout=WAIT_S):
        """Wait for the launcher to end. Returns its exit status."""
        if self.status is None:
            try:
                self.console.expect(pexpect.EOF, timeout=timeout)
            except pexpect.TIMEOUT:
                raise AssertionError(f"the machine did not end within {timeout} s") from None
            self.console.close()
            self.status = self.console.exitstatus if self.console.exitstatus is not None else -self.console.signalstatus
        return self.status

    def is_running(self):
        return self.status is None and self.console.isalive()

    def text(self):
        """Everything the console has shown, with plain line ends."""
        if not self.transcript.closed:
            self.transcript.flush()
        with open(self.transcript.name, encoding="latin-1", newline="") as file:
            return file.read().replace("\r", "")

    def log(self):
        try:
            with open(self.log_path, encoding="latin-1") as file:
                return file.read()
        except OSError:
            return ""

    def close(self):
        if self.status is None:
            pid = self.qemu_pid()
            self.console.close(force=True)
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.transcript.close()


class Image:
    """An image file and the boots of it, in order."""

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name + ".boots")
        os.makedirs(self.folder)
        self.name = name
        self.path = os.path.join(folder, name)
        self.boots = []

    def boot(self, *options, program=()):
        """Run a machine on the image. `options`: of ./eidolon run. `program`: its path and arguments."""
        if not any(option.startswith("--boot") for option in options):
            options = ("--boot", "direct", *options)
        if not os.path.exists(self.path) and "--size" not in options:
            options = ("--size", "256", *options)
        boot = Boot(self.folder, len(self.boots), self.path, options, program)
        self.boots.append(boot)
        return boot

    def boot_with_durable_note(self, text, *options):
        """The shell on a new image, with a note that is durable; its plug is pulled then."""
        boot = self.boot(*options)
        boot.expect("> ")
        boot.send_line(f"note {text}")
        boot.expect("That makes 1")
        boot.send_line("sync")
        boot.expect(DURABLE)
        boot.kill()

    def content(self):
        with open(self.path, "rb") as file:
            return file.read()

    def tool(self, command, *arguments, status=0):
        """Run the image tool on the file; checks its exit status. Returns what it printed."""
        result = eidolon("image", command, self.path, *arguments, timeout=300)
        assert result.returncode == status, f"image {command}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def wait_until_committed(self, boot, command, pattern):
        """Wait until the running machine has committed a state of which an image command prints what matches.

        The image is the machine's; a copy of it, made in passing, is looked at, and a copy that is of no use is made again.
        """
        limit = time.monotonic() + WAIT_S
        copy = self.path + ".copy"
        while True:
            subprocess.run(["cp", "--sparse=always", self.path, copy], check=True, timeout=WAIT_S)
            if re.search(pattern, eidolon("image", command, copy, timeout=300).stdout, re.MULTILINE):
                return
            assert time.monotonic() < limit, f"image {command} never showed {pattern!r}"
            boot.read_for(0.2)

    def story(self):
        """What happened, for people who look at a failed test."""
        parts = []
        for number, boot in list(enumerate(self.boots))[-STORY_BOOTS:]:
            log = "\n".join(boot.log().splitlines()[-LOG_TAIL_LINES:])
            parts.append(f"--- boot {number}: eidolon {boot.command}\n--- console\n{boot.text()}\n--- kernel log\n{log}")
        return "\n".join(parts)

    def close(self):
        for boot in self.boots:
            boot.close()


STACK_USE_MAX = 9216  # include/thread.h


def stack_use(log):
    """How many bytes of its kernel stack each kind of thread has used, from the log of a boot that ended in order.

    None may have used more than the kernel allows. An interrupt may come on top of the deepest place; what one takes is what
    the idle thread's stack shows.
    """
    found = re.search(r"^thread: bytes of kernel stacks used, of (\d+): (.*)$", log, re.MULTILINE)
    assert found, log
    use = {kind: int(used) for kind, used in re.findall(r"([^,]+?) (\d+)(?:, |$)", found[2])}
    assert all(used + use["idle"] <= STACK_USE_MAX < int(found[1]) for used in use.values()), use
    return use


def run_kernel(folder, options, *devices, memory=128, timeout=120):
    """Boot the kernel alone, without the launcher, to its end. Returns QEMU's exit status, the log, the serial output.

    - options: words of its command line. devices: more arguments for QEMU.
    """
    log = os.path.join(folder, "kernel.log")
    result = subprocess.run(
        ["qemu-system-i386", "-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
         "-m", str(memory), "-chardev", f"file,id=log,path={log}", "-device", "isa-debugcon,iobase=0xe9,chardev=log",
         "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", os.path.join(BUILD, "kernel", "eidolon.elf"),
         "-append", options, *devices],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
    with open(log, encoding="latin-1") as file:
        return result.returncode, file.read(), result.stdout.decode("latin-1").replace("\r", "")
