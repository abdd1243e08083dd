# SPDX-License-Identifier: BSD-2-Clause
"""The programs of Debian's posixtestsuite end as they are expected to, also when the power is cut while they run.

posix_verdicts.txt names those that do not pass, and why. Whatever else does not pass, or passes though it is named, is a
failure. On this machine's Linux the same programs are run for comparison in a soak.

After each cut the machine's calendar is an hour later. CLOCK_REALTIME counts that, sleeps do not: of a program that looks at the
calendar, or has a deadline of it, the verdict may differ then, but not of any other.
"""

import datetime
import os
import re
import subprocess

import pytest

import posix_suite
from machine import RESUMED, ROOT

SAMPLE = 3  # one of so many programs, drawn by the seed
AT_ONCE = 12
LIMIT_S, LIMIT_SAMPLE_S = 120, 90
VERDICTS = os.path.join(ROOT, "systest", "posix_verdicts.txt")
ABORTED = ["signal 6"]
OUTAGE_SEEN = ["fail", "unresolved"]

pytestmark = [pytest.mark.skipif(not os.path.exists(posix_suite.SOURCES), reason="no sources of posixtestsuite"),
              pytest.mark.xdist_group("posix")]


class Expected:
    """What posix_verdicts.txt says."""

    def __init__(self):
        self.reasons, self.verdicts, self.why = {}, {}, {}
        with open(VERDICTS, encoding="ascii") as file:
            for line in file:
                words = line.split("#")[0].split(None, 2)
                if len(words) == 3 and words[0] == "reason":
                    self.reasons[words[1]] = words[2].strip()
                elif words:
                    name, why, verdicts = words
                    assert why in self.reasons and name not in self.verdicts, line
                    self.verdicts[name] = verdicts.strip().split(" or ")
                    self.why[name] = why

    def of(self, name, is_cut):
        verdicts = self.verdicts.get(name, ["pass"]) + (ABORTED if posix_suite.may_abort(name) else [])
        return verdicts + OUTAGE_SEEN if is_cut and posix_suite.sees_calendar(name) else verdicts

    def takes_long(self, name):
        return self.why.get(name) == "slow" or "hang" in self.of(name, False)


def told(text):
    """The verdicts that a run has printed."""
    found = re.findall(r"^([\w/-]+): ([a-z]+(?: \d+)?), [\d.]+ s$", text.split("\nverdicts\n")[-1], re.MULTILINE)
    return dict(found)


def check(verdicts, names, expected, is_cut):
    assert set(verdicts) == set(names)
    wrong = [f"{name}: {verdict}, expected {' or '.join(expected.of(name, is_cut))}"
             for name, verdict in sorted(verdicts.items()) if verdict not in expected.of(name, is_cut)]
    assert not wrong, "\n".join(wrong)


@pytest.fixture(name="suite", scope="module")
def fixture_suite(request, tmp_path_factory):
    """The program, the names that are in it, and what is expected of them: all in a soak, otherwise a sample of what is quick."""
    expected = Expected()
    names = posix_suite.programs()
    if not request.config.getoption("soak"):
        first = request.config.getoption("seed") % SAMPLE
        names = [name for name in names[first::SAMPLE] if not expected.takes_long(name)]
    path = str(tmp_path_factory.mktemp("posix") / "posix_suite")
    return path, posix_suite.build(path, names), expected


@pytest.fixture(name="quick_suite", scope="module")
def fixture_quick_suite(suite, tmp_path_factory):
    """The same without what takes long."""
    path, names, expected = suite
    quick = [name for name in names if not expected.takes_long(name)]
    if quick != names:
        path = str(tmp_path_factory.mktemp("posix") / "posix_suite")
        quick = posix_suite.build(path, quick)
    return path, quick, expected


def limit(soak):
    return LIMIT_S if soak else LIMIT_SAMPLE_S


def count(verdicts):
    words = [verdict.split()[0] for verdict in verdicts.values()]
    return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words), key=lambda word: -words.count(word)))


def test_conformance_programs_end_as_expected(image, suite, soak):
    path, names, expected = suite
    boot = image.boot("--memory", "256", program=[path, str(AT_ONCE), str(limit(soak))])
    assert boot.end(timeout=600) == 0
    verdicts = told(boot.text())
    print(count(verdicts))
    check(verdicts, names, expected, False)
    if soak:
        linux = told(subprocess.run([path, str(AT_ONCE), str(LIMIT_S)], capture_output=True, text=True, check=True).stdout)
        print("on Linux:", count(linux))


def later(hours):
    """What the calendar shows then, as QEMU wants it."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def test_conformance_programs_end_as_expected_whatever_is_cut(image, quick_suite, chance, soak):
    path, names, expected = quick_suite
    cuts = 0
    boot = image.boot("--memory", "256", "--interval", "20", program=[path, str(AT_ONCE), str(LIMIT_S)])
    boot.expect(r"ended \d+")
    while cuts < (1000 if soak else 6):
        boot.read_for(chance.uniform(0.3, 2.5))
        if not boot.is_running() or "\nverdicts" in boot.text():
            break
        boot.kill()
        cuts += 1
        boot = image.boot("--memory", "256", "--interval", "20", "--qemu", f"-rtc base={later(cuts)}")
        boot.expect(RESUMED)
    assert boot.end(timeout=600) == 0
    verdicts = told(boot.text())
    print(cuts, "cuts:", count(verdicts))
    assert cuts > 0
    check(verdicts, names, expected, True)
