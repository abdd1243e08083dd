# SPDX-License-Identifier: BSD-2-Clause
"""A server of the image that goes away and is back at once, with what it had not flushed or without it.

The program is crash_memory on a machine with less memory than the program has content, so that most of that is paged out:
written, not flushed, and nowhere else. The next flush after the server's return would succeed. Whatever happens, what a
sync confirmed is on the disk, byte for byte, and the image is sound.

- With ./eidolon run a lost connection stays lost: no more snapshots, and the next boot goes on from the last durable one.
- With QEMU's own client, which connects again, the kernel has nothing to go by but requests that failed.
"""

import os
import subprocess
import time

import pytest

from crash_machine import ERRNO_EIO, BareBoot, create_image, device_arguments, look, plain_disk
from machine import RESUMED, WAIT_S, Boot
from nbd_server import ForgetfulServer

MEMORY_MIB, SIZE_MIB = 24, 64
BEFORE, AFTER = 300, 9000  # pages: durable; then on top, mostly paged out
AWAY_S = 0.1
KERNEL_OPTIONS = ["interval=0", "start=new"]


class KillableServer:
    """qemu-nbd. What it was given is in the host's page cache, so a kill loses nothing."""

    def __init__(self, path, port):
        self.path = path
        self.port = port
        self.pidfile = f"{path}.{port}.pid"
        self.process = None

    def serve(self):
        self.process = subprocess.Popen(["qemu-nbd", "--persistent", "-f", "raw", "-x", "memory", "-b", "127.0.0.1", "-p",
                                         str(self.port), "--pid-file", self.pidfile, self.path])
        limit = time.monotonic() + WAIT_S
        while not os.path.exists(self.pidfile):
            assert time.monotonic() < limit and self.process.poll() is None, "the server did not start"
            time.sleep(0.01)
        return self

    def crash(self):
        self.process.kill()
        self.process.wait()
        os.remove(self.pidfile)

    stop = crash


@pytest.fixture
def server(image):
    create_image(image.path, SIZE_MIB)
    result = ForgetfulServer(image.path).serve()
    yield result
    result.stop()


def launched(image, server, *words):
    """./eidolon run on the server."""
    boot = Boot(image.folder, len(image.boots), f"nbd://127.0.0.1:{server.port}/memory",
                ("--boot", "direct", "--memory", str(MEMORY_MIB), "--interval", "0"), words)
    image.boots.append(boot)
    return boot


def reconnecting(image, server, *words):
    """QEMU with the server's address, to which it connects again when it has lost it."""
    node = {"driver": "nbd", "server": {"type": "inet", "host": "127.0.0.1", "port": str(server.port)},
            "export": "memory"}
    return BareBoot(image, device_arguments({"driver": "raw", "file": node}, "virtio"), KERNEL_OPTIONS, words, MEMORY_MIB)


def ask(boot, command, answer):
    boot.send_line(command)
    return boot.expect(answer + r"\.\s", timeout=120)


def fill_beyond_memory(boot):
    """Some pages are durable, and far more than fit memory come after."""
    boot.expect(r"ready\s")
    ask(boot, f"fill {BEFORE}", f"filled {BEFORE}")
    ask(boot, "sync", r"durable \d+")
    ask(boot, f"fill {AFTER}", f"filled {BEFORE + AFTER}")
    boot.read_for(0.3)  # until the program waits for its next line, and needs nothing of the server


def away_for_a_moment(server):
    lost = server.crash()
    time.sleep(AWAY_S)
    server.serve()
    return lost


def is_right_on_a_sound_disk(image, pages):
    assert look(image.path)[1] == ""
    boot = BareBoot(image, plain_disk(image.path), KERNEL_OPTIONS)
    boot.expect(RESUMED)
    ask(boot, "check", f"right {pages}")
    boot.kill()


def test_launched_machine_whose_server_was_gone_takes_no_more_snapshots(image, server, program):
    boot = launched(image, server, program("crash_memory"))
    fill_beyond_memory(boot)
    assert away_for_a_moment(server) > AFTER // 4
    for _ in range(3):
        ask(boot, "sync", f"not durable: {ERRNO_EIO}")
    assert "no snapshot: input/output error; the programs run on" in boot.text()
    clients = server.clients
    boot.kill()
    assert server.clients == clients, "the lost connection was taken up again"
    is_right_on_a_sound_disk(image, BEFORE)


def test_machine_that_connects_again_makes_no_generation_of_what_the_server_forgot(image, server, program):
    boot = reconnecting(image, server, program("crash_memory"))
    fill_beyond_memory(boot)
    clients = server.clients
    assert away_for_a_moment(server) > AFTER // 4
    for _ in range(3):
        ask(boot, "sync", r"not durable: \d+")
    assert server.clients > clients, "QEMU did not connect again"
    # Once the program has given up what is lost there are snapshots again.
    ask(boot, "free", "freed")
    ask(boot, "fill 200", "filled 200")
    ask(boot, "sync", r"durable \d+")
    boot.kill()
    is_right_on_a_sound_disk(image, 200)


def test_machine_that_connects_again_writes_again_what_the_server_may_have_forgotten(image, server, program):
    """A server that was killed and lost nothing: everything is proved, and durable in the end."""
    server.crash()
    killable = KillableServer(image.path, server.port).serve()
    try:
        limit = time.monotonic() + WAIT_S
        boot = reconnecting(image, killable, program("crash_memory"))
        fill_beyond_memory(boot)
        away_for_a_moment(killable)
        while "not durable" in ask(boot, "sync", r"(?:not durable: \d+|durable \d+)")[0]:
            assert time.monotonic() < limit, "no snapshot succeeds any more"
        ask(boot, "check", f"right {BEFORE + AFTER}")
        boot.kill()
    finally:
        killable.stop()
    is_right_on_a_sound_disk(image, BEFORE + AFTER)


@pytest.mark.parametrize("crash", [1, 2, 3])
def test_server_that_is_gone_at_any_moment_loses_nothing_confirmed(image, server, program, chance, crash):
    """Pages are changed and made durable all the time; the server goes at a random moment, and QEMU connects again."""
    boot = reconnecting(image, server, program("crash_memory"))
    fill_beyond_memory(boot)
    confirmed, pages = BEFORE, BEFORE + AFTER
    for _ in range(3):
        boot.send_line("sync")
        time.sleep(chance.random() * 0.5)
        away_for_a_moment(server)
        if boot.expect(r"(not )?durable:? \d+\.\s", timeout=120)[1] is None:
            confirmed = pages
    boot.kill()
    is_right_on_a_sound_disk(image, confirmed)
