# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon demo: programs that people know side by side, and a key that pulls the plug.

Each pane is a machine of its own with one program on it, run by `./eidolon run` on a terminal of the pane's size; here
those terminals are emulated (pyte) and drawn beside each other. The key pulls the plug of all of them at once, by kill -9 of
QEMU, and again plugs them in. With --play it types by itself, for recordings (tools/record_demo.py).
"""

import fcntl
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import tty

from launcher import build, common, foreign, packages
from launcher.common import ROOT, Failure, build_path, reason, say

DESCRIPTION = """\
Show what Eidolon is: a shell, an editor, interpreters and a game of life side by side, and a key that pulls the plug: Ctrl-] p.
Press it again, and they go on where they were. Nothing is saved anywhere: try it in the middle of a word. Each pane is a
machine of its own; the key pulls the plug of all of them.

Ctrl-] n goes to the next pane, Ctrl-] q ends the demonstration."""

PREFIX = 0x1D
ROWS_MIN, COLUMNS_MIN = 24, 80
FRAME_S = 0.05
BACK_S = 60
MEMORY_MIB = "32"
SIZE_MIB = "64"
HINT = " Ctrl-] p pulls all the plugs   Ctrl-] n next pane   Ctrl-] q ends "
HINT_DARK = " THE PLUG IS OUT: no machine runs, nothing was saved   Ctrl-] p plugs it in again "

# Title, program, which column of the screen.
PROGRAMS = [
    ("sh", [("i386", "bin", "busybox"), "sh"], 0),
    ("lua", [("systest", "lua_repl")], 0),
    ("sqlite", [("systest", "sqlite_repl")], 0),
    ("vi", [("i386", "bin", "busybox"), "vi"], 1),
    ("life", [("user", "life"), "700"], 1),
]

# What --play types before the plug is pulled, and after: title, text.
BEFORE = [
    ("sh", "x=41; echo the answer is $((x + 1))\r"), ("sh", "echo half a comm"),
    ("lua", "t = {}; for i = 1, 9 do t[i] = i * i end\r"), ("lua", "print(table.conc"),
    ("sqlite", "create table note(text);\r"), ("sqlite", "begin; insert into note values('not committed');\r"),
    ("vi", "iThis text is in no file,\rand nobody has saved it.\rThe plug is going to be pul"),
]
AFTER = [
    ("sh", "and, and x is still $x\r"), ("lua", "at(t, ' '))\r"), ("sqlite", "select * from note; commit;\r"),
    ("vi", "led. It was. Here it is."),
]

PROMPTS = {"sh": "#", "lua": ">", "sqlite": ">"}
TYPING_S = 0.04

COLOURS = {"black": 0, "red": 1, "green": 2, "brown": 3, "blue": 4, "magenta": 5, "cyan": 6, "white": 7}


def add_options(parser):
    parser.add_argument("--play", action="store_true", help="type by itself, pull the plug, plug it in, and end")
    parser.add_argument("--folder", metavar="FOLDER", help="keep the images there, or resume those that are there (default: nowhere)")


class Pane:
    """A machine, and the terminal it is on. `row`, `column`: of its title on the real one."""

    def __init__(self, title, words, folder, place):
        import pyte  # only when it is there: it may have been installed a moment ago
        self.title, self.words = title, words
        self.row, self.column, self.rows, self.columns = place
        self.path = os.path.join(folder, f"{title}.img")
        self.make_screen = lambda: pyte.Screen(self.columns, self.rows)
        self.make_stream = pyte.ByteStream
        self.master = self.process = None
        self.clear()

    def clear(self):
        self.screen = self.make_screen()
        self.stream = self.make_stream(self.screen)

    def start(self):
        """Plug it in. The program is brought along once; afterwards it is there."""
        is_new = not os.path.exists(self.path)
        words = [sys.executable, os.path.join(ROOT, "tools", "launcher"), "run", "--headless", "--boot", "direct", "--memory", MEMORY_MIB,
                 "--image", self.path]
        self.clear()
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        environment = dict(os.environ, TERM="xterm", EIDOLON_BUILD=common.BUILD, EIDOLON_IS_BUILT="1")
        self.process = subprocess.Popen(words + (["--size", SIZE_MIB, "--", *self.words] if is_new else []), stdin=slave, stdout=slave,
                                        stderr=slave, env=environment, start_new_session=True)
        os.close(slave)

    def read(self):
        """Take in some output; at its end the machine is off."""
        try:
            data = os.read(self.master, 65536)
        except OSError:
            data = b""
        if data:
            self.stream.feed(data)
        else:
            self.close()

    def type(self, data):
        if self.master is not None:
            os.write(self.master, data)

    def close(self):
        if self.master is not None:
            self.process.wait()
            os.close(self.master)
            self.master = None

    def is_ready(self):
        """Whether the program waits for something to be typed; one without a prompt, whether it has drawn."""
        prompt = PROMPTS.get(self.title)
        if prompt is None:
            return ("generation" if self.title == "life" else "~") in self.text()
        return self.screen.display[self.screen.cursor.y].rstrip().endswith(prompt)

    def text(self):
        return "\n".join(self.screen.display)


def places(programs, rows, columns):
    """Where the panes lie: two columns, the heights shared out."""
    for side in (0, 1):
        mine = [program for program in programs if program[2] == side]
        left = 0 if side == 0 else columns // 2 + 1
        width = columns // 2 if side == 0 else columns - left
        row = 0
        for index, program in enumerate(mine):
            height = (rows - 1 - row) // (len(mine) - index)
            yield program, (row, left, height - 1, width)
            row += height


def available():
    """The programs that could be had."""
    found = []
    for title, words, side in PROGRAMS:
        path = build_path(*words[0])
        if os.path.exists(path):
            found.append((title, [path, *words[1:]], side))
        else:
            say(f"{title} could not be had for i386, and is left out")
    return found


def sgr(cell):
    codes = ["0"]
    codes += ["1"] if cell.bold else []
    codes += ["4"] if cell.underscore else []
    codes += ["7"] if cell.reverse else []
    codes += [str(30 + COLOURS[cell.fg])] if cell.fg in COLOURS else []
    codes += [str(40 + COLOURS[cell.bg])] if cell.bg in COLOURS else []
    return f"\033[{';'.join(codes)}m"


class Demo:
    def __init__(self, panes, rows, columns):
        self.panes, self.rows, self.columns = panes, rows, columns
        self.focus = 0
        self.is_dark = False
        self.is_ending = False
        self.is_prefixed = False
        self.drawn = {}

    # Drawing ---------------------------------------------------------------------------------------------------------

    def line(self, pane, y):
        parts, shown = [], None
        for x in range(pane.columns):
            cell = pane.screen.buffer[y][x]
            now = "\033[0;2m" if self.is_dark else sgr(cell)
            parts += [now, cell.data] if now != shown else [cell.data]
            shown = now
        return "".join(parts)

    def title(self, pane):
        is_front = pane is self.panes[self.focus]
        text = f" {pane.title} {'· no power ' if self.is_dark else ''}"
        return f"\033[0;{'1;7' if is_front else '7;2'}m{text:─<{pane.columns}}"

    def hint(self):
        text = HINT_DARK if self.is_dark else HINT
        return f"\033[0;{'1;41;37' if self.is_dark else '44;37'}m{text[:self.columns]:<{self.columns}}"

    def draw(self):
        out = []
        wanted = {(self.rows - 1, 0): self.hint()}
        for pane in self.panes:
            wanted[pane.row, pane.column] = self.title(pane)
            for y in range(pane.rows):
                wanted[pane.row + 1 + y, pane.column] = self.line(pane, y)
        for (row, column), text in wanted.items():
            if self.drawn.get((row, column)) != text:
                out.append(f"\033[{row + 1};{column + 1}H{text}")
        self.drawn = wanted
        front = self.panes[self.focus]
        cursor = front.screen.cursor
        is_shown = not (cursor.hidden or self.is_dark)
        out.append(f"\033[0m\033[{front.row + 2 + cursor.y};{front.column + 1 + cursor.x}H\033[?25{'h' if is_shown else 'l'}")
        data = "".join(out).encode()
        while data:
            data = data[os.write(1, data):]

    # Power -----------------------------------------------------------------------------------------------------------

    def pull_or_plug(self):
        """All at once: each machine is killed by its own launcher, within a moment."""
        if self.is_dark:
            for pane in self.panes:
                pane.close()
                pane.start()
        else:
            for pane in self.panes:
                pane.type(bytes([PREFIX]) + b"x")
        self.is_dark = not self.is_dark

    def end(self):
        self.is_ending = True
        for pane in self.panes:
            pane.type(bytes([PREFIX]) + b"q")

    # Keys ------------------------------------------------------------------------------------------------------------

    def take_keys(self, data):
        for byte in data:
            if self.is_prefixed:
                self.is_prefixed = False
                self.obey(byte)
            elif byte == PREFIX:
                self.is_prefixed = True
            elif not self.is_dark:
                self.panes[self.focus].type(bytes([byte]))

    def obey(self, byte):
        if byte in b"pPxX":  # x is the key of a machine that has the terminal to itself
            self.pull_or_plug()
        elif byte in b"qQ":
            self.end()
        elif byte in b"nN":
            self.focus = (self.focus + 1) % len(self.panes)

    # Life ------------------------------------------------------------------------------------------------------------

    def turn(self, keyboard):
        """Wait a little for whatever comes, and draw."""
        masters = {pane.master: pane for pane in self.panes if pane.master is not None and not self.is_dark}
        readable, _, _ = select.select([*masters, *keyboard], [], [], FRAME_S)
        for descriptor in readable:
            if descriptor in masters:
                masters[descriptor].read()
            else:
                data = os.read(descriptor, 4096)
                if not data:
                    self.end()
                self.take_keys(data)
        self.draw()

    def run(self):
        while not self.is_ending and any(pane.master is not None for pane in self.panes):
            self.turn([0])

    def pass_time(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn([])

    def wait_for(self, condition, what):
        limit = time.monotonic() + BACK_S
        while not condition():
            if time.monotonic() > limit:
                raise Failure(f"the demonstration: {what}")
            self.turn([])

    def play_words(self, words):
        for title, text in words:
            for index, pane in enumerate(self.panes):
                if pane.title == title:
                    self.focus = index
                    self.play_text(pane, text)

    def play_text(self, pane, text):
        """As people type; who has sent a line waits for the next prompt."""
        for character in text:
            before = pane.text()
            pane.type(character.encode())
            self.pass_time(TYPING_S)
            if character == "\r" and pane.title in PROMPTS:
                self.wait_for(lambda: pane.text() != before and pane.is_ready(), f"{pane.title} did not answer")
        self.pass_time(0.6)

    def play(self):
        self.wait_for(lambda: all(pane.is_ready() for pane in self.panes), "not all programs came up")
        self.pass_time(1)
        self.play_words(BEFORE)
        self.pass_time(1.5)
        self.pull_or_plug()
        self.pass_time(2.5)
        before = {pane.title: pane.text() for pane in self.panes}
        self.pull_or_plug()
        self.wait_for(lambda: all(self.is_back(pane, before[pane.title]) for pane in self.panes), "not all programs came back")
        self.pass_time(1.5)
        self.play_words(AFTER)
        self.pass_time(2)

    @staticmethod
    def is_back(pane, before):
        """Whether the last line of what a pane showed is there again."""
        if pane.title == "life":
            return "generation" in pane.text() and "resumed" not in pane.text()
        last = before.rstrip().splitlines()[-1].rstrip() if pane.title != "vi" else before.splitlines()[0].rstrip()
        return last in pane.text()


def terminal_size():
    """Rows and columns of the terminal; it must be one, and large enough."""
    if not (os.isatty(0) and os.isatty(1)):
        raise Failure("the demonstration needs a terminal: its input and its output are to be one")
    rows, columns = shutil.get_terminal_size()[::-1]
    if rows < ROWS_MIN or columns < COLUMNS_MIN:
        raise Failure(f"the demonstration needs a terminal of {COLUMNS_MIN} columns and {ROWS_MIN} rows at least; this one has "
                      f"{columns} and {rows}")
    return rows, columns


def make_folder(path):
    """Where the images are to be kept."""
    try:
        os.makedirs(path, exist_ok=True)
    except FileExistsError:
        raise Failure(f"{path}: not a folder; name another one with --folder") from None
    except OSError as error:
        raise Failure(f"{path}: {reason(error)}; name another folder with --folder") from None


def show(options, folder):
    rows, columns = terminal_size()
    panes = [Pane(title, words, folder, place) for (title, words, _), place in places(available(), rows, columns)]
    demo = Demo(panes, rows, columns)
    mode = termios.tcgetattr(0)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: demo.end())
    try:
        tty.setraw(0)
        os.write(1, b"\033[?1049h\033[2J")
        for pane in panes:
            pane.start()
        demo.play() if options.play else demo.run()
    finally:
        demo.end()
        for pane in panes:
            if pane.master is not None:
                drain(pane)
        os.write(1, b"\033[0m\033[?25h\033[?1049l")
        termios.tcsetattr(0, termios.TCSADRAIN, mode)
    return 0


def drain(pane):
    """Until the machine is off, with everything durable."""
    while pane.master is not None:
        pane.read()


def command(options):
    """./eidolon demo. Returns the exit status."""
    terminal_size()  # rather now than after minutes of installing and building
    if options.folder:
        make_folder(options.folder)
    if not common.IS_BUILT:
        packages.ensure("demo")
        again = foreign.ensure()
        build.build(["all"], ("build", "run"), again=again)
    if options.folder:
        return show(options, options.folder)
    with common.temporary_folder() as folder:
        return show(options, folder)
