# SPDX-License-Identifier: BSD-2-Clause
"""A running machine is asked over its control socket: by ./eidolon ctl, by ./eidolon image, and by whoever sends it anything.

What the kernel does with a line is tested on the host (hosttest/control_test.c); here it is the way there, machines that end
meanwhile, and the roll back of a whole machine.
"""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest

from machine import LAUNCHER, RESUMED, WAIT_S, eidolon, environment

TINY = """\
static int call(int number, int a, const void *b, int c)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}
__attribute__((used)) static void go(int count)
{
    char text[] = "tiny has 0 words\\n";
    text[9] = (char)(text[9] + count);
    call(4, 1, text, sizeof(text) - 1);
    while (count > 1) {
        call(29, 0, 0, 0);
    }
    call(1, 0, 0, 0);
}
__asm__(".globl _start\\n_start: push (%esp)\\ncall go\\n");
"""
LINE_MAX = 4096
CLIENTS_MAX = 64
CUTS = 3
CUTS_SOAK = 100


def ctl(image, *words, status=0, timeout=WAIT_S):
    """Ask the machine of an image. Returns what was printed, the complaint if the status is not 0."""
    result = eidolon("ctl", "--image", image.path, *words, timeout=timeout)
    assert result.returncode == status, f"ctl {words}: {result.returncode}\n{result.stdout}{result.stderr}"
    assert not status or result.stderr.startswith("eidolon: ") and result.stderr.count("\n") == 1
    return result.stderr if status else result.stdout


def asked(image, *words):
    return json.loads(ctl(image, "--json", *words))


def shell(image, *options):
    boot = image.boot(*options)
    boot.expect("> ")
    return boot


def connected(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)  # waits for its turn; with a limit it would not
    connection.settimeout(WAIT_S)
    return connection


def answer_to(connection, data):
    """Send bytes; what comes back until a line ends, or the connection."""
    try:
        connection.sendall(data)
    except OSError:
        pass  # it was closed before the end; what it has to say is there
    answer = b""
    while not answer.endswith(b"\n"):
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            break
        answer += piece
    return json.loads(answer) if answer else None


def wait_until_gone(path):
    limit = time.monotonic() + WAIT_S
    while os.path.lexists(path):
        assert time.monotonic() < limit, f"{path} is still there"
        time.sleep(0.02)


def test_machine_is_asked_about_itself_and_ends_when_told(image):
    boot = shell(image)
    status = asked(image, "status")
    assert status["ok"] and status["programs"] == 1 and status["boots"] == 1 and status["image"]["bytes"] == 256 << 20
    assert [each["name"] for each in asked(image, "ps")["programs"]] == ["shell"]
    assert ctl(image, "ps").splitlines()[1].endswith("  shell")
    assert asked(image, "stat")["faults_zero"] > 0
    first = asked(image, "snapshot")["generation"]
    assert asked(image, "snapshot")["generation"] > first
    named = asked(image, "pin", "good")["generation"]
    assert "taken" in ctl(image, "pin", "good", status=1)
    refused = eidolon("ctl", "--image", image.path, "--json", "pin", "good", status=1)
    assert json.loads(refused.stdout)["kind"] == "exists" and refused.stderr.count("\n") == 1
    assert re.search(rf"(?m)^ +{named} .* good$", ctl(image, "log"))
    # The image tool's commands are answered by the machine that has the image.
    assert image.tool("log") == ctl(image, "log") and "in use" in image.tool("info") and "shell" in image.tool("programs")
    image.tool("pin", "other")
    image.tool("pin", "other", status=2)
    image.tool("unpin", "other")
    ctl(image, "unpin", "good")
    assert "no such name" in ctl(image, "unpin", "good", status=1)
    assert "no signal" in eidolon("ctl", "--image", image.path, "signal", "1", "KIL", status=2).stderr
    assert "no such program" in ctl(image, "signal", "77", "KILL", status=1)
    durable = re.fullmatch(r"switched off: generation (\d+) is durable\n", ctl(image, "stop"))
    assert boot.end() == 0 and f"switched off: generation {durable[1]} is durable" in boot.text()
    wait_until_gone(image.path + ".ctl")
    assert "no machine runs" in ctl(image, "status", status=1)
    assert re.search(rf"(?m)^ +{durable[1]} ", image.tool("log"))
    image.tool("verify")


