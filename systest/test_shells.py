# SPDX-License-Identifier: BSD-2-Clause
"""Shells with small C libraries, each with its own way of making system calls: as on Linux, also when the power is cut."""

import os
import subprocess

import pytest

from machine import BUILD, RESUMED
from test_transcripts import without_messages

ROOT = os.path.join(BUILD, "i386", "usr", "lib")
SHELLS = {library: os.path.join(ROOT, folder, "bin", "mksh")
          for library, folder in (("klibc", "klibc"), ("dietlibc", "diet"), ("musl", "i386-linux-musl"))}

# What it finds out is kept in a variable and told in the end, so that the transcript is whole wherever the cut was.
SCRIPT = """
echo begun
trap 'told="$told signal;"' USR1
n=0
while [ $n -lt 60 ]; do
    words=$(echo sub $n; (exit 3); echo $?)
    told="$told $words;"
    told="$told $(echo a b c | while read one rest; do echo "$rest $one"; done);"
    (exit $n) & wait $!
    told="$told $?;"
    kill -USR1 $$
    n=$((n + 1))
done
echo "$told"
exit 5
"""


@pytest.mark.parametrize("library", SHELLS)
def test_shell_finds_what_it_finds_on_linux_whatever_was_cut(image, chance, library):
    shell = SHELLS[library]
    if not os.path.exists(shell):
        pytest.skip("no mksh for i386")
    linux = subprocess.run([shell, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    boot = image.boot("--interval", "20", program=[shell, "-c", SCRIPT])
    boot.expect("begun")
    for _ in range(2):
        boot.read_for(chance.uniform(1.0, 2.0))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot("--interval", "20")
        boot.expect(RESUMED)
    assert boot.end(timeout=120) == linux.returncode == 5
    assert linux.stdout.splitlines()[-1] in without_messages(boot.text()).splitlines()
