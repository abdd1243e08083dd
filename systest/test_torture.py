# SPDX-License-Identifier: BSD-2-Clause
"""`./eidolon torture`: a program that withstands power cuts passes, one that does not is found out, and what differed is kept; a Reading
judges consoles that are known to be right or wrong."""

import glob
import json
import os
import re
import subprocess
import sys
import time

import pytest

from machine import LAUNCHER, ROOT, WAIT_S, eidolon, environment

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import torture  # noqa: E402

LIMIT_S = 600
KILLS, KILLS_SOAK = 4, 500
STATES, STATES_SOAK = 2, 200
OUTPUT = "".join(f"line {number:06}\n" for number in range(1, 201)).encode()


def tortured(folder, *arguments, status):
    result = eidolon("torture", "--json", *arguments, status=status, timeout=LIMIT_S, cwd=folder)
    return json.loads(result.stdout), result.stderr


def test_program_that_stands_cuts_is_said_to(tmp_path, program, soak, chance):
    kills, states = (KILLS_SOAK, STATES_SOAK) if soak else (KILLS, STATES)
    report, errors = tortured(tmp_path, "--kills", str(kills), "--states", str(states), "--seed", str(chance.randrange(1 << 32)), "--",
                              program("lines"), "200", "1000", status=0)
    assert report["verdict"] == "as undisturbed" and report["different"] == [] and errors == ""
    assert report["kills"] == kills and report["disks"] == states and report["output_bytes"] == len(OUTPUT) and report["status"] == 5
    assert os.listdir(tmp_path) == []


def test_program_that_does_not_is_found_out_and_kept(tmp_path, program):
    for seed in range(5):  # kills may all come before it has begun
        result = eidolon("torture", "--kills", "8", "--states", "0", "--seed", str(seed), "--keep", "torn", "--", program("trusting"), "800",
                         timeout=LIMIT_S, cwd=tmp_path)
        if result.returncode != 0:
            break
    assert result.returncode == 1 and "verdict      different" in result.stdout and "are in torn" in result.stderr
    assert re.search(r"^different +kills\d+\.img: .*the counter has gone back", result.stdout, re.MULTILINE)
    with open(tmp_path / "torn" / "report.json", encoding="utf-8") as file:
        report = json.load(file)
    kept = tmp_path / "torn" / report["different"][0]["image"]
    eidolon("image", "verify", str(kept), status=0)
    again = eidolon("torture", "--keep", "torn", "--", program("lines"), status=1, cwd=tmp_path)
    assert "torn exists" in again.stderr


@pytest.mark.parametrize("arguments, status, words", [
    ([], 2, "after --"),
    (["--"], 2, "program"),
    (["--kills", "-1", "--", "x"], 2, "--kills"),
    (["--kill", "1", "--", "x"], 2, "did you mean --kills"),
    (["prog"], 2, "after --"),
    (["--", "no-such-program"], 1, "no-such-program: no such file"),
])
def test_what_is_wrong_is_named(tmp_path, arguments, status, words):
    assert words in eidolon("torture", *arguments, status=status, cwd=tmp_path).stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("options, words, said", [
    ([], ["time"], "prints something else in each undisturbed run"),
    (["--limit", "2"], ["for-ever"], "has not ended within 2 s"),
])
def test_program_that_cannot_be_judged_is_refused(tmp_path, program, options, words, said):
    assert said in eidolon("torture", *options, "--", program("trusting"), *words, status=1, timeout=LIMIT_S, cwd=tmp_path).stderr
    assert os.listdir(tmp_path) == []


def test_machine_does_not_outlive_the_command(tmp_path, program):
    command = subprocess.Popen([LAUNCHER, "torture", "--limit", "600", "--", program("trusting"), "for-ever"], cwd=tmp_path,
                               env=dict(environment(), TMPDIR=str(tmp_path)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pidfiles = wait_for(lambda: [path for path in glob.glob(str(tmp_path / "eidolon-torture-*" / "*.pid")) if os.path.getsize(path)])
    with open(pidfiles[0], encoding="ascii") as file:
        qemu = int(file.read())
    os.kill(qemu, 0)
    command.kill()
    command.wait()
    wait_for(lambda: not os.path.exists(f"/proc/{qemu}"))


def wait_for(condition):
    limit = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < limit, "it never happened"
        time.sleep(0.02)
    return found


def test_image_whose_program_has_ended_in_order_is_known(image, program):
    trial = torture.Trial(os.path.dirname(image.path), "ended")
    image.path = trial.path
    boot = image.boot(program=[program("lines"), "100000", "1000"])
    boot.expect(r"line \d+")
    boot.read_for(0.5)
    boot.kill()
    assert not trial.has_ended()
    os.unlink(image.path)
    assert image.boot(program=[program("lines"), "5"]).end() == 5 and trial.has_ended()


def test_reading_follows_consoles_that_repeat_as_much_as_they_said():
    reading = torture.Reading(OUTPUT)
    assert reading.take(OUTPUT[:1000], 0) is None
    assert reading.take(OUTPUT[900:1500], 100) is None
    assert reading.take(b"", 0) is None
    assert reading.finish() is not None
    assert reading.take(OUTPUT[1500:], 0) is None and reading.finish() is None


@pytest.mark.parametrize("piece, repeated", [
    (OUTPUT[880:1500], 100),  # repeats more than it said
    (OUTPUT[1012:1500], 100),  # leaves a line out
    (OUTPUT[1000:1100] + b"x" + OUTPUT[1101:1500], 0),
    (OUTPUT[1000:] + b"more", 0),
])
def test_reading_notices_what_was_undone_lost_or_changed(piece, repeated):
    reading = torture.Reading(OUTPUT)
    assert reading.take(OUTPUT[:1000], 0) is None
    assert "undisturbed it is" in reading.take(piece, repeated)


def test_reading_forgives_the_beginning_of_a_line_of_the_machine_at_a_cut_only():
    for is_cut in (False, True):
        reading = torture.Reading(OUTPUT)
        assert (reading.take(OUTPUT[:1200] + b"eidol", 0, is_cut) is None) == is_cut
