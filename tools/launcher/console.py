# SPDX-License-Identifier: BSD-2-Clause
"""The serial console on the launcher's stdin and stdout, over a socket to QEMU.

At a terminal, which is in raw mode then, every key reaches the program, but for Ctrl-] and the key after it (KEYS). Input
from a pipe, a file or /dev/null is held back until the kernel has set its serial line up; when it ends Ctrl-D is typed, the end
of input as terminals have it. A closed stdin has ended from the beginning.

A terminal on both sides that can be painted (not a `dumb` one) is shown as it was after a boot, in its present size: the kernel is
told of that on its command line, and of later ones on the serial line (RFC 1073).

Output that nobody can take any more is a reason to end (`| head`: the pipe is broken); without a stdout, or when its
terminal is gone, the machine runs on unseen. A full disk under stdout holds the output, and so the programs that write, back.
"""

import errno
import os
import queue
import re
import select
import signal
import termios
import threading
import time
import tty

from launcher.common import Speech, say

ESCAPE = 0x1D
END_OF_INPUT = b"\x04"
LOG_POLL_S = 0.02
SPACE_POLL_S = 0.5
TAIL_BYTES = 4096  # of the output, kept to see what was said
SEQUENCE_MAX = 16
PENDING_MAX = 65536  # typed and not yet taken by the machine

KEYS = "Ctrl-] x pulls the plug; Ctrl-] q switches off, with everything durable; Ctrl-] Ctrl-] types Ctrl-]"

# The kernel logs what disk it found after its serial line is up.
READY_MARK = b"disk: "

# What a program may have left a terminal in: another screen, a hidden cursor, keys of another kind, colours, a region. Giving up
# the region takes the cursor to the upper left, so it is kept meanwhile.
ALTERNATE = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
RESET = b"\x1b[?25h\x1b[?1l\x1b>\x1b[?2004l\x1b7\x1b[r\x1b8\x1b[m\x1b(B\x0f"


# Telnet's way to say how large a terminal is, among what is typed.
IAC, SB, SE, NAWS = 255, 250, 240, 31


def is_terminal():
    return os.isatty(0)


def window():
    """(columns, rows) of a terminal that can be painted; None: there is none."""
    if not (os.isatty(0) and os.isatty(1)) or os.environ.get("TERM", "dumb") == "dumb":
        return None
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        return None
    return (columns, rows) if columns and rows else None


def window_words():
    """For the kernel's command line."""
    size = window()
    return [f"window={size[0]}x{size[1]}"] if size else []


def window_message(columns, rows):
    sizes = columns.to_bytes(2, "big") + rows.to_bytes(2, "big")
    return bytes([IAC, SB, NAWS]) + sizes.replace(bytes([IAC]), bytes([IAC, IAC])) + bytes([IAC, SE])


