# SPDX-License-Identifier: BSD-2-Clause
"""The command line of a benchmark, as `./eidolon bench NAME` passes it on: the folder of the build, then options."""

import argparse
import sys


def parser(name, text):
    """A parser that knows the build and `--help`; the benchmark adds its own options. `text`: what `--help` says first."""
    if "--help" in sys.argv[1:] or "-h" in sys.argv[1:]:
        sys.argv[1:] = ["-", "--help"]  # asked for before there is anything to run
    made = argparse.ArgumentParser(prog=f"./eidolon bench {name}", description=text, formatter_class=argparse.RawDescriptionHelpFormatter,
                                   allow_abbrev=False)
    made.add_argument("build", help=argparse.SUPPRESS)
    return made
