# SPDX-License-Identifier: BSD-2-Clause
"""Unmodified static i386 programs: arguments and environment, input and output, exit status, libraries."""

import os
import re

import pytest

from machine import BUILD, eidolon
from test_transcripts import drive_nothing, transcript_on_linux, without_messages

LOADERS = ["direct", "grub"]
BUSYBOX = os.path.join(BUILD, "i386", "bin", "busybox")


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("disk", ["virtio", "ata"])
def test_program_with_arguments_shows_them_and_its_status_is_the_launchers(image, program, loader, disk):
    boot = image.boot("--boot", loader, "--disk", disk, program=[program("hello"), "two words", "", "--", "k=v,%20\"'$x",
                                                          "42"])
    assert boot.end() == 42
    text = boot.text()
    assert f"argv[0] = <{program('hello')}>\n" in text
    assert "argv[1] = <two words>\nargv[2] = <>\nargv[3] = <-->\nargv[4] = <k=v,%20\"'$x>\nargv[5] = <42>\n" in text
    assert "env <HOME=/>\nenv <PATH=/>\nenv <TERM=linux>\n" in text
    assert "hello from a program of 6 arguments\n" in text


@pytest.mark.parametrize("toolchain", ["musl", "pie"])
def test_program_of_another_toolchain_runs_and_survives_a_power_cut(image, program, toolchain):
    boot = image.boot(program=[program(f"{toolchain}_hello"), "words", "7"])
    assert boot.end() == 7
    assert "argv[1] = <words>\n" in boot.text() and "env <TERM=linux>\n" in boot.text()
    boot = image.boot(program=[program(f"{toolchain}_list")])
    confirmed = int(boot.expect(r"confirmed (\d+)\.")[1])
    boot.kill()
    boot = image.boot()
    assert int(boot.expect(r"state (\d+) ")[1]) >= confirmed
    boot.expect(r"confirmed \d+\.")
    assert "CORRUPT" not in boot.text() and "\nstart\n" not in boot.text()


@pytest.mark.parametrize("status", [0, 1, 127, 128, 255])
def test_exit_status_is_passed_on(image, program, status):
    assert image.boot(program=[program("hello"), str(status)]).end() == status


def test_serial_line_of_a_new_image_carries_the_programs_output_and_nothing_else(image, program):
    boot = image.boot(program=[program("unknown_call")])
    assert boot.end() == 0
    lines = [line for line in boot.text().splitlines() if not line.startswith("eidolon: ")]
    assert lines and all(line.startswith("call ") for line in lines)


def test_second_program_on_a_used_image_runs(image, program):
    assert image.boot(program=[program("hello"), "3"]).end() == 3
    assert image.boot(program=[program("hello"), "4"]).end() == 4


def test_program_reads_lines_from_the_console(image, program):
    boot = image.boot(program=[program("echo")])
    for typed, answer in (("some words", "line 1 is <some words> of 10"), ("", "line 2 is <> of 0"),
                          ("wrong\x7f\x7f\x7f\x7f\x7fright", "line 3 is <right> of 5"), ("quit", "quit after 4 lines")):
        boot.expect("> ")
        boot.send_line(typed)
        boot.expect_line(answer)
    assert boot.end() == 4


def test_end_of_input_reaches_the_program(image, program):
    boot = image.boot(program=[program("echo")])
    boot.expect("> ")
    boot.send_line("one")
    boot.expect("> ")
    boot.send("\x04")
    boot.expect("end of input after 1 lines")
    assert boot.end() == 1


def test_input_from_a_pipe_reaches_the_program_and_ends(image, program):
    result = eidolon("run", "--headless", "--boot", "direct", "--size", "64", "--image", image.path, "--",
                     program("echo"), stdin="first\nsecond\n", status=2)
    assert "line 2 is <second> of 6" in result.stdout.replace("\r", "")


