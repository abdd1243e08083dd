# SPDX-License-Identifier: BSD-2-Clause
"""Power cuts that lose what was not flushed: the writes of a real run, replayed to each moment and cut there.

A program runs on the real kernel, on a disk that logs every write and flush (tools/launcher/write_log.py). From the log follow all
the disks that a cut could have left; some thousands of them are made, and for each the host's image tool must find that

    - it is sound: roots, records, map and the checksum of every page
    - its newest generation is not older than the last one that the program had been told is durable by then

and a few of them are booted: the program must go on, and every word of its memory be right. In lockstep the program waits
after each confirmation, so that it is known to the write which of them it had been told by then.

The same states from a log in which flushes are missing must not pass: the test would notice if the kernel forgot one.
"""

import collections
import os
import sys

import pytest

from crash_machine import BareBoot, copy_sparse, create_image, logged_disk, look, plain_disk
from crash_witness import History, Witness
from machine import RESUMED, ROOT, WAIT_S

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher.write_log import BLOCK, Disk, cuts_of, read_log, without_flushes  # noqa: E402

STATES = 600
STATES_SOAK = 25000
CONFIRMATIONS = 40
CONFIRMATIONS_SOAK = 400
BOOTED = 3
BOOTED_SOAK = 40
WRITES_CUT = 30
VARIANTS = 30
RECOVERIES = 2
RECOVERIES_SOAK = 50
MUTANTS = 100

# What the program does and what it does it on.
Workload = collections.namedtuple("Workload", "pages changes rounds lockstep interval_ms size_mib memory_mib disk")

WORKLOADS = {
    # Blocks are used again soon.
    "small-disk": Workload(200, 16, 3, True, 0, 8, 128, "virtio"),
    "ata": Workload(200, 16, 3, True, 0, 8, 128, "ata"),
    # Snapshots come when they come, while the program writes.
    "interval": Workload(500, 32, 4, False, 5, 16, 128, "virtio"),
    # Little memory: pages come and go.
    "little-memory": Workload(3000, 200, 1, False, 20, 64, 16, "virtio"),
}

# Of the newest confirmation that can be relied on at a place in the log.
Confirmation = collections.namedtuple("Confirmation", "position round generation")


ROOTS = (1, 2)


def is_root(entry):
    """Whether a write is that of a root."""
    return entry is not None and entry.offset // BLOCK in ROOTS and len(entry.data) == BLOCK


class Recording:
    """One boot of the program on a logged disk, with a copy of the image from before it."""

    def __init__(self, image, path, workload, before=None):
        self.workload = workload
        self.image = image
        self.program = path
        self.base = f"{image.path}.base{len(image.boots)}"
        self.log = f"{image.path}.log{len(image.boots)}"
        if not os.path.exists(image.path):
            create_image(image.path, workload.size_mib)
        copy_sparse(image.path, self.base)
        self.confirmations = [Confirmation(0, before.round, before.generation) if before else Confirmation(0, 0, 0)]
        disk = logged_disk(image.path, self.log, workload.disk)
        self.boot = BareBoot(image, disk, self.options(), self.words(), workload.memory_mib)

    def options(self):
        return [f"interval={self.workload.interval_ms}", "start=new"]

    def words(self):
        workload = self.workload
        return [self.program, *map(str, workload[:3]), *(["wait"] if workload.lockstep else [])]

    def run(self, confirmations):
        """Until the program has been told so often that it is safe; then the plug is pulled."""
        for _ in range(confirmations):
            match = self.boot.expect(r"confirmed (\d+) of (\d+)\.\s", timeout=WAIT_S)
            self.confirmations.append(Confirmation(os.stat(self.log).st_size, int(match[1]), int(match[2])))
            if self.workload.lockstep:
                self.boot.send_line("")
        self.boot.kill()
        return self

    def confirmed_at(self, position):
        """What the program had been told when so much of the log had been written."""
        return [item for item in self.confirmations if item.position <= position][-1]


class Replay:
    """The states that cuts of one recording could leave."""

    def __init__(self, recording, entries, seed):
        self.recording = recording
        self.entries = entries
        self.seed = seed
        self.path = recording.log + ".state"
        self.disk = Disk(recording.base, entries, self.path)
        self.checked = 0

    def states(self, wanted, chance):
        """Go through about so many states; the file at self.path holds each in turn. Yields (cut, variant)."""
        cuts = cuts_of(self.entries, chance, WRITES_CUT)
        for number, cut in enumerate(cuts):
            self.disk.advance(cut)
            share = wanted * (number + 1) // len(cuts) - wanted * number // len(cuts)
            share = share if self.disk.pending else min(share, 1)
            for variant in sorted(chance.sample(range(max(share, VARIANTS)), share)):
                self.disk.crash(variant, self.seed)
                yield cut, variant
                self.disk.restore()
        self.disk.close()

    def confirmed(self, cut):
        return self.recording.confirmed_at(self.entries[cut - 1].position if cut > 0 else 0)

    def complaint(self, cut):
        """What is wrong with the present state; None if nothing is."""
        self.checked += 1
        generation, wrong = look(self.path)
        if generation is None or wrong:
            return wrong
        if generation < self.confirmed(cut).generation:
            return f"generation {generation} is the newest, {self.confirmed(cut).generation} was confirmed"
        return None

    def name(self, cut, variant):
        """How to get the present state again."""
        return (f"tools/launcher/write_log.py state {self.recording.log} {self.recording.base} {cut} {variant} OUT "
                f"--seed {self.seed}")