@pytest.fixture
def tiny(tmp_path):
    """The smallest program there is: says how many arguments it has, and waits for ever if there are more than one."""
    source, path = tmp_path / "tiny.c", str(tmp_path / "tiny")
    source.write_text(TINY)
    subprocess.run(["gcc", "-m32", "-static", "-nostdlib", "-Os", "-fno-stack-protector", "-fno-pic", "-no-pie", "-o", path, source],
                   check=True)
    return path


def test_program_is_started_beside_the_others_and_signals_reach_it(image, tiny):
    boot = shell(image)
    assert asked(image, "start", tiny)["program"] == 2
    boot.expect("tiny has 1 words")
    boot.expect(r"shell \(1\) has the keyboard")
    waiting = asked(image, "--id", "77", "start", tiny, "one word", "")["program"]
    boot.expect("tiny has 3 words")
    assert asked(image, "--id", "77", "start", tiny, "one word", "")["program"] == waiting, "it was started twice"
    assert [each["name"] for each in asked(image, "ps")["programs"]] == ["shell", "tiny"]
    ctl(image, "signal", str(waiting), "KILL")
    boot.expect(r"shell \(1\) has the keyboard")
    assert asked(image, "status")["programs"] == 1
    assert "not an ELF" in ctl(image, "start", __file__, status=1)


def test_machine_is_rolled_back_in_one_command_with_its_console(image):
    boot = shell(image)
    boot.send_line("note before")
    boot.expect("That makes 1")
    named = asked(image, "pin", "before")["generation"]
    boot.send_line("note after")
    boot.expect("That makes 2")
    assert "no such generation" in ctl(image, "rollback", "never", status=1)
    assert asked(image, "rollback", "before")["generation"] == named
    assert int(boot.expect(RESUMED)[1]) == named
    boot.send_line("note instead")
    boot.expect("That makes 2")
    boot.send_line("notes")
    boot.expect("before")
    boot.expect("instead")
    assert "note after" not in boot.text().rpartition("resumed generation")[2]
    assert ctl(image, "rollback", str(named)) == f"the machine goes on from generation {named}\n"
    assert int(boot.expect(RESUMED)[1]) == named
    ctl(image, "stop")
    assert boot.end() == 0
    image.tool("verify")


def test_snapshots_on_request_are_there_after_the_plug_is_pulled(image, chance, soak):
    """A snapshot and a name that were answered are there after a cut, and asked for again they are answered alike."""
    for cut in range(CUTS_SOAK if soak else CUTS):
        boot = image.boot("--interval", "0")
        puller = threading.Timer(chance.uniform(0, 0.3), boot.kill)
        answers = {}
        with connected_when_there(image.path + ".ctl") as connection:
            assert answer_to(connection, b"ffff snapshot\n")["ok"]
            puller.start()
            for number in range(1, 200):
                words = f"pin cut{cut}" if number == 5 and cut < 30 else "snapshot"
                answer = answer_to(connection, f"{cut + 1}{number:03} {words}\n".encode())
                if not answer or not answer["ok"]:
                    break
                answers[number] = (words, answer["generation"])
        puller.join()
        boot = image.boot("--interval", "0")
        resumed = int(boot.expect(RESUMED)[1])
        with connected_when_there(image.path + ".ctl") as connection:
            for number, (words, generation) in list(answers.items())[-4:]:
                assert resumed >= generation, f"cut {cut}, request {number}"
                again = answer_to(connection, f"{cut + 1}{number:03} {words}\n".encode())
                assert again["generation"] == generation
        boot.kill()
    image.tool("verify")


def connected_when_there(path):
    limit = time.monotonic() + WAIT_S
    while True:
        try:
            return connected(path)
        except OSError:
            assert time.monotonic() < limit
            time.sleep(0.02)


