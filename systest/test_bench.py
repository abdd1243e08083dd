# SPDX-License-Identifier: BSD-2-Clause
"""Every benchmark has a quick form, which builds and runs: a benchmark that nobody starts rots."""

import os
import re
import sys

import pytest

from machine import BUILD, ROOT, eidolon

sys.path.insert(0, os.path.join(ROOT, "tools"))
sys.path.insert(1, os.path.join(ROOT, "bench"))
import plot_style  # noqa: E402
from launcher import bench, packages  # noqa: E402

# What it is called with, and what its output must show.
QUICK = {
    "vm_map": (["--quick", "--only", "hashes", "--only", "memory"], "vm_map"),
    "snapshot": (["--quick"], "boot_to_program_ms"),
    "system": (["--quick"], "the small one while another holds 128 MiB"),
    "stall": (["--quick"], "a clone ends after its parent wrote 8,192 pages"),
    "paging": (["--quick"], "50 runs of the kernel and the simulator agree in every count and victim"),
}


@pytest.mark.parametrize("name", bench.names())
def test_quick_form_of_a_benchmark_runs(name):
    missing = packages.missing(("bench",))
    if missing:
        pytest.skip(f"packages for benchmarks are missing ({' '.join(missing)}): ./eidolon setup installs them")
    options, shown = QUICK[name]
    result = eidolon("bench", name, *options, status=0, timeout=600)
    assert shown in result.stdout


def luminance(colour):
    """Of a colour #rrggbb, between 0 and 1: what is left of it in grey."""
    channels = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_of_plots_are_told_apart_without_their_colours():
    colours, dashes, markers = zip(*plot_style.STYLES)
    for property_of_line in (colours, dashes, markers):
        assert len(set(property_of_line)) == len(plot_style.STYLES)
    assert all(luminance(colour) < 0.5 for colour in colours), "pale on white paper"
    light = [luminance(colour) for colour in colours[:6]]
    assert min(abs(one - next_one) for one, next_one in zip(light, light[1:])) > 0.1, "neighbours look alike in grey"


def test_paging_plots_have_every_line_and_say_what_it_is():
    missing = packages.missing(("bench",))
    if missing:
        pytest.skip(f"packages for benchmarks are missing ({' '.join(missing)}): ./eidolon setup installs them")
    eidolon("bench", "paging", "--simulate", status=0, timeout=120)
    folder = os.path.join(BUILD, "bench", "paging")
    with open(os.path.join(folder, "zipf.svg"), encoding="utf-8") as file:
        text = file.read()
    for word in ("optimum", "At writes it does not look", "random: any", "FIFO:", "second chance:", "LRU:", "SIEVE:"):
        assert word in text, word
    used = set(re.findall(r"rgb\( *\d+, *\d+, *\d+\)", text))
    wanted = {f"rgb({int(colour[1:3], 16):3}, {int(colour[3:5], 16):3}, {int(colour[5:7], 16):3})"
              for colour, _, _ in plot_style.STYLES[1:6]}
    assert len(wanted) == 5 and wanted <= used, used
