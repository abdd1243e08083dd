# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon test: every test there is, counted, with the sum on the last line.

    host      CMocka programs run by ctest: as built for use, and again under the sanitizers
    system    pytest in systest/, each test a real machine in QEMU
    web       the system tests of the page that runs in a browser; installs a browser for them
    all       both
    mutants   faults planted one at a time, each of which some test must notice (launcher/mutants.py); `all` tries a few
    coverage  the host tests once more with counters in the code, and the share of lines they reached
    soak      host and system with far more work in them, and all mutants: hours

A CMocka program counts as the tests it reports; one that dies before its report counts as one failure.
"""

import argparse
import os
import random
import re
import subprocess
import xml.etree.ElementTree

from launcher import build, common, coverage, foreign, mutants, packages
from launcher.common import ROOT, UsageFailure, build_path, say

KINDS = ["all", "host", "system", "web", "mutants", "coverage", "soak"]
SANITIZERS = ["asan", "tsan"]
SECOND_TRIES = "1"  # of a system test: its machine shares this one with others; the report names it, marked RERUN
WORKERS_MORE = 1  # system tests at a time than processors: four tenths of the time a machine waits for its clock

DESCRIPTION = """\
Build and run tests; installs what they need. The last line reads `N passed, N failed`; the exit status is 0 if none
failed."""


def add_options(parser):
    parser.add_argument("kind", nargs="?", choices=KINDS, default="all", help="(default: %(default)s)")
    parser.add_argument("--seed", metavar="N", type=seed_number,
                        help="for tests that draw random numbers: as an earlier run printed it")
    parser.add_argument("-k", metavar="EXPRESSION", dest="only", 
                        help="only system tests whose names match; of mutants those with this in their name or file")


def seed_number(text):
    """An argparse type: a seed, which stays text."""
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: a whole number of at most 19 digits")
    return text


def check(options):
    """An option that would go unheeded is a mistake."""
    if options.only is not None and options.kind in ("host", "web", "coverage"):
        raise UsageFailure(f"-k chooses among all system tests, or mutants: it does not go with `test {options.kind}`")
    if options.seed and options.kind in ("coverage", "mutants"):
        raise UsageFailure(f"--seed: `test {options.kind}` draws none")


class Count:
    """Results of many tests."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed = passed
        self.failed = failed
        self.skipped = skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def cmocka_count(case):
    """What one ctest case contributes: its CMocka tests if it reports them, else itself."""
    output = case.findtext("system-out") or ""
    passed = sum(int(number) for number in re.findall(r"\[  PASSED  \] (\d+) test", output))
    failed = sum(int(number) for number in re.findall(r"\[  FAILED  \] (\d+) test", output))
    skipped = sum(int(number) for number in re.findall(r"\[  SKIPPED \] (\d+) test", output))
    status = case.get("status")
    if case.find("skipped") is not None or status in ("notrun", "disabled"):
        return Count(skipped=max(skipped, 1)) if status != "notrun" else Count(failed=1)
    if status == "fail" and failed == 0:
        failed = 1
    if status != "fail" and passed + failed + skipped == 0:
        passed = 1
    return Count(passed, failed, skipped)


def report_count(path, of_case):
    """Sum up a JUnit report. A missing one is a failure: whatever should have written it died."""
    try:
        cases = list(xml.etree.ElementTree.parse(path).iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        return Count(failed=1)
    total = Count()
    for case in cases:
        total.add(of_case(case))
    return total


def fresh_path(path):
    """A report's path, with no older report in the way."""
    if os.path.exists(path):
        os.unlink(path)
    return path


def ctest(folder, title, soak=False, seed=None, labels=()):
    """Run the host tests of one build folder."""
    say(f"host tests, {title}")
    report = fresh_path(os.path.join(folder, "ctest.xml"))
    environment = dict(os.environ)
    if soak:
        environment["EIDOLON_SOAK"] = "1"
    if seed:
        environment["EIDOLON_SEED"] = seed
    command = ["ctest", "--test-dir", folder, "--output-on-failure", "--output-junit", report,
               "--test-output-size-passed", "1000000", "-j", str(os.cpu_count() or 1)]
    for label in labels:
        command += ["-L", label]
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
    count = report_count(report, cmocka_count)
    if result.returncode != 0 and count.failed == 0:
        count.failed = 1
    say(f"host tests, {title}: {count}")
    return count


def host(soak=False, seed=None):
    """The host tests, plain and under each sanitizer."""
    build.build(["hosttests"], groups=("build", "test"), again=True)
    total = ctest(common.BUILD, "as built", soak, seed)
    for name in SANITIZERS:
        folder = build_path(name)
        build.build(["hosttests"], groups=("build", "test"), preset=name, folder=folder)
        total.add(ctest(folder, name, seed=seed, labels=["threads"] if name == "tsan" else []))
    return total


def pytest_count(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return Count(failed=1)
    return Count(skipped=1) if case.find("skipped") is not None else Count(passed=1)


def system(soak=False, seed=None, only=None):
    """The system tests. They use what was just built, through ./eidolon like everybody else."""
    packages.ensure("build", "run", "test")
    foreign.ensure()
    foreign.ensure_sources()
    build.build(["all"], again=True)
    say("system tests")
    report = fresh_path(build_path("systest.xml"))
    command = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", f"--junitxml={report}", "-rfEsxXR",
               "--reruns", SECOND_TRIES,
               "--durations=10", "-n", str((os.cpu_count() or 1) + WORKERS_MORE), "--dist", "loadgroup",
               f"--seed={seed or random.SystemRandom().randrange(1 << 32)}", os.path.join(ROOT, "systest")]
    if soak:
        command.append("--soak")
    if only:
        command += ["-k", only]
    environment = dict(os.environ, EIDOLON_BUILD=common.BUILD, EIDOLON_IS_BUILT="1")
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
    count = report_count(report, pytest_count)
    if result.returncode != 0 and count.failed == 0:
        count.failed = 1
    return count


def command(options):
    """./eidolon test. Returns the exit status."""
    check(options)
    total = Count()
    if options.kind == "coverage":
        total.add(coverage.measure(ctest))
    soak = options.kind == "soak"
    if options.kind in ("all", "host", "soak"):
        total.add(host(soak, options.seed))
    if options.kind == "web":
        packages.ensure("browser")
        total.add(system(seed=options.seed, only="test_web"))
    if options.kind in ("all", "system", "soak"):
        total.add(system(soak, options.seed, options.only))
    if options.kind in ("all", "soak") and options.only is None:
        total.add(mutants.test(Count(), few=not soak, seed=options.seed))
    if options.kind == "mutants":
        total.add(mutants.test(Count(), only=options.only))
    print(total, flush=True)
    return 1 if total.failed or total.passed == 0 else 0
