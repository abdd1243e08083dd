# SPDX-License-Identifier: BSD-2-Clause
"""Where a running machine is found by its image: the path of its control socket.

Beside the image, with `.ctl` after its name; if that is too long for a socket's address, or nothing can be made there, in
a folder of this user's, under a name that is made of the image's. Links to an image lead to the same place.
"""

import hashlib
import os
import socket
import stat

from launcher import remote

SUFFIX = ".ctl"
DIGITS = 24  # of the name that is made of the image's
ADDRESS_MAX = 107  # bytes of a socket's path (unix(7))


def runtime_folder():
    """The user's own, which nobody else can put anything into."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    own = os.path.join(base, "eidolon") if base else ""
    fits = own and len(os.fsencode(own)) + len("/") + DIGITS + len(SUFFIX) <= ADDRESS_MAX
    return own if fits else f"/tmp/eidolon-{os.getuid()}"


def is_private(folder):
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def whole_name(image):
    return image if remote.is_remote(image) else os.path.realpath(image)


def beside(image):
    """The path beside an image that is a file; None: there is no place for one."""
    path = os.fsencode(whole_name(image) + SUFFIX)
    if remote.is_remote(image) or len(path) > ADDRESS_MAX or os.path.realpath(image).startswith("/dev/"):
        return None
    return path


def apart(image):
    digest = hashlib.sha256(os.fsencode(whole_name(image))).hexdigest()[:DIGITS]
    return os.fsencode(os.path.join(runtime_folder(), digest + SUFFIX))


def paths(image):
    """All there can be, the likeliest first."""
    return [path for path in (beside(image), apart(image)) if path]


def may_take(path):
    """Whether a socket can be put there: nothing is there, or what a machine that was killed has left."""
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def choose(image):
    """Where this machine's socket goes. OSError: nowhere."""
    path = beside(image)
    if path and os.access(os.path.dirname(path), os.W_OK | os.X_OK) and may_take(path):
        return path
    folder = runtime_folder()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if not is_private(folder):
        raise OSError(0, "not this user's own", folder)
    return apart(image)


def connect(image):
    """A connection to the machine that has an image; None: none does, as far as this user can see."""
    for path in paths(image):
        connection = socket.socket(socket.AF_UNIX)
        try:
            if path == apart(image) and not is_private(runtime_folder()):
                raise OSError
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
    return None
