# SPDX-License-Identifier: BSD-2-Clause
"""An image and the processors it is booted on: it goes on wherever all is present that its programs can have built on."""

import pytest

CONFIRMED = r"confirmed \d+\."
LACKING = r"its programs have seen a processor with {}, which this one lacks; it was left as it is; .*--cpu"


@pytest.fixture
def start_list(image, program):
    """A list that proves itself, on a processor."""
    def start(*options):
        boot = image.boot("--size", "16", *options, program=[program("list")])
        boot.expect(CONFIRMED)
        boot.kill()
    return start


def goes_on(image, *options):
    boot = image.boot(*options)
    boot.expect(r"resumed generation")
    boot.expect(CONFIRMED)
    boot.kill()


# Everything that QEMU's plain 32-bit processor has and only a kernel can use.
KERNELS_OWN = ["de=off", "mce=off", "apic=off", "pat=off", "vme=off", "mtrr=off", "pge=off", "mca=off"]


@pytest.mark.parametrize("born, reborn", [
    ([], ["--qemu", "-cpu qemu32," + ",".join(KERNELS_OWN)]),
    ([], ["--cpu", "baseline"]),
    (["--cpu", "baseline"], ["--cpu", "max"]),
    (["--cpu", "baseline"], ["--qemu", "-cpu qemu32,+popcnt,+rdrand," + ",".join(KERNELS_OWN)]),
])
def test_image_on_a_processor_with_all_it_has_seen_goes_on(image, start_list, born, reborn):
    start_list(*born)
    goes_on(image, *reborn)


@pytest.mark.parametrize("born, reborn, names", [
    (["--cpu", "baseline"], [], "popcnt rdrand"),
    ([], ["--qemu", "-cpu qemu32,-pni"], "sse3"),
    (["--qemu", "-cpu qemu32,+bmi1,+bmi2"], [], "bmi1 bmi2"),
])
def test_image_on_a_processor_without_what_it_has_seen_is_refused_by_name(image, start_list, born, reborn, names):
    start_list(*born)
    before = image.content()
    boot = image.boot(*reborn)
    boot.expect(LACKING.format(names))
    assert boot.end() == 1
    assert image.content() == before
    goes_on(image, *born)


def test_image_that_was_on_a_better_processor_needs_what_programs_saw_there(image, start_list):
    start_list()
    goes_on(image, "--cpu", "baseline")
    boot = image.boot()
    boot.expect(LACKING.format("popcnt rdrand"))
    assert boot.end() == 1
