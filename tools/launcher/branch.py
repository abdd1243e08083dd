# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon branch: a second machine from a kept generation of an image, whose own machine may go on meanwhile.

A branch is a file that begins as next to nothing (launcher.overlay): what it has not written itself it reads from the image. That
works because blocks of a kept generation are never written again while it is kept. So the generation is pinned in the
image, under a name of the branch's own, for as long as the branch stands on it; and the blocks that do change, labels and
roots, the branch has for itself (kernel/snap/store_branch.c).

Beside an image with branches there is a list of them, IMAGE.branches: the name that holds the generation, and the file.
"""

import fcntl
import json
import os
import secrets

from launcher import build, ctl, image, moment, overlay, packages, remote
from launcher.common import IS_BUILT, Failure, UsageFailure, reason, say

HOLD = "branch-"  # names that begin so are of branches
LIST = ".branches"
TRIES = 5

DESCRIPTION = """\
Make a branch: a second machine that begins at a kept generation of an image. Nothing is copied, and the image's own machine may go on
running. Boot it with ./eidolon run --image NEW.img; it and the image go on independently. The generation is kept in the image as long
as a branch stands on it."""

EPILOG = """\
examples:
  ./eidolon ctl pin good                        names what the machine is now
  ./eidolon branch good --to other.img          a branch of it
  ./eidolon run --image other.img               which runs beside it
  ./eidolon branch --list                       the branches of eidolon.img
  ./eidolon branch --flatten other.img          it stands on its own from then on (a copy; it must not run)
  ./eidolon branch --prune                      lets go of what branches need whose files were removed"""


def add_options(parser):
    add = parser.add_argument
    add("generation", metavar="GENERATION|NAME", nargs="?", help="a kept one: a number, a name, or a moment, such as 10m-ago or yesterday")
    add("--image", metavar="FILE", default=image.default_path(), help="that it branches off (default: %(default)s)")
    add("--to", metavar="NEW.img", help="the file of the branch, which must not exist")
    add("--list", action="store_true", help="show the branches of the image")
    add("--flatten", metavar="FILE", help="make a branch independent of its image")
    add("--prune", action="store_true", help="let go of the generations of branches that are gone")


# The image, running or not ----------------------------------------------------------------------------------------------


class Parent:
    """The image that is branched off: its machine is asked if it runs, its file changed by the image tool if not."""

    def __init__(self, path):
        if remote.is_remote(path):
            raise UsageFailure(f"--image {path}: a branch needs the image's file; make it on the machine that has it")
        if not os.path.exists(path):
            raise Failure(f"{path}: there is no such image")
        self.path = os.path.realpath(path)
        self.overlay = overlay.read(self.path)
        try:
            self.machine = ctl.Connection(path, ctl.PATIENCE_S)
        except Failure:
            self.machine = None
        if self.machine is None and self.overlay:
            raise Failure(f"{path}: it is a branch itself and does not run; run it, or make it independent (--flatten)")

    def kept(self, which):
        """The number of a kept generation."""
        found = self.machine.kept() if self.machine else image.kept(self.path)
        which = moment.choose(which, found, self.path)
        for number, _, names in found:
            if which == str(number) or which in names:
                return number
        raise Failure(f"{self.path}: {which}: no such generation is kept; ./eidolon image log lists them")

    def pin(self, number, name):
        if self.machine:
            self.machine.ask("pin", name, str(number))
        else:
            self.tool("pin", self.path, str(number), name)

    def unpin(self, name):
        if self.machine:
            self.machine.ask("unpin", name)
        else:
            self.tool("unpin", self.path, name)

    @staticmethod
    def tool(*arguments):
        result = image.run_tool(arguments, capture_output=True, text=True, errors="replace")
        if result.returncode != 0:
            raise Failure(result.stderr.strip().removeprefix("image_tool: "))

    def size(self):
        return self.overlay.size if self.overlay else os.path.getsize(self.path)

    def head(self, hold):
        """The first cluster of the disk, as the branch is to have it. A root may be half written at the moment."""
        for _ in range(TRIES):
            cluster = overlay.read_first_cluster(self.path, self.overlay)
            result = image.run_tool(["branch-head", hold], input=cluster, capture_output=True)
            if result.returncode == 0:
                return result.stdout + cluster[len(result.stdout):]
        raise Failure(result.stderr.decode(errors="replace").strip().removeprefix("image_tool: "))


# The list ---------------------------------------------------------------------------------------------------------------


FIELDS = {"hold": str, "file": str, "generation": int, "name": str}


class List:
    """The branches of an image, in a file beside it that is locked while it is used.

    A change replaces the file by a new one, which is locked before it has the name: whoever has waited for the old one
    looks again. So it is whole at any moment.
    """

    def __init__(self, path):
        self.path = os.path.realpath(path) + LIST
        self.file = self.locked("a+", self.path)
        while not self.is_current():
            self.file.close()
            self.file = self.locked("a+", self.path)
        try:
            self.file.seek(0)
            self.entries = [self.entry(number, line) for number, line in enumerate(self.file, 1) if line.strip()]
        except Failure:
            self.file.close()
            raise

    def locked(self, mode, path):
        try:
            file = open(path, mode, encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise Failure(f"{path}: {reason(error)}; the image's branches are listed there") from None
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def is_current(self):
        """Whether the file that is locked is the one that has the name."""
        try:
            return os.path.samestat(os.fstat(self.file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def entry(self, number, line):
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict) or any(not isinstance(found.get(name), kind) for name, kind in FIELDS.items()):
            raise Failure(f"{self.path}: line {number} names no branch; mend or remove that line, and look with ./eidolon image log "
                          f"which names that begin with {HOLD} are left in the image")
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.entries and os.path.exists(self.path):
            os.unlink(self.path)
        self.file.close()

    def write(self):
        file = self.locked("w", self.path + ".new")
        try:
            for entry in self.entries:
                file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, self.path)
        except OSError as error:
            os.unlink(file.name)
            file.close()
            raise Failure(f"{self.path}: {reason(error)}") from None
        self.file.close()
        self.file = file

    def add(self, entry):
        self.entries.append(entry)
        self.write()

    def remove(self, hold):
        self.entries = [entry for entry in self.entries if entry["hold"] != hold]
        self.write()


def is_there(entry):
    """Whether the branch of an entry still stands on the image."""
    try:
        found = overlay.read(entry["file"])
    except (OSError, Failure):
        return False
    return found is not None and found.hold == entry["hold"]


def of_image(path):
    """The entries of an image's list, without changing anything."""
    if not os.path.exists(os.path.realpath(path) + LIST):
        return []
    with List(path) as known:
        return list(known.entries)


