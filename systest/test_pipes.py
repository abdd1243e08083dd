"""Pipes beyond what test_clones.py shows of them: what poll() says, and what those cost who have nothing to do with one."""

import re

from crash_machine import BareBoot, create_image, plain_disk
from machine import RESUMED
from test_snapshots import ICOUNT
from test_transcripts import drive_nothing, transcript_on_linux, without_messages

BYSTANDERS = 80
BYSTANDER_INSTRUCTIONS_MAX = 2  # for each of them; sixty times as much when all pipes had one queue


def test_pipes_are_as_ready_as_on_linux(image, program):
    expected = transcript_on_linux(program("readiness"), drive_nothing)
    boot = image.boot(program=[program("readiness")])
    assert boot.end(timeout=120) == 0
    assert without_messages(boot.text()).splitlines() == expected.splitlines()


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


def test_a_pipe_costs_nothing_for_those_who_wait_on_others(image, program):
    create_image(image.path, 64)
    boot = BareBoot(image, [*plain_disk(image.path), *ICOUNT], ["interval=0", "start=new"],
                    [program("bystanders"), str(BYSTANDERS)])
    alone = int(boot.expect(r"alone: (\d+) instructions", timeout=60)[1])
    beside = boot.expect(r"beside (\d+): (\d+) instructions", timeout=120)
    boot.kill()
    count = int(beside[1])
    assert count == 2 * BYSTANDERS
    assert int(beside[2]) - alone < count * BYSTANDER_INSTRUCTIONS_MAX, (alone, beside[0])
