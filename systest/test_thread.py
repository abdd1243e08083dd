# SPDX-License-Identifier: BSD-2-Clause
"""The thread through everything: a program runs, the plug is pulled, the program goes on.

A list grows on the program's heap and proves itself with every round (programs/list.c). QEMU is killed at random
moments, boots included. Each time the program must go on from a state that is consistent, no older than the last one
it knew to be committed, and not from its beginning.
"""

import re

import pytest

from machine import RESUMED

KILLS = 10
MOMENTS_S = (0.05, 2.5)

STATE = re.compile(r"^state (\d+) ([0-9a-f]{8})\.$", re.MULTILINE)
CONFIRMED = re.compile(r"^confirmed (\d+)\.$", re.MULTILINE)


class Checksums:
    """What the program's running checksum must be after so many nodes."""

    def __init__(self):
        self.known = [0]

    def after(self, count):
        while len(self.known) <= count:
            index = len(self.known) - 1
            value = (index * 2654435761 + 12345) & 0xFFFFFFFF
            before = self.known[-1]
            self.known.append((((before << 5 | before >> 27) & 0xFFFFFFFF) + value) & 0xFFFFFFFF)
        return self.known[count]


class Witness:
    """Judges everything that the program says over all boots."""

    def __init__(self):
        self.checksums = Checksums()
        self.confirmed = 0
        self.newest = 0
        self.generation = 0

    def judge(self, text, first_boot):
        assert "CORRUPT" not in text
        assert first_boot or not re.search(r"^start$", text, re.MULTILINE), "the program began anew"
        states = [(int(count), int(checksum, 16)) for count, checksum in STATE.findall(text)]
        for count, checksum in states:
            assert checksum == self.checksums.after(count), f"wrong checksum of state {count}"
        counts = [count for count, _ in states]
        assert counts == sorted(counts), "a state came after a later one"
        if counts:
            assert counts[0] >= self.confirmed, f"state {counts[0]}, but {self.confirmed} was confirmed"
            self.newest = counts[-1]
        self.judge_generation(text)
        self.confirmed = max([self.confirmed] + [int(count) for count in CONFIRMED.findall(text)])

    def judge_generation(self, text):
        resumed = re.search(RESUMED, text)
        if resumed:
            assert int(resumed[1]) >= self.generation, "an older generation was resumed"
            self.generation = int(resumed[1])


@pytest.mark.parametrize("loader", ["direct", "grub"])
def test_list_killed_at_random_moments_goes_on_where_it_was(image, program, chance, soak, loader):
    witness = Witness()
    boot = image.boot("--boot", loader, program=[program("list")])
    boot.expect_line("start")
    boot.expect(r"confirmed \d+\.")
    for _ in range(100 * KILLS if soak else KILLS):
        boot.read_for(chance.uniform(*MOMENTS_S))
        boot.kill()
        image.tool("verify")
        witness.judge(boot.text(), boot is image.boots[0])
        boot = image.boot("--boot", loader)
    boot.expect(RESUMED)
    boot.expect(r"state \d+ [0-9a-f]+\.")
    boot.expect(r"confirmed \d+\.")
    boot.kill()
    witness.judge(boot.text(), False)
    assert witness.newest > 0 and witness.confirmed > 0 and witness.generation > 0


def test_list_killed_right_after_sync_has_lost_nothing(image, program):
    boot = image.boot("--interval", "0", program=[program("list")])
    for _ in range(3):
        confirmed = int(boot.expect(r"confirmed (\d+)\.")[1])
        boot.kill()
        boot = image.boot("--interval", "0")
        boot.expect(RESUMED)
        assert int(boot.expect(r"state (\d+) ")[1]) >= confirmed


def test_state_between_snapshots_is_not_kept_without_sync(image, program):
    """With snapshots only on request, what came after the last sync() is gone: the test above can fail."""
    boot = image.boot("--interval", "0", program=[program("list")])
    confirmed = int(boot.expect(r"confirmed (\d+)\.")[1])
    newest = int(boot.expect(r"state (\d+) ")[1])
    boot.kill()
    if not re.search(CONFIRMED, boot.text().split(f"state {newest} ")[1]):
        boot = image.boot("--interval", "0")
        assert int(boot.expect(r"state (\d+) ")[1]) == confirmed + 20
