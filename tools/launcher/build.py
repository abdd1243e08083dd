# SPDX-License-Identifier: BSD-2-Clause
"""Configure and build with the CMake presets.

The default preset builds into build/. Ninja decides what is out of date; when nothing is, nothing is said. At a
terminal its progress shows, elsewhere only failures and warnings do. One build at a time: a lock keeps two commands
that start together from building into one folder.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys

from launcher import common, packages
from launcher.common import Failure, ROOT, reason, say, show_progress


@contextlib.contextmanager
def lock(folder):
    """Hold a build folder for this process."""
    try:
        os.makedirs(folder, exist_ok=True)
        file = open(os.path.join(folder, ".lock"), "w", encoding="ascii")
    except OSError as error:
        raise Failure(f"{folder}: {reason(error)}; name a folder to build in that you may write to: EIDOLON_BUILD=FOLDER "
                      "./eidolon ...") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cache_value(folder, name):
    """A variable of a folder's CMake cache, or None."""
    try:
        with open(os.path.join(folder, "CMakeCache.txt"), encoding="utf-8") as file:
            for line in file:
                key, _, value = line.rstrip("\n").partition("=")
                if key.partition(":")[0] == name:
                    return value
    except OSError:
        pass
    return None


def configure(folder, preset, again):
    """Configure if that has not been done, if asked to again, or if the presets or the tree's place changed since."""
    home = cache_value(folder, "CMAKE_HOME_DIRECTORY")
    if home is not None and os.path.realpath(home) != os.path.realpath(ROOT):
        say(f"{folder} was configured for {home}: starting anew")
        remove_contents(folder)
        home = None
    if home is not None and not again and is_configured(folder):
        return
    if home is None and folder == common.BUILD and common.is_build_elsewhere():
        say(f"nothing may be written to {ROOT}: building in {folder}")
    result = subprocess.run(["cmake", "--preset", preset, "-B", folder], cwd=ROOT, text=True, check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise Failure(f"cmake --preset {preset} failed", details=result.stdout)
    if "CMake Warning" in result.stdout:
        print(result.stdout, file=sys.stderr, end="")


def is_configured(folder):
    """Whether a build folder is complete and no older than the presets it was made from."""
    try:
        made = os.stat(os.path.join(folder, "build.ninja")).st_mtime
        return made >= os.stat(os.path.join(ROOT, "CMakePresets.json")).st_mtime
    except OSError:
        return False


def remove_contents(folder):
    """Empty a build folder, apart from the lock that is held."""
    for entry in os.scandir(folder):
        if entry.name == ".lock":
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


PROGRESS = re.compile(r"\[(\d+)/(\d+)\] (.*)")


def ninja(folder, targets):
    """Bring targets up to date. Progress takes one line at a terminal, none elsewhere; compilers are always heard."""
    process = subprocess.Popen(["ninja", "-C", folder, *targets], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    is_terminal = sys.stderr.isatty()
    for line in process.stdout:
        progress = PROGRESS.match(line)
        if progress and is_terminal and progress[3] != "Re-checking globbed directories...":
            show_progress(progress[0])
        elif not progress and not line.startswith(("ninja: ", "-- ")):
            show_progress("")
            print(line, file=sys.stderr, end="", flush=True)
    show_progress("")
    if process.wait() != 0:
        raise Failure("the build failed; the messages above say where")


def build(targets, groups=("build",), preset="default", folder=None, again=False):
    """Install what building needs, configure and build.

    - targets: names of CMake targets; ["all"] for everything.
    - groups: packages needed, as named in packages.GROUPS.
    - again: configure even if that was done before: other packages may have come since.
    """
    if common.IS_BUILT:
        return
    folder = folder or common.BUILD
    again = packages.ensure(*groups) or again
    with lock(folder):
        configure(folder, preset, again)
        ninja(folder, targets)


def clean():
    """Remove the build folder."""
    if not os.path.isdir(common.BUILD):
        return
    if cache_value(common.BUILD, "CMAKE_HOME_DIRECTORY") is None and os.listdir(common.BUILD):
        raise Failure(f"{common.BUILD} does not look like a build folder of Eidolon: remove it by hand")
    shutil.rmtree(common.BUILD)
    say(f"removed {common.BUILD}")
