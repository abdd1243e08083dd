# SPDX-License-Identifier: BSD-2-Clause
"""Image files: what `run` needs to know of them from outside, and the `image` command.

What is inside an image is the business of the store: the host's image tool (tools/image_tool) and the kernel read it.
"""

import os
import stat
import subprocess

from launcher import build, common, moment, overlay
from launcher.common import Failure, UsageFailure, reason

MIB = 1 << 20
SIZE_MIB_MIN = 4
SIZE_MIB_MAX = 1 << 20
SIZE_MIB_DEFAULT = 1024
GENERATION_MAX = (1 << 40) - 1
STATUS_NOT_RUN = 2  # of the image tool


def default_path():
    """The image of who names none: in a checkout one in the current folder, installed the user's own."""
    if not common.IS_INSTALLED:
        return "eidolon.img"
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, "eidolon", "eidolon.img")


def make_default_folder(path):
    """Where the user's own image goes, the first time."""
    if common.IS_INSTALLED and path == default_path():
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as error:
            raise Failure(f"{os.path.dirname(path)}: {reason(error)}; choose another place with --image") from None


def tool_path():
    return common.build_path("tools", "image_tool")


def run_tool(arguments, **options):
    return subprocess.run([tool_path(), *arguments], check=False, **options)


def operand(path):
    """A path that no tool takes for an option."""
    return os.path.join(".", path) if path.startswith("-") else path