def check_states(recording, wanted, chance):
    """Make the states and have each looked at. Returns how many there were."""
    replay = Replay(recording, read_log(recording.log), chance.getrandbits(32))
    for cut, variant in replay.states(wanted, chance):
        complaint = replay.complaint(cut)
        assert complaint is None, f"{complaint}\nthe state: {replay.name(cut, variant)}"
    return replay.checked


def count_complaints(recording, entries, wanted, chance):
    """How many of the states are not as they should be."""
    replay = Replay(recording, entries, chance.getrandbits(32))
    return sum(replay.complaint(cut) is not None for cut, _ in replay.states(wanted, chance))


def boot_states(recording, wanted, chance):
    """Boot some of the states. The program must go on with nothing confirmed lost, and its memory be right."""
    entries = read_log(recording.log)
    replay = Replay(recording, entries, chance.getrandbits(32))
    places = {chance.randrange(len(entries) * 2) for _ in range(wanted)}
    for number, (cut, variant) in enumerate(replay.states(len(entries) * 2, chance)):
        if number in places:
            try:
                boot_state(recording, replay, cut)
            except AssertionError as error:
                raise AssertionError(f"{error}\nthe state: {replay.name(cut, variant)}") from error


def boot_state(recording, replay, cut):
    workload = recording.workload
    path = replay.path + ".boot"
    copy_sparse(replay.path, path)
    generation, _ = look(path)
    boot = BareBoot(recording.image, plain_disk(path, workload.disk), recording.options(), recording.words(),
                    workload.memory_mib)
    witness = Witness(History(workload.pages, workload.changes))
    witness.confirmed = replay.confirmed(cut).round
    if generation > 0:
        assert int(boot.expect(RESUMED)[1]) == generation
    for _ in range(2):
        boot.send_line("")
        boot.expect(r"confirmed \d+ of \d+\.\s")
    boot.kill()
    assert witness.judge(boot.text(), generation == 0) > 0


@pytest.mark.parametrize("name", WORKLOADS)
def test_states_that_cuts_can_leave_are_sound_and_not_too_old(image, program, chance, soak, name):
    path = program("crash_pages")
    recording = Recording(image, path, WORKLOADS[name]).run(CONFIRMATIONS_SOAK if soak else CONFIRMATIONS)
    Witness(History(recording.workload.pages, recording.workload.changes)).judge(recording.boot.text(), True)
    states = check_states(recording, STATES_SOAK if soak else STATES, chance)
    boot_states(recording, BOOTED_SOAK if soak else BOOTED, chance)
    print(f"{states} states of {len(read_log(recording.log))} writes and flushes")


def test_states_after_a_cut_and_another_one_during_recovery(image, new_image, program, chance, soak):
    """The disk that a cut has left is booted on a log again, and what a second cut leaves is looked at."""
    first = Recording(image, program("crash_pages"), WORKLOADS["small-disk"]).run(CONFIRMATIONS)
    entries = read_log(first.log)
    for number in range(RECOVERIES_SOAK if soak else RECOVERIES):
        replay = Replay(first, entries, chance.getrandbits(32))
        again = new_image(f"again{number}.img")
        cut = chance.randrange(len(entries) // 2, len(entries))
        replay.disk.advance(cut)
        replay.disk.crash(variant := 2 + chance.randrange(20), replay.seed)
        copy_sparse(replay.path, again.path)
        print(f"the state that is booted again: {replay.name(cut, variant)}")
        second = Recording(again, program("crash_pages"), first.workload, replay.confirmed(cut)).run(5)
        assert second.boot.text().count("start\n") == 0
        check_states(second, STATES // 4, chance)


@pytest.mark.parametrize("place", ["before-root", "after-root"])
def test_missing_flush_is_noticed(image, program, chance, place):
    """Not of the kernel but of the tests above: with either barrier of a commit gone they fail."""
    recording = Recording(image, program("crash_pages"), WORKLOADS["small-disk"]).run(CONFIRMATIONS // 2)
    entries = read_log(recording.log)
    assert count_complaints(recording, entries, MUTANTS, chance) == 0
    mutant = without_flushes(entries, lambda before, after: is_root(after if place == "before-root" else before))
    assert len(mutant) <= len(entries) - CONFIRMATIONS // 2
    assert count_complaints(recording, mutant, MUTANTS, chance) > 0
