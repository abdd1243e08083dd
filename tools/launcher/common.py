# SPDX-License-Identifier: BSD-2-Clause
"""What every part of the launcher shares: where things are, how it speaks, how it fails.

Messages go to stderr and begin with `eidolon:`; stdout belongs to what a command is asked for, the serial console of
a machine included. A failure is a `Failure`, which carries the exit status: 2 for a wrong command line, 1 otherwise.
Names in messages may hold anything: what a terminal would obey, or cannot show, is shown as \\xNN.
"""

import contextlib
import difflib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IS_BUILT = os.environ.get("EIDOLON_IS_BUILT") == "1"

# Installed, there are no sources around the launcher, only what was built of them, and its caller is found by PATH.
IS_INSTALLED = not os.path.exists(os.path.join(ROOT, "CMakeLists.txt"))

STATUS_FAILURE = 1
STATUS_USAGE = 2

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\udc80-\udcff]")


def may_write(folder):
    """Whether things can be made in a folder that is there, or will have been made."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def build_folder():
    """build/ in the tree, or if nothing may be written there, one of the user's cache that is this tree's.

    Tests and people who keep several builds may point elsewhere (docs/testing.md).
    """
    chosen = os.environ.get("EIDOLON_BUILD")
    if chosen:
        return os.path.abspath(chosen)
    beside = os.path.join(ROOT, "build")
    if may_write(beside):
        return beside
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "eidolon", "build-" + hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12])


BUILD = build_folder()


def is_build_elsewhere():
    """Whether the tree could not be built in, and nobody chose another place."""
    return not os.environ.get("EIDOLON_BUILD") and BUILD != os.path.join(ROOT, "build")


def version():
    """Of the whole tree; the kernel's header has it."""
    with open(os.path.join(ROOT, "include", "version.h"), encoding="utf-8") as file:
        return re.search(r'#define EIDOLON_VERSION "(.+)"', file.read())[1]


@contextlib.contextmanager
def temporary_folder(inside=None):
    """A folder that goes when it has been used, and when this process is killed: a shell waits for its end to remove it."""
    folder = tempfile.mkdtemp(prefix="eidolon-", dir=inside)
    try:
        after = subprocess.Popen(["sh", "-c", 'read -r _; rm -rf -- "$0"', folder], stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield folder
        finally:
            after.stdin.close()
            after.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Failure(Exception):
    """The command cannot go on. The message, one line, names the thing and the remedy; without one, it has been said already.
    `details`: lines of others that belong to it."""

    def __init__(self, message, status=STATUS_FAILURE, details=""):
        super().__init__(message)
        self.status = status
        self.details = details


class UsageFailure(Failure):
    """The command line is wrong."""

    def __init__(self, message):
        super().__init__(message, STATUS_USAGE)


class Speech:
    """How lines end: a terminal in raw mode wants to be told to go back to the left."""

    line_end = "\n"


def escaped(character):
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shown(text):
    """A name, or a line with names in it, as people can be shown it."""
    return CONTROL.sub(lambda match: escaped(match[0]), str(text))


def say(message, details=""):
    """A line for the people at the terminal, and lines of others that belong to it."""
    lines = "".join(shown(line) + Speech.line_end for line in [spoken(f"eidolon: {message}"), *details.splitlines()])
    try:
        os.write(2, lines.encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # nobody is there to be told


def show_progress(text):
    """Replace the progress line of a terminal."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\033[K{shown(text[:width])}", file=sys.stderr, end="", flush=True)


def alike(word, words):
    """` (did you mean X?)` if one of the words is much like this one, otherwise nothing."""
    found = difflib.get_close_matches(word.lower(), list(words), 1, 0.6)
    return f" (did you mean {found[0]}?)" if found else ""


def as_installed(text):
    """What is said to people, with the name that an installed eidolon has."""
    return text.replace("./eidolon", "eidolon")


def spoken(text):
    """What is said to people, with the name that they have called."""
    return as_installed(text) if IS_INSTALLED else text


def build_path(*parts):
    return os.path.join(BUILD, *parts)


def reason(error):
    """The plain words of an OSError, without number and path."""
    return (error.strerror or str(error)).lower()
