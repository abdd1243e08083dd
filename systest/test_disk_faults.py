# SPDX-License-Identifier: BSD-2-Clause
"""Disks that fail: writes and flushes that come back with errors. (Bad sectors and full disks: test_damage.py.)

Whatever fails, the committed state survives, programs run on as far as they can, nobody is told that something is durable
when it is not, and the kernel says what happened. After each test the image is booted on a sound disk: the pages of the
program (crash_pages) must be right and as new as it was told.
"""

import re

import pytest

from crash_machine import ERRNO_EIO, BareBoot, Fault, create_image, failing_disk, look, plain_disk
from crash_witness import History, Witness
from machine import RESUMED, WAIT_S

PAGES, CHANGES, ROUNDS = 200, 16, 5
SIZE_MIB = 16
STATUS_STOPPED = 35

CONFIRMED = r"confirmed \d+ of \d+\.\s"
STATE = r"state \d+ [0-9a-f]+\.\s"


class Patient:
    """An image with a program in it that was cut off while all was well."""

    def __init__(self, image, path, disk="virtio", interval=20, wait=False, pages=PAGES, size_mib=SIZE_MIB):
        self.image = image
        self.disk = disk
        self.wait = wait
        self.options = [f"interval={interval}", "start=new"]
        self.words = [path, str(pages), str(CHANGES), str(ROUNDS)] + (["wait"] if wait else [])
        self.history = History(pages, CHANGES)
        self.witness = Witness(self.history)
        create_image(image.path, size_mib)

    def boot(self, fault=None, options=None, words=None):
        disk = failing_disk(self.image.path, fault, self.disk) if fault else plain_disk(self.image.path, self.disk)
        return BareBoot(self.image, disk, options or self.options, words or self.words)

    def live(self, confirmations=2):
        """Let the program live for the first time; then pull the plug."""
        boot = self.boot()
        for number in range(confirmations):
            boot.expect(CONFIRMED)
            if self.wait and number + 1 < confirmations:
                boot.send_line("")
        self.end(boot)
        return self

    def end(self, boot):
        """Pull the plug and judge what was said."""
        boot.kill()
        self.witness.judge(boot.text(), boot is self.image.boots[0])

    def is_well(self):
        """The image is sound, and a boot on a sound disk goes on."""
        generation, wrong = look(self.image.path)
        assert not wrong and generation >= self.witness.generation
        boot = self.boot()
        assert int(boot.expect(RESUMED)[1]) == generation
        boot.send_line("")
        boot.expect(STATE)
        boot.expect(CONFIRMED)
        self.end(boot)


def expect_log(boot, pattern):
    """Wait until the kernel has logged something; the console is read meanwhile."""
    for _ in range(WAIT_S * 20):
        if re.search(pattern, boot.log()):
            return
        boot.read_for(0.05)
    raise AssertionError(f"the kernel did not log {pattern!r} within {WAIT_S} s")


@pytest.mark.parametrize("disk", ["virtio", "ata"])
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("kind", ["write", "flush"])
def test_errors_that_pass_cost_no_state(image, program, chance, kind, count, disk):
    patient = Patient(image, program("crash_pages"), disk).live()
    boot = patient.boot(Fault(kind, chance.randrange(6, 16), count))
    expect_log(boot, f"{kind}.* failed")
    for _ in range(3):
        boot.expect(CONFIRMED)
    patient.end(boot)
    patient.is_well()


@pytest.mark.parametrize("disk", ["virtio", "ata"])
@pytest.mark.parametrize("kind", ["write", "flush"])
def test_disk_that_has_failed_for_good_keeps_its_last_state_and_programs_run_on(image, program, chance, kind, disk):
    patient = Patient(image, program("crash_pages"), disk).live()
    boot = patient.boot(Fault(kind, chance.randrange(6, 16), None))
    boot.expect(rf"unconfirmed \d+: {ERRNO_EIO}\.\s")
    for _ in range(2 * ROUNDS):
        boot.expect(STATE)
    boot.expect(rf"unconfirmed \d+: {ERRNO_EIO}\.\s")
    expect_log(boot, "no snapshot: input/output error; the programs run on")
    patient.end(boot)
    patient.is_well()


@pytest.mark.parametrize("kind", ["write", "flush"])
def test_last_state_that_cannot_be_kept_is_reported(image, program, kind):
    """The program ends well, but its end could not be made durable: the machine's status says so."""
    create_image(image.path, SIZE_MIB)
    disk = failing_disk(image.path, Fault(kind, 2, None))
    boot = BareBoot(image, disk, ["interval=0", "start=new"], [program("hello"), "0"])
    boot.expect("hello from a program of 2 arguments")
    boot.expect("the last state could not be made durable")
    assert boot.end() == STATUS_STOPPED


@pytest.mark.parametrize("kind", ["write", "flush"])
def test_disk_that_fails_from_the_beginning_is_refused(image, program, kind):
    patient = Patient(image, program("crash_pages")).live()
    boot = patient.boot(Fault(kind, 1, None))
    boot.expect("eidolon: image: .*error")
    assert boot.end() == STATUS_STOPPED
    patient.is_well()
