# SPDX-License-Identifier: BSD-2-Clause
"""The file of a branch: a qcow2 overlay over the image it branches off.

It holds what the branch has written, its own first cluster from the beginning, and the name of the image below, which
may be running: QEMU opens that to read, without locks, and looks only where the branch has nothing of its own. The layout
of a new one (qemu's docs/interop/qcow2.txt) is fixed, so that the first cluster stays where it is:

    cluster 0    header, its extensions, the name of the image below
    1, 2         reference counts: the table, a block of it
    3 ...        the table of tables (L1), then the first table (L2), then the first cluster of the disk

An extension of the header, which others ignore, says what the branch is of.
"""

import json
import os
import struct
import subprocess

from launcher.common import Failure, reason

MAGIC = b"QFI\xfb"
CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
ENTRIES = CLUSTER // 8  # of a table
COPIED = 1 << 63  # the only reference
HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
HEADER_BYTES = 104
EXTENSION_FORMAT = 0xE2792ACA
EXTENSION_BRANCH = 0x45494442  # "EIDB"
BELOW_MAX = 1023  # bytes of a name, by the format
SIZE_MIN, SIZE_MAX = 4 << 20, 1 << 44  # bytes of a disk: images have up to a TiB, their files may be longer


class Overlay:
    """What the header of a branch's file says."""

    def __init__(self, size, below, kind, about):
        self.size = size  # bytes of the disk
        self.below = below  # the image that it branches off
        self.kind = kind  # "raw" or "qcow2"
        self.hold = about.get("hold", "")  # the name there that keeps the generation
        self.generation = about.get("generation", 0)
        self.name = about.get("name", "")


def padded(data):
    return data + bytes(-len(data) % 8)


def pieces(data):
    """The header's extensions: {type: content}."""
    found, at = {}, HEADER_BYTES
    while at + 8 <= CLUSTER:
        kind, length = struct.unpack_from(">II", data, at)
        if kind == 0 or at + 8 + length > len(data):
            break
        found[kind] = data[at + 8:at + 8 + length]
        at += 8 + (length + 7) // 8 * 8
    return found


def read(path):
    """The Overlay that a file is; None: it is none. OSError."""
    with open(path, "rb") as file:
        data = file.read(CLUSTER)
    if data[:4] != MAGIC or len(data) < HEADER_BYTES:
        return None
    fields = HEADER.unpack_from(data)
    below_at, below_length, size = fields[2], fields[3], fields[5]
    below = data[below_at:below_at + below_length]
    extensions = pieces(data)
    try:
        about = json.loads(extensions[EXTENSION_BRANCH])
    except (KeyError, ValueError):
        about = None
    if not isinstance(about, dict):
        raise Failure(f"{path}: a qcow2 file that is no branch of an Eidolon image; ./eidolon branch makes one")
    kind = extensions.get(EXTENSION_FORMAT)
    if (kind not in (b"raw", b"qcow2") or not 0 < len(below) == below_length <= BELOW_MAX or b"\0" in below or
            not SIZE_MIN <= size <= SIZE_MAX):
        raise Failure(f"{path}: the header of this branch is damaged; it cannot be read any more")
    return Overlay(size, os.fsdecode(below), kind.decode(), about)


def is_overlay(path):
    try:
        with open(path, "rb") as file:
            return file.read(4) == MAGIC
    except OSError:
        return False


def tables(size):
    """How many clusters the table of tables has."""
    return -(-size // (CLUSTER * ENTRIES * ENTRIES))


def first_cluster_at(size):
    return (4 + tables(size)) * CLUSTER


def read_first_cluster(path, overlay):
    """Of the disk, as it is now: that of an image, or of a branch."""
    with open(path, "rb") as file:
        file.seek(first_cluster_at(overlay.size) if overlay else 0)
        return file.read(CLUSTER)


def make(path, size, below, kind, first_cluster, about):
    """A new file, which must not exist. Nothing of it is left after a failure."""
    name = os.fsencode(below)
    extension = json.dumps(about).encode()
    if len(name) > BELOW_MAX:
        raise Failure(f"{below}: a name of {len(name)} bytes; a branch takes one of {BELOW_MAX} at most: use a link")
    below_at = HEADER_BYTES
    extensions = b""
    for number, data in ((EXTENSION_FORMAT, kind.encode()), (EXTENSION_BRANCH, extension)):
        extensions += struct.pack(">II", number, len(data)) + padded(data)
    extensions += bytes(8)
    below_at += len(extensions)
    used = 5 + tables(size)
    header = HEADER.pack(MAGIC, 3, below_at, len(name), CLUSTER_BITS, size, 0, -(-size // (CLUSTER * ENTRIES)), 3 * CLUSTER,
                         CLUSTER, 1, 0, 0, 0, 0, 0, 4, HEADER_BYTES)
    counts = struct.pack(f">{used}H", *[1] * used)
    second = (3 + tables(size)) * CLUSTER
    parts = {0: header + extensions + name, CLUSTER: struct.pack(">Q", 2 * CLUSTER), 2 * CLUSTER: counts,
             3 * CLUSTER: struct.pack(">Q", second | COPIED), second: struct.pack(">Q", first_cluster_at(size) | COPIED),
             first_cluster_at(size): first_cluster.ljust(CLUSTER, b"\0")}
    try:
        with open(path, "xb") as file:
            try:
                for at, data in parts.items():
                    file.seek(at)
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                os.unlink(path)
                raise
    except FileExistsError:
        raise Failure(f"{path}: there is a file of that name; choose another or remove it") from None
    except OSError as error:
        raise Failure(f"{path}: {reason(error)}") from None


def below_node(path, kind):
    """The image below, for QEMU: only read, and without locks, since its own machine may be writing to it."""
    file = {"driver": "file", "filename": path, "locking": "off", "read-only": True, "force-share": True}
    node = {"driver": kind, "file": file, "read-only": True, "force-share": True}
    if kind == "qcow2":
        overlay = read(path)
        node["backing"] = below_node(overlay.below, overlay.kind)
    return node


def chain(path):
    """The files that a branch stands on, itself first. Failure: one is missing, or not what it was."""
    files = [path]
    while (overlay := read(files[-1])) is not None:
        below = overlay.below
        if not os.path.exists(below):
            raise Failure(f"{files[-1]}: a branch of {below}, which is not there any more; put it back")
        is_branch = is_overlay(below)
        if is_branch != (overlay.kind == "qcow2"):
            raise Failure(f"{files[-1]}: a branch of {below}, which is another file now; put the old one back")
        if below in files:
            raise Failure(f"{path}: branches in a circle")
        files.append(below)
    return files


def copy(path, whole):
    """All that a branch has and reads, as a plain file. Failure: it is in use, or the copy cannot be made."""
    overlay = read(path)
    node = {"driver": "qcow2", "file": {"driver": "file", "filename": os.path.abspath(path)},
            "backing": below_node(overlay.below, overlay.kind)}
    try:
        result = subprocess.run(["qemu-img", "convert", "-O", "raw", "json:" + json.dumps(node), whole], capture_output=True,
                                text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Failure("qemu-img is missing; install it: apt-get install qemu-utils") from None
    if result.returncode != 0:
        raise Failure(f"{path}: " + ("it is in use; end its machine first" if "lock" in result.stderr else result.stderr.strip()))
    with open(whole, "rb+") as file:
        os.fsync(file.fileno())
