"""./eidolon bench: the benchmarks under bench/, each a folder with a program run.py of its own.

A run.py is started with the build folder as its only argument, after what it needs has been built, and writes tables
(CSV) and plots (SVG) to build/bench/NAME.
"""

import os
import subprocess

from launcher import build, common
from launcher.common import ROOT, UsageFailure, say

DESCRIPTION = """\
Run benchmarks, all or those named. Tables and plots go to build/bench; docs/performance.md says what they mean."""


def names():
    folder = os.path.join(ROOT, "bench")
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if os.path.exists(os.path.join(folder, name, "run.py")))


def add_options(parser):
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"one of: {', '.join(names()) or '(none yet)'}")


def command(options):
    """Returns 0 if every benchmark ran."""
    known = names()
    for name in options.names:
        if name not in known:
            raise UsageFailure(f"there is no benchmark {name!r}; there are: {', '.join(known) or 'none'}")
    build.build(["all"], groups=("build", "run", "bench"), again=True)
    status = 0
    for name in options.names or known:
        say(f"benchmark {name}")
        run = os.path.join(ROOT, "bench", name, "run.py")
        if subprocess.run(["/usr/bin/python3", run, common.BUILD], stdin=subprocess.DEVNULL, check=False).returncode:
            say(f"benchmark {name} failed")
            status = 1
    return status
