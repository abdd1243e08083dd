#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Disks as a power cut would have left them, from the log of a real run.

    write_log.py list LOG                                       what the log holds
    write_log.py state LOG BASE CUT VARIANT OUT [--seed N]      one state, as a test named it

QEMU's blklogwrites driver appends every write and flush to a log in the format of dm-log-writes: a block that says what
the file is, then entries, each a block that describes it and the data. The format's numbers are little-endian, its
blocks as large as a sector. An entry is made when its request has completed.

What was written before a completed flush is durable. Of a write after the last flush each 512-byte sector may be there or not,
independently of all others; so what a cut leaves is the durable content and any choice of the sectors of what was
pending. A Disk steps through a log and makes such states, in place, on a file; only the sectors that differ are touched. A write
that completed while a flush was under way counts as flushed, which is kinder than a disk has to be; the disk of the host
tests is not.
"""

import argparse
import collections
import mmap
import os
import random
import struct
import sys

MAGIC = 0x6A736677736872
VERSION = 1
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLAG_FLUSH, FLAG_FUA, FLAG_DISCARD, FLAG_MARK = 1, 2, 4, 8

SECTOR = 512
BLOCK = 4096

# position: bytes of the log up to and including the entry. data: None for a flush, and zeroes for a discard.
Entry = collections.namedtuple("Entry", "offset data is_flush is_durable position")


def read_log(path):
    """The entries of a log, oldest first. A last one that is not complete is left out."""
    with open(path, "rb") as file:
        content = memoryview(file.read())
    magic, version, _, block = SUPER.unpack_from(content)
    if magic != MAGIC or version != VERSION or block < ENTRY.size:
        raise ValueError(f"{path}: not a log of dm-log-writes, version {VERSION}")
    entries = []
    at = block
    # How many entries there are is noted at times only; what follows the last one is nothing.
    while at + block <= len(content):
        sector, count, flags, _ = ENTRY.unpack_from(content, at)
        at += block
        data = None
        if flags & FLAG_DISCARD:
            data = bytes(count * block)
        elif count > 0:
            if at + count * block > len(content):
                break
            data = content[at:at + count * block]
            at += count * block
        if data is not None:
            entries.append(Entry(sector * block, data, False, bool(flags & FLAG_FUA), at))
        if flags & FLAG_FLUSH:
            entries.append(Entry(0, None, True, False, at))
    return entries


def without_flushes(entries, is_missing):
    """The same log, had the flushes never been asked for about which `is_missing(before, after)` says so.

    - before, after: the writes next to the flush, or None at an end of the log.
    """
    writes = [None, *(entry for entry in entries if not entry.is_flush), None]
    kept = []
    passed = 0
    for entry in entries:
        passed += not entry.is_flush
        if not entry.is_flush or not is_missing(writes[passed], writes[passed + 1]):
            kept.append(entry)
    return kept


def cuts_of(entries, chance, writes):
    """Where to cut: at the end, before every flush, and at about `writes` other places."""
    flushes = [index for index, entry in enumerate(entries) if entry.is_flush] + [len(entries)]
    others = [index for index, entry in enumerate(entries) if not entry.is_flush]
    return sorted(set(flushes) | set(chance.sample(others, min(writes, len(others)))))


class Disk:
    """A file that holds what one cut after the other would leave.

    - base: the image before the log. path: the file, which is made anew.
    """

    def __init__(self, base, entries, path):
        self.entries = entries
        self.next = 0
        self.pending = []
        self.changed = []
        with open(base, "rb") as file:
            length = os.fstat(file.fileno()).st_size
            self.durable = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY)
            self.file = open(path, "w+b")
            copy_content(file, self.file, length)
        self.surface = mmap.mmap(self.file.fileno(), length)

    def advance(self, cut):
        """Everything before entry `cut` has happened."""
        assert not self.changed and cut >= self.next
        while self.next < cut:
            entry = self.entries[self.next]
            self.next += 1
            if entry.is_flush:
                self.settle(self.pending)
                self.pending = []
            elif entry.is_durable:
                self.settle([entry])
            else:
                self.pending.append(entry)

    def settle(self, writes):
        for entry in writes:
            self.durable[entry.offset:entry.offset + len(entry.data)] = entry.data
            self.surface[entry.offset:entry.offset + len(entry.data)] = entry.data

    def crash(self, variant, seed):
        """Lose what a cut here could lose. What is chosen follows from the seed, the place and the variant."""
        for entry, sectors in survivors(self.pending, variant, random.Random(f"{seed} {self.next} {variant}")):
            if sectors is None:
                self.surface[entry.offset:entry.offset + len(entry.data)] = entry.data
            else:
                for sector in sectors:
                    at = sector * SECTOR
                    self.surface[entry.offset + at:entry.offset + at + SECTOR] = entry.data[at:at + SECTOR]
            self.changed.append(entry)

    def restore(self):
        """Back to what is durable."""
        for entry in self.changed:
            end = entry.offset + len(entry.data)
            self.surface[entry.offset:end] = self.durable[entry.offset:end]
        self.changed = []

    def close(self):
        self.surface.close()
        self.durable.close()
        self.file.close()


def copy_content(source, target, length):
    """A copy with the holes of the original."""
    target.truncate(length)
    at = 0
    while at < length:
        try:
            at = os.lseek(source.fileno(), at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(source.fileno(), at, os.SEEK_HOLE)
        while at < end:
            piece = os.pread(source.fileno(), min(end - at, 1 << 20), at)
            os.pwrite(target.fileno(), piece, at)
            at += len(piece)


def survivors(pending, variant, chance):
    """Which of the pending writes reached the disk, as (entry, list of sectors, or None for all), in the order they did.

    0: none. 1: all. Then in turn: all but one, only one, all of the last blocks and one torn, and mixtures of any kind.
    """
    if variant == 0 or not pending:
        return []
    if variant == 1:
        return [(entry, None) for entry in pending]
    kind = variant % 6
    one = chance.randrange(len(pending))
    if kind == 2:
        return [(entry, None) for index, entry in enumerate(pending) if index != one]
    if kind == 3:
        return [(pending[one], None)]
    if kind == 4:
        return [(entry, some_sectors(entry, chance) if index == one else None) for index, entry in enumerate(pending)]
    return mixture(pending, chance)


def mixture(pending, chance):
    """Each write is there, lost or torn, in any order."""
    likely = chance.choice((0.1, 0.5, 0.9))
    torn = chance.choice((0.0, 0.2, 0.8))
    result = []
    for entry in pending:
        if chance.random() < torn:
            result.append((entry, some_sectors(entry, chance)))
        elif chance.random() < likely:
            result.append((entry, None))
    chance.shuffle(result)
    return result


def some_sectors(entry, chance):
    """A part of a write: its beginning, its end, whole blocks of it, or any sectors."""
    count = len(entry.data) // SECTOR
    split = chance.randrange(count + 1)
    kind = chance.randrange(4)
    if kind == 0:
        return list(range(split))
    if kind == 1:
        return list(range(split, count))
    group = BLOCK // SECTOR if kind == 2 else 1
    bits = chance.getrandbits(count // group + 1)
    return [sector for sector in range(count) if bits >> sector // group & 1]


def show(entries):
    """One line for each entry."""
    for index, entry in enumerate(entries):
        what = "flush" if entry.is_flush else f"write {len(entry.data) // BLOCK:4} blocks at {entry.offset // BLOCK}"
        print(f"{index:6} {what}")


def main():
    parser = argparse.ArgumentParser(description="disks as a power cut would have left them")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("list", help="what a log holds")
    command.add_argument("log")
    command = commands.add_parser("state", help="make one state")
    for name in ("log", "base"):
        command.add_argument(name)
    for name in ("cut", "variant"):
        command.add_argument(name, type=int)
    command.add_argument("out")
    command.add_argument("--seed", default="0")
    options = parser.parse_args()
    entries = read_log(options.log)
    if options.command == "list":
        show(entries)
        return 0
    disk = Disk(options.base, entries, options.out)
    disk.advance(options.cut)
    disk.crash(options.variant, options.seed)
    disk.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