def create(path, size_mib):
    """Make a new image; the file must not exist."""
    result = run_tool(["create", operand(path), "--size", str(size_mib)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                      text=True, errors="replace")
    if result.returncode != 0:
        raise Failure(result.stderr.strip().removeprefix("image_tool: ") or f"{path}: the image could not be created")


def check(path, size_mib):
    """Refuse a file that cannot be an image, from its outside alone. Returns whether it exists."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path):
            raise Failure(f"{path}: a link to {os.readlink(path)}, which does not exist; remove it or choose another "
                          "--image") from None
        check_folder(path)
        return False
    except OSError as error:
        raise Failure(f"{path}: {reason(error)}; choose another file with --image") from None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISBLK(status.st_mode):
        what = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise Failure(f"{path}: {what}; choose another file with --image")
    # Root may write anything, but a file that nobody may write was protected on purpose.
    if not status.st_mode & 0o222 or not os.access(path, os.R_OK | os.W_OK):
        what = "read-only" if os.access(path, os.R_OK) else "it may not be read"
        raise Failure(f"{path}: {what}, and a machine reads and writes its image; allow it (chmod u+rw) or use a copy")
    if stat.S_ISREG(status.st_mode):
        length = status.st_size
        if overlay.is_overlay(path):
            overlay.chain(path)
            length = overlay.read(path).size
        check_size(path, length, size_mib)
    return True


def check_folder(path):
    """The folder a new image goes into."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise Failure(f"{path}: there is no folder {folder}; make it first (mkdir -p) or choose another --image")
    if not os.access(folder, os.W_OK):
        raise Failure(f"{path}: the folder {folder} is not writable for you; choose another --image")


def check_size(path, length, size_mib):
    if length == 0:
        raise Failure(f"{path}: an empty file, not an Eidolon image; remove it, and a new image will be created")
    if length < SIZE_MIB_MIN * MIB:
        raise Failure(f"{path}: {length} bytes are too small for an Eidolon image (at least {SIZE_MIB_MIN} MiB); if "
                      "nothing in it is needed remove it, and a new image will be created")
    if size_mib is not None and length != size_mib * MIB:
        raise UsageFailure(f"{path} exists and is {length / MIB:.6g} MiB large: --size is for a new image only")


def is_untouched(path):
    """Whether nothing was ever committed to an image."""
    result = run_tool(["log", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
    return result.returncode == 0 and not any(line.split()[:1] and line.split()[0].isdigit() for line in result.stdout.splitlines())


class Generation:
    """A kept generation, as the image tool lists it."""

    def __init__(self, words):
        self.number = int(words[0])
        self.committed = " ".join(words[1:3])
        self.names = " ".join(words[9:])

    def __str__(self):
        return ", ".join(filter(None, (f"Generation {self.number}", self.committed, self.names)))


def kept_generations(path):
    """What an image keeps, newest first; nothing if it cannot be read."""
    result = run_tool(["log", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
    lines = [line.split() for line in result.stdout.splitlines()]
    return [Generation(words) for words in lines if words and words[0].isdigit()]


def kept(path):
    """The same with times, as launcher.moment wants them: (number, nanoseconds, names). The image must be one that can be read."""
    result = run_tool(["kept", operand(path)], capture_output=True, text=True, errors="replace")
    if result.returncode != 0:
        raise Failure(result.stderr.strip().removeprefix("image_tool: "), STATUS_NOT_RUN)
    lines = [line.split(" ", 2) for line in result.stdout.splitlines()]
    return [(int(number), int(ns), names.split(", ")) for number, ns, names in lines]


class Program:
    """A program that lives in an image, as the image tool lists it."""

    STATES = ("alive", "held")

    def __init__(self, words):
        self.number = int(words[0])
        self.is_held = words[2] == "held"
        self.name = words[-1]


def programs(path):
    """Those that are alive in the newest generation; nothing if it cannot be read."""
    result = run_tool(["programs", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
    lines = [line.split() for line in result.stdout.splitlines()]
    return [Program(words) for words in lines if words and words[0].isdigit() and words[2] in Program.STATES]


def command(arguments):
    """./eidolon image ...: the image tool, built when needed. Its exit status is ours."""
    served = [argument for argument in arguments if argument.startswith(("nbd://", "nbd+unix://"))]
    if served:
        raise UsageFailure(f"{served[0]}: the image tool reads files; look at the file on the machine that serves it, or "
                           f"at a copy: qemu-img convert -O raw {served[0]} FILE")
    build.build(["image_tool"])
    arguments = with_numbers(arguments)
    if len(arguments) > 1 and os.path.isfile(arguments[1]) and overlay.is_overlay(arguments[1]):
        return run_on_branch(arguments)
    os.execv(tool_path(), ["eidolon image", *arguments])


# Where the commands take a generation: so many words after the command, and with so many in all.
GENERATIONS = {"diff": ((2, 4), (3, 4)), "pin": ((2, 4),), "programs": ((2, 3),), "ps": ((2, 3),), "gdb": ((2, 4),), "cat": ((5, 6),), "core": ((4, 5),),
               "picture": ((3, 4),)}


def with_numbers(arguments):
    """Moments in place of generations become numbers."""
    places = [place for place, count in GENERATIONS.get(arguments[0] if arguments else "", ())
              if (len(arguments) == count or arguments[0] == "diff" and len(arguments) > count) and moment.is_moment(arguments[place])]
    if not places:
        return arguments
    path = arguments[1]
    if os.path.isfile(path) and overlay.is_overlay(path):
        raise UsageFailure(f"{path}: {arguments[places[0]]}: of a branch that does not run name a generation by its number; "
                           "./eidolon image log lists them")
    found = kept(path)
    return [moment.choose(word, found, path) if at in places else word for at, word in enumerate(arguments)]


LOOKING = ("info", "log", "verify", "diff", "programs", "ps", "when", "gdb", "cat", "core", "picture")


def run_on_branch(arguments):
    """The image tool reads plain files: it is given a whole copy of the branch, which lasts as long as it looks."""
    path = arguments[1]
    if arguments[0] not in LOOKING:
        raise Failure(f"{path}: a branch, which only its machine changes: run it, and use ./eidolon ctl", STATUS_NOT_RUN)
    overlay.chain(path)
    with common.temporary_folder(os.path.dirname(os.path.abspath(path))) as folder:
        whole = os.path.join(folder, os.path.basename(path))
        overlay.copy(path, whole)
        return subprocess.run(["eidolon image", arguments[0], whole, *arguments[2:]], executable=tool_path(), check=False).returncode
