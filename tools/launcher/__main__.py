# SPDX-License-Identifier: BSD-2-Clause
"""Entry point of ./eidolon: makes this folder importable as the package `launcher` and hands over to its cli."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from launcher import cli  # noqa: E402  (the path above comes first)

sys.exit(cli.main(sys.argv[1:]))
