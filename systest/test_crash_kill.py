# SPDX-License-Identifier: BSD-2-Clause
"""Plugs pulled at random moments, many times over: boots, snapshots, page faults and console output are all cut somewhere.

QEMU is killed while pages of a program prove each other (crash_pages), and booted on the same image, again and again. After
each kill the image must be sound to the host, its newest generation no older than the program was told, and after each
boot the program must go on from there. The host's page cache survives these cuts, so they are about restarting, not about
flushes: those are the business of test_crash_log.py.
"""

import pytest

from crash_machine import BareBoot, create_image, look, plain_disk
from crash_witness import History, Witness
from machine import RESUMED

PAGES, CHANGES, ROUNDS = 200, 16, 5
SIZE_MIB = 16

# Kills for each disk, and how long after the start of the machine, or after the program went on.
KILLS = {"virtio": 70, "ata": 30}
KILLS_SOAK = 500
BOOTING_S = (0.0, 0.5)
RUNNING_S = (0.0, 0.3)


def run_until_cut(boot, chance):
    """Let a machine go on for a random time, which may end before its program has begun."""
    if chance.random() < 0.4:
        boot.read_for(chance.uniform(*BOOTING_S))
        return
    boot.expect(RESUMED)
    boot.read_for(chance.uniform(*RUNNING_S))


@pytest.mark.parametrize("disk", KILLS)
def test_pages_survive_kills_at_random_moments(image, program, chance, soak, disk):
    path = program("crash_pages")
    witness = Witness(History(PAGES, CHANGES))
    words = [path, str(PAGES), str(CHANGES), str(ROUNDS)]
    create_image(image.path, SIZE_MIB)

    def boot_again():
        options = [f"interval={chance.choice((1, 10, 100))}", "start=new"]
        return BareBoot(image, plain_disk(image.path, disk), options, words)

    boot = boot_again()
    boot.expect(r"confirmed \d+ of \d+\.\s")
    states = 0
    for number in range(KILLS_SOAK if soak else KILLS[disk]):
        if number > 0:
            run_until_cut(boot, chance)
        boot.kill()
        states += witness.judge(boot.text(), number == 0)
        generation, wrong = look(image.path)
        assert not wrong and generation >= witness.generation, f"{generation}, {witness.generation} confirmed: {wrong}"
        boot.close()
        boot = boot_again()
    boot.expect(RESUMED)
    boot.expect(r"confirmed \d+ of \d+\.\s")
    boot.kill()
    states += witness.judge(boot.text())
    print(f"{states} states in {len(image.boots)} boots, up to round {witness.newest}")
