# SPDX-License-Identifier: BSD-2-Clause
"""Accounting: faults are counted as what they were, for the program and for the system; the counts go on over power cuts, and
counting makes nobody write.

programs/accounts.c makes faults that it knows and prints what the kernel counted; the names below are those of
include/eidolon/memory.h, in its order.
"""

import pytest

from machine import RESUMED

NAMES = ("zero", "shared", "page_in", "map", "copy", "snapshot_copy", "protection", "denied", "pages_in", "pages_out",
         "pages_written", "mapped", "working_set", "working_set_max")
KINDS = NAMES[:8]
PAGES = 64
LARGE_PAGES = 6000


def account(boot, when):
    """The next account the program prints under this word."""
    numbers = boot.expect(rf"\b{when}:((?: \d+)+) of (?:accounts|system)\r*\n")[1].split()
    return dict(zip(NAMES, map(int, numbers)))


def made(before, after):
    """What was counted in between, without what is none."""
    return {name: after[name] - before[name] for name in NAMES[:11] if after[name] != before[name]}


@pytest.fixture
def running(image, program):
    """The program has made its first faults and waits for a line."""
    boot = image.boot("--interval", "20", program=[program("accounts")])
    return boot


def test_faults_are_counted_as_what_they_were(running):
    boot = running
    first = account(boot, "first")
    assert first["shared"] > 10 and first["copy"] > 0, "the pages of its image"
    before, read, written, denied = (account(boot, when) for when in ("before", "read", "written", "denied"))
    ignored = ("protection", "snapshot_copy", "pages_written")  # a snapshot may come in between
    assert {name: times for name, times in made(before, read).items() if name not in ignored} == {"zero": PAGES // 2}
    assert {name: times for name, times in made(read, written).items() if name not in ignored} == {"zero": PAGES // 2}
    assert made(written, denied)["denied"] == 3
    system = account(boot, "system")
    assert all(system[name] >= denied[name] for name in KINDS)
    assert system["denied"] == 3
    assert "none: No such process\n" in boot.text() and "far: No such process\n" in boot.text()
    assert "nowhere: -1\n" in boot.text()


def test_writing_beside_snapshots_is_counted_as_copies(running):
    boot = running
    boot.expect(r"system: ")
    boot.send_line("w")
    before, after = account(boot, "again"), account(boot, "rewritten")
    counted = made(before, after)
    assert counted["snapshot_copy"] > PAGES
    assert after["pages_written"] - before["pages_written"] > PAGES
    assert after["working_set"] >= PAGES and after["working_set_max"] >= after["working_set"]
    assert counted.get("zero", 0) < 16


def test_writing_to_what_a_clone_shares_is_counted_as_copies(running):
    boot = running
    boot.expect(r"system: ")
    boot.send_line("w")
    account(boot, "rewritten")
    boot.send_line("f")
    before, after = account(boot, "cloned"), account(boot, "clone")
    assert after["copy"] - before["copy"] == PAGES // 4 and after["zero"] == before["zero"]
    assert before["copy"] < 16, "a clone begins with what its own stack took"


def test_pages_that_have_to_go_and_come_back_are_counted(image, program):
    boot = image.boot("--memory", "16", "--interval", "100", program=[program("accounts")])
    boot.expect(r"system: ")
    boot.send_line("l")
    before = account(boot, "again")
    boot.expect_line("wrong 0", timeout=120)
    after, system = account(boot, "filled"), account(boot, "system")
    counted = made(before, after)
    assert counted["zero"] >= LARGE_PAGES
    # Three quarters of it cannot have stayed, and all of that was read again.
    assert counted["pages_out"] > LARGE_PAGES // 2 and counted["pages_written"] > LARGE_PAGES // 2
    assert counted["pages_in"] > LARGE_PAGES // 2 and counted["page_in"] > LARGE_PAGES // 32
    assert system["pages_in"] >= system["page_in"]
    assert all(system[name] >= after[name] for name in NAMES[:11])


def test_counts_go_on_after_a_power_cut(running, image):
    boot = running
    boot.expect(r"system: ")
    boot.send_line("w")
    account(boot, "rewritten")
    boot.expect(r"system: ")
    boot.send_line("x")
    before, system_before = account(boot, "again"), account(boot, "system")
    boot.read_for(1.0)
    boot.kill()
    for _ in range(2):
        boot = image.boot("--interval", "20")
        boot.expect(RESUMED)
        boot.send_line("x")
        after, system = account(boot, "again"), account(boot, "system")
        assert all(after[name] >= before[name] for name in KINDS)
        assert all(system[name] >= system_before[name] for name in KINDS)
        counted = made(before, after)
        minor, major = map(int, boot.expect(r"usage (\d+) (\d+)").groups())
        assert major >= after["page_in"] and minor >= after["zero"] + after["map"] + after["snapshot_copy"]
        assert major < after["page_in"] + 32 and minor < sum(after[name] for name in KINDS) + 64
        # Memory was empty: every page had to be read, most of them together with others.
        assert counted["page_in"] > 0 and counted["pages_in"] >= PAGES and counted.get("map", 0) > 0
        assert counted["page_in"] + counted["map"] < 200 and "zero" not in counted
        assert after["working_set_max"] >= before["working_set_max"] >= PAGES
        before, system_before = after, system
        boot.read_for(1.0)
        boot.kill()


def settled_content(boot, image):
    """What the image holds once nothing is written any more."""
    content = None
    for _ in range(20):
        before, content = content, image.content()
        if content == before:
            break
        boot.read_for(1.0)
    return content


def test_idle_system_writes_nothing_while_it_is_sampled(image):
    boot = image.boot("--interval", "20")
    boot.expect("> ")
    boot.read_for(1.0)
    boot.send_line("status")
    boot.expect(r"programs stood still[^\n]*\n")
    before = settled_content(boot, image)
    boot.read_for(3.5)  # three rounds of samples
    assert image.content() == before
    boot.send_line("accounts 0")
    boot.expect(r"most pages used in a second +[1-9]\d*\r*\n")


def test_shell_shows_accounts_of_all_and_of_one(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("accounts")
    boot.expect(r"program +name +faults +read +dropped +written +mapped +in use\r*\n")
    system = boot.expect(r" 0  system +(\d+) +(\d+) +(\d+)")
    shell = boot.expect(r" 1  shell +(\d+) +(\d+) +(\d+)")
    assert int(system[1]) >= int(shell[1]) > 50
    boot.send_line("accounts 1")
    boot.expect(r"program 1: shell\r*\n")
    assert 1 < int(boot.expect(r"faults: a page of zeroes was made +(\d+)\r*\n")[1]) < 50  # what is in its file is none of them
    boot.send_line("accounts 77")
    boot.expect(r'There is no program 77\. "accounts" lists them\.\r*\n')
    boot.send_line("accounts -1")
    boot.expect(r'"-1" is not a number from 0 up\.\r*\n')
