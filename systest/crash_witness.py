# SPDX-License-Identifier: BSD-2-Clause
"""What crash_pages says, judged: every state must be the one that its round has, and none may be lost once confirmed.

The content of the program's pages follows from the number of the round alone; History computes it as the program does.
"""

import re

STATE = re.compile(r"^state (\d+) ([0-9a-f]{8})\.$", re.MULTILINE)
CONFIRMED = re.compile(r"^confirmed (\d+) of (\d+)\.$", re.MULTILINE)
START = re.compile(r"^start$", re.MULTILINE)

WORD = 0xFFFFFFFF


def scramble(value):
    value = (value ^ value >> 16) * 0x7FEB352D & WORD
    value = (value ^ value >> 15) * 0x846CA68B & WORD
    return value ^ value >> 16


class History:
    """The checksum that each round of `crash_pages PAGES CHANGES` ends with."""

    def __init__(self, pages, changes):
        self.versions = [0] * pages
        self.changes = changes
        self.round = 0
        self.known = {}

    def checksum_after(self, number):
        """Rounds may be asked for in any order; each is computed once."""
        while self.round < number:
            self.round += 1
            for serial in range((self.round - 1) * self.changes + 1, self.round * self.changes + 1):
                chosen = scramble(serial)
                self.versions[chosen % len(self.versions)] = 0 if (chosen >> 24) % 8 == 0 else serial
            self.known[self.round] = self.checksum()
        return self.known[number]

    def checksum(self):
        result = 0
        for version in self.versions:
            result = ((result << 5 | result >> 27) + version) & WORD
        return result


class Witness:
    """Judges the console of each boot in turn."""

    def __init__(self, history):
        self.history = history
        self.confirmed = 0   # the newest round that is known to be durable
        self.generation = 0  # the generation it is in
        self.newest = 0      # the newest round seen in the last boot

    def judge(self, text, is_first=False):
        """The console's text of one boot, complete or cut off anywhere. Returns how many states it shows."""
        assert "CORRUPT" not in text and "panic" not in text
        # A generation from before its first words has nothing confirmed either.
        assert is_first or self.confirmed == 0 or not START.search(text), "the program began anew"
        states = [(int(number), int(checksum, 16)) for number, checksum in STATE.findall(text)]
        for number, checksum in states:
            assert checksum == self.history.checksum_after(number), f"state {number} is not what it should be"
        numbers = [number for number, _ in states]
        if numbers:
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "the rounds do not follow each other"
            assert numbers[0] > self.confirmed or (is_first and numbers[0] == 1), \
                f"round {numbers[0]} came again, and {self.confirmed} was confirmed"
            self.newest = numbers[-1]
        for number, generation in CONFIRMED.findall(text):
            self.confirmed = max(self.confirmed, int(number))
            self.generation = max(self.generation, int(generation))
        return len(states)
