#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Photograph Eidolon's screens: tools/screens.py BUILD FOLDER.

Boots a machine as ./eidolon run does, types into its serial line, and lets QEMU write what its screen shows: GRUB's menu, the
shell, its pictures of memory, and the screen after the plug was pulled. docs/screens.md shows what is found in
docs/pictures/.
"""

import json
import os
import re
import socket
import sys
import tempfile
import time

import pexpect

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAUNCHER = os.path.join(ROOT, "eidolon")
WAIT_S = 180
SETTLE_S = 0.5  # between two looks: the screen is behind the serial line
LOOKS_MIN, LOOKS_MAX = 4, 60
KEYS_THAT_STAY = "\x1b[B\x1b[A"  # down and up: GRUB stops counting


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Camera:
    """QEMU's control connection, for pictures of the screen."""

    def __init__(self, path):
        limit = time.monotonic() + WAIT_S
        while not os.path.exists(path):
            if time.monotonic() > limit:
                sys.exit("screens.py: QEMU did not start")
            time.sleep(0.05)
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(path)
        self.lines = self.connection.makefile("r", encoding="utf-8")
        self.lines.readline()  # its greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.connection.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self.lines:
            answer = json.loads(line)
            if "error" in answer:
                sys.exit(f"screens.py: {answer['error']['desc']}")
            if "return" in answer:
                return

    def take(self, path, is_still=True):
        """A picture, once it has come again (a cursor blinks); at once if something moves in it."""
        seen = []
        for _ in range(LOOKS_MAX):
            time.sleep(SETTLE_S)
            self.ask("screendump", filename=path, format="png")
            seen.append(read(path))
            if not is_still or (len(seen) > LOOKS_MIN and seen[-1] in seen[-LOOKS_MIN:-1]):
                return
        sys.exit(f"screens.py: {path}: the screen does not come to rest")


class Session:
    """A machine on an image, at its serial line."""

    def __init__(self, build, work, *options):
        control = os.path.join(work, f"control{time.monotonic_ns()}")
        self.pidfile = os.path.join(work, "pid")
        environment = dict(os.environ, EIDOLON_BUILD=os.path.abspath(build), EIDOLON_IS_BUILT="1")
        words = ["run", "--headless", "--image", os.path.join(work, "eidolon.img"), "--size", "64", "--pidfile", self.pidfile,
                 "--qemu", f"-qmp unix:{control},server=on,wait=off", *options]
        if os.path.exists(os.path.join(work, "eidolon.img")):
            at = words.index("--size")
            del words[at:at + 2]
        self.console = pexpect.spawn(LAUNCHER, words, env=environment, timeout=WAIT_S, encoding="latin-1", echo=False)
        self.camera = Camera(control)

    def say(self, text, answer):
        self.console.send(text + "\r")
        self.console.expect(answer)

    def pull_the_plug(self):
        with open(self.pidfile, encoding="ascii") as file:
            os.kill(int(file.read()), 9)
        self.console.expect(pexpect.EOF)
        self.console.close()


def photograph(build, folder, work):
    def picture(name):
        return os.path.join(folder, name + ".png")

    first = Session(build, work)
    first.console.expect("> ")
    first.say("note buy milk", "That makes 1")
    first.say("note call the dentist", "That makes 2")
    first.say("help", "notes")
    first.camera.take(picture("shell"))
    first.say("memory", "> $")
    first.camera.take(picture("memory"))
    first.say("window", "> $")
    first.camera.take(picture("window"))
    first.say("count 100", "11 12 13")
    first.camera.take(picture("before"), is_still=False)
    first.pull_the_plug()
    second = Session(build, work, "--menu")
    second.console.expect(re.escape("Start afresh"))
    second.console.send(KEYS_THAT_STAY)
    second.camera.take(picture("menu"))
    second.console.send("\r")
    second.console.expect(r"resumed generation \d+")
    second.camera.take(picture("after"), is_still=False)
    second.pull_the_plug()


def main(words):
    if len(words) != 2:
        sys.exit(__doc__)
    os.makedirs(words[1], exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="eidolon-screens-", dir="/tmp") as work:
        photograph(words[0], os.path.abspath(words[1]), work)


if __name__ == "__main__":
    main(sys.argv[1:])