def test_unknown_system_calls_answer_enosys_and_are_named_once(image, program):
    boot = image.boot(program=[program("unknown_call")])
    assert boot.end() == 0
    assert len(re.findall(r"^call .*: -1 Function not implemented$", boot.text(), re.MULTILINE)) == 10
    for number in ("223", "283"):
        naming = [line for line in boot.log().splitlines() if re.search(rf"\b{number}\b", line)]
        assert len(naming) == 1, naming


def test_output_larger_than_every_buffer_arrives_whole(image, program):
    boot = image.boot(program=[program("flood"), "3000"])
    assert boot.end() == 0
    numbers = [int(number) for number in re.findall(r"^flood (\d+) x{60}$", boot.text(), re.MULTILINE)]
    assert numbers == list(range(3000))


def test_lua_keeps_its_variables_across_a_power_cut(image, program):
    boot = image.boot(program=[program("lua_repl")])
    boot.expect("> ")
    boot.send_line("t = {} for i = 1, 1000 do t[i] = i * i end")
    boot.expect("> ")
    boot.send_line("function f(n) return n < 2 and n or f(n - 1) + f(n - 2) end print(f(20), 'done')")
    boot.expect(r"6765\s+done")
    boot.expect("> ")
    boot.read_for(1)
    boot.kill()
    boot = image.boot()
    boot.expect("resumed generation")
    boot.send_line("print(#t, t[999], f(15), math.sin(1.0))")
    boot.expect(r"1000\s+998001\s+610\s+0\.8414709848079")
    boot.send_line("os.exit(9)")
    assert boot.end() == 9


def test_sqlite_keeps_a_database_in_memory_across_a_power_cut(image, program):
    boot = image.boot(program=[program("sqlite_repl")])
    boot.expect("> ")
    boot.send_line("create table t(a integer primary key, b text, c real);")
    boot.expect("> ")
    boot.send_line("with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) "
                   "insert into t select i, 'row ' || i, i / 3.0 from n;")
    boot.expect("> ", timeout=60)
    boot.send_line("begin; delete from t where a > 4000;")
    boot.expect("> ")
    boot.read_for(1)
    boot.kill()
    boot = image.boot()
    boot.expect("resumed generation")
    boot.send_line("rollback; select count(*), sum(a), max(b), round(sum(c), 3) from t;")
    boot.expect_line("5000|12502500|row 999|4167500.0")
    boot.expect("> ")
    boot.send_line("pragma integrity_check;")
    boot.expect(r"\bok\b")


def test_program_finds_what_it_finds_on_linux_under_its_own_name(image, program):
    expected = transcript_on_linux(program("own_name"), drive_nothing)
    boot = image.boot(program=[program("own_name")])
    assert boot.end() == 0
    assert without_messages(boot.text()).splitlines() == expected.splitlines()


# Its own name is one of the shell's commands, so a path stands for it where the shell itself is asked.
FINDS_ITSELF = """
which busybox; type /bin/busybox; command -v /usr/bin/busybox
hash -r; hash busybox && echo hashed
test -x /bin/busybox && test -f /bin/busybox && test ! -d /bin/busybox && test -s /bin/busybox && echo a program
cat /bin/busybox || echo refused
PATH=/sbin:/bin busybox echo by name
/bin/busybox echo by path
type no_such_name || echo none
"""


@pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="no busybox for i386")
def test_shell_finds_an_image_by_its_name_wherever_it_looks(image):
    boot = image.boot(program=[BUSYBOX, "sh", "-c", FINDS_ITSELF])
    assert boot.end() == 0
    lines = without_messages(boot.text()).splitlines()
    assert lines[:5] == ["/busybox", "/bin/busybox is /bin/busybox", "/usr/bin/busybox", "hashed", "a program"]
    assert "ermission denied" in lines[5] and lines[6:9] == ["refused", "by name", "by path"]
    assert "not found" in lines[9] and lines[10:] == ["none"]
