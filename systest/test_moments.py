# SPDX-License-Identifier: BSD-2-Clause
"""A moment in place of a generation's number, wherever one can be named: what it means, and what is said if it means nothing."""

import os
import re
import sys
import time

import pytest

from machine import RESUMED, WAIT_S, eidolon

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))
from launcher import moment  # noqa: E402
from launcher.common import Failure, UsageFailure  # noqa: E402

S = 10**9


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def at(text):
    return int(time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))) * S


def kept():
    """A month's generations, one of them with a name that looks like a moment; the clock was set back before the newest."""
    times = ["2026-10-30 08:00:00", "2026-11-28 23:59:59", "2026-11-29 00:00:00", "2026-11-29 13:32:59", "2026-11-29 13:33:00",
             "2026-11-29 13:33:59", "2026-11-30 00:00:00", "2026-11-30 09:20:00", "2026-11-30 09:50:00"]
    found = [(10 * number, at(text), []) for number, text in enumerate(times, 1)]
    return [*found, (100, at("2026-11-30 09:10:00") + 1, ["set-back"])]


NOW = "2026-11-30 10:00:00"


@pytest.mark.parametrize("word, number", [
    ("10m-ago", 90), ("600s-ago", 90), ("601s-ago", 80), ("40m-ago", 80), ("49m-ago", 100), ("10h-ago", 70), ("1d-ago", 30),
    ("2w-ago", 10), ("0s-ago", 90), ("yesterday", 60), ("2026-11-29", 60), ("2026-11-28", 20), ("2026-11-30", 90),
    ("2026-11-29T13:33", 60), ("2026-11-29T13:32", 40), ("2026-11-29T13:33:00", 50), ("2026-11-29T13:33:58", 50),
    ("2026-11-29T00:00", 30), ("2026-11-01", 10), ("80", "80"), ("set-back", "set-back"), ("nobody", "nobody")])
def test_moment_is_the_last_generation_not_later(zone, word, number):
    assert moment.choose(word, kept(), "t.img", at(NOW)) == str(number)


def test_name_counts_before_the_moment_it_looks_like():
    found = [*kept(), (5, at("2026-11-01 00:00:00"), ["other", "yesterday"])]
    assert moment.choose("yesterday", found, "t.img", at(NOW)) == "yesterday"


@pytest.mark.parametrize("word, why", [
    ("5x-ago", "it looks like a moment"), ("m-ago", None), ("2026-13-01", "no such date"), ("2026-02-29", "no such date"),
    ("2026-11-29T25:00", "no such date"), ("2026-11-29T13:60", "no such date"), ("2026-11-29T13:33:61", "no such date"),
    ("2026-11-29T13", "it looks like a moment"), ("2026-11-29T13:33Z", "it looks like a moment"), ("2026-", "it looks like a moment"),
    ("2026-12-01", "is yet to come"), ("2026-11-30T10:01", "is yet to come"), ("99991231-ago", "it looks like a moment")])
def test_what_is_no_moment_is_refused_by_name(word, why):
    if why is None:
        assert not moment.is_moment(word)
        return
    with pytest.raises(UsageFailure, match=f"^{word}.*{why}"):
        moment.choose(word, kept(), "t.img", at(NOW))


@pytest.mark.parametrize("word", ["32d-ago", "2026-10-29", "999999999w-ago", "1970-01-01"])
def test_moment_before_all_that_is_kept_is_refused_with_the_oldest(word):
    with pytest.raises(Failure, match=f"^t.img: {word}: the oldest generation that is kept is 10, of 2026-10-30 08:00:00"):
        moment.choose(word, kept(), "t.img", at(NOW))


def test_generations_are_named_by_moments_in_all_commands(image):
    """Of a running machine, of a branch, of a boot, and of the image tool."""
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("note before")
    boot.expect("That makes 1")
    boot.send_line("sync")
    boot.expect("durable")
    boot.read_for(1.1)
    moment_before = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - 1))
    boot.read_for(1.1)
    boot.send_line("note after")
    boot.expect("That makes 2")
    boot.send_line("sync")
    boot.expect("durable")
    ask = ["ctl", "--image", image.path]
    told = eidolon(*ask, "pin", "then", moment_before, status=0).stdout
    number = re.match(r"generation (\d+) is kept", told)[1]
    assert "oldest generation that is kept" in eidolon(*ask, "rollback", "2d-ago", status=1).stderr
    assert "no such date" in eidolon(*ask, "rollback", "2026-02-30", status=2).stderr
    other = image.path + ".other"
    eidolon("branch", moment_before, "--image", image.path, "--to", other, status=0)
    assert "oldest" in eidolon("branch", "2d-ago", "--image", image.path, "--to", other + "2", status=1).stderr
    assert not os.path.exists(other + "2")
    told = eidolon(*ask, "rollback", moment_before, status=0, timeout=WAIT_S).stdout
    assert told == f"the machine goes on from generation {number}\n"
    assert boot.expect(RESUMED)[1] == number
    boot.send_line("notes")
    boot.expect("before")
    boot.send_line("note instead")
    boot.expect("That makes 2")
    boot.kill()

    assert "note" not in image.tool("log")
    shell = image.tool("programs", "0s-ago")
    assert "shell" in shell and image.tool("programs", moment_before).splitlines()[0] == shell.splitlines()[0]
    image.tool("diff", moment_before, "0s-ago", status=1)
    image.tool("pin", moment_before, "again")
    assert re.search(rf"^ *{number} .*again", image.tool("log"), re.MULTILINE)
    for words in (["programs", image.path, "2d-ago"], ["diff", image.path, "2d-ago", "0s-ago"], ["pin", image.path, "2d-ago", "x"],
                  ["programs", image.path + ".none", "1s-ago"], ["programs", other, "1s-ago"]):
        result = eidolon("image", *words)
        assert result.returncode == 2 or words[1] == image.path and result.returncode == 1, result
        assert result.stderr.count("\n") == 1 and result.stdout == "", result
    boot = image.boot("--generation", moment_before)
    assert boot.expect(RESUMED)[1] == number
    boot.kill()
    refused = ["run", "--headless", "--boot", "direct", "--image"]
    assert "oldest" in eidolon(*refused, image.path, "--generation", "2d-ago", status=1).stderr
    assert "no such date" in eidolon(*refused, image.path, "--generation", "2026-02-30", status=2).stderr
    assert "a number or a name" in eidolon(*refused, other, "--generation", "1s-ago", status=2).stderr
