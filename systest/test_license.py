# SPDX-License-Identifier: BSD-2-Clause
"""Every source says under which license it is."""

import os
import subprocess

import pytest

from machine import ROOT

TAG = "SPDX-License-Identifier: BSD-2-Clause"
SOURCES = (".c", ".h", ".S", ".cpp", ".ld", ".css", ".js", ".mjs", ".py", ".sh", ".cmake", ".html", "CMakeLists.txt")
HEAD_BYTES = 200


def test_every_source_names_its_license():
    listing = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this is no checkout of git")
    sources = [name for name in listing.stdout.splitlines() if name.endswith(SOURCES)]
    without = []
    for name in sources:
        path = os.path.join(ROOT, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                if TAG not in file.read(HEAD_BYTES):
                    without.append(name)
    assert len(sources) > 300 and not without