class Console:
    """The two directions, each with a thread of its own, and the terminal's mode.

    - connection: a socket whose other end is QEMU's serial line.
    - on_plug, on_switch_off: called for the keys; on_broken: nobody takes the output any more.
    """

    def __init__(self, connection, log, on_plug, on_switch_off, on_broken):
        self.connection = connection
        self.log = log
        self.on_plug = on_plug
        self.on_switch_off = on_switch_off
        self.on_broken = on_broken
        self.mode = None
        self.is_ended = False
        self.tail = bytearray()
        self.is_alternate = False
        self.has_escapes = False
        self.has_left = False
        self.waits_for_space = False
        self.has_lost = False
        self.has_window = window() is not None
        self.other_size = threading.Event()
        self.connections = queue.Queue()  # the next one, when a machine goes on as another; None: there is none
        self.output = threading.Thread(target=self.pass_out, daemon=True)

    def start(self):
        self.set_raw()
        self.output.start()
        threading.Thread(target=self.pass_keys if self.mode else self.pass_stream, daemon=True).start()

        if self.has_window:
            signal.signal(signal.SIGWINCH, lambda *_: self.other_size.set())
            threading.Thread(target=self.tell_sizes, daemon=True).start()

    def tell_sizes(self):
        """A size at a time, once there is a kernel to be told."""
        while not self.is_ready():
            if self.is_ended:
                return
            time.sleep(LOG_POLL_S)
        while self.other_size.wait():
            self.other_size.clear()
            size = window()
            try:
                self.send(window_message(*size) if size else b"")
            except OSError:
                return

    def reattach(self, connection):
        """The machine goes on as another one: what is typed from now on is for that."""
        self.connection = connection
        self.connections.put(connection)

    def show_rest(self):
        """QEMU has ended: show what it has still said."""
        self.is_ended = True
        self.connections.put(None)
        self.output.join()
        self.leave_screen()

    def send(self, data):
        """To the machine, or to the one that follows it. OSError: none does."""
        while data:
            connection = self.connection
            try:
                data = data[connection.send(data):]
            except OSError:
                if self.is_ended:
                    raise
                self.wait_for_other(connection)

    def wait_for_other(self, connection):
        while self.connection is connection and not self.is_ended:
            time.sleep(LOG_POLL_S)

    def finish(self):
        """Give the terminal back."""
        if self.mode is not None:
            self.leave_screen()
            termios.tcsetattr(0, termios.TCSADRAIN, self.mode)
            self.mode = None
        Speech.line_end = "\n"

    def leave_screen(self):
        """What is said from now on is not the machine's: it begins a line, on the screen that stays."""
        if self.mode is None or not os.isatty(1) or self.has_left:
            return
        self.has_left = True
        if self.has_escapes:
            self.write((b"\x1b[?1049l" if self.is_alternate else b"") + RESET)
        if self.tail and not self.tail.endswith(b"\n"):
            self.write(b"\r\n")

    def set_raw(self):
        if not is_terminal():
            return
        self.mode = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSADRAIN)
        raw = termios.tcgetattr(0)
        if os.isatty(1):
            Speech.line_end = "\r\n"
        else:
            raw[1] |= termios.OPOST  # somebody else writes to the terminal what comes out of stdout
            termios.tcsetattr(0, termios.TCSADRAIN, raw)

    # In --------------------------------------------------------------------------------------------------------------

    def is_ready(self):
        try:
            with open(self.log, "rb") as file:
                return READY_MARK in file.read()
        except OSError:
            return False

    def pass_stream(self):
        """Input that has an end."""
        while not self.is_ready():
            if self.is_ended:
                return
            time.sleep(LOG_POLL_S)
        last = b"\n"
        try:
            while data := read_input():
                last = data[-1:]
                self.send(data)
            # In the middle of a line the first one only sends what there is of it.
            self.send(END_OF_INPUT if last == b"\n" else END_OF_INPUT * 2)
        except OSError:
            return

    def pass_keys(self):
        """A terminal's keys. They are looked at whether or not the machine takes those before."""
        pending = bytearray()
        is_escaped = False
        while True:
            connection = self.connection
            readable, writable, _ = select.select([0], [connection] if pending else [], [])
            if writable:
                try:
                    del pending[:connection.send(pending[:4096])]
                except OSError:
                    if self.is_ended:
                        return
                    self.wait_for_other(connection)
            try:
                if readable:
                    data = read_input()
                    if not data:  # the terminal is gone, perhaps without a signal: it need not be the one that controls this process
                        self.on_switch_off()
                        return
                    is_escaped = self.take_keys(data, is_escaped, pending)
            except OSError:
                return

    def take_keys(self, data, is_escaped, pending):
        """Returns whether the last key was Ctrl-]."""
        for byte in data:
            if is_escaped:
                is_escaped = False
                self.obey(byte, pending)
            elif byte == ESCAPE:
                is_escaped = True
            elif byte == IAC and self.has_window:
                pending += bytes([IAC, IAC])
            elif len(pending) < PENDING_MAX:
                pending.append(byte)
        return is_escaped

    def obey(self, byte, pending):
        if byte == ESCAPE:
            pending.append(byte)
        elif byte in b"xXpP":  # as the demonstration has it
            self.on_plug()
        elif byte in b"qQ":
            self.on_switch_off()
        else:
            say(KEYS)

    # Out -------------------------------------------------------------------------------------------------------------

    def pass_out(self):
        connection = self.connection
        while connection:
            self.pass_all(connection)
            connection = self.connections.get()

    def pass_all(self, connection):
        while True:
            try:
                data = connection.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.note_modes(data)
            self.write(data)

    def note_modes(self, data):
        """Chunks are small and many: most have no escape sequence in them."""
        begins = max(0, len(self.tail) - SEQUENCE_MAX)
        self.tail += data
        if b"\x1b" in self.tail[begins:]:
            self.has_escapes = True
            for match in ALTERNATE.finditer(self.tail, begins):
                self.is_alternate = match[1] == b"h"
        if len(self.tail) > 2 * TAIL_BYTES:
            del self.tail[:-TAIL_BYTES]

    def write(self, data):
        while data:
            try:
                data = data[os.write(1, data):]
                self.waits_for_space = False
            except BlockingIOError:
                select.select([], [1], [])
            except BrokenPipeError:
                self.on_broken()
                return
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    return
                if self.is_ended:
                    self.lose()
                    return
                if not self.waits_for_space:
                    self.waits_for_space = True
                    say("no space left where the output goes: it waits until there is some")
                time.sleep(SPACE_POLL_S)

    def lose(self):
        """The machine is off, and nobody waits for space any longer."""
        if not self.has_lost:
            self.has_lost = True
            say("no space left where the output goes: what the machine wrote last is lost")

    def has_shown(self, line):
        """Whether a line of the kernel's was among the last things shown, where the launcher's own words go, too."""
        is_shared = os.path.sameopenfile(1, 2) or (os.isatty(1) and os.isatty(2))
        return is_shared and line.encode() in self.tail


def read_input():
    """Some input; nothing: it has ended."""
    while True:
        try:
            return os.read(0, 65536)
        except BlockingIOError:
            select.select([0], [], [])
        except OSError:
            return b""
