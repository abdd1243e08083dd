# SPDX-License-Identifier: BSD-2-Clause
"""What the host can do to a machine: no space, streams that are closed or broken, signals, names of files, a tree that may not be
written to. It is said once, and nothing durable is lost.

A full disk and a tree without rights are made in a mount namespace of the test's own, which needs no rights on most hosts; where
it does, those tests are skipped.
"""

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time

import pexpect
import pytest

from machine import BUILD, LAUNCHER, RESUMED, ROOT, WAIT_S, eidolon, environment, run_kernel

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import machine as launcher_machine  # noqa: E402

STANDS_STILL = r"eidolon: no space left on the disk that \S+ is on: the machine stands still until there is some"
COUNTER = os.path.join(BUILD, "user", "counter")
GOES_ON = "eidolon: there is space again: the machine goes on"
DURABLE = r"eidolon: switched off: generation \d+ is durable"


def namespace(*commands):
    """The words that run the launcher in a mount namespace after some shell commands."""
    probe = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("no mount namespaces here (unshare -rm)")
    return ["unshare", "-rm", "sh", "-c", " && ".join([*commands, 'exec "$@"']), "sh"]


@pytest.fixture
def start():
    """Starts launchers by hand, with streams of the test's choice; whatever is still there after it is killed."""
    processes = []

    def begin(*arguments, before=(), **options):
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), **options}
        process = subprocess.Popen([*before, LAUNCHER, *map(os.fsdecode, arguments)], **options)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def run_words(image, *words):
    return ["run", "--headless", "--boot", "direct", "--image", image, *words]


def wait_for(condition, what):
    limit = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def read_until(stream, pattern):
    """Read a pipe until a pattern has come. Returns what came."""
    text = ""
    limit = time.monotonic() + WAIT_S
    while not re.search(pattern, text):
        assert select.select([stream], [], [], max(limit - time.monotonic(), 0))[0], f"{pattern!r} did not come:\n{text}"
        data = os.read(stream.fileno(), 65536)
        assert data, f"{pattern!r} did not come:\n{text}"
        text += data.decode("utf-8", "replace").replace("\r", "")
    return text


def machine_of(launcher):
    """The process ids of its machines; beside them is who tidies up after it."""
    with open(f"/proc/{launcher.pid}/task/{launcher.pid}/children", encoding="ascii") as file:
        children = [int(word) for word in file.read().split()]
    return [child for child in children if open(f"/proc/{child}/comm", encoding="ascii").read().startswith("qemu")]


# Space ----------------------------------------------------------------------------------------------------------------

