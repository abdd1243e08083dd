# SPDX-License-Identifier: BSD-2-Clause
"""A static program that is run in the emulator with its instructions counted, and tells what it found on the serial line."""

import os
import re
import subprocess

MEMORY_MIB = 512
TIMEOUT_S = 900
ICOUNT = ["-icount", "shift=0,sleep=off"]


def qemu(*arguments):
    command = ["qemu-system-i386", "-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none", "-m", str(MEMORY_MIB), "-serial", "stdio",
               *ICOUNT, *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False)


def results(output, names):
    """The instructions of each line. All must be there."""
    found = {name: int(count) for name, count in re.findall(r"^bench: line=(\w+) instructions=(\d+)", output.replace("\r", ""), re.MULTILINE)}
    missing = [name for name in [*names, "done"] if name not in found]
    if missing:
        raise SystemExit(f"bench: {', '.join(missing)} missing in:\n{output}")
    return found


def on_eidolon(build, folder, command_line, image_mib):
    """What the program of `command_line` prints on Eidolon, which takes no snapshots but those it asks for."""
    image = os.path.join(folder, "disk.img")
    if os.path.exists(image):
        os.unlink(image)
    subprocess.run([os.path.join(build, "tools", "image_tool"), "create", image, "--size", str(image_mib)], check=True,
                   stdout=subprocess.DEVNULL)
    done = qemu("-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-drive", f"file={image},format=raw,if=virtio", "-kernel",
                os.path.join(build, "kernel", "eidolon.elf"), "-append", "interval=0", "-initrd", command_line)
    os.unlink(image)
    return done.stdout
