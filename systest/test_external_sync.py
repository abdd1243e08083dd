# SPDX-License-Identifier: BSD-2-Clause
"""External synchrony: with --external-sync a reader of the console sees nothing that a power cut could undo, and misses nothing.

The program's output is known to the byte. The consoles of all boots, put one after the other, must be that output: each boot
goes on no later than where the last one was cut, and repeats no more than it announces.
"""

import re

import pytest

from machine import RESUMED, eidolon

LINES = 3000
KILLS, KILLS_SOAK = 6, 200
STATUS = 5

OUTPUT = "".join(f"line {number:06}\n" for number in range(1, LINES + 1))
AGAIN = re.compile(r"eidolon: the next (\d+) bytes may have been seen before\n")
OWN = re.compile(r"eidolon: [^\n]*\n")


def program_output(text):
    """What the program wrote, of a console's text that may be cut off anywhere; and how many bytes of it may be old."""
    again = AGAIN.search(text)
    return OWN.sub("", text), int(again[1]) if again else 0


def place_of(piece, least, most):
    """Where a piece of the output begins; the earliest such place within bounds."""
    place = OUTPUT.find(piece, max(least, 0))
    assert 0 <= place <= most, f"{piece[:40]!r} is not at {least} to {most}, but at {place}"
    return place


@pytest.mark.parametrize("interval", [20, 200])
def test_output_is_seen_when_it_cannot_be_undone_and_none_is_missing(image, program, chance, soak, interval):
    options = ("--external-sync", "--interval", str(interval))
    seen = 0  # bytes of the output that the reader has
    boot = image.boot(*options, program=[program("lines"), str(LINES), "1000"])
    boot.expect(r"line \d+\s")
    for number in range(KILLS_SOAK if soak else KILLS):
        boot.read_for(chance.uniform(0.05, 0.4))
        boot.kill()
        seen = judge(boot, seen, number == 0)
        boot = image.boot(*options)
        boot.expect(RESUMED)
    assert boot.end(timeout=60) == STATUS
    assert judge(boot, seen, False) == len(OUTPUT)


def judge(boot, seen, is_first):
    """One boot's console. Returns how much of the output the reader has after it."""
    piece, announced = program_output(boot.text())
    if not piece:
        return seen
    start = place_of(piece, seen - announced, seen)
    assert not is_first or start == 0
    # What was seen before the cut is in what was resumed: nothing seen was undone.
    assert seen <= start + announced or start == seen, f"{seen} seen, {start} + {announced} resumed"
    return max(seen, start + len(piece))


def test_output_is_held_until_a_snapshot(image, program):
    """With snapshots far apart nothing is seen of what a program has long written."""
    boot = image.boot("--external-sync", "--interval", "4000", program=[program("lines"), "100000", "10000"])
    boot.read_for(2)
    assert program_output(boot.text())[0] == "" and boot.is_running()
    boot.expect(r"line 000001\s")


def test_everything_is_out_before_the_machine_ends(image, program):
    boot = image.boot("--external-sync", "--interval", "60000", program=[program("lines"), "2000"])
    assert boot.end(timeout=60) == STATUS
    assert program_output(boot.text())[0] == OUTPUT[:2000 * 12]


def test_without_snapshots_it_is_refused(tmp_path):
    result = eidolon("run", "--image", str(tmp_path / "x.img"), "--external-sync", "--interval", "0", status=2)
    assert "--interval" in result.stderr and not (tmp_path / "x.img").exists()
