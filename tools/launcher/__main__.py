# SPDX-License-Identifier: BSD-2-Clause
"""Entry point of ./eidolon: makes this folder importable as the package `launcher` and hands over to its cli."""

import os
import sys


def open_closed_streams():
    """Whatever is opened next would get the number of a standard stream that is closed."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))


open_closed_streams()
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from launcher import cli  # noqa: E402  (the path above comes first)

sys.exit(cli.main(sys.argv[1:]))
