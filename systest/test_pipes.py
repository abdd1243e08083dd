# SPDX-License-Identifier: BSD-2-Clause
"""Pipes beyond what test_clones.py shows of them: what poll() says, and what those cost who have nothing to do with one."""

import re

from crash_machine import BareBoot, create_image, plain_disk
from machine import RESUMED
from test_snapshots import ICOUNT
from test_transcripts import drive_nothing, transcript_on_linux, without_messages

PIPES_MAX = 1024
PIPE_BYTES = 65536
BYSTANDERS = 80
BULK_INSTRUCTIONS_MAX = 80500  # of 64 KiB in and out, what they take on Linux; here 53,000
BYSTANDER_INSTRUCTIONS_MAX = 2  # for each of them; sixty times as much when all pipes had one queue


def test_pipes_are_as_ready_as_on_linux(image, program):
    expected = transcript_on_linux(program("readiness"), drive_nothing)
    boot = image.boot(program=[program("readiness")])
    assert boot.end(timeout=120) == 0
    assert without_messages(boot.text()).splitlines() == expected.splitlines()


def test_pipes_hold_what_they_hold_on_linux(image, program):
    expected = transcript_on_linux(program("pipe_room"), drive_nothing)
    boot = image.boot(program=[program("pipe_room")])
    assert boot.end(timeout=120) == 0
    assert without_messages(boot.text()).splitlines() == expected.splitlines()


def test_full_pipes_hold_what_they_held_before_cuts(image, program, chance):
    """Cut anywhere, also while capacities change; then while pipes of all capacities are full, one after the other."""
    expected = transcript_on_linux(program("pipe_room"), drive_nothing).splitlines()
    boot = image.boot("--interval", "10", program=[program("pipe_room"), "2"])
    boot.expect("took 65536")
    for _ in range(7):
        boot.read_for(chance.uniform(0.02, 0.3))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot("--interval", "10")
        boot.expect(RESUMED)
    assert boot.end(timeout=120) == 0
    seen = without_messages("".join(each.text() for each in image.boots)).splitlines()
    assert seen[-4:] == expected[-4:] and "WRONG" not in "".join(seen)
    assert len(set(expected) - set(seen)) <= len(image.boots) - 1


def test_who_waits_for_a_pipe_wakes_after_a_cut(image, program, chance):
    """The sleepers of all kinds are cut while they sleep, and what wakes them comes in another boot."""
    expected = transcript_on_linux(program("readiness"), drive_nothing).splitlines()
    boot = image.boot("--interval", "10", program=[program("readiness")])
    boot.expect("bytes wake a reader")
    for _ in range(4):
        boot.read_for(chance.uniform(0.02, 0.2))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot("--interval", "10")
        boot.expect(RESUMED)
    assert boot.end(timeout=120) == 0
    seen = without_messages("".join(each.text() for each in image.boots)).splitlines()
    assert seen[-1] == expected[-1]
    # A line that a cut went through is seen in two parts.
    assert len(set(expected) - set(seen)) <= len(image.boots) - 1


def test_a_pipe_costs_what_is_moved_and_nothing_for_those_who_wait_on_others(image, program):
    create_image(image.path, 64)
    boot = BareBoot(image, [*plain_disk(image.path), *ICOUNT], ["interval=0", "start=new"],
                    [program("bystanders"), str(BYSTANDERS)])
    assert int(boot.expect(r"64 KiB: (\d+) instructions", timeout=60)[1]) < BULK_INSTRUCTIONS_MAX
    alone = int(boot.expect(r"alone: (\d+) instructions", timeout=60)[1])
    beside = boot.expect(r"beside (\d+): (\d+) instructions", timeout=120)
    boot.kill()
    count = int(beside[1])
    assert count == 2 * BYSTANDERS
    assert int(beside[2]) - alone < count * BYSTANDER_INSTRUCTIONS_MAX, (alone, beside[0])


def content_bytes(image):
    """What is in the newest generation, as the image tool says."""
    number, unit = re.search(r"^content +([\d.]+) (\w+)", image.tool("info"), re.MULTILINE).groups()
    return float(number) * {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]


def test_all_pipes_full_are_paged_out_kept_over_a_cut_and_given_up_in_the_end(image, program):
    """64 MiB in 1,024 pipes on a machine of 24 MiB. One more is refused, and all of it comes back twice."""
    memory = ("--memory", "24")
    boot = image.boot(*memory, program=[program("pipe_flood")])
    for number in (1, 2):
        refused = boot.expect(rf"round {number}: (\d+) pipes, then: ([^\r\n]+)\r*\n", timeout=120)
        assert int(refused[1]) == PIPES_MAX and "Too many open files in system" in refused[2]
        if number == 1:
            boot.read_for(0.5)
            boot.kill()
            assert content_bytes(image) > PIPES_MAX * PIPE_BYTES
            boot = image.boot(*memory)
            boot.expect(RESUMED)
        boot.send("\r")
        assert boot.expect(r"verified: (\d+) wrong", timeout=120)[1] == "0"
        if number == 1:
            boot.send("\r")
    boot.read_for(3)
    boot.kill()
    assert content_bytes(image) < 4 << 20
