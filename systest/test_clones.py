# SPDX-License-Identifier: BSD-2-Clause
"""Clones of programs: what they share and what not, whatever is cut, and that nothing is left of them. And pipes."""

import os
import subprocess

import pytest

from machine import BUILD, RESUMED
from test_transcripts import drive_nothing, transcript_on_linux, without_messages


@pytest.mark.parametrize("name", ["forks", "pipes", "execs", "collapses"])
def test_clones_and_pipes_are_what_they_are_on_linux(image, program, name):
    expected = transcript_on_linux(program(name), drive_nothing)
    boot = image.boot(program=[program(name)])
    assert boot.end(timeout=120) == 0
    assert without_messages(boot.text()).splitlines() == expected.splitlines()


def test_clones_go_on_whatever_was_cut(image, program, chance):
    boot = image.boot(program=[program("forks"), "3000"])
    boot.expect("child: ")
    for _ in range(8):
        boot.read_for(chance.uniform(0.1, 0.8))
        if not boot.is_running() or "done" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=180) == 0
    assert "3000 rounds, 0 wrong\ndone\n" in boot.text()
    for each in image.boots:
        assert "crowd: 0 wrong" in each.text() or "crowd" not in each.text()
        assert "lost" not in each.text() and "waitpid:" not in each.text()


def test_program_that_hears_of_the_end_of_a_clone_has_what_it_had_whatever_was_cut(image, program, chance):
    expected = transcript_on_linux(program("collapses"), drive_nothing).splitlines()
    boot = image.boot(program=[program("collapses"), "1"])
    for _ in range(3):
        boot.expect(r"done|, \d+ wrong|eidolon: [a-z]+ generation|eidolon: resumed")
        boot.read_for(chance.uniform(0, 1.5))
        if not boot.is_running() or "done" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=60) == 0
    for each in image.boots[:-1]:  # the last line of a boot may be cut, too
        assert set(without_messages(each.text()).splitlines()[:-1]) <= set(expected)
    seen = [line for line in without_messages(boot.text()).splitlines() if line]
    assert seen[-1] == "done" and set(seen[1:]) <= set(expected)
    assert image.tool("verify").endswith("sound\n")


def test_no_byte_in_a_pipe_is_lost_or_seen_twice_whatever_was_cut(image, program, chance):
    boot = image.boot(program=[program("pipes"), "30000000"])
    boot.expect("bad place")
    for _ in range(6):
        boot.read_for(chance.uniform(0.1, 0.6))
        if not boot.is_running() or "pumped" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=180) == 0
    assert "pumped 30000000, 0 wrong\n" in boot.text()


def test_short_writes_to_a_pipe_stay_whole_while_memory_is_short(image, program):
    boot = image.boot("--memory", "24", "--interval", "10", program=[program("packets"), "6", "6", "1000"])
    assert boot.expect(r"(\d+) of 6000 packets are whole", timeout=120)[1] == "6000"
    assert boot.end() == 0


BUSYBOX = os.path.join(BUILD, "i386", "bin", "busybox")

SCRIPT = """
echo hello | cat | wc -c
for i in 3 1 2; do echo $i; done | sort | tr '\\n' ' '; echo
x=$(echo sub; (exit 3); echo $?); echo "$x"
seq 1 1000 | grep 7 | wc -l
cat <<END | rev
abc
def
END
sh -c 'echo inner $0 $1' a b
sleep 1 & wait $!; echo waited $?
yes | head -2
seq 1 20000 | sort -rn | tail -n 1
i=0; while [ $i -lt 200 ]; do i=$((i + $(echo 1 | cat))); done; echo $i
(kill -15 $(sh -c 'echo $PPID')); echo "ended with $?"
exit 5
"""


@pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="no busybox for i386")
def test_pipelines_of_a_shell_are_what_they_are_on_linux_whatever_was_cut(image, chance):
    linux = subprocess.run([BUSYBOX, "sh", "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    boot = image.boot(program=[BUSYBOX, "sh", "-c", SCRIPT])
    boot.expect(r"(?m)^6\r*$")
    for _ in range(5):
        boot.read_for(chance.uniform(0.1, 0.8))
        if not boot.is_running() or "ended with" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=180) == linux.returncode == 5
    expected = linux.stdout.splitlines()
    seen = [line for line in without_messages(boot.text()).splitlines() if line]
    assert seen[-2:] == expected[-2:] and set(seen) <= set(expected)


def what_there_is(image):
    """Of a program that waits: its regions and its content; and how much content there is in all."""
    programs = [line.split() for line in image.tool("programs").splitlines()[1:]]
    content, = (line for line in image.tool("info").splitlines() if line.startswith("content"))
    return programs, content


def test_a_thousand_clones_leave_no_page_region_or_block(image, program):
    boot = image.boot("--memory", "64", program=[program("clone_rounds"), "10", "20", "1000"])
    found = []
    for rounds in ("10", "20", "1000"):
        boot.expect(rf"after +{rounds} rounds, 0 wrong", timeout=120)
        boot.kill()
        found.append(what_there_is(image))
        image.tool("verify")  # every block that is in use belongs to a page, a record or a map
        boot = image.boot("--memory", "64")
        boot.expect(RESUMED)
        boot.send("\r")
    assert boot.end() == 0
    assert found[1] == found[2]  # the first comes before anything was typed, which the terminal keeps


def test_a_program_larger_than_memory_is_cloned_whatever_was_cut(image, program, chance):
    boot = image.boot("--memory", "32", program=[program("clone_large"), "64"])
    boot.expect("filled 16384 pages", timeout=120)
    for _ in range(4):
        boot.read_for(chance.uniform(0.2, 2))
        if not boot.is_running() or "again" in boot.text():
            break
        boot.kill()
        boot = image.boot("--memory", "32")
        boot.expect(RESUMED)
    assert boot.end(timeout=180) == 0
    text = "".join(each.text() for each in image.boots)
    assert "parent: 0 wrong" in text and "child: 0 wrong" in text and "parent again: 0 wrong" in boot.text()
