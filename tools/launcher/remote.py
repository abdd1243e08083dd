# SPDX-License-Identifier: BSD-2-Clause
"""Images on another machine: a network block device (NBD), served by qemu-nbd, nbdkit or any other server.

    nbd://HOST[:PORT]/EXPORT                  nbd+unix:///EXPORT?socket=PATH

QEMU is the client; the kernel sees a disk like any other, and a page fault is answered by the other machine. What this
launcher does by itself it does with qemu-img: ask the server what it has, and put a new image on an export that holds
nothing but zeroes.

A lost connection is not taken up again. What was written and not yet flushed when the server went may be lost, and a later
flush that succeeds would say nothing about it. QEMU's client by itself would connect again with the next request, whatever
its reconnect-delay; so the launcher makes the connection, and QEMU is given that and no address. From the loss on every
request fails, the kernel says that it cannot take snapshots, and the next boot goes on from the last durable one. And a
file's lock does not reach here: the server has to
let in one client at a time, as qemu-nbd does unless it is told otherwise. (The store of a machine notices another user at
its next commit, and stops there; by then both have written to free blocks.)
"""

import fcntl
import json
import os
import resource
import socket
import subprocess
import urllib.parse

from launcher import common, image, packages
from launcher.common import IS_BUILT, Failure, UsageFailure, say

SCHEMES = ("nbd", "nbd+unix")
PORT_DEFAULT = 10809
ANSWER_S = 10
DESCRIPTOR_MAX = 900  # of a connection in QEMU: far above those that it opens itself
COPY_S = 600

FORMS = "nbd://HOST[:PORT]/EXPORT or nbd+unix:///EXPORT?socket=PATH"
SERVING = "qemu-nbd --persistent -f raw -x EXPORT FILE serves one"


def is_remote(path):
    return "://" in path


def node(url):
    """The URL as QEMU's nbd driver wants it (blockdev options)."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or PORT_DEFAULT
    except ValueError as error:
        raise UsageFailure(f"--image {url}: {str(error).lower()}; write {FORMS}") from None
    if parts.scheme not in SCHEMES:
        raise UsageFailure(f"--image {url}: {parts.scheme!r} is not known; name a file, {FORMS}")
    export = urllib.parse.unquote(parts.path.lstrip("/"))
    query = urllib.parse.parse_qs(parts.query)
    if parts.scheme == "nbd+unix":
        if list(query) != ["socket"] or parts.netloc:
            raise UsageFailure(f"--image {url}: which socket? Write nbd+unix:///EXPORT?socket=PATH")
        server = {"type": "unix", "path": query["socket"][0]}
    else:
        if not parts.hostname or query:
            raise UsageFailure(f"--image {url}: which machine? Write nbd://HOST[:PORT]/EXPORT")
        server = {"type": "inet", "host": parts.hostname, "port": str(port)}
    return {"driver": "nbd", "server": server, "export": export}


def connect(url):
    """Connect to the server. Returns a file descriptor for QEMU to inherit.

    Its number is one that QEMU does not come to by itself, so that it is nobody else's once it has been closed.
    """
    server = node(url)["server"]
    try:
        if server["type"] == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(server["path"])
        else:
            connection = socket.create_connection((server["host"], int(server["port"])), timeout=ANSWER_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(None)
    except OSError as error:
        raise Failure(f"{url}: nobody serves an image there ({image.reason(error).lower()}); {SERVING}") from None
    with connection:
        limit = min(DESCRIPTOR_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1)
        return fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, limit)


def connected_node(url, descriptor):
    """As node(), over a connection that is there: QEMU's client tries it once more when it is lost, finds it closed, and
    every request fails from then on."""
    return {**node(url), "server": {"type": "fd", "str": str(descriptor)}}


def file_name(url):
    """As an argument of qemu-img."""
    return "json:" + json.dumps({"driver": "raw", "file": node(url)})


def qemu_img(url, *arguments, limit_s=ANSWER_S):
    """Run qemu-img on the export. Returns its output; what goes wrong is about the server."""
    try:
        result = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False, timeout=limit_s,
                                stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Failure("qemu-img is missing; install it: apt-get install qemu-utils") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{url}: the server does not answer; if another machine has its image there, end that one "
                      "first") from None
    if result.returncode != 0:
        raise Failure(f"{url}: {complaint(result.stderr)}")
    return result.stdout


def complaint(text):
    """What qemu-img said about a server, and what to do about it."""
    line = text.strip().splitlines()[0] if text.strip() else "the server cannot be used"
    reason = line.rpartition("': ")[2].removeprefix("qemu-img: ")
    if "export not available" in reason:
        return f"the server has no such export; {SERVING}"
    if "refused" in reason or "No such file" in reason:
        return f"nobody serves an image there ({reason.lower()}); {SERVING}"
    return f"{reason}; {SERVING}"


def size_of(url):
    return json.loads(qemu_img(url, "info", "--output=json", file_name(url)))["virtual-size"]


def is_blank(url):
    """Whether the server says of the whole export that it holds zeroes."""
    return all(extent["zero"] for extent in json.loads(qemu_img(url, "map", "--output=json", file_name(url))))


def create(url, size_mib):
    """Put a new image on a blank export."""
    with common.temporary_folder() as folder:
        path = os.path.join(folder, "new.img")
        image.create(path, size_mib)
        qemu_img(url, "convert", "-n", "-f", "raw", "-O", "raw", "--target-is-zero", "-t", "writeback", path,
                 file_name(url), limit_s=COPY_S)
    say(f"created an image on {url}")


def check(url, size_mib, generation):
    """Before anything is built: the URL, and that there is something to be used behind it. Returns whether it is blank."""
    node(url)
    if not IS_BUILT:
        packages.ensure("remote")
    size = size_of(url)
    if size < image.SIZE_MIB_MIN * image.MIB:
        raise Failure(f"{url}: {size} bytes are too small for an Eidolon image (at least {image.SIZE_MIB_MIN} MiB)")
    if size_mib is not None and size // image.MIB != size_mib:
        raise UsageFailure(f"{url} is {size / image.MIB:.6g} MiB large: the server decides that, leave out --size")
    blank = is_blank(url)
    if blank and generation:
        raise Failure(f"{url} is blank, so it has no generation {generation}")
    return blank


def prepare(url):
    """The export is blank: make an image of all of it."""
    create(url, min(size_of(url) // image.MIB, image.SIZE_MIB_MAX))
