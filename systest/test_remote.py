# SPDX-License-Identifier: BSD-2-Clause
"""Memory that another machine holds: the image on a network block device, served on loopback by qemu-nbd.

Page faults are answered by the server: nothing goes on while it stands still. What it has is the whole state, so the machine
can be killed and another one goes on from there. And everything that can be wrong with a server is said.
"""

import os
import signal
import socket
import subprocess
import time

import pytest

from crash_witness import History, Witness
from machine import RESUMED, WAIT_S, Boot, eidolon

PAGES, CHANGES, ROUNDS = 600, 32, 5
MIB = 1 << 20
SIZE_MIB = 32
STATE = r"state \d+ [0-9a-f]+\.\s"
CONFIRMED = r"confirmed \d+ of \d+\.\s"


class Server:
    """qemu-nbd, which has the file of an Image and lets one machine at it."""

    def __init__(self, image, folder):
        self.image = image
        self.pidfile = os.path.join(folder, "server.pid")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None

    @property
    def url(self):
        return f"nbd://127.0.0.1:{self.port}/memory"

    def start(self):
        if os.path.exists(self.pidfile):
            os.remove(self.pidfile)
        self.process = subprocess.Popen(["qemu-nbd", "--persistent", "-f", "raw", "-x", "memory", "-b", "127.0.0.1", "-p",
                                         str(self.port), "--pid-file", self.pidfile, self.image.path])
        limit = time.monotonic() + WAIT_S
        while not os.path.exists(self.pidfile):
            assert time.monotonic() < limit and self.process.poll() is None, "the server did not start"
            time.sleep(0.01)
        return self

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def boot(self, *options, program=()):
        boot = Boot(self.image.folder, len(self.image.boots), self.url, ("--boot", "direct", *options), program)
        self.image.boots.append(boot)
        return boot


@pytest.fixture
def server(image, tmp_path):
    """A server of a file of zeroes."""
    with open(image.path, "wb") as file:
        file.truncate(SIZE_MIB * MIB)
    result = Server(image, str(tmp_path)).start()
    yield result
    result.stop()


def refused(*arguments, status=1):
    result = eidolon("run", "--headless", "--boot", "direct", *arguments, status=status)
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr


def test_program_goes_on_over_the_network_and_every_byte_is_right(server, image, program):
    witness = Witness(History(PAGES, CHANGES))
    words = [program("crash_pages"), str(PAGES), str(CHANGES), str(ROUNDS)]
    for number in range(4):
        boot = server.boot("--interval", "20", program=words if number == 0 else ())
        if number > 0:
            boot.expect(RESUMED)
        boot.expect(STATE)
        boot.expect(CONFIRMED)
        boot.kill()
        assert witness.judge(boot.text(), number == 0) > 0
    assert "created an image on nbd://" in image.boots[0].text()
    server.stop()
    image.tool("verify")
    # The file is the image: without the network it goes on as well.
    boot = image.boot()
    boot.expect(RESUMED)
    boot.expect(STATE)
    boot.expect(CONFIRMED)
    boot.kill()
    assert witness.judge(boot.text()) > 0


def test_page_fault_waits_for_the_other_machine(server, program):
    boot = server.boot(program=[program("accounts")])
    boot.expect(r"system: ")
    boot.read_for(1.0)
    boot.kill()
    boot = server.boot()
    boot.expect(RESUMED)
    boot.read_for(1.0)
    server.process.send_signal(signal.SIGSTOP)
    boot.send_line("x")
    boot.read_for(2.0)
    assert "again" not in boot.text()
    server.process.send_signal(signal.SIGCONT)
    counts = list(map(int, boot.expect(r"again:((?: \d+)+) of accounts")[1].split()))
    assert counts[2] > 0, "no page was read"
    boot.kill()


def test_server_that_goes_away_is_reported_and_costs_nothing_that_was_durable(server, program):
    witness = Witness(History(PAGES, CHANGES))
    boot = server.boot("--interval", "20", program=[program("crash_pages"), str(PAGES), str(CHANGES), str(ROUNDS)])
    boot.expect(CONFIRMED)
    server.stop()
    boot.expect(r"eidolon: no snapshot: [^\n]*; the programs run on, and it is tried again")
    boot.kill()
    witness.judge(boot.text(), True)
    server.start()
    boot = server.boot("--interval", "20")
    boot.expect(RESUMED)
    boot.expect(STATE)
    boot.expect(CONFIRMED)
    boot.kill()
    assert witness.judge(boot.text()) > 0


def test_image_on_a_socket_in_the_file_system(image, tmp_path, program):
    with open(image.path, "wb") as file:
        file.truncate(SIZE_MIB * MIB)
    path = str(tmp_path / "socket")
    server = subprocess.Popen(["qemu-nbd", "--persistent", "-f", "raw", "-x", "", "-k", path, image.path])
    try:
        while not os.path.exists(path):
            time.sleep(0.01)
        result = eidolon("run", "--headless", "--boot", "direct", "--image", f"nbd+unix:///?socket={path}", "--",
                         program("hello"), status=0)
        assert "Hello" in result.stdout or "hello" in result.stdout
    finally:
        server.kill()
        server.wait()
    image.tool("verify")


@pytest.mark.parametrize("url, word", [
    ("nbd:///memory", "which machine"),
    ("nbd://host:port/x", "port"),
    ("nbd+unix:///x", "which socket"),
    ("http://host/x", "nbd://HOST"),
])
def test_wrong_url_is_named_with_what_is_right(url, word):
    message = refused("--image", url, status=2)
    assert url in message and word in message


def test_server_that_is_not_there(server):
    server.stop()
    message = refused("--image", server.url)
    assert server.url in message and "nobody serves an image there (connection refused)" in message
    assert "qemu-nbd --persistent" in message


def test_export_that_does_not_exist(server):
    url = server.url.replace("memory", "nothing")
    message = refused("--image", url)
    assert url in message and "no such export" in message


def test_wrong_sizes(server, image):
    assert "leave out --size" in refused("--image", server.url, "--size", "64", status=2)
    server.stop()
    os.truncate(image.path, 100 * 1024)
    server.start()
    assert "too small" in refused("--image", server.url)


def test_foreign_disk_is_left_as_it_is(server, image):
    server.stop()
    content = b"somebody's data" + bytes(5 * MIB)
    with open(image.path, "r+b") as file:
        file.seek(2 * MIB)
        file.write(content)
    server.start()
    before = image.content()
    message = refused("--image", server.url)
    assert server.url in message and "name an Eidolon image" in message
    server.stop()
    assert image.content() == before


def test_second_machine_on_the_same_server_is_refused(server, program):
    boot = server.boot(program=[program("echo")])
    boot.expect("> ")
    message = refused("--image", server.url)
    assert server.url in message and "does not answer" in message and "another machine" in message
    boot.send_line("unharmed")
    boot.expect("line 1 is <unharmed>")
    boot.kill()


def test_image_tool_says_that_it_reads_files(server):
    result = eidolon("image", "info", server.url, status=2)
    assert server.url in result.stderr and "qemu-img convert" in result.stderr