def needing(path):
    """The files of the branches that stand on an image."""
    return [entry["file"] for entry in of_image(path) if is_there(entry)]


def is_needed(path):
    return bool(not remote.is_remote(path) and needing(path))


def refuse_discarding(path):
    """--fresh would take away what branches read."""
    alive = needing(path)
    if alive:
        raise Failure(f"--fresh: {alive[0]} is a branch of {path} and needs it; make it independent first: ./eidolon branch "
                      f"--flatten {alive[0]}")


def refuse_unpin(path, name):
    """Nor may a name go that holds what a branch reads."""
    if name.startswith(HOLD):
        for entry in of_image(path):
            if entry["hold"] == name and is_there(entry):
                raise Failure(f"{name}: {entry['file']} is a branch that needs it; make that independent first: ./eidolon branch "
                              f"--flatten {entry['file']}")


# The commands -----------------------------------------------------------------------------------------------------------


def make(which, path, to):
    """A branch. After a failure, or an end at any moment, the most that is left is a name for --prune to forget."""
    typed, to = to, os.path.abspath(to)
    if os.path.lexists(to):
        raise Failure(f"{typed}: there is a file of that name; choose another or remove it")
    image.check_folder(to)
    parent = Parent(path)
    number = parent.kept(which)
    hold = HOLD + secrets.token_hex(6)
    with List(parent.path) as known:
        known.add({"hold": hold, "file": to, "generation": number, "name": which})
        try:
            parent.pin(number, hold)
        except BaseException:
            known.remove(hold)
            raise
        try:
            overlay.make(to, parent.size(), parent.path, "qcow2" if parent.overlay else "raw", parent.head(hold),
                         {"hold": hold, "generation": number, "name": which})
        except BaseException:
            parent.unpin(hold)
            known.remove(hold)
            raise
    say(f"{typed}: a branch of generation {number}; boot it: ./eidolon run --image {typed}")
    return 0


def show(path):
    print(f"{'generation':>10}  {'of':20}  file")
    for entry in of_image(path):
        gone = "" if is_there(entry) else "  (gone: ./eidolon branch --prune)"
        print(f"{entry['generation']:10}  {entry['name']:20}  {entry['file']}{gone}")
    return 0


def let_go(parent, hold):
    try:
        parent.unpin(hold)
    except Failure as failure:
        if "no such name" not in str(failure):
            raise


def prune(path):
    parent = Parent(path)
    with List(parent.path) as known:
        for entry in [entry for entry in known.entries if not is_there(entry)]:
            let_go(parent, entry["hold"])
            known.remove(entry["hold"])
            say(f"{entry['file']}: gone; generation {entry['generation']} is not kept for it any more")
    return 0


def flatten(path):
    """All that a branch reads goes into a file of its own, which takes its place; then its generation is let go."""
    found = overlay.read(path)
    if found is None:
        raise Failure(f"{path}: no branch; it stands on its own")
    if of_image(path):
        raise Failure(f"{path}: it has branches itself, which need it as it is; make them independent first")
    overlay.chain(path)
    if not IS_BUILT:
        packages.ensure("remote")  # qemu-img
    whole = path + ".flat"
    try:
        overlay.copy(path, whole)
        os.replace(whole, path)
    finally:
        if os.path.exists(whole):
            os.unlink(whole)
    say(f"{path}: stands on its own")
    try:
        return prune(found.below)
    except Failure as failure:
        say(f"{failure}; its generation is kept there until then: ./eidolon branch --prune --image {found.below}")
        return 0


def command(options):
    """./eidolon branch. Returns the exit status."""
    chosen = [bool(options.list), bool(options.flatten), bool(options.prune), bool(options.generation)]
    if sum(chosen) != 1 or bool(options.generation) != bool(options.to):
        raise UsageFailure("usage: ./eidolon branch GENERATION|NAME [--image FILE] --to NEW.img, or --list, --flatten FILE, --prune")
    build.build(["image_tool"])
    if options.list:
        return show(options.image)
    if options.flatten:
        return flatten(options.flatten)
    return prune(options.image) if options.prune else make(options.generation, options.image, options.to)
