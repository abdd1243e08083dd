# SPDX-License-Identifier: BSD-2-Clause
"""Every benchmark has a quick form, which builds and runs: a benchmark that nobody starts rots."""

import os
import sys

import pytest

from machine import ROOT, eidolon

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import bench, packages  # noqa: E402

# What it is called with, and what its output must show.
QUICK = {
    "vm_map": (["--quick", "--only", "hashes", "--only", "memory"], "vm_map"),
    "snapshot": (["--quick"], "boot_to_program_ms"),
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
