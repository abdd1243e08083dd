#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Draw the picture of docs/stopping.md: tools/stopping_picture.py [OUTPUT].

The figures are those of the essay's own table, which are those of docs/performance.md (test_documents.py compares the three).
OUTPUT is docs/pictures/stopping.svg unless another one is named. Needs gnuplot.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "bench"))
sys.dont_write_bytecode = True
import plot_style  # noqa: E402

PICTURE = os.path.join(ROOT, "docs", "pictures", "stopping.svg")
TITLES = ("every page protected", "each dirty page protected", "Eidolon")
SCRIPT = plot_style.LINES + """\
set terminal svg size 720,440 font "sans,12" background "white"
set output "{output}"
set logscale xy
set format "%.0f"
set key left top
set xlabel "dirty pages"
set ylabel "instructions of the stop"
$figures << END
{figures}
END
plot {lines}
"""


def table():
    """Of the essay: rows of pages and instructions, one for each way."""
    with open(os.path.join(ROOT, "docs", "stopping.md"), encoding="utf-8") as file:
        found = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", file.read(), re.MULTILINE)
    return [[int(word.replace(",", "")) for word in row] for row in found]


def draw(output):
    figures = "\n".join(" ".join(map(str, row)) for row in table())
    lines = ", ".join(f'$figures using 1:{column} with linespoints title "{title}"' for column, title in enumerate(TITLES, 2))
    subprocess.run(["gnuplot"], input=SCRIPT.format(output=output, figures=figures, lines=lines), text=True, check=True)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else PICTURE)
