# SPDX-License-Identifier: BSD-2-Clause
"""What every part of the launcher shares: where things are, how it speaks, how it fails.

Messages go to stderr and begin with `eidolon:`; stdout belongs to what a command is asked for, the serial console of
a machine included. A failure is a `Failure`, which carries the exit status: 2 for a wrong command line, 1 otherwise.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Tests and people who keep several builds may point these elsewhere (docs/testing.md).
BUILD = os.path.abspath(os.environ.get("EIDOLON_BUILD", os.path.join(ROOT, "build")))
IS_BUILT = os.environ.get("EIDOLON_IS_BUILT") == "1"

STATUS_FAILURE = 1
STATUS_USAGE = 2


class Failure(Exception):
    """The command cannot go on. The message names the thing and the remedy."""

    def __init__(self, message, status=STATUS_FAILURE):
        super().__init__(message)
        self.status = status


class UsageFailure(Failure):
    """The command line is wrong."""

    def __init__(self, message):
        super().__init__(message, STATUS_USAGE)


def say(message):
    """One line for the people at the terminal."""
    print(f"eidolon: {message}", file=sys.stderr, flush=True)


def build_path(*parts):
    return os.path.join(BUILD, *parts)


def reason(error):
    """The plain words of an OSError, without number and path."""
    return (error.strerror or str(error)).lower()