def test_full_host_disk_is_said_and_the_machine_goes_on_when_there_is_space(start, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    before = namespace(f"mount -t tmpfs -o size=4m none {shlex.quote(str(full))}")
    launcher = start(*run_words(str(full / "test.img"), "--size", "64", "--", COUNTER, "50"), before=before)
    read_until(launcher.stdout, r"\b3\b")
    seen = f"/proc/{launcher.pid}/root{full}"
    with open(f"{seen}/filler", "wb", buffering=0) as file:
        with pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
    complaint = read_until(launcher.stderr, STANDS_STILL)
    os.unlink(f"{seen}/filler")
    complaint += read_until(launcher.stderr, GOES_ON)
    assert complaint.count("no space") == 1
    read_until(launcher.stdout, r"\d+")
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(WAIT_S) == 128 + signal.SIGTERM
    assert re.search(DURABLE, launcher.stderr.read().decode())


def test_image_that_does_not_fit_the_host_is_called_so_and_not_left_behind(tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    before = namespace(f"mount -t tmpfs -o size=4k none {shlex.quote(str(full))}",
                       f"head -c 4096 /dev/zero >{shlex.quote(str(full / 'filler'))}")
    path = str(full / "new.img")
    result = subprocess.run([*before, "sh", "-c", '"$@"; status=$?; ls ' + shlex.quote(str(full)) + '; exit $status', "sh", LAUNCHER,
                             *run_words(path)], capture_output=True, text=True, env=environment(), check=False, timeout=WAIT_S)
    assert result.returncode == 1 and result.stdout == "filler\n"
    assert path in result.stderr and "No space left" in result.stderr and result.stderr.count("\n") == 1


# A quota needs rights and a file system that has one: QEMU is given its error by the library it writes with.
QUOTA = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_over(int file)
{
    char name[64], path[4096];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    return strcmp(path, getenv("QUOTA_OF")) == 0 && access(getenv("QUOTA_OVER"), F_OK) == 0;
}

#define WRAP(NAME, TYPE, LENGTH)                                                        \\
    ssize_t NAME(int file, TYPE bytes, LENGTH length, off64_t offset)                   \\
    {                                                                                   \\
        if (is_over(file)) {                                                            \\
            errno = EDQUOT;                                                             \\
            return -1;                                                                  \\
        }                                                                               \\
        return ((ssize_t(*)(int, TYPE, LENGTH, off64_t))dlsym(RTLD_NEXT, #NAME))(file, bytes, length, offset); \\
    }
WRAP(pwrite64, const void *, size_t)
WRAP(pwritev64, const struct iovec *, int)
"""


@pytest.mark.parametrize("path, stops_for", [(__file__, "stop"), (os.devnull, "enospc")])
def test_failing_writes_wait_for_the_host_of_a_file_only(tmp_path, path, stops_for):
    arguments = launcher_machine.disk_arguments(path, "virtio", None, str(tmp_path))
    assert any(f",werror={stops_for}," in word for word in arguments)


def test_quota_that_is_used_up_stops_the_machine_until_it_can_write_again(start, tmp_path, image):
    library, over = str(tmp_path / "quota.so"), tmp_path / "over"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=QUOTA, text=True, check=True)
    launcher = start(*run_words(image.path, "--", COUNTER),
                     env=dict(environment(), LD_PRELOAD=library, QUOTA_OF=image.path, QUOTA_OVER=str(over)))
    read_until(launcher.stdout, r"\b3\b")
    over.touch()
    read_until(launcher.stderr, r"test\.img: Disk quota exceeded: the machine stands still and tries again")
    over.unlink()
    read_until(launcher.stderr, r"test\.img: it can be written to again: the machine goes on")
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(WAIT_S) == 128 + signal.SIGTERM
    assert re.search(DURABLE, launcher.stderr.read().decode())
    image.tool("verify")


def test_output_that_finds_no_space_waits_for_it(start, tmp_path, image, program):
    full = tmp_path / "full"
    full.mkdir()
    before = namespace(f"mount -t tmpfs -o size=64k none {shlex.quote(str(full))}", f"cat /dev/zero >{shlex.quote(str(full))}/filler 2>&- ||:",
                       f"exec >{shlex.quote(str(full))}/out")
    launcher = start(*run_words(image.path, "--", program("hello")), before=before)
    read_until(launcher.stderr, "eidolon: no space left where the output goes")
    os.unlink(f"/proc/{launcher.pid}/root{full}/filler")
    read_until(launcher.stderr, "$")
    with open(f"/proc/{launcher.pid}/root{full}/out", "rb") as out:
        assert launcher.wait(WAIT_S) == 0
        assert b"hello" in out.read().lower()


def test_output_that_never_finds_space_is_said_to_be_lost_once(image, program):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([LAUNCHER, *run_words(image.path, "--", program("hello"))], stdin=subprocess.DEVNULL, stdout=full,
                                stderr=subprocess.PIPE, text=True, env=environment(), timeout=WAIT_S, check=False)
    said = [line for line in result.stderr.splitlines() if "where the output goes" in line]
    assert result.returncode == 0 and len(said) == len(set(said)) and "is lost" in said[-1], result.stderr


# Streams --------------------------------------------------------------------------------------------------------------

def test_input_from_nowhere_has_ended(image):
    result = subprocess.run([LAUNCHER, *run_words(image.path)], stdin=subprocess.DEVNULL, capture_output=True, env=environment(),
                            timeout=WAIT_S, check=False)
    assert result.returncode == 0 and b"This is Eidolon" in result.stdout


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_survived(image, program, closing, tmp_path):
    words = shlex.join([LAUNCHER, *run_words(image.path, "--log", str(tmp_path / "log"), "--", program("hello"))])
    result = subprocess.run(f"{words} {closing}", shell=True, stdin=subprocess.DEVNULL, capture_output=True, env=environment(),
                            timeout=WAIT_S, check=False)
    assert result.returncode == 0, result.stderr
    assert "eidolon: exit 0" in (tmp_path / "log").read_text()
    assert (b"ello" in result.stdout) == (">&- " not in closing + " " or closing == "2>&-")


def test_nobody_reading_the_output_any_more_ends_the_machine_with_everything_durable(image):
    result = subprocess.run(["bash", "-c", f"{shlex.join([LAUNCHER, *run_words(image.path, '--', COUNTER, '100')])} </dev/null "
                             "| head -3; exit ${PIPESTATUS[0]}"], capture_output=True, text=True, env=environment(), timeout=WAIT_S,
                            check=False)
    assert result.returncode == 128 + signal.SIGPIPE
    assert result.stdout.count("\n") == 3 and re.search(DURABLE, result.stderr)
    image.boot().expect(RESUMED)


def test_help_into_a_pipe_that_breaks_is_no_error():
    result = subprocess.run(["bash", "-c", f"set -o pipefail; {LAUNCHER} help | true"], capture_output=True, text=True, env=environment(),
                            timeout=WAIT_S, check=False)
    assert result.returncode in (0, 141) and result.stderr == ""


# Signals --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_makes_everything_durable_and_then_switches_off(start, image, number):
    launcher = start(*run_words(image.path, "--interval", "0"))
    read_until(launcher.stdout, "> ")
    launcher.stdin.write(b"note kept without a snapshot\n")
    launcher.stdin.flush()
    read_until(launcher.stdout, "That makes 1")
    launcher.send_signal(number)
    assert launcher.wait(WAIT_S) == 128 + number
    assert re.search(DURABLE, launcher.stderr.read().decode())
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("notes")
    boot.expect("kept without a snapshot")


def test_terminal_that_hangs_up_makes_everything_durable(image):
    boot = image.boot("--interval", "0")
    boot.expect("> ")
    boot.send_line("note kept without a snapshot")
    boot.expect("That makes 1")
    pid = boot.qemu_pid()
    boot.console.close(force=False)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the machine did not end")
    boot.status = boot.console.exitstatus
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("notes")
    boot.expect("kept without a snapshot")


def test_terminal_that_goes_without_a_signal_makes_everything_durable_too(image):
    """As of su -c, or in a container: nobody's controlling terminal."""
    master, slave = os.openpty()
    launcher = subprocess.Popen([LAUNCHER, *run_words(image.path, "--interval", "0")], stdin=slave, stdout=slave, stderr=slave,
                                env=environment(), start_new_session=True)
    os.close(slave)
    shown = b""
    for sent, answer in ((b"", b"> "), (b"note kept without a snapshot\r", b"That makes 1")):
        os.write(master, sent)
        while answer not in shown:
            shown += os.read(master, 65536)
    os.close(master)
    launcher.wait(WAIT_S)
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("notes")
    boot.expect("kept without a snapshot")


def test_keys_of_the_console_switch_off_and_pull_the_plug(image):
    boot = image.boot("--interval", "0")
    boot.expect("> ")
    boot.send("\x1d?")
    boot.expect("Ctrl-] x pulls the plug")
    boot.send_line("note kept")
    boot.expect("That makes 1")
    boot.send("\x1dq")
    boot.expect(DURABLE)
    assert boot.end() == 0
    boot = image.boot("--interval", "0")
    boot.expect(RESUMED)
    boot.send_line("note lost")
    boot.expect("That makes 2")
    boot.send("\x1dx")
    assert boot.end() == 128 + signal.SIGKILL
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("note another")
    boot.expect("That makes 2")


def test_killed_launcher_takes_its_machine_and_its_folder_along(start, image, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    launcher = start(*run_words(image.path), env=dict(environment(), TMPDIR=str(folder)))
    read_until(launcher.stdout, "> ")
    launcher.stdin.write(b"sync\n")
    launcher.stdin.flush()
    read_until(launcher.stdout, "is durable")
    machines = machine_of(launcher)
    assert len(machines) == 1
    launcher.kill()
    wait_for(lambda: not os.path.exists(f"/proc/{machines[0]}"), "the machine outlived its launcher")
    wait_for(lambda: not os.listdir(folder), "its temporary folder outlived the launcher")
    image.boot().expect(RESUMED)


def test_image_in_use_names_the_process_and_its_command(start, image):
    launcher = start(*run_words(image.path))
    read_until(launcher.stdout, "> ")
    named = f"process {launcher.pid} (./eidolon run --headless --boot direct --image {image.path})"
    assert f"in use by {named}" in eidolon(*run_words(image.path), status=1).stderr
    assert f"in use by a running machine, {named}" in eidolon("image", "verify", image.path, status=2).stderr
    os.kill(machine_of(launcher)[0], signal.SIGKILL)
    assert launcher.wait(WAIT_S) == 137


# Names ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["two words.img", "a'b\"c\\d.img", "a,b,,c=d.img", "ünïcödé→☃.img", os.fsdecode(b"not\xffutf8.img"),
                                  "%s-$HOME;&|.img", "-n"])
def test_any_name_of_an_image_is_good(tmp_path, program, name):
    folder = tmp_path / os.fsdecode(os.path.splitext(os.fsencode(name))[0] + b".folder")
    folder.mkdir()
    for loader in ("direct", "grub") if "words" in name else ("direct",):
        path = str(folder / name)
        result = subprocess.run([LAUNCHER, "run", "--headless", "--boot", loader, "--image", path, "--size", "16", "--log",
                                 str(folder / ("log" + name)), "--", program("hello")], stdin=subprocess.DEVNULL, capture_output=True,
                                env=environment(), timeout=WAIT_S, check=False)
        assert result.returncode == 0, result.stderr
        assert subprocess.run([LAUNCHER, "image", "verify", path], env=environment(), capture_output=True, check=False,
                              timeout=WAIT_S).returncode == 0
        os.unlink(path)


def test_name_that_begins_with_a_dash_is_no_option(tmp_path, program):
    eidolon("run", "--headless", "--boot", "direct", "--size", "16", "--image=-n.img", "--", program("hello"), status=0, cwd=tmp_path)
    assert os.path.exists(tmp_path / "-n.img")


@pytest.mark.parametrize("words", [["run", "--generation", "5", "--image"], ["image", "info"]])
def test_names_are_shown_escaped(words):
    result = subprocess.run([LAUNCHER, *words, b"a\x1b[31mb\nc\xff\xc2\x9bd"], capture_output=True, env=environment(), timeout=WAIT_S,
                            check=False)
    assert b"a\\x1b[31mb\\x0ac\\xff" in result.stderr and b"d: No such" in result.stderr or b"d does not" in result.stderr
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\xff]|\xc2\x9b", result.stderr) and result.stderr.count(b"\n") == 1


# The command line -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words", [["help", "--help"], ["help", "help"], ["--help"], ["help", "-h"], ["-h"], ["help", "help", "--help"]])
def test_help_about_help_is_help(words):
    assert eidolon(*words, status=0).stdout == eidolon("help", status=0).stdout


@pytest.mark.parametrize("words, meant", [
    (["rnu"], "run"), (["RUN"], "run"), (["tset"], "test"), (["run", "--memroy", "64"], "--memory"), (["run", "--imgae=x"], "--image"),
    (["run", "--policy", "seive"], "sieve"), (["run", "--disk", "vritio"], "virtio"), (["test", "hots"], "host"),
    (["setup", "--broswer"], "--browser"), (["image", "verfy", "x"], "verify"), (["image", "lgo", "x"], "log")])
def test_slip_is_told_what_was_meant(words, meant):
    assert f"did you mean {meant}?" in eidolon(*words, status=2).stderr


def test_word_that_is_like_nothing_gets_no_suggestion():
    for words in (["frobnicate"], ["run", "--zzz"], ["run", "--policy", "q"], ["image", "frobnicate"]):
        assert "did you mean" not in eidolon(*words, status=2).stderr


def test_refusal_of_the_kernel_is_said_once_and_leaves_no_image(tmp_path, used_image):
    for path in (str(tmp_path / "new.img"), used_image.path):
        words = run_words(path, "--kernel-options", "foo=bar")
        result = subprocess.run([LAUNCHER, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, env=environment(), timeout=WAIT_S, check=False)
        assert result.returncode == 1 and result.stdout.count("the kernel has no option 'foo'") == 1
        assert os.path.exists(path) == (path == used_image.path)


def without_packages(folder, apt_get):
    """The environment of a system that has no package, and a script for its apt-get."""
    for name, script in (("apt-get", apt_get), ("dpkg-query", "exit 1"), ("sudo", 'shift; exec "$@"')):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return dict(environment(), PATH=f"{folder}:{os.environ['PATH']}")


def test_installation_shows_on_a_terminal_how_far_it_is(tmp_path):
    child = pexpect.spawn(LAUNCHER, ["setup"], env=without_packages(tmp_path, "echo Get:1 gcc; sleep 0.2; echo Setting up gcc; exit 0"),
                          timeout=WAIT_S, encoding="utf-8")
    child.expect(re.escape("\r\033[KGet:1 gcc\r\033[KSetting up gcc\r\033[K"))
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize("said, advice", [
    ("E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.", "dpkg --configure -a"),
    ("E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a solution).", "apt-get --fix-broken install"),
    ("E: Unable to locate package gcc", "apt-get update && apt-get install gcc ")])
def test_packages_that_cannot_be_installed_come_with_advice_that_helps(tmp_path, said, advice):
    (tmp_path / "said").write_text(said + "\n")
    result = subprocess.run([LAUNCHER, "setup"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=WAIT_S,
                            env=without_packages(tmp_path, f"cat {tmp_path}/said; exit 100"))
    assert result.returncode == 1 and advice in result.stderr and result.stderr.splitlines()[-1] == said, result.stderr


# The tree -------------------------------------------------------------------------------------------------------------

NINJA = """#!/bin/sh
case "$*" in *image_tool*) ;; *) exec /usr/bin/ninja "$@" ;; esac
mkdir -p "$2/tools" && printf '#!/bin/sh\necho built\n' >"$2/tools/image_tool" && chmod +x "$2/tools/image_tool"
"""


def test_tree_that_may_not_be_written_to_is_built_elsewhere(tmp_path):
    """Configured for real; a build for real would take a minute."""
    tree, tools = tmp_path / "tree", tmp_path / "bin"
    tree.mkdir()
    tools.mkdir()
    (tools / "ninja").write_text(NINJA)
    (tools / "ninja").chmod(0o755)
    copied = [name for name in os.listdir(ROOT) if not name.startswith((".", "build"))]
    subprocess.run(["cp", "-r", *(os.path.join(ROOT, name) for name in copied), str(tree)], check=True)
    before = namespace(f"mount --bind {tree} {tree}", f"mount -o remount,bind,ro {tree}")
    variables = {key: value for key, value in environment().items() if not key.startswith("EIDOLON_")}
    variables.update(XDG_CACHE_HOME=str(tmp_path / "cache"), PATH=f"{tools}:{variables['PATH']}")
    command = [*before, str(tree / "eidolon"), "image", "info", "x"]
    line = rf"eidolon: nothing may be written to {tree}: building in {tmp_path}/cache/eidolon/build-\w+\n"
    for expected in (line, ""):
        result = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120, check=False)
        assert result.returncode == 0 and result.stdout == "built\n" and re.fullmatch(expected, result.stderr), result.stderr
        (built,) = (tmp_path / "cache" / "eidolon").iterdir()
        (built / "build.ninja").touch()
    assert not (tree / "build").exists()
    variables["EIDOLON_BUILD"] = str(tree / "build")
    result = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120, check=False)
    assert result.returncode == 1 and "read-only" in result.stderr and "EIDOLON_BUILD=" in result.stderr


# Which one it is ------------------------------------------------------------------------------------------------------

def test_version_is_the_same_everywhere(tmp_path, image):
    with open(os.path.join(ROOT, "include", "version.h"), encoding="utf-8") as file:
        version = re.search(r'EIDOLON_VERSION "(.*)"', file.read())[1]
    for words in (["--version"], ["run", "--version"], ["test", "--version"], ["bench", "--version"]):
        assert eidolon(*words, status=0).stdout == f"eidolon {version}\n"
    assert eidolon("image", "--version", status=0).stdout == f"eidolon image {version}\n"
    status, log, console = run_kernel(str(tmp_path), "version")
    assert status == 33 and console == f"Eidolon {version}\n" and f"Eidolon {version}\n" in log
