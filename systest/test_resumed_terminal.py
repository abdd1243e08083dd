# SPDX-License-Identifier: BSD-2-Clause
"""A terminal after a boot: it looks as it did before, cell for cell, in a terminal emulator (pyte);
programs are told its size.

The machines are switched off with everything durable, so that what is seen last is what comes back; one test pulls the plug.
"""

import os
import subprocess
import time

import pexpect
import pytest

from machine import BUILD, LAUNCHER, WAIT_S, environment

pyte = pytest.importorskip("pyte")

BUSYBOX = os.path.join(BUILD, "i386", "bin", "busybox")
pytestmark = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="no busybox for i386")

SWITCH_OFF = "\x1dq"
PLUG = "\x1dx"
ESC = "\x1b"
SETTLE_S = 0.7  # several snapshots


class Terminal:
    """A terminal emulator with a launcher in it."""

    def __init__(self, path, *words, rows=25, columns=80, options=(), term="xterm"):
        arguments = ["run", "--headless", "--boot", "direct", "--image", path, *options, *(["--", *words] if words else [])]
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.child = pexpect.spawn(LAUNCHER, arguments, dimensions=(rows, columns), env=dict(environment(), TERM=term), echo=False,
                                   timeout=WAIT_S)
        self.child.delaybeforesend = None

    def read(self, seconds=0.1):
        try:
            data = self.child.read_nonblocking(65536, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.raw += data
        self.stream.feed(data)

    def wait_for(self, condition):
        """Until the screen fulfils a condition."""
        limit = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < limit, self.text()
            self.read()

    def wait_for_text(self, text):
        self.wait_for(lambda: text in self.text())

    def settle(self, seconds=SETTLE_S):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read()

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def cells(self):
        """Everything that can be seen: a list of rows, and the cursor."""
        rows = [[tuple(self.screen.buffer[y][x])[:7] for x in range(self.screen.columns)] for y in range(self.screen.lines)]
        cursor = self.screen.cursor
        return rows, (cursor.x, cursor.y, cursor.hidden, tuple(cursor.attrs)[1:7])

    def send(self, text):
        self.child.send(text)

    def end(self, keys=SWITCH_OFF):
        self.send(keys)
        while self.child.isalive():
            self.read()
        self.child.close()
        return self.child.exitstatus

    def close(self):
        self.child.close(force=True)


@pytest.fixture
def terminal(tmp_path):
    """Makes terminals whose machines share an image."""
    made = []

    def make(*words, **options):
        made.append(Terminal(str(tmp_path / "test.img"), *words, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def assert_comes_back(before, after):
    """Wait until one terminal looks as another one did; says where it does not."""
    rows, cursor = before
    try:
        after.wait_for(lambda: after.cells() == before)
    except AssertionError:
        now, now_cursor = after.cells()
        differing = [(y, x, rows[y][x], now[y][x]) for y in range(len(rows)) for x in range(len(rows[0])) if rows[y][x] != now[y][x]]
        raise AssertionError(f"cells (row, column, before, after): {differing[:8]}; cursor {cursor}, {now_cursor}\n{after.text()}") from None


def test_vi_looks_as_it_did_and_goes_on(terminal):
    first = terminal(BUSYBOX, "vi", options=("--size", "64"))
    first.wait_for_text("~")
    first.send("ione line\rand another, half ty")
    first.wait_for_text("half ty")
    first.settle(0.3)
    before = first.cells()
    assert first.end() == 0
    second = terminal()
    assert_comes_back(before, second)
    second.send("ped" + ESC)
    second.wait_for_text("and another, half typed")
    second.send(":q!\r")
    while second.child.isalive():
        second.read()
    assert b"resumed generation" in second.raw or "resumed generation" in second.text()


def test_shell_has_its_half_typed_line_below_one_that_says_what_came_back(terminal):
    first = terminal(BUSYBOX, "sh", options=("--size", "64"))
    first.wait_for(lambda: "#" in first.text() or "$" in first.text())
    first.send("echo some words\r")
    first.wait_for(lambda: first.text().count("some words") == 2)
    first.send("echo half a li")
    first.wait_for_text("half a li")
    first.settle(0.3)
    rows, cursor = first.cells()
    assert first.end() == 0
    second = terminal()
    second.wait_for_text("1 program is back")
    second.settle(0.3)
    now, now_cursor = second.cells()
    at = cursor[1]
    assert now[:at] + now[at + 1:] == rows[:-1] and now_cursor == (cursor[0], at + 1, *cursor[2:])
    assert "eidolon: resumed generation" in second.screen.display[at]
    second.send("ne\r")
    second.wait_for_text("\nhalf a line")


PICTURE = "".join([
    r"\033[2J\033[H\033[31mred \033[1mbold \033[4munder\033[24;22mlined\033[0m \033[7minverse\033[0m \033[97;104mbright\033[m\r\n",
    r"ünïcödé → ☃ ┌─┐│█ 漢字 and more\r\n", r"\033[44m\033[K blue to the end\033[m\r\n", r"a\tb\tc\033[5;70Hright\033[6;80HX",
    r"\033[8;1H\033[3mitalic\033[23m",
    r"\033[10;20r\033[12;5H\033[Lin a region\033[r\033[15;1H\033[33mcolour stays"])


@pytest.mark.parametrize("before_it, after_it", [("", ""), (r"\033[?25l", r"\033[?25h"), (r"main\033[?1049h", r"\033[?1049l")])
def test_cells_of_every_kind_come_back(terminal, before_it, after_it):
    script = f"printf '{before_it}{PICTURE}'; read x; printf ' and goes on{after_it}'; read x"
    first = terminal(BUSYBOX, "sh", "-c", script, options=("--size", "64"), rows=30, columns=100)
    first.wait_for_text("colour stays")
    first.settle()
    before = first.cells()
    is_main = before_it == ""
    first.send(PLUG)
    while first.child.isalive():
        first.read()
    second = terminal(rows=30, columns=100)
    if is_main:
        second.wait_for_text("is back")
        second.settle(0.3)
        now = second.cells()[0]
        at = next(y for y, line in enumerate(second.screen.display) if "is back" in line)
        assert now[:at] + now[at + 1:] == before[0][:-1]
    else:
        assert_comes_back(before, second)
    second.send("\r")
    second.wait_for_text("and goes on")


def test_size_is_that_of_the_terminal_and_programs_hear_of_another_one(terminal):
    script = 'trap "busybox stty size" WINCH; busybox stty size; while :; do sleep 0.1; done'
    first = terminal(BUSYBOX, "sh", "-c", script, options=("--size", "64"), rows=30, columns=100)
    first.wait_for_text("30 100")
    for rows, columns in ((40, 255), (24, 80)):
        first.screen.resize(rows, columns)
        first.child.setwinsize(rows, columns)
        first.wait_for_text(f"{rows} {columns}")
    assert first.end() == 0
    second = terminal(rows=20, columns=60)
    second.wait_for_text("20 60")


def test_terminal_is_given_back_with_the_cursor_below_what_was_shown(terminal):
    first = terminal(options=("--size", "64"))
    first.wait_for_text("\n>")
    assert first.end() == 0
    second = terminal()
    second.wait_for_text("resumed generation")
    second.wait_for_text("\n>")
    second.settle()
    assert second.end() == 0
    last = max(row for row, line in enumerate(second.screen.display) if line.strip())
    assert (second.screen.cursor.x, second.screen.cursor.y) == (0, last + 1), second.text()
    assert "\n>\neidolon: switched off" in second.text()


def test_byte_255_is_typed_once(terminal):
    first = terminal(BUSYBOX, "sh", "-c", "stty -echo; echo ready; cat -v", options=("--size", "64"))
    first.wait_for_text("ready")
    first.child.send(b"a\xffb\xff\xff\r")
    first.wait_for_text("aM-^?bM-^?M-^?")


def test_what_is_no_terminal_is_not_painted(terminal, tmp_path):
    first = terminal(options=("--size", "64"))
    first.wait_for_text("\n>")
    assert first.end() == 0
    dumb = terminal(term="dumb")
    dumb.wait_for_text("resumed generation")
    dumb.settle()
    assert dumb.end() == 0 and ESC.encode() not in dumb.raw
    result = subprocess.run([LAUNCHER, "run", "--headless", "--boot", "direct", "--image", str(tmp_path / "test.img")], input=b"notes\n",
                            capture_output=True, env=dict(environment(), TERM="xterm"), timeout=WAIT_S, check=False)
    assert b"resumed generation" in result.stdout and ESC.encode() not in result.stdout
    third = terminal()  # the screen is the same one whatever the line's end is, and has had those lines all along
    third.wait_for(lambda: third.text().count("eidolon: resumed generation") == 3)
