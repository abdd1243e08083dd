# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon bench: the benchmarks under bench/, each a folder with a program run.py of its own.

A run.py is started with the build folder as its first argument and whatever options the user gave it behind that, after
what it needs has been built, and writes tables (CSV) and plots (SVG) to build/bench/NAME.
"""

import itertools
import os
import subprocess

from launcher import build, common
from launcher.common import ROOT, UsageFailure, say

DESCRIPTION = """\
Run benchmarks, all or those named. Tables and plots go to build/bench; docs/performance.md says what they mean.
Options behind a single NAME are the benchmark's own: `./eidolon bench NAME --help` lists them."""


def names():
    folder = os.path.join(ROOT, "bench")
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if os.path.exists(os.path.join(folder, name, "run.py")))


def add_options(parser):
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"one of: {', '.join(names()) or '(none yet)'}")


def split(arguments):
    """Arguments for this command, and options for the benchmark named before them."""
    first = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments))
    return (first, arguments[len(first):]) if first else (arguments, [])


def start(name, words):
    """Run a benchmark; returns its status."""
    run = os.path.join(ROOT, "bench", name, "run.py")
    return subprocess.run(["/usr/bin/python3", run, common.BUILD, *words], stdin=subprocess.DEVNULL,
                          check=False).returncode


def command(options, words):
    """Returns 0 if every benchmark ran. `words`: options for it, if one is named."""
    known = names()
    for name in options.names:
        if name not in known:
            raise UsageFailure(f"there is no benchmark {name!r}; there are: {', '.join(known) or 'none'}")
    if words and len(options.names) > 1:
        raise UsageFailure(f"{words[0]} is for one benchmark, but there are {len(options.names)}; run them one by one")
    if "--help" in words or "-h" in words:
        return start(options.names[0], ["--help"])
    build.build(["all"], groups=("build", "run", "bench"), again=True)
    status = 0
    for name in options.names or known:
        say(f"benchmark {name}")
        if start(name, words):
            say(f"benchmark {name} failed")
            status = 1
    return status