def test_socket_takes_anything_and_the_machine_is_as_before(image, chance):
    boot = shell(image)
    path = image.path + ".ctl"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    cases = {
        b"hello\n": "usage", b"1\n": "usage", b"1 nothing\n": "usage", b"\xff\xfe\0 status\n": "usage",
        b"1 " + b"x" * (1 << 20) + b"\n": "usage", b"1 load 5\n": "usage", b"1 bytes 0 AAAA\n": "usage",
        b"1 pin 9\n": "usage", b"1 start relative\n": "usage", b"1 rollback\n": "usage", b"1 watch maybe\n": "usage",
        b"1 status " + b"a" * (LINE_MAX - 9) + b"\n": "usage", b"0" * 33 + b" status\n": "usage",
    }
    for data, kind in cases.items():
        with connected(path) as connection:
            assert answer_to(connection, data)["kind"] == kind, data[:40]
    with connected(path) as connection:  # half a line now, the rest later, and another behind it
        connection.sendall(b"a1 sta")
        time.sleep(0.05)
        assert answer_to(connection, b"tus\nb1 status\n")["id"] == "a1"
    for _ in range(30):  # closed in the middle
        with connected(path) as connection:
            connection.sendall(chance.randbytes(chance.randrange(6000)) + chance.choice([b"", b"\n", b"1 snapshot\n1 lo"]))
    many = [connected(path) for _ in range(CLIENTS_MAX)]
    limit = time.monotonic() + WAIT_S
    while True:  # those who were closed above may still be counted for a moment
        answers = [answer_to(connection, f"{number + 1:x} status\n".encode()) for number, connection in enumerate(many)]
        if all(answer and answer["ok"] for answer in answers):
            break
        assert time.monotonic() < limit
        many = [connection if answer and answer["ok"] else connected(path) for connection, answer in zip(many, answers)]
    with connected(path) as connection:
        assert answer_to(connection, b"1 status\n")["kind"] == "busy"
    for connection in many:
        connection.close()
    assert asked(image, "status")["programs"] == 1
    boot.send_line("note still here")
    boot.expect("That makes 1")


def test_socket_of_a_killed_machine_is_removed_and_a_stale_one_replaced(image):
    boot = shell(image)
    path = image.path + ".ctl"
    with connected(path) as connection:
        other = eidolon("run", "--headless", "--boot", "direct", "--image", image.path, status=1)
        assert "in use" in other.stderr
        assert answer_to(connection, b"1 status\n")["ok"], "a second machine took the first one's socket"
    os.kill(boot.console.pid, signal.SIGKILL)
    wait_until_gone(path)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    assert "no machine runs" in ctl(image, "status", status=1)
    limit = time.monotonic() + WAIT_S
    boot = image.boot()
    boot.expect(RESUMED)
    while eidolon("ctl", "--image", image.path, "status").returncode != 0:
        assert time.monotonic() < limit
    boot.kill()
    wait_until_gone(path)


def test_image_with_a_long_name_or_in_a_closed_folder_is_found(new_image, tmp_path, monkeypatch):
    runtime = tempfile.mkdtemp()  # with a short name
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    image = new_image("n" * 90 + ".img")
    boot = shell(image)
    assert asked(image, "status")["ok"]
    assert not os.path.lexists(image.path + ".ctl") and len(os.listdir(os.path.join(runtime, "eidolon"))) == 1
    link = tmp_path / "link.img"
    link.symlink_to(image.path)
    assert eidolon("ctl", "--image", str(link), "status").returncode == 0
    boot.kill()
    limit = time.monotonic() + WAIT_S
    while os.listdir(os.path.join(runtime, "eidolon")):
        assert time.monotonic() < limit
    shutil.rmtree(runtime)


@pytest.mark.parametrize("words, complaint", [
    ((), "name a command"), (("snapshots",), "did you mean snapshot"), (("pin",), "usage: ./eidolon ctl pin NAME"),
    (("--id", "xyz", "status"), "hexadecimal"), (("--wait", "0", "status"), "seconds"), (("watch", "0"), "above 0"),
    (("--image", "nobody.img", "status"), "no machine runs"),
])
def test_wrong_command_line_is_explained(words, complaint, tmp_path):
    result = eidolon("ctl", *words, cwd=tmp_path)
    assert result.returncode == (1 if "nobody.img" in words else 2) and complaint in result.stderr
    assert result.stderr.startswith("eidolon: ") and result.stderr.count("\n") == 1


def test_watcher_sees_every_generation_until_the_machine_ends(image):
    boot = shell(image, "--interval", "20")
    first = []
    with subprocess.Popen([LAUNCHER, "ctl", "--image", image.path, "watch"], stdout=subprocess.PIPE, text=True,
                          env=environment()) as watcher:
        limit = time.monotonic() + WAIT_S
        shown = threading.Event()
        threading.Thread(target=lambda: (first.append(watcher.stdout.readline()), shown.set()), daemon=True).start()
        while not shown.is_set():  # it is watching from then on
            asked(image, "snapshot")
            assert time.monotonic() < limit
        for _ in range(3):
            ctl(image, "snapshot")
        ctl(image, "stop")
        lines = watcher.stdout.read().splitlines()
        assert watcher.wait(WAIT_S) == 0
    numbers = [int(line.split()[0]) for line in lines]
    numbers.insert(0, int(first[0].split()[0]))
    assert len(numbers) >= 4 and numbers == sorted(set(numbers))
    assert boot.end() == 0
