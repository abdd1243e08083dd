# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon test mutants: faults planted in the kernel one at a time, each of which some test must notice.

The list is tools/mutants/*.toml, a file for each folder of the kernel:

    [[mutant]]
    name = "root-not-confirmed"              one of its kind
    file = "kernel/snap/store_commit.c"
    old = 'error = root_confirm(store);'     text that stands in the file exactly once
    new = 'error = OK;'
    why = "two users of an image"            what goes wrong
    tests = ["store_fault_test"]             who notices it: host programs with arguments, or pytest's (test_x.py -k y)
    seconds = 100                            so much processor time each test may take (optional; of systest: so long, 600)
    slow = true                              not among the few that every test run takes (optional)
    hangs = true                             a test that does not end is how it is noticed (optional; seconds are 20 then)
    equivalent = "because ..."               in place of tests: nothing can notice it, and why

The tree is copied into the build folder and built there; nobody's own files are touched. Before anything is planted the
tests in question must pass. What fails the run: a mutant that nothing notices; one whose old text does not stand in its
file exactly once, because the code has changed and the list has not; one that does not build.

What a host program may take is counted in processor time, so that a loaded machine takes no slow test for one that does
not end. (One that waits for ever takes none, and is given LOADED times as long.)
"""

import glob
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import time
import tomllib

from launcher import build, common, packages
from launcher.common import Failure, ROOT, build_path, say

LISTS = os.path.join(ROOT, "tools", "mutants")
PARTS = ["CMakeLists.txt", "CMakePresets.json", "eidolon", "bench", "cmake", "docs", "hosttest", "include", "kernel",
         "packaging", "systest", "tools", "user", "CHANGELOG.md"]
SYSTEM_TARGETS = ["bootable", "systest_programs"]
HOST_SECONDS, SYSTEM_SECONDS = 100, 600  # of the processor; by the clock. Faults that hang have shorter ones
HANG_SECONDS = 20
LOADED = 10  # times as long by the clock as on the processor
BUILD_SECONDS = 900
FEW = 12  # of them in every test run
REQUIRED = {"name", "file", "old", "new", "why"}
OPTIONAL = {"tests", "seconds", "slow", "hangs", "equivalent"}
LOOK_SECONDS = 0.05
# CMocka; what comes after it may hang on what the failed test left behind
HAS_FAILED = ("[  FAILED  ]", "Test teardown failed")
PASSES, FAILS, LASTS = "passes", "fails", "does not end"


def tree_path(*parts):
    return build_path("mutants", "tree", *parts)


def objects_path(*parts):
    return build_path("mutants", "build", *parts)


class Mutant:
    """An entry of the list."""

    def __init__(self, entry, where):
        unknown = set(entry) - REQUIRED - OPTIONAL
        if unknown or REQUIRED - set(entry):
            raise Failure(f"{where}: a mutant has {', '.join(sorted(REQUIRED))}, and may have "
                          f"{', '.join(sorted(OPTIONAL))}; this is {entry.get('name', 'one without a name')!r}")
        self.name = entry["name"]
        self.file = entry["file"]
        self.old = entry["old"]
        self.new = entry["new"]
        self.why = entry["why"]
        self.slow = entry.get("slow", False)
        self.hangs = entry.get("hangs", False)
        seconds = entry.get("seconds", HANG_SECONDS if self.hangs else None)
        self.tests = [Test(words, seconds) for words in entry.get("tests", [])]
        self.equivalent = entry.get("equivalent")
        if bool(self.tests) == bool(self.equivalent):
            raise Failure(f"{where}: {self.name} has either tests that notice it or a reason why none can")

    def is_named(self, expression):
        return expression in self.name or expression in self.file

    def is_quick(self):
        return not self.slow and not self.equivalent and all(test.is_host for test in self.tests)

    def text(self):
        """The file with the fault in it; None if the list is out of date."""
        try:
            with open(os.path.join(ROOT, self.file), encoding="utf-8") as file:
                text = file.read()
        except OSError:
            return None
        return text.replace(self.old, self.new) if text.count(self.old) == 1 and self.old != self.new else None


class Test:
    """One command that passes without the fault: a program of hosttest/, or tests of systest/."""

    def __init__(self, words, seconds):
        self.words = shlex.split(words)
        self.name = words
        self.is_host = not self.words[0].endswith(".py")
        self.seconds = seconds or (HOST_SECONDS if self.is_host else SYSTEM_SECONDS)

    def targets(self):
        return [self.words[0]] if self.is_host else SYSTEM_TARGETS

    def clock(self):
        return "of processor time" if self.is_host else "by the clock"

    def command(self):
        if not self.is_host:
            return ["/usr/bin/python3", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--seed=1",
                    os.path.join("systest", self.words[0]), *self.words[1:]]
        return [objects_path("hosttest", self.words[0]), *self.words[1:]]

    def run(self):
        """PASSES, FAILS or LASTS."""
        environment = dict(os.environ, EIDOLON_BUILD=objects_path(), EIDOLON_IS_BUILT="1", EIDOLON_SEED="1")
        if self.is_host:
            status = run(self.command(), LOADED * self.seconds, environment, HAS_FAILED, self.seconds)
        else:
            status = run(self.command(), self.seconds, environment, HAS_FAILED)
        if status == 5 and not self.is_host:
            raise Failure(f"{self.name}: pytest finds no such test")
        return LASTS if status is None else FAILS if status else PASSES


def run(command, seconds, environment=None, has_failed=(), processor_seconds=None):
    """Run a command in the copied tree and end all that it started.

    - seconds: so long by the clock.
    - has_failed: texts in its output after any of which it has failed, whatever it still does.
    - processor_seconds: so much processor time for each of its processes.
    Returns its exit status; None if it takes too long.
    """
    def limit():
        if processor_seconds:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 1))

    with open(build_path("mutants", "output"), "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=tree_path(), env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=limit)
    try:
        end = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            output_so_far = last_output(None) if has_failed else ""
            if any(text in output_so_far for text in has_failed):
                return 1
        return None if process.poll() == -signal.SIGXCPU else process.poll()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def last_output(lines=30):
    with open(build_path("mutants", "output"), encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-lines:] if lines else file.readlines())


def read_lists():
    """All mutants there are."""
    mutants = []
    for path in sorted(glob.glob(os.path.join(LISTS, "*.toml"))):
        where = os.path.relpath(path, ROOT)
        try:
            with open(path, "rb") as file:
                entries = tomllib.load(file).get("mutant", [])
        except tomllib.TOMLDecodeError as error:
            raise Failure(f"{where}: {error}") from error
        mutants += [Mutant(entry, where) for entry in entries]
    names = [mutant.name for mutant in mutants]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise Failure(f"tools/mutants: more than one mutant is named {', '.join(sorted(twice))}")
    return mutants


def choose(mutants, few, only, seed):
    """Those to try: all, those that are named, or a few quick ones that a seed draws."""
    if only:
        mutants = [mutant for mutant in mutants if mutant.is_named(only)]
        if not mutants:
            raise Failure(f"no mutant's name or file has {only!r} in it")
    if not few:
        return mutants
    quick = [mutant for mutant in mutants if mutant.is_quick()]
    seed = seed or str(random.SystemRandom().randrange(1 << 32))
    say(f"mutants: {min(FEW, len(quick))} of {len(mutants)}, drawn with --seed {seed}")
    chosen = set(random.Random(seed).sample([mutant.name for mutant in quick], min(FEW, len(quick))))
    return [mutant for mutant in quick if mutant.name in chosen]


# The copy ---------------------------------------------------------------------------------------------------------


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def files_below(root):
    """Paths of all files of the parts of a tree, relative to it."""
    for part in PARTS:
        path = os.path.join(root, part)
        if os.path.isfile(path):
            yield part
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield from (os.path.relpath(os.path.join(folder, name), root) for name in names)


def copy_tree():
    """Make the copy what the tree is. What is the same already stays as old as it is, so that only the rest is built."""
    there = set(files_below(tree_path()))
    here = set(files_below(ROOT))
    for name in there - here:
        os.unlink(tree_path(name))
    for name in here:
        source = os.path.join(ROOT, name)
        if read(source) != read(tree_path(name)):
            os.makedirs(os.path.dirname(tree_path(name)), exist_ok=True)
            shutil.copy(source, tree_path(name))


def configure():
    folder = build_path("i386")
    if os.path.isdir(folder) and not os.path.exists(objects_path("i386")):
        os.makedirs(objects_path(), exist_ok=True)
        os.symlink(folder, objects_path("i386"))
    # A fault may leave a function or a variable unused.
    status = run(["cmake", "--preset", "default", "-B", objects_path(), "-DEIDOLON_WERROR=OFF"], BUILD_SECONDS)
    if status != 0:
        raise Failure(f"the copy for mutants cannot be configured", details=last_output())


def make(tests):
    """Build what some tests need. False: it does not build."""
    targets = {target for test in tests for target in test.targets()} or {"host_vm_map", "host_snap", "bootable"}
    return run(["ninja", "-C", objects_path(), *sorted(targets)], BUILD_SECONDS) == 0


def check_tests(mutants):
    """A test that fails anyway notices nothing: without a fault all of them pass."""
    tests = {test.name: test for mutant in mutants for test in mutant.tests}
    build.show_progress(f"mutants: building for {len(tests)} tests")
    if not make(tests.values()):
        raise Failure(f"the copy for mutants does not build", details=last_output())
    for number, (name, test) in enumerate(sorted(tests.items())):
        build.show_progress(f"mutants: without a fault, {number + 1}/{len(tests)} {name}")
        result = test.run()
        if result != PASSES:
            raise Failure(f"mutants: {name} {result} without a fault", details=last_output())


# One mutant -------------------------------------------------------------------------------------------------------


def plant(mutant, text):
    with open(tree_path(mutant.file), "w", encoding="utf-8") as file:
        file.write(text)


def notice(mutant):
    """(whether all is as the list says, what happened)"""
    if not make(mutant.tests):
        return False, f"does not build:\n{last_output()}"
    for test in mutant.tests:
        result = test.run()
        if result == FAILS or (result == LASTS and mutant.hangs):
            return True, f"{test.name} {result}"
        if result == LASTS:
            return False, f"{test.name} {result} within {test.seconds} s {test.clock()} (a shorter test, or `hangs`?)"
    if mutant.equivalent:
        return True, f"nothing can notice it: {mutant.equivalent}"
    return False, f"NOT NOTICED by {', '.join(test.name for test in mutant.tests)} ({mutant.why})"


def try_mutant(mutant):
    """As notice(), and the copy is whole again."""
    text = mutant.text()
    if text is None:
        return False, f"STALE: its old text does not stand in {mutant.file} exactly once"
    plant(mutant, text)
    try:
        return notice(mutant)
    finally:
        shutil.copyfile(os.path.join(ROOT, mutant.file), tree_path(mutant.file))


def try_all(mutants, chosen, count):
    """Try the chosen ones; of the others it is only looked whether they are up to date."""
    for number, mutant in enumerate(chosen):
        build.show_progress(f"mutants: {number + 1}/{len(chosen)} {mutant.name} in {mutant.file}")
        begun = time.monotonic()
        is_well, what = try_mutant(mutant)
        build.show_progress("")
        say(f"mutant {mutant.name}: {what}, {time.monotonic() - begun:.1f} s")
        count.passed += is_well
        count.failed += not is_well
    for mutant in mutants:
        if mutant not in chosen and mutant.text() is None:
            say(f"mutant {mutant.name}: STALE: its old text does not stand in {mutant.file} exactly once")
            count.failed += 1


def test(count, few=False, only=None, seed=None):
    """Try mutants, and add to `count` how many were noticed and how many were not."""
    begun = time.monotonic()
    if not common.IS_BUILT:
        packages.ensure("build", "run", "test")
    mutants = read_lists()
    chosen = choose(mutants, few, only, seed)
    with build.lock(build_path("mutants")):
        copy_tree()
        configure()
        check_tests(chosen)
        try_all(mutants, chosen, count)
    say(f"mutants: {count} in {time.monotonic() - begun:.0f} s")
    return count
