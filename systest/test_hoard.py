# SPDX-License-Identifier: BSD-2-Clause
"""Who wants more memory than disk and memory can keep together is refused or stopped; the others go on, and so does sync().

The program is hoard: a bystander that counts and proves its few pages, one that calls sync() all the time, and eaters.
"""

import re

import pytest

from machine import RESUMED

SIZE_MIB = 8
ENOMEM, ENOSPC = 12, 28
SIGKILL = 9
REFUSED = rf"eater: (refused: {ENOMEM}|ended by signal {SIGKILL})\."
STOPPED = r"eidolon: hoard: (stopped: memory and disk are full|out of memory)"


def start(image, program, mode, count, memory=24, interval=100):
    return image.boot("--size", str(SIZE_MIB), "--memory", str(memory), "--interval", str(interval),
                      program=[program("hoard"), mode, str(count)])


def last_tick(boot):
    return max(map(int, re.findall(r"tick (\d+)\.", boot.text())), default=0)


def go_on_for(boot, ticks):
    """The bystander counts on."""
    before = last_tick(boot)
    while last_tick(boot) < before + ticks:
        boot.expect(r"tick \d+\.\s", timeout=30)


def all_is_well(image, boot):
    boot.expect(r"all is well\.|CORRUPT", timeout=90)
    assert "CORRUPT" not in boot.text()
    assert boot.end() in (0, 128 + SIGKILL)  # the last one to end may be one of those that it has killed
    assert image.tool("verify").endswith("sound\n")


@pytest.mark.parametrize("mode, count, memory", [("touch", 1, 24), ("pieces", 1, 32), ("break", 3, 24), ("touch", 3, 16)])
def test_eater_is_refused_or_stopped_and_the_others_go_on(image, program, mode, count, memory):
    boot = start(image, program, mode, count, memory)
    boot.expect(f"sync: {ENOSPC}", timeout=60)
    boot.expect("snapshots are taken again", timeout=60)
    all_is_well(image, boot)
    assert len(re.findall(REFUSED, boot.text())) >= count
    if mode == "touch":
        assert len(re.findall(STOPPED, boot.text())) == count


@pytest.mark.parametrize("mode", ["pieces", "break"])
def test_one_eater_that_looks_is_told_before_it_is_stopped(image, program, mode):
    boot = start(image, program, mode, 1)
    boot.expect(rf"eater: refused: {ENOMEM}\.\s", timeout=60)
    all_is_well(image, boot)
    assert not re.search(STOPPED, boot.text())


def test_copies_of_an_eater_pay_before_the_bystander(image, program):
    boot = start(image, program, "copies", 1)
    boot.expect(f"sync: {ENOSPC}", timeout=60)
    boot.expect(rf"{STOPPED}|{REFUSED}", timeout=60)
    go_on_for(boot, 20)
    boot.send_line("end")
    all_is_well(image, boot)


def test_full_disk_that_holds_what_an_eater_had_takes_snapshots_again(image, program):
    """The eater stops short of the end, with all of it in the newest generations; the bystander's changes have no room then."""
    boot = start(image, program, "still", 1)
    boot.expect(f"sync: {ENOSPC}", timeout=60)
    go_on_for(boot, 30)
    boot.send_line("end")
    all_is_well(image, boot)


def test_cut_beside_an_eater_loses_nothing_confirmed(image, program, chance):
    boot = start(image, program, "touch", 2)
    boot.expect(f"sync: {ENOSPC}", timeout=60)
    boot.read_for(chance.random() * 0.2)  # nobody is refused before two snapshots have failed, a quarter of a second apart
    boot.kill()
    assert image.tool("verify").endswith("sound\n")
    boot = image.boot("--memory", "24", "--interval", "100")
    boot.expect(RESUMED)
    all_is_well(image, boot)
