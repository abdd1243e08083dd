# SPDX-License-Identifier: BSD-2-Clause
"""Job control as a shell does it: ^Z, jobs, bg and fg, also when the power is cut while a job is stopped."""

import os

import pytest

from machine import BUILD, RESUMED

BUSYBOX = os.path.join(BUILD, "i386", "bin", "busybox")
pytestmark = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="no busybox for i386")

COUNTS = "n=0; while [ $n -lt 8 ]; do n=$((n + 1)); echo count $n; sleep 0.3; done; echo counted"


def test_shell_stops_jobs_and_takes_them_up_again(image):
    boot = image.boot("--interval", "20", program=[BUSYBOX, "ash", "-i"])
    boot.expect("# ")
    boot.send(f"busybox ash -c '{COUNTS}'\n")
    boot.expect("count 2\r?\n")
    boot.send("\x1a")
    boot.expect(r"\[1\]\+\s+Stopped")
    boot.send("jobs; echo seen $((40 + 2))\n")
    boot.expect(r"\[1\]\+\s+Stopped")
    boot.expect("seen 42")
    boot.send("sync\n")
    boot.read_for(1.0)
    boot.kill()

    boot = image.boot("--interval", "20")
    boot.expect(RESUMED)
    boot.read_for(1.5)  # in which it would have gone on
    assert "count" not in boot.text().split("back")[-1]
    boot.send("bg\n")
    boot.expect("count [34]\r?\n")
    boot.send("fg\n")
    boot.expect("count 7\r?\n")
    boot.expect("counted")
    boot.send("cat\n")
    boot.read_for(0.5)
    boot.send("\x1a")
    boot.expect(r"\[1\]\+\s+Stopped\s+cat")
    boot.send("bg\n")  # it reads in the background
    boot.read_for(0.5)
    boot.send("jobs\n")
    boot.expect(r"\[1\]\+\s+Stopped \(tty input\)\s+cat")
    boot.send("fg\n")
    boot.expect("fg\r*\ncat\r*\n")
    boot.read_for(0.5)
    boot.send("echoed\n\x04")
    boot.expect("echoed\r*\nechoed")
    boot.expect("# ")
    boot.send("exit 7\n")
    assert boot.end() == 7
