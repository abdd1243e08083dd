# SPDX-License-Identifier: BSD-2-Clause
"""Every command in every document works: it is run here, or by another test, or a reason is given why it is not.

A command is a line of an indented or fenced block that begins with a prompt or with a program's name, or a text in
backticks that begins with a program's name. What follows two blanks is a remark. A document with a command that is not in
the lists below fails here: run it, or say why not.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import time

import pexpect
import pytest

from machine import BUILD, LAUNCHER, ROOT, environment

PROMPT = re.compile(r"^\w*\$ +")
PROGRAMS = ("./eidolon", "eidolon", "gcc", "gdb", "cmake", "cpack", "ctest", "ninja", "truncate", "qemu-nbd", "timeout", "git", "apt",
            "apt-get", "patch", "python3", "sh")
BEGIN = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:" + "|".join(map(re.escape, PROGRAMS)) + r"|(?:build|systest|packaging|docs|tools)/\S+) \S|build/hosttest/\w+$")

MACHINE_S = 180
BUILD_S = 600

# Run below, in the order of the document, in a folder that looks like a checkout. The value is what it must say.
RUN = {
    "README.md": {
        "gcc -m32 -static prog.c -o prog": "",
        "./eidolon help": "usage: ./eidolon",
        "./eidolon build": "",
        "./eidolon image programs eidolon.img": "shell",
        "./eidolon image log eidolon.img": "committed",
        "./eidolon image pin eidolon.img monday": "",
        "./eidolon image verify eidolon.img": "sound",
        "./eidolon image picture eidolon.img picture.svg": "",
        "./eidolon image core eidolon.img 1 core": "",
    },
    "docs/README.md": {
        "./eidolon image log eidolon.img": "committed",
        "./eidolon image picture eidolon.img picture.svg": "",
    },
    "docs/porting.md": {
        "./eidolon build": "",
        "timeout -s KILL 0.2 build/docs/examples/port/port_example primes.img": "",
        "build/docs/examples/port/port_example primes.img": "715600299 715600299",
        "./eidolon image log primes.img": "committed",
    },
    "CONTRIBUTING.md": {
        "./eidolon build": "",
    },
    "docs/performance.md": {
        "./eidolon bench vm_map --help": "--quick",
        "./eidolon bench paging --help": "--simulate",
    },
}

# Run by a test of another file, or of this one.
ELSEWHERE = {
    "./eidolon demo": "test_demo.py::test_keys_pull_the_plug_and_everything_is_back",
    "./eidolon run --pidfile pid": "test_documents.py::test_readme_keeps_its_word",
    "./eidolon run": "test_documents.py::test_readme_keeps_its_word",
    "./eidolon run --image t.img -- ./prog ARGUMENTS": "test_documents.py::test_readme_keeps_its_word",
    "./eidolon run --generation monday": "test_documents.py::test_readme_keeps_its_word",
    "gdb -batch -ex backtrace build/user/shell core": "test_image_memory.py::test_core_file_has_memory_and_registers",
    "truncate -s 1G memory.img": "test_remote.py::test_program_goes_on_over_the_network_and_every_byte_is_right",
    "qemu-nbd --persistent -f raw -x memory memory.img": "test_remote.py::test_program_goes_on_over_the_network_and_every_byte_is_right",
    "./eidolon run --image nbd://there/memory": "test_remote.py::test_program_goes_on_over_the_network_and_every_byte_is_right",
    "./eidolon web --output DIR": "test_web.py::test_image_wanders_between_qemu_and_the_emulator",
    "cpack --config build/CPackConfig.cmake -B build/package": "test_package.py::package",
    "apt install ./build/package/eidolon_0.1.0_amd64.deb": "test_package.py::test_package_runs_from_the_first_minute_without_the_sources",
    "eidolon run": "test_package.py::test_package_runs_from_the_first_minute_without_the_sources",
    "tools/screens.py build docs/pictures": "test_screens.py::test_screens_are_photographed",
    "git apply docs/examples/system-call.patch": "test_examples.py::test_example_applies_builds_and_passes",
    "build/hosttest/proc_memory_test": "test_examples.py::test_example_applies_builds_and_passes",
    "./eidolon torture -- ./prog": "test_torture.py::test_program_that_stands_cuts_is_said_to",
    "./eidolon torture --kills 30 -- ./prog 400": "test_torture.py::test_program_that_stands_cuts_is_said_to",
    "./eidolon ctl status": "test_control.py::test_machine_is_asked_about_itself_and_ends_when_told",
    "./eidolon ctl snapshot": "test_control.py::test_machine_is_asked_about_itself_and_ends_when_told",
    "./eidolon ctl pin good": "test_control.py::test_machine_is_asked_about_itself_and_ends_when_told",
    "./eidolon ctl stop": "test_control.py::test_machine_is_asked_about_itself_and_ends_when_told",
    "./eidolon ctl rollback good": "test_control.py::test_machine_is_rolled_back_in_one_command_with_its_console",
    "./eidolon run --with python3 --image py.img --pidfile pid -- python3 -q":
        "test_debian.py::test_python_has_its_variables_and_its_open_file_after_a_cut",
    "./eidolon run --image py.img": "test_debian.py::test_python_has_its_variables_and_its_open_file_after_a_cut",
    "eidolon run --with python3": "test_debian.py::test_python_has_its_variables_and_its_open_file_after_a_cut",
    "./eidolon run --with PACKAGE": "test_debian.py::test_python_has_its_variables_and_its_open_file_after_a_cut",
    "./eidolon branch good --to other.img": "test_branch.py::test_story_of_the_readme",
    "./eidolon run --image other.img": "test_branch.py::test_story_of_the_readme",
    "./eidolon branch --list": "test_branch.py::test_branch_is_listed_held_and_made_independent",
    "./eidolon branch --flatten FILE": "test_branch.py::test_branch_is_listed_held_and_made_independent",
    "./eidolon branch --prune": "test_branch.py::test_branch_that_was_removed_holds_nothing_after_prune",
    "./eidolon image ps eidolon.img yesterday": "test_time_travel.py::test_threads_are_shown_with_where_they_wait",
    "./eidolon image when eidolon.img 0x0810d000:4 --program 1":
        "test_time_travel.py::test_when_names_the_generations_that_changed_something",
    "./eidolon image diff eidolon.img 10m-ago good --program 1 --symbols ./prog":
        "test_time_travel.py::test_diff_names_programs_regions_and_symbols",
    "gdb ./prog -ex 'target remote | ./eidolon image gdb eidolon.img good 1'":
        "test_time_travel.py::test_gdb_goes_back_over_three_generations",
    "./eidolon image ladder": "test_images.py::test_generation_of_the_ladder_outlives_the_window_and_can_be_resumed",
    "./eidolon image ladder eidolon.img --minutes 20 --days 60 --percent 40":
        "test_images.py::test_generation_of_the_ladder_outlives_the_window_and_can_be_resumed",
    "./eidolon image log": "test_control.py::test_machine_is_asked_about_itself_and_ends_when_told",
    "./eidolon bench paging --simulate": "test_bench.py::test_paging_plots_have_every_line_and_say_what_it_is",
}

THE_TESTS = "that is what runs this test"
LONG = "minutes; its quick form, or another part of it, is run by test_bench.py"
HOST_TEST = re.compile(r"build/hosttest/(\w+)( [A-Z0-9 -]+| --\w+ \d+)?")  # run by ctest; the numbers come from its own report
SYSTEM_TEST = re.compile(r"systest/test_\w+\.py(?= -)")  # a part of the tests, for people
NAME = re.compile(r"eidolon ([a-z]+)")

REASONS = {
    "eidolon web": "the name of a command", "eidolon image": "the name of a command", "eidolon demo": "the name of a command",
    "./eidolon torture": "the name of a command", "./eidolon ctl": "the name of a command", "./eidolon image": "the name of a command", "./eidolon web": "it serves until it is told to end; what it serves is tested by test_web.py",
    "ctest --test-dir build -R NAME": "a pattern", "./eidolon test system -k WORDS": "a pattern",
    "git apply -R docs/examples/system-call.patch": "there and back: git's affair",
    "./eidolon test": THE_TESTS, "./eidolon test host": THE_TESTS, "./eidolon test system": THE_TESTS, "./eidolon test web": THE_TESTS,
    "./eidolon setup --bochs": "it installs a package",
    "./eidolon test mutants": THE_TESTS, "./eidolon test coverage": THE_TESTS, "./eidolon test soak": THE_TESTS,
    "./eidolon test system --seed N": THE_TESTS, "./eidolon test mutants -k flush": "minutes; some mutants are tried by every run of the tests",
    "cmake --preset default && cmake --build --preset default && ctest --preset default": "the host tests are run by what runs this test",
    "./eidolon bench vm_map": LONG, "./eidolon bench vm_map --full": LONG, "./eidolon bench snapshot": LONG,
    "./eidolon bench snapshot --only disk": LONG, "./eidolon bench snapshot --only boot": LONG, "./eidolon bench snapshot --only stop": LONG,
    "./eidolon bench paging": LONG, "./eidolon bench paging --program zipf --policy lru --pages 256 --frames 64 128": LONG,
    "./eidolon bench snapshot --only calls": LONG, "./eidolon bench system": LONG, "./eidolon bench stall": LONG,
    "build/asan/hosttest/lie_tool IMAGE --seed 1000 --count 1500": THE_TESTS,
    "build/hosttest/lie_boot IMAGE --seed 61000000 --count 3200": THE_TESTS,
    "systest/test_misdeeds.py -k random": THE_TESTS,
    "gcc -m32 -static": "a recipe, not a command: README's is run",
    "./eidolon run --headless": "a part of a command: every system test runs it",
    "./eidolon run --cpu baseline": "a part of a command: test_processors.py runs it",
    "./eidolon run --cpu baseline --image eidolon.img": "test_processors.py and test_web.py run it with an image of theirs",
    "EIDOLON_BUILD=/some/folder ./eidolon ...": "a pattern: every system test has it in its environment",
}

PROGRAM = """\
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words)
{
    for (int i = 1;; i++) {
        printf("%d %s\\n", i, count > 1 ? words[1] : "");
        fflush(stdout);
        usleep(200000);
    }
}
"""


def documents():
    """All there are, by their paths in the tree."""
    paths = [*glob.glob(os.path.join(ROOT, "*.md")), *glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True)]
    return sorted(os.path.relpath(path, ROOT) for path in paths)


def text_of(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def command(line):
    """The command in a line of a block, without prompt and remark, or None."""
    line = line.strip()
    bare = PROMPT.sub("", line)
    bare = re.split(r" +# |  +", bare)[0].strip()
    return bare if bare != line and PROMPT.match(line) or BEGIN.match(bare) or bare in PROGRAMS[:1] else None


def commands(text):
    """What a document tells people to type, in its order, each once."""
    found = []
    is_fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced or line.startswith("    "):
            found.append(command(line))
        else:
            found += [inline for inline in re.findall(r"`([^`]+)`", line) if BEGIN.match(inline)]
    return list(dict.fromkeys(filter(None, found)))


def test_commands_are_found_wherever_they_stand():
    text = ("Say `gcc -m32 x.c`, not `gcc`, and `a b`:\n\n    $ ./eidolon run --x   and so on\n    > note\n\n```\nthere$ rm x\n"
            "build/tools/t --y # why\nnothing\n```\n")
    assert commands(text) == ["gcc -m32 x.c", "./eidolon run --x", "rm x", "build/tools/t --y"]


def is_test_or_name(what):
    """A test that there is, with a seed or the like behind it, or the mere name of a command."""
    host, system, name = HOST_TEST.fullmatch(what), SYSTEM_TEST.match(what), NAME.fullmatch(what)
    return (host is not None and os.path.exists(os.path.join(BUILD, "hosttest", host[1]))
            or system is not None and os.path.exists(os.path.join(ROOT, system[0]))
            or name is not None and f"\n  {name[1]} " in text_of("tools/launcher/cli.py"))


def test_every_command_is_run_or_has_a_reason():
    said = {name: commands(text_of(name)) for name in documents()}
    known = {*ELSEWHERE, *REASONS}
    missing = [f"{name}: {what}" for name, found in said.items() for what in found
               if what not in known | RUN.get(name, {}).keys() and not is_test_or_name(what)]
    assert not missing, "in no list of test_documents.py:\n" + "\n".join(missing)
    everything = {what for found in said.values() for what in found}
    gone = ELSEWHERE.keys() - everything
    assert not gone, f"no document says any more: {sorted(gone)}"
    for name, what in RUN.items():
        assert list(what) == [line for line in said[name] if line in what], f"{name}: gone, or in another order"
    assert sum(map(len, said.values())) > 60


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_tests_that_are_named_exist(place):
    name, _, test = place.partition("::")
    assert re.search(rf"^def {test}", text_of(os.path.join("systest", name)), re.MULTILINE), place


def test_every_link_of_a_document_leads_somewhere():
    broken = []
    for name in documents():
        for target in re.findall(r"\]\(([^)#:]+)\)", text_of(name)):
            if not os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)):
                broken.append(f"{name}: {target}")
    assert not broken


def test_figures_of_the_essay_are_those_that_were_measured():
    """The same table stands in two documents, with its columns in another order."""
    def rows(name, order):
        found = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", text_of(name), re.MULTILINE)
        return [tuple(row[column] for column in order) for row in found]

    essay = rows("docs/stopping.md", (0, 3, 2, 1))
    assert len(essay) == 5 and set(essay) <= set(rows("docs/performance.md", (0, 1, 2, 3)))


def test_programs_are_told_of_every_call_and_limit():
    listing = text_of("kernel/proc/calls/list.h")
    told = re.findall(r"`(\w+)`", text_of("docs/programs.md").partition("## Calls")[2].partition("## Limits")[0])
    assert told == sorted(re.findall(r"^CALL\(\d+, (\w+),", listing, re.MULTILINE)) + re.findall(r"^OWN_CALL\(\w+, (\w+),", listing, re.MULTILINE)
    record = text_of("include/record.h")
    limit = {name: int(value) for name, value in re.findall(r"#define (\w+_MAX) +(\d+)u", record)}
    limits = text_of("docs/programs.md").partition("## Limits")[2]
    for said in (f"| programs | {limit['PROGRAMS_MAX']:,} |", f"| {limit['PROGRAM_FILES_MAX']}, {limit['FILES_MAX']:,} |",
                 f"| pipes | {limit['PIPES_MAX']:,}, of",
                 f"| {limit['TIMERS_OF_PROGRAM_MAX']}, and RLIMIT_SIGPENDING; {limit['TIMERS_MAX']:,} |", f"| {limit['QUEUED_MAX']}, and RLIMIT", f"| {limit['PROGRAM_NAME_MAX'] - 1} bytes |"):
        assert said in limits


def test_picture_of_the_essay_shows_its_table(tmp_path):
    if not shutil.which("gnuplot"):
        pytest.skip("gnuplot is missing: ./eidolon setup installs it")
    drawn = tmp_path / "stopping.svg"
    subprocess.run([sys.executable, os.path.join(ROOT, "tools", "stopping_picture.py"), str(drawn)], check=True)
    produced = re.compile(r"Produced by GNUPLOT.*")
    assert produced.sub("", drawn.read_text()) == produced.sub("", text_of("docs/pictures/stopping.svg"))


@pytest.fixture(name="folder")
def checkout_like(tmp_path):
    """A folder in which the commands of documents find what they name."""
    os.symlink(LAUNCHER, tmp_path / "eidolon")
    os.symlink(BUILD, tmp_path / "build")
    (tmp_path / "prog.c").write_text(PROGRAM)
    return str(tmp_path)


def start(folder, words):
    return pexpect.spawn("sh", ["-c", f"exec {words}"], cwd=folder, env=environment(), timeout=MACHINE_S, encoding="latin-1", echo=False,
                         dimensions=(25, 100))


def kill_by_pidfile(folder):
    with open(os.path.join(folder, "pid"), encoding="ascii") as file:
        os.kill(int(file.read()), 9)


def run_all(name, folder, only=None):
    for line, says in RUN[name].items():
        if only is None or line in only:
            result = subprocess.run(["sh", "-c", line], cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, timeout=BUILD_S, check=False)
            assert result.returncode == 0 or line.startswith("timeout"), f"{line}\n{result.stdout}"
            assert says in result.stdout, f"{line}\n{result.stdout}"


def test_readme_keeps_its_word(folder):
    readme = text_of("README.md")
    machine = start(folder, "./eidolon run --pidfile pid")
    machine.expect("> ")
    banner = re.search(r"    (This is Eidolon.*?)\n    (.*?)\n    (.*?)\n", readme)
    for line in banner.groups():
        assert line in machine.before, line
    machine.send("note buy milk\r")
    machine.expect("Noted. That makes 1.")
    machine.send("count 100\r")
    machine.expect(r"1 2 3 4 5 6 7 8 9 10\r\n.*\n31 32")
    kill_by_pidfile(folder)
    machine.expect("eidolon: the machine was killed; run it again, and it goes on from its last snapshot")
    machine.expect(pexpect.EOF)
    machine = start(folder, "./eidolon run")
    machine.expect(r"eidolon: resumed generation (\d+), ")
    machine.expect(r"(\d+) (\d+) ")
    assert 20 <= int(machine.match[1]) <= 33, "it goes on about where it was"
    machine.expect("100")
    machine.send("\rnotes\r")
    machine.expect(r"came back 1 time; this is generation \d+ going on")
    machine.expect(r"1  \d+-\d\d-\d\d \d\d:\d\d:\d\d  buy milk")
    time.sleep(0.5)
    machine.send("\x1dx")
    machine.expect(pexpect.EOF)
    run_all("README.md", folder)
    run_all("docs/README.md", folder)
    machine = start(folder, "./eidolon run --generation monday")
    machine.expect(r"resumed generation \d+")
    machine.send("\x1dx")
    machine.expect(pexpect.EOF)
    machine = start(folder, "./eidolon run --image t.img -- ./prog ARGUMENTS")
    machine.expect("3 ARGUMENTS")
    machine.send("\x1dx")
    machine.expect(pexpect.EOF)


@pytest.mark.parametrize("name", sorted(set(RUN) - {"README.md", "docs/README.md"}))
def test_commands_of_a_document_work(name, folder):
    if "port" in name and not os.path.exists(os.path.join(BUILD, "docs", "examples", "port", "port_example")):
        pytest.skip("the example is built on x86-64 hosts only")
    if "performance" in name and not shutil.which("gnuplot"):
        pytest.skip("benchmarks have packages of their own: ./eidolon setup installs them")
    run_all(name, folder)
