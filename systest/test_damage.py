# SPDX-License-Identifier: BSD-2-Clause
"""Damage and shortage: bad sectors, flipped bits, a full disk, less memory than there is content.

The program is crash_memory, whose words can be told by whoever looks at a disk, so that its pages can be found there. Damage
is confined: whoever touches a bad page is stopped and told why, what is sound goes on, and the host's checker finds it.
"""

import re

from crash_machine import ERRNO_ENOSPC, BareBoot, Fault, create_image, failing_disk, look, plain_disk
from crash_witness import History, Witness, scramble
from machine import RESUMED, eidolon

BLOCK, SECTOR = 4096, 512
STEP, WORD = 0x85EBCA6B, 0xFFFFFFFF
SIGBUS_STATUS = 128 + 7
FLIPS, FLIPS_SOAK = 30, 1000
BOOTED, BOOTED_SOAK = 6, 200


def page_content(page):
    first = scramble(page + 1)
    return b"".join(((first + index * STEP) & WORD).to_bytes(4, "little") for index in range(BLOCK // 4))


def block_of(path, page):
    """The block that holds a page of the program; the newest one, if there are several."""
    with open(path, "rb") as file:
        content = file.read()
    wanted = page_content(page)
    found = [at // BLOCK for at in range(0, len(content), BLOCK) if content[at:at + BLOCK] == wanted]
    assert len(found) == 1, f"page {page} is in {len(found)} blocks"
    return found[0]


def flip(path, offset, bit):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


class Filled:
    """An image with crash_memory in it, which has filled some pages."""

    def __init__(self, image, program, size_mib=16, memory=128, options=("interval=0", "start=new")):
        self.image = image
        self.program = program
        self.memory = memory
        self.options = options
        create_image(image.path, size_mib)
        self.machine = self.boot()
        self.machine.expect(r"ready\s")

    def boot(self, fault=None):
        disk = failing_disk(self.image.path, fault) if fault else plain_disk(self.image.path)
        self.machine = BareBoot(self.image, disk, self.options, [self.program("crash_memory")], self.memory)
        return self.machine

    def ask(self, command, answer):
        self.machine.send_line(command)
        return self.machine.expect(answer + r"\.\s", timeout=120)

    def resume(self, fault=None):
        self.machine.kill()
        self.boot(fault).expect(RESUMED)


def stopped_by_bad_page(filled, why):
    """The program touches the bad page: it is stopped, and the console says which page and why."""
    filled.machine.send_line("check")
    filled.machine.expect(rf"eidolon: crash_memory: {why} page at 0x[0-9a-f]+ ")
    filled.machine.end()
    assert f"eidolon: exit {SIGBUS_STATUS}" in filled.machine.log()


def test_sector_that_cannot_be_read_stops_only_who_touches_it(image, program):
    filled = Filled(image, program)
    filled.ask("fill 300", "filled 300")
    generation = filled.ask("sync", r"durable (\d+)")[1]
    filled.machine.kill()
    bad = block_of(image.path, 123) * (BLOCK // SECTOR) + 3
    filled.boot(Fault("read", sector=bad)).expect(RESUMED)
    filled.ask("fill 10", "filled 310")  # what is sound goes on
    stopped_by_bad_page(filled, "unreadable")
    # On a disk that can be read the earlier generation has all of it.
    filled.options = (*filled.options, f"generation={generation}")
    filled.boot().expect(RESUMED)
    filled.ask("check", "right 300")


def test_flipped_bit_in_a_page_is_found_and_stops_only_who_touches_it(image, program, chance):
    filled = Filled(image, program)
    filled.ask("fill 300", "filled 300")
    filled.ask("sync", r"durable \d+")
    filled.machine.kill()
    block = block_of(image.path, 200)
    flip(image.path, block * BLOCK + chance.randrange(BLOCK), chance.randrange(8))
    assert f"block {block}" in image.tool("verify", status=1)
    filled.boot().expect(RESUMED)
    filled.ask("fill 10", "filled 310")
    stopped_by_bad_page(filled, "damaged")


def test_flipped_bits_anywhere_are_found_and_never_believed(image, program, chance, soak):
    """One bit at a time, in blocks that are in use: verify finds it, and a boot refuses, falls back, or goes on right."""
    pages, changes, rounds = 100, 16, 3
    words = [program("crash_pages"), str(pages), str(changes), str(rounds)]
    create_image(image.path, 8)
    boot = BareBoot(image, plain_disk(image.path), ["interval=5", "start=new"], words)
    for _ in range(6):
        boot.expect(r"confirmed \d+ of \d+\.\s")
    boot.kill()
    witness = Witness(History(pages, changes))
    witness.judge(boot.text(), True)
    with open(image.path, "rb") as file:
        good = file.read()
    used = [at for at in range(0, len(good), BLOCK) if any(good[at:at + BLOCK])]
    flips = FLIPS_SOAK if soak else FLIPS
    booted = set(chance.sample(range(flips), BOOTED_SOAK if soak else BOOTED))
    found = 0
    for number in range(flips):
        offset, bit = chance.choice(used) + chance.randrange(BLOCK), chance.randrange(8)
        flip(image.path, offset, bit)
        result = eidolon("image", "verify", image.path)
        assert result.returncode in (0, 1, 2), f"bit {bit} of byte {offset}: {result.stderr}"
        assert "panic" not in result.stdout + result.stderr
        found += result.returncode != 0
        if number in booted:
            boot_with_flip(image, words, pages, changes, f"bit {bit} of byte {offset}")
        with open(image.path, "r+b") as file:
            file.write(good)
    # Blocks that no kept generation needs may hold anything; of 8 MiB most is needed.
    assert found > flips // 4, f"{found} of {flips} found"


def boot_with_flip(image, words, pages, changes, where):
    """Whatever the machine does: what its program shows is right, and the kernel does not panic."""
    boot = BareBoot(image, plain_disk(image.path), ["interval=5", "start=new"], words)
    try:
        boot.expect(r"state \d+ [0-9a-f]+\.\s|eidolon: ")
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from error
    boot.read_for(1.0)
    if boot.is_running():
        boot.kill()
    said = boot.text() + boot.log()
    assert "panic" not in said and "CORRUPT" not in said, f"{where}\n{said}"
    Witness(History(pages, changes)).judge(boot.text(), True)


def test_full_disk_is_said_and_loses_nothing(image, program):
    filled = Filled(image, program, size_mib=16)
    filled.ask("fill 1500", "filled 1500")
    filled.ask("sync", r"durable \d+")
    filled.ask("fill 3000", "filled 4500")
    filled.ask("sync", f"not durable: {ERRNO_ENOSPC}")
    assert "no snapshot: disk full; the programs run on" in filled.machine.log()
    filled.ask("check", "right 4500")
    filled.resume()
    filled.ask("check", "right 1500")
    filled.ask("fill 3000", "filled 4500")
    filled.ask("sync", f"not durable: {ERRNO_ENOSPC}")
    filled.ask("free", "freed")
    filled.ask("fill 1000", "filled 1000")
    filled.ask("sync", r"durable \d+")
    filled.resume()
    filled.ask("check", "right 1000")
    filled.machine.kill()
    assert look(image.path)[1] == ""


def test_more_content_than_memory_comes_and_goes(image, program):
    filled = Filled(image, program, size_mib=128, memory=24, options=("interval=50", "start=new"))
    filled.ask("fill 12000", "filled 12000")
    filled.ask("check", "right 12000")
    filled.ask("sync", r"durable \d+")
    filled.resume()
    filled.ask("check", "right 12000")
    filled.machine.send_line("quit 0")
    filled.machine.end()
