# SPDX-License-Identifier: BSD-2-Clause
"""The script that photographs screens for docs/screens.md works, and the document shows what it takes."""

import os
import re
import struct
import subprocess

from machine import BUILD, ROOT

SIZE = (720, 400)


def size_of(path):
    with open(path, "rb") as file:
        head = file.read(24)
    assert head.startswith(b"\x89PNG"), path
    return struct.unpack(">II", head[16:24])


def test_screens_are_photographed(tmp_path):
    folder = str(tmp_path / "pictures")
    result = subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "tools", "screens.py"), BUILD, folder], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    with open(os.path.join(ROOT, "docs", "screens.md"), encoding="utf-8") as file:
        shown = set(re.findall(r"\(pictures/([a-z]+\.png)\)", file.read()))
    assert set(os.listdir(folder)) == shown and len(shown) == 6
    contents = set()
    for name in shown:
        path = os.path.join(folder, name)
        assert size_of(path) == SIZE == size_of(os.path.join(ROOT, "docs", "pictures", name))
        with open(path, "rb") as file:
            contents.add(file.read())
    assert len(contents) == len(shown), "they are of the same screen"
