# SPDX-License-Identifier: BSD-2-Clause
"""Who has an image: the process that holds locks on its file.

The locks belong to open files (F_OFD_SETLK), so the kernel names no owner; but it lists, for each open file of a process,
the locks that it has (proc(5), fdinfo). Processes of other users cannot be looked into.
"""

import os
import shlex

LAUNCHER = os.path.join("tools", "launcher")


def has_lock(process, descriptor, status):
    """Whether a descriptor of a process is this file, with a lock on it."""
    try:
        other = os.stat(f"/proc/{process}/fd/{descriptor}")
        if (other.st_dev, other.st_ino) != (status.st_dev, status.st_ino):
            return False
        with open(f"/proc/{process}/fdinfo/{descriptor}", encoding="ascii", errors="replace") as file:
            return any(line.startswith("lock:") for line in file)
    except OSError:
        return False


def holders(path):
    """The processes that have a lock on a file, as far as they can be seen."""
    status = os.stat(path)
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            descriptors = os.listdir(f"/proc/{process}/fd")
        except OSError:
            continue
        if any(has_lock(process, descriptor, status) for descriptor in descriptors):
            yield int(process)


def words_of(process):
    """A process's command line."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


def parent_of(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def launcher_of(process):
    """The launcher that runs a machine: its process and its command as it was typed; None if another does, or none."""
    parent = parent_of(process)
    words = words_of(parent)
    for index, word in enumerate(words):
        if word.endswith(LAUNCHER):
            return parent, shlex.join(["./eidolon", *words[index + 1:]])
    return None


def describe(path):
    """`process N (COMMAND)`, or that it cannot be seen who it is."""
    try:
        for process in holders(path):
            found = launcher_of(process)
            if found:
                return f"process {found[0]} ({found[1]})"
            return f"process {process} ({os.path.basename((words_of(process) or ['?'])[0])})"
    except OSError:
        pass
    return "a process that you may not see"
