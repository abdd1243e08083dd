# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's control connection (QMP): pressing the power button, and what to do while the host does not take a write.

QEMU stops a machine whose write fails for want of space, for a quota or for another reason, and keeps the write: nothing is
lost, and the kernel in it does not even notice. Here it is said, and the machine goes on, with that write first, once there is
space; for other reasons it tries again and again.
"""

import json
import os
import select
import threading
import time

from launcher.common import say

LOOK_S = 0.5  # between two looks for space
SETTLED_S = 2.0  # a machine that has written again for so long has space


def has_space(path):
    """Whether the file system of a file has any; one that cannot be asked may have."""
    try:
        status = os.statvfs(path)
    except OSError:
        return True
    return (status.f_bfree if os.geteuid() == 0 else status.f_bavail) > 0


class Control:
    """The connection, and a thread that listens."""

    def __init__(self, connection, image_path, on_begin):
        """`on_begin` is called once QEMU has all its devices, the image locked among them."""
        self.connection = connection
        self.on_begin = on_begin
        self.image_path = image_path
        self.rest = b""
        self.is_full = False  # it was said, and not taken back
        self.lacks_space = False  # and why: the file system is full, not something that only trying again tells
        self.stands = False
        self.running_since = 0.0
        self.send("qmp_capabilities")
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def send(self, command):
        try:
            self.connection.sendall(json.dumps({"execute": command}).encode() + b"\n")
        except OSError:
            pass  # QEMU has ended; who waits for that is told

    def press_power_button(self):
        self.send("system_powerdown")

    def listen(self):
        while True:
            readable, _, _ = select.select([self.connection], [], [], LOOK_S if self.is_full else None)
            if readable:
                try:
                    data = self.connection.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                *lines, self.rest = (self.rest + data).split(b"\n")
                for line in filter(None, map(bytes.strip, lines)):
                    self.take(json.loads(line))
            if self.is_full:
                self.look_for_space()

    def take(self, message):
        if "return" in message and self.on_begin:
            self.on_begin()
            self.on_begin = None
        data = message.get("data", {})
        if message.get("event") != "BLOCK_IO_ERROR" or data.get("action") != "stop":
            return
        self.stands = True
        if not self.is_full:
            self.is_full = True
            self.lacks_space = bool(data.get("nospace"))
            say(f"no space left on the disk that {self.image_path} is on: the machine stands still until there is some"
                if self.lacks_space else
                f"{self.image_path}: {data.get('reason', 'an error')}: the machine stands still and tries again")

    def look_for_space(self):
        if self.stands and (not self.lacks_space or has_space(self.image_path)):
            self.stands = False
            self.running_since = time.monotonic()
            self.send("cont")
        elif not self.stands and time.monotonic() - self.running_since >= SETTLED_S:
            self.is_full = False
            say("there is space again: the machine goes on" if self.lacks_space else
                f"{self.image_path}: it can be written to again: the machine goes on")
