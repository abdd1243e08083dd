# SPDX-License-Identifier: BSD-2-Clause
"""Programs that do anything at all, many at once, in little memory, with the plug pulled in between: what another program
has stays as it was, and when they have ended nothing is left of them. Every run is repeated by its seed as far as the
machine's timing lets.
"""

import re
import time

from machine import RESUMED, stack_use
from test_clones import what_there_is

PICTURE = (r"{}: (\d+) programs, (\d+) regions, (\d+) pages of records; "
           r"frames: (\d+) kernel, (\d+) of tables, (\d+) wired, (\d+) copies")


class Mayhem:
    """The program's life, over as many boots as it takes."""

    def __init__(self, image, program, chance, memory, interval, size, *words):
        self.image = image
        self.chance = chance
        self.options = ("--memory", str(memory), "--interval", str(interval))
        self.seed = chance.randrange(1, 1 << 31)
        self.calls = 0
        self.stacks = {}
        self.boot = image.boot("--size", str(size), *self.options,
                               program=[program("mayhem"), str(self.seed), *map(str, words)])

    def cut(self):
        self.boot.kill()
        self.check()
        self.boot = self.image.boot(*self.options)
        self.boot.expect(RESUMED, timeout=60)

    def cut_to(self, memory):
        """And go on in another machine."""
        self.options = ("--memory", str(memory), *self.options[2:])
        self.cut()

    def check(self):
        text = self.boot.text()
        log = self.boot.log()
        assert "CORRUPT" not in text and "panic" not in text + log, f"seed {self.seed}"
        assert "of its kernel stack" not in log, f"seed {self.seed}\n{log}"  # some thread has used nearly all of it

    def waits(self, when):
        """Whether it has said so, in this boot or in one that this goes on from."""
        return any(f"waiting for a line: {when}" in boot.text() for boot in self.image.boots)

    def look(self, when):
        """What the image holds while the program waits for a line, and what it finds itself after that."""
        if not self.waits(when):
            self.boot.expect(f"waiting for a line: {when}", timeout=120)
        self.boot.kill()
        self.check()
        self.image.tool("verify")
        programs, content = what_there_is(self.image)
        self.boot = self.image.boot(*self.options)
        self.boot.expect(RESUMED, timeout=60)
        self.boot.send("\r")
        numbers = map(int, self.boot.expect(PICTURE.format(when), timeout=60).groups())
        picture = dict(zip(("programs", "regions", "records", "kernel", "tables", "wired", "copies"), numbers))
        picture["content"] = int(re.search(r"(\d+) pages", content)[1])
        picture["image"] = [words[:5] for words in programs]  # but for how much content they have
        return picture

    def live(self, cuts, seconds):
        """Until the program waits for its second line."""
        limit = time.monotonic() + seconds
        while True:
            end = time.monotonic() + (self.chance.uniform(0.5, 6) if cuts > 0 else 5)
            while time.monotonic() < end and not self.waits("after") and self.boot.is_running():
                self.boot.read_for(0.5)
            assert time.monotonic() < limit, f"seed {self.seed}: the programs make no progress"
            if self.waits("after") or not self.boot.is_running():
                self.check()
                return
            if cuts > 0:
                self.cut()
                cuts -= 1


PAGES_SLACK = 48  # of records that are kept for the next ones, and of the program's own that it writes on the way


def compare(mayhem, before, after):
    """Nothing is left of the programs that have ended, nor has anything of the one that watched them changed."""
    assert mayhem.boot.end() == 0
    mayhem.calls = int(re.search(r"(\d+) calls, 0 words corrupt", mayhem.boot.text())[1])
    found = f"seed {mayhem.seed}: before {before}, after {after}"
    for name in ("programs", "regions", "kernel", "wired"):
        assert after[name] == before[name], f"{name}, {found}"
    for name in ("records", "tables", "content"):
        assert after[name] <= before[name] + PAGES_SLACK, f"{name}, {found}"
    assert after["image"] == before["image"], found
    mayhem.stacks = stack_use(mayhem.boot.log())
    assert {"idle", "boot", "snapshot", "programs"} <= set(mayhem.stacks)


PIECES = 20  # of a soak: each is a life of its own, with a seed of its own, so that one can be had again


def pytest_generate_tests(metafunc):
    if "piece" in metafunc.fixturenames:
        metafunc.parametrize("piece", range(PIECES if metafunc.config.getoption("soak") else 1))


def run(image, program, chance, soak, memory, interval, programs):
    mayhem = Mayhem(image, program, chance, memory, interval, 128, 250000 if soak else 50000, programs)
    before = mayhem.look("before")
    mayhem.live(cuts=10 if soak else 2, seconds=3600 if soak else 240)
    compare(mayhem, before, mayhem.look("after"))
    print(f"mayhem: seed {mayhem.seed}, {memory} MiB, {mayhem.calls} calls, {len(image.boots)} boots; stacks {mayhem.stacks}")


def test_anything_at_once_leaves_others_and_nothing_behind(image, program, chance, soak, piece):
    run(image, program, chance, soak, memory=24 - piece % 4, interval=20, programs=4)


def test_anything_in_the_least_memory_leaves_others_and_nothing_behind(image, program, chance, soak, piece):
    run(image, program, chance, soak, memory=16 + piece % 4, interval=100, programs=3)


def test_anything_while_disk_and_memory_are_full_leaves_others_and_nothing_behind(image, program, chance, soak):
    mayhem = Mayhem(image, program, chance, 64, 50, 8, 30000 if soak else 3000, 4, 1700)
    before = mayhem.look("before")
    mayhem.cut_to(memory=16)
    mayhem.boot.read_for(600 if soak else 20)  # nothing gets on: nothing can be committed, and nobody gives anything up
    mayhem.check()
    mayhem.cut_to(memory=64)
    mayhem.live(cuts=0, seconds=240)
    compare(mayhem, before, mayhem.look("after"))
