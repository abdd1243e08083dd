# SPDX-License-Identifier: BSD-2-Clause
"""The kernel changes and the image stays: a newer kernel goes on with what an older one left, and back; one that has changed a
record it finds in the image refuses it and leaves every byte as it was."""

import os

from crash_machine import KERNEL, BareBoot, create_image, plain_disk
from crash_witness import History, Witness
from machine import BUILD, RESUMED

NEWER = os.path.join(BUILD, "systest", "kernel_newer.elf")
OTHER_RECORDS = os.path.join(BUILD, "systest", "kernel_other_records.elf")
PAGES, CHANGES, ROUNDS = 200, 16, 5
STATUS_STOPPED = 35


class Life:
    """An image that is booted by one kernel after the other."""

    def __init__(self, image, program):
        self.image = image
        self.words = [program("crash_pages"), str(PAGES), str(CHANGES), str(ROUNDS)]
        self.witness = Witness(History(PAGES, CHANGES))
        create_image(image.path, 16)

    def boot(self, kernel):
        return BareBoot(self.image, plain_disk(self.image.path), ["interval=5", "start=new"], self.words, kernel=kernel)

    def live(self, kernel, resumes=True):
        boot = self.boot(kernel)
        if resumes:
            boot.expect(RESUMED)
        for _ in range(2):
            boot.expect(r"confirmed \d+ of \d+\.\s")
        boot.kill()
        assert self.witness.judge(boot.text(), not resumes) > 0


def test_newer_kernel_goes_on_and_so_does_the_older_one_after_it(image, program):
    life = Life(image, program)
    life.live(KERNEL, resumes=False)
    assert "kernel      0." in image.tool("info")
    life.live(NEWER)
    assert "kernel      99.0.0" in image.tool("info")
    life.live(KERNEL)
    life.live(NEWER)
    image.tool("verify")


def test_kernel_with_another_record_refuses_and_changes_nothing(image, program):
    life = Life(image, program)
    life.live(KERNEL, resumes=False)
    before = image.content()
    boot = life.boot(OTHER_RECORDS)
    boot.expect(r"its task records are of version \d+ \(1024 bytes\), this kernel reads 77")
    assert boot.end() == STATUS_STOPPED
    assert image.content() == before
    life.live(KERNEL)
