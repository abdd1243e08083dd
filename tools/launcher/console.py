# SPDX-License-Identifier: BSD-2-Clause
"""The serial console on the launcher's stdin and stdout.

At a terminal QEMU reads it itself, in raw mode, so that every key reaches the program; Ctrl-] x pulls the plug. Input
from a pipe or a file is passed on by the launcher, which knows when it ends and then types Ctrl-D, the end of input as
terminals have it. It holds the input back until the kernel has set its serial line up. Other input (/dev/null, nothing)
is no input, and has no end.
"""

import os
import stat
import subprocess
import sys
import termios
import threading
import time

ESCAPE_CHARACTER = "0x1d"
END_OF_INPUT = b"\x04"
LOG_POLL_S = 0.02

# The kernel logs what disk it found after its serial line is up.
READY_MARK = b"disk: "


def is_terminal():
    return sys.stdin is not None and sys.stdin.isatty()


def is_stream():
    """Whether stdin is something that has an end."""
    if sys.stdin is None:
        return False
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def qemu_arguments():
    mux = "on" if is_terminal() else "off"
    arguments = ["-chardev", f"stdio,id=console,signal=off,mux={mux}", "-serial", "chardev:console"]
    if is_terminal():
        arguments += ["-echr", ESCAPE_CHARACTER, "-mon", "chardev=console,mode=readline"]
    return arguments


class Console:
    """stdin on its way to a machine, and the terminal's mode."""

    def __init__(self, log):
        self.log = log
        self.mode = termios.tcgetattr(sys.stdin) if is_terminal() else None
        # What QEMU gets as its stdin: this process's own, or a pipe to feed.
        self.stdin = subprocess.PIPE if is_stream() else None

    def feed(self, process):
        """Begin to pass input on to a QEMU that was started with `self.stdin`."""
        if self.stdin is not None:
            threading.Thread(target=self.pass_on, args=(process,), daemon=True).start()

    def is_ready(self):
        try:
            with open(self.log, "rb") as file:
                return READY_MARK in file.read()
        except OSError:
            return False

    def pass_on(self, process):
        target = process.stdin.fileno()
        while not self.is_ready():
            if process.poll() is not None:
                return
            time.sleep(LOG_POLL_S)
        last = b"\n"
        try:
            while data := os.read(sys.stdin.fileno(), 65536):
                last = data[-1:]
                write_all(target, data)
            # In the middle of a line the first one only sends what there is of it.
            write_all(target, END_OF_INPUT if last == b"\n" else END_OF_INPUT * 2)
        except OSError:
            return

    def restore(self):
        """A QEMU that was killed leaves the terminal raw."""
        if self.mode is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.mode)


def write_all(target, data):
    while data:
        data = data[os.write(target, data):]
