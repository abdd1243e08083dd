# SPDX-License-Identifier: BSD-2-Clause
"""Eidolon in a third machine, Bochs: the disc boots there, and an image goes on there and in QEMU, whichever was cut."""

import os
import pty
import shutil
import subprocess
import tty

import pexpect
import pexpect.fdpexpect
import pytest

from machine import BUILD, DURABLE, RESUMED

DISC = os.path.join(BUILD, "packaging", "eidolon.iso")
BIOS = "/usr/share/bochs/BIOS-bochs-latest"
VGA_BIOS = "/usr/share/bochs/VGABIOS-lgpl-latest"
WAIT_S = 240  # Bochs interprets: a boot takes ten times as long as in QEMU

pytestmark = pytest.mark.skipif(not shutil.which("bochs") or not os.path.exists(VGA_BIOS),
                                reason="no Bochs: ./eidolon setup --bochs installs it")

# The screen goes to a VNC server that waits for nobody, so no display is needed; the console is the serial line.
CONFIGURATION = """\
megs: 64
cpu: model=corei7_ivy_bridge_3770k, ips=50000000
romimage: file={bios}
vgaromimage: file={vga_bios}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="{image}", mode=flat
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=cdrom, path="{disc}", status=inserted
boot: cdrom
clock: sync=none
display_library: rfb, options="timeout=0"
port_e9_hack: enabled=1
com1: enabled=1, mode=term, dev={line}
log: {log}
panic: action=fatal
speaker: enabled=0
"""


class Bochs:
    """One run of the disc in Bochs on an image, from power on until the plug is pulled."""

    def __init__(self, folder, image):
        self.image = image
        self.ours, self.line = pty.openpty()  # its line stays open here, or ours would end before Bochs has opened it
        tty.setraw(self.line)
        configuration = os.path.join(folder, "bochsrc")
        with open(configuration, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(bios=BIOS, vga_bios=VGA_BIOS, image=image, disc=DISC, line=os.ttyname(self.line),
                                            log=os.path.join(folder, "bochs.log")))
        self.said = open(os.path.join(folder, "bochs.txt"), "w+", encoding="latin-1")
        # Debian's has its debugger built in, which asks first: c lets the machine run.
        self.process = subprocess.Popen(["bochs", "-q", "-f", configuration], stdin=subprocess.PIPE, stdout=self.said,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.process.stdin.write(b"c\n")
        self.process.stdin.flush()
        self.console = pexpect.fdpexpect.fdspawn(self.ours, timeout=WAIT_S, encoding="latin-1")

    def expect(self, pattern):
        try:
            self.console.expect(pattern)
        except (pexpect.TIMEOUT, pexpect.EOF):
            self.said.seek(0)
            raise AssertionError(f"{pattern!r} was not shown, but {self.console.before[-800:]!r}; Bochs said: "
                                 f"{self.said.read()[-800:]}") from None

    def send_line(self, text):
        self.console.send(text + "\r")

    def kill(self):
        self.process.kill()
        self.process.wait()
        lock = self.image + ".lock"  # which Bochs leaves behind, and refuses the image for
        if os.path.exists(lock):
            os.unlink(lock)
        self.console.close()
        os.close(self.line)
        self.said.close()


@pytest.fixture
def bochs(tmp_path):
    started = []

    def start(image):
        started.append(Bochs(str(tmp_path), image.path))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


def test_image_goes_on_in_bochs_and_back_in_qemu_whichever_was_cut(image, bochs):
    image.boot_with_durable_note("born in QEMU", "--size", "64", "--cpu", "baseline")
    machine = bochs(image)
    machine.expect(RESUMED)
    machine.send_line("\x15note from Bochs")
    machine.expect("That makes 2")
    machine.send_line("sync")
    machine.expect(DURABLE)
    machine.send_line("count 100")
    machine.expect(r"\b7 ")
    machine.kill()
    image.tool("verify")
    machine = bochs(image)
    machine.expect(RESUMED)
    machine.expect(r"\b9 ")  # the count went on
    machine.send_line("\x03")
    machine.expect("> ")
    machine.send_line("sync")
    machine.expect(DURABLE)
    machine.kill()
    boot = image.boot("--cpu", "max")  # its programs have seen more than the baseline in Bochs, and must go on finding it
    boot.expect(RESUMED)
    boot.send_line("\x15notes")
    boot.expect(r"1 .* born in QEMU\s+2 .* from Bochs")
    boot.kill()
    image.tool("verify")
