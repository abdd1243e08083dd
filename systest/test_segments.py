# SPDX-License-Identifier: BSD-2-Clause
"""What a program leaves in segment registers and flags cannot trip the kernel."""


def test_segments_and_flags_of_a_program_do_the_kernel_no_harm(image, program):
    boot = image.boot(program=[program("segments")])
    assert boot.end(timeout=60) == 0, boot.text()
    assert "WRONG" not in boot.text() and "\n0 went wrong\n" in boot.text()
    assert "panic" not in boot.log()
    assert image.boot(program=[program("hello"), "17"]).end() == 17
