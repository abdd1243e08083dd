# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon test coverage: which lines of the portable kernel modules the host tests reach.

A build of its own with counters in the code; gcov reads them. A line counts once, and as reached if any program
reached it in any object it was compiled into.
"""

import collections
import glob
import json
import os
import subprocess

from launcher import build
from launcher.common import Failure, ROOT, build_path

MODULES = ["kernel", "kernel/vm_map", "kernel/snap", "kernel/lib", "kernel/dev", "kernel/proc"]


def counters(folder):
    return glob.glob(os.path.join(folder, "**", "*.gcda"), recursive=True)


def gcov_reports(folder):
    """gcov's account of each object file, as parsed JSON."""
    for path in counters(folder):
        result = subprocess.run(["gcov", "--json-format", "--stdout", path], cwd=folder, text=True, check=False,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in result.stdout.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def lines_by_file(folder):
    """{path in the tree: {line number: times reached}}"""
    reached = collections.defaultdict(dict)
    for report in gcov_reports(folder):
        for file in report["files"]:
            path = os.path.relpath(os.path.join(ROOT, file["file"].lstrip("/")), ROOT)
            if not os.path.exists(os.path.join(ROOT, path)):
                path = os.path.relpath(os.path.normpath(os.path.join(folder, file["file"])), ROOT)
            for line in file["lines"]:
                number = line["line_number"]
                reached[path][number] = max(reached[path].get(number, 0), line["count"])
    return reached


def row(name, lines):
    hit = sum(1 for count in lines if count)
    return f"{100 * hit / len(lines):6.1f} %  {hit:6} of {len(lines):6}  {name}"


def module_of(path):
    """The module that a file belongs to: its folder, or the one that its folder is a part of."""
    folder = os.path.dirname(path)
    return max((module for module in MODULES if f"{folder}/".startswith(f"{module}/")), key=len, default=None)


def table(reached):
    """A line for each module and each of its files."""
    result = []
    for module in MODULES:
        files = {path: lines for path, lines in sorted(reached.items()) if module_of(path) == module}
        if files:
            result.append(row(module, [count for lines in files.values() for count in lines.values()]))
            result += [row("    " + os.path.basename(path), list(lines.values())) for path, lines in files.items()]
    return result


def measure(ctest):
    """Build, run, print the table. `ctest`: runs the host tests of a folder and counts them."""
    folder = build_path("coverage")
    build.build(["hosttests"], groups=("build", "test"), preset="coverage", folder=folder, again=True)
    for path in counters(folder):
        os.unlink(path)
    count = ctest(folder, "with coverage counters")
    lines = table(lines_by_file(folder))
    if not lines:
        raise Failure("gcov reported no line of the kernel's portable modules")
    print("\n".join(["lines reached by the host tests", *lines]), flush=True)
    return count
