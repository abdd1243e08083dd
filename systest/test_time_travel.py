# SPDX-License-Identifier: BSD-2-Clause
"""Looking back: which generation changed something, where threads wait, and gdb on the generations that an image keeps."""

import os
import re
import shutil
import subprocess

import pytest

from machine import BUILD, LAUNCHER, WAIT_S, Image, eidolon, environment

TOOL = os.path.join(BUILD, "tools", "image_tool")

pytestmark = pytest.mark.xdist_group("time-travel")
STEPS = 3


class Steps:
    """An image whose program made three steps, each durable, and kept under its name: step1, step2, step3."""

    def __init__(self, image, path):
        self.image, self.path = image, path
        boot = image.boot(program=[path])
        self.futex = int(boot.expect(r"ready, futex at 0x([0-9a-f]+)\s")[1], 16)
        boot.read_for(0.3)
        for number in range(1, STEPS + 1):
            boot.send_line(f"line {number}")
            boot.expect(f"step {number} is durable")
            eidolon("ctl", "--image", image.path, "pin", f"step{number}", status=0)
            boot.read_for(0.3)
        boot.kill()
        symbols = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        self.symbols = {name: int(address, 16) for address, _, name in re.findall(r"^([0-9a-f]+) (\w) (steps_\w+)$", symbols, re.M)}

    def kept(self):
        """Generations, newest first: their numbers, and by their names."""
        lines = [line.split() for line in self.image.tool("log").splitlines()[1:]]
        return [int(words[0]) for words in lines], {words[-1]: int(words[0]) for words in lines}

    def gdb(self, generation, *commands):
        if shutil.which("gdb") is None:
            pytest.skip("gdb is missing: ./eidolon setup installs it")
        served = f"target remote | {LAUNCHER} image gdb {self.image.path} {generation} 1"
        words = ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-ex", served]
        for command in commands:
            words += ["-ex", command]
        return subprocess.run([*words, self.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", check=False, timeout=WAIT_S, env=environment()).stdout


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """One for all tests here: they only look."""
    image = Image(str(tmp_path_factory.mktemp("steps")), "steps.img")
    yield Steps(image, os.path.join(BUILD, "systest", "steps"))
    image.close()


def test_threads_are_shown_with_where_they_wait(steps):
    """And `programs` goes on being a list of programs alone."""
    shown = steps.image.tool("ps")
    assert re.search(r"^ +1 +0 +alive +3 .*steps$", shown, re.M), shown
    assert re.search(r"thread 1 in read\(0x0, 0x[0-9a-f]+, 0x[0-9a-f]+\) at 0x08", shown), shown
    assert re.search(rf"thread \d+ in futex\(0x{steps.futex:x}, ", shown), shown
    assert re.search(r"thread \d+ in pause\(", shown), shown
    assert "thread" not in steps.image.tool("programs")
    assert "thread 1 in read" in steps.image.tool("ps", "step1")


def test_when_names_the_generations_that_changed_something(steps):
    numbers, names = steps.kept()
    counter = hex(steps.symbols["steps_made"])
    told = steps.image.tool("when", counter, "--program", "1")
    changes = re.findall(r"^ *(\d+) .* 0x([0-9a-f]+) +1 byte +(\w\w) -> (\w\w)$", told, re.M)
    assert [(before, after) for _, _, before, after in changes] == [("00", "01"), ("01", "02"), ("02", "03")], told
    assert all(int(address, 16) == steps.symbols["steps_made"] for _, address, _, _ in changes)
    for number, (generation, _, _, _) in enumerate(changes, 1):
        assert names.get(f"step{number - 1}", 0) < int(generation) <= names[f"step{number}"], told
        for which, value in ((generation, number), (numbers[numbers.index(int(generation)) + 1], number - 1)):
            found = subprocess.run([TOOL, "cat", steps.image.path, "1", counter, "4", str(which)], capture_output=True, check=True)
            assert int.from_bytes(found.stdout, "little") == value, told
    assert told.splitlines()[-1] == f"3 changes in {len(numbers)} generations, {numbers[-1]} to {numbers[0]}"
    text = steps.image.tool("when", f"{steps.symbols['steps_text']:#x}:32", "--program", "1")
    assert "6e 6f 6e 65 00 00 -> 6c 69 6e 65 20 31" in text and "31 -> 32" in text and "32 -> 33" in text, text
    assert steps.image.tool("when", f"{steps.futex:#x}:4", "--program", "1").startswith("0 changes in ")


def test_diff_names_programs_regions_and_symbols(steps):
    numbers, _ = steps.kept()
    told = steps.image.tool("diff", "step1", "step3", "--program", "1", "--symbols", steps.path, status=1)
    assert told.startswith("program 1 steps\n"), told
    changed = dict(re.findall(r"^    (\S+) +(\d+) bytes$", told, re.M))
    assert changed["steps_made"] == "1" and changed["steps_text"] == "1" and changed["steps_pages"] == "2", told
    assert "program_invocation_name" not in changed and re.search(r"^  0x08[0-9a-f]{6}  rw- program +\d+ page", told, re.M), told
    assert re.search(r"^  0xbf[0-9a-f]{6}  rw- stack ", told, re.M) and " heap " in told, told
    plain = steps.image.tool("diff", "step1", "step3", "--programs", status=1)
    assert plain == "".join(line + "\n" for line in told.splitlines() if not line.startswith("    ")), plain
    assert steps.image.tool("diff", "step2", "step2", "--programs") == "programs see no difference\n"
    assert re.search(r"^object +4095 ", steps.image.tool("diff", str(numbers[-1]), "step3", status=1), re.M)


def test_gdb_goes_back_over_three_generations(steps):
    numbers, names = steps.kept()
    told = steps.gdb("step3", "info threads", "backtrace", "print steps_made", "print (char *)steps_text", "reverse-continue",
                     "watch -location steps_made", "reverse-continue", "print (char *)steps_text", "reverse-continue",
                     "print (char *)steps_text", "info registers eip", "continue", "print (char *)steps_text")
    assert re.search(r"Thread 1 \(in read\(0x0, ", told) and f"(in futex(0x{steps.futex:x}, " in told, told
    assert re.search(r"^#\d+ .* in main \(\) at .*steps\.c:\d+$", told, re.M), told
    assert re.search(r"^\$1 = 3$", told, re.M) and re.search(r'^\$2 = .* "line 3"$', told, re.M), told
    before = numbers[numbers.index(names["step3"]) + 1]
    visited = [int(number) for number in re.findall(r"^generation (\d+), ", told, re.M)]
    assert visited[0] == before, "reverse-continue is the generation before"
    assert re.findall(r"^Old value = (\d+)\nNew value = (\d+)$", told, re.M) == [("3", "2"), ("2", "1"), ("1", "2")], told
    assert re.findall(r'^\$\d+ = .* "(line \d)"$', told, re.M) == ["line 3", "line 2", "line 1", "line 2"], told
    assert names["step2"] <= visited[1] < names["step3"] and names["step1"] <= visited[2] < names["step2"] and \
        visited[2] < visited[3] <= names["step2"], told


def test_gdb_is_told_where_history_ends_and_changes_nothing(steps):
    numbers, _ = steps.kept()
    before = steps.image.content()
    told = steps.gdb(numbers[-1], "reverse-continue", "print 7", "continue", "set var steps_made = 9", "x/4xb 0", "break main",
                     "continue", "thread 9")
    assert told.count("No more reverse-execution history.") == 1 and "$1 = 7" in told, told
    assert re.findall(r"^generation (\d+), ", told, re.M)[:2] == [str(numbers[-1]), str(numbers[-2])], told
    assert "Cannot access memory at address 0x0" in told and "Cannot insert breakpoint" in told, told
    last = steps.gdb(numbers[0], "continue", "print steps_made")
    assert "No more reverse-execution history." in last and "$1 = 3" in last, last
    assert steps.image.content() == before


def packet(content):
    return b"$" + content + b"#%02x" % (sum(content) % 256)


def test_gdb_stub_outlives_what_is_no_packet(steps, chance):
    """Half packets, wrong sums, binary, long ones, questions that there are none of; each answer is a packet, and it ends with its input."""
    path = steps.image.path
    for _ in range(8):
        junk = [packet(bytes(chance.choice(b"0123456789abcdef,:;?gGmMpPqQzZHTcsbDv$#") for _ in range(chance.randrange(40))))
                for _ in range(20)]
        junk += [b"$m0,4#00", b"$" * 5, chance.randbytes(200), packet(b"m" + b"f" * 30), packet(b"x" * 20000), packet(b"qXfer:features:read:target.xml:ffff,10"),
                 packet(b"Hg99999"), packet(b"p63"), packet(b"Z2,8049000,ffff"), b"\x03", b"+" * 10, b"$g"]
        chance.shuffle(junk)
        result = subprocess.run([TOOL, "gdb", path, "step2", "1"], input=b"".join(junk), capture_output=True, timeout=WAIT_S, check=False)
        assert result.returncode == 0, result
        for content, given in re.findall(rb"\$([^#]*)#(..)", result.stdout):
            assert int(given, 16) == sum(content) % 256


def test_what_cannot_be_looked_at_is_refused_in_a_line(steps, tmp_path):
    path, before = steps.image.path, steps.image.content()
    new = str(tmp_path / "new.img")
    eidolon("image", "create", new, "--size", "8", status=0)
    for words, named in ((["when", path], "usage"), (["when", path, "0x8049000"], "usage"),
                         (["when", path, "here", "--program", "1"], "not ADDRESS"),
                         (["when", path, "0x8049000:0", "--program", "1"], "1 to 65536"),
                         (["when", path, "0x8049000:65537", "--program", "1"], "1 to 65536"),
                         (["when", path, "0xbfffffff:2", "--program", "1"], "below 0xc0000000"),
                         (["when", path, "0x8049000", "--program", "x"], "number of a program"),
                         (["when", path, "0x8049000", "--program", "77"], "no kept generation has a program 77"),
                         (["when", path, "0", "--program", "1"], "something at 0x00000000"),
                         (["when", new, "0x8049000", "--program", "1"], "nothing has been committed"),
                         (["diff", path, "step1", "step2", "--symbols", path], "usage"), (["diff", path, "step1", "--programs"], "usage"),
                         (["diff", path, "step1", "step2", "--program", "77"], "there is no program 77"),
                         (["diff", path, "step1", "step2", "--program", "1", "--symbols", path + ".none"], "No such file"),
                         (["diff", path, "step1", "step2", "--program", "1", "--symbols", "/bin/true"], "no i386 program with symbols"),
                         (["ps", path, "999999"], "image log"), (["gdb", path, "1"], "usage"),
                         (["gdb", path, "999999", "1"], "image log"), (["gdb", path, "step1", "77"], "there is no program 77"),
                         (["gdb", path, "step1", "0"], "number of a program"), (["gdb", new, "1", "1"], "nothing has been committed"),
                         (["gdb", path + ".none", "1", "1"], "No such file")):
        result = eidolon("image", *words)
        assert result.returncode == 2 and result.stdout == "" and named in result.stderr, (words, result)
        assert result.stderr.count("\n") == 1, (words, result.stderr)
    assert steps.image.content() == before
