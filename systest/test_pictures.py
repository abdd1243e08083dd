# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of memory: what the kernel tells of frames and pages is what a program knows of its own (programs/pictures.c), and
the shell draws all of it."""

import re

from machine import RESUMED

PAGES = 96
THIRD = PAGES // 3
KIND_CLEAN, KIND_DIRTY, KIND_WRITING, KIND_WIRED = 7, 8, 9, 10
MACHINE_FRAMES = 128 * 256
COLOURS = re.compile(r"\x1b\[[0-9;]*[mKHJ]")


def pages(boot, when):
    """Counts of the program's pages by state; what is around them is in no region."""
    found = boot.expect(rf"{when}: nothing (\d+) untouched (\d+) out (\d+) shared (\d+) clean (\d+) dirty (\d+), around 0 0\r*\n")
    counts = dict(zip(("nothing", "untouched", "out", "shared", "clean", "dirty"), map(int, found.groups())))
    assert sum(counts.values()) == PAGES
    return {state: count for state, count in counts.items() if count}


def frames(boot):
    """(frames of this program, all frames) of each kind."""
    total, rest = boot.expect(r"frames (\d+):((?: \d+/\d+)+)\r*\n").groups()
    kinds = [tuple(map(int, pair.split("/"))) for pair in rest.split()]
    assert sum(everybody for _, everybody in kinds) == int(total)
    assert MACHINE_FRAMES - 64 < int(total) <= MACHINE_FRAMES
    return kinds


def test_pictures_show_what_the_program_knows(image, program):
    boot = image.boot("--interval", "0", program=[program("pictures")])
    assert pages(boot, "untouched") == {"untouched": PAGES}
    assert pages(boot, "read") == {"untouched": THIRD, "clean": 2 * THIRD}
    assert pages(boot, "written") == {"untouched": THIRD, "clean": THIRD, "dirty": THIRD}
    boot.expect(rf"regions 1: mine, {PAGES} pages, protection 3, backing 1\r*\n")
    before = frames(boot)
    assert before[KIND_DIRTY][0] >= THIRD and before[KIND_CLEAN][0] >= THIRD
    boot.expect_line("errors: Invalid argument, Bad address, 0, No such process, Invalid argument, Bad address, "
                     "No such process, Invalid argument, Invalid argument")
    boot.expect_line("beyond: 0 of 41 pages are something")
    boot.expect_line("nobody: No such process")
    assert pages(boot, "synced") == {"untouched": THIRD, "clean": 2 * THIRD}
    after = frames(boot)
    assert after[KIND_DIRTY][0] < before[KIND_DIRTY][0] - THIRD + 16
    assert after[KIND_CLEAN][0] > before[KIND_CLEAN][0]
    boot.kill()
    boot = image.boot("--interval", "0")
    boot.expect(RESUMED)
    boot.send_line("")
    # A page that was only read holds nothing: after a boot it is untouched again.
    assert pages(boot, "again") == {"untouched": 2 * THIRD, "out": THIRD}
    resumed = frames(boot)
    assert sum(mine for mine, _ in resumed) < sum(mine for mine, _ in after)


def test_picture_of_a_clone_shows_what_it_shares(image, program):
    boot = image.boot("--interval", "0", program=[program("pictures")])
    boot.expect(r"synced: ")
    boot.expect(r"frames ")
    boot.send_line("f")
    boot.expect(r"again: ")
    assert pages(boot, "clone") == {"untouched": PAGES}
    assert pages(boot, "clone read") == {"untouched": THIRD, "shared": 2 * THIRD}
    assert pages(boot, "clone wrote") == {"untouched": THIRD, "shared": THIRD + THIRD // 2, "dirty": THIRD // 2}


def drawing(boot, end):
    """What the shell drew, without its colours."""
    boot.expect(end)
    return COLOURS.sub("", boot.console.before + boot.console.after).replace("\r", "")


def kib(text):
    number, unit = text.split()
    return float(number) * {"KiB": 1, "MiB": 1024}[unit]


def test_shell_draws_memory(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("primes 5000")
    boot.expect("largest is")
    boot.expect("> ")
    boot.send_line("memory")
    picture = drawing(boot, r"the kernel's[^\n]*\n")
    rows = re.findall(r"^ +\d+ ([^ ]{2,72})$", picture, re.MULTILINE)
    assert [len(row) for row in rows[:-1]] == [72] * (len(rows) - 1) and len(rows) == 12
    cells = "".join(rows)
    assert {"K", "1", ".", "*"} <= set(cells) <= set("K01.*-TRMS>")
    legend = dict(re.findall(r"[^\s] (free|firmware|kernel|page tables|page records|page map|disk metadata|clean|dirty|"
                             r"being written|wired|snapshot copy|arriving) +([\d.]+ [KM]iB)", picture))
    assert abs(sum(map(kib, legend.values())) - 4 * MACHINE_FRAMES) < 4 * MACHINE_FRAMES * 0.02
    assert re.search(r"^1 +1 shell +1 [\d.]+ [KM]iB", picture, re.MULTILINE)


def test_shell_draws_a_window_and_draws_it_again(image):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("window 1")
    picture = drawing(boot, r"further left\r*\n")
    assert re.search(r"^08048000 +\d+ KiB r-- copy +[SCDscd.]+$", picture, re.MULTILINE)
    assert re.search(r"^[0-9a-f]{8} +\d+ KiB r-x copy +[SCDscd.]+$", picture, re.MULTILINE)
    assert re.search(r" rw- heap  *[CDcd.]+$", picture, re.MULTILINE)
    assert re.search(r" --- guard *$", picture, re.MULTILINE)
    assert re.search(r" rw- stack \.+[Dd]", picture, re.MULTILINE)
    boot.send_line("window 1 live")
    for _ in range(3):
        boot.expect(r"\x1b\[H[^\n]*program 1, shell")
    boot.send("\x03")
    boot.expect("> ")
    boot.send_line("window 9")
    boot.expect(r"There is no program 9\.")
    boot.send_line("memory of mine")
    boot.expect(r"memory, or: memory live")
