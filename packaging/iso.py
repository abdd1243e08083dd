#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the bootable disc: iso.py OUTPUT KERNEL SHELL EPOCH.

The kernel, the shell as its first program, and a menu, for any PC or emulator with a BIOS and a disk that Eidolon may use.
The same files and EPOCH (seconds since 1970) make the same bytes, in whatever folder and at whatever time.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools"))
sys.dont_write_bytecode = True
from launcher import boot, program  # noqa: E402

SHELL_NAME = "shell"  # as the program is called inside

MENU_HEAD = """\
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=3
"""

# Nothing is known of the disk before it is booted from: no generations, no programs.
ENTRIES = (("Continue", ("start=new",)), ("Check the image", ("check",)))
ENTRIES_AFRESH = (("Discard everything in the image", ("start=new", "fresh")),)


def menu(line):
    def entry(title, options):
        return boot.grub_entry(boot.Boot(boot.KERNEL_NAME, list(options), boot.MODULE_NAME, line), title)

    parts = [MENU_HEAD, *(entry(*what) for what in ENTRIES), 'submenu "Start afresh" {\n',
             boot.GRUB_BACK.format(title="Back: keep everything"), *(entry(*what) for what in ENTRIES_AFRESH), "}\n"]
    return "".join(parts)


def strip(source, target):
    subprocess.run(["strip", "-o", target, source], check=True)


def make(output, kernel, shell, epoch):
    stamp = time.strftime("%Y%m%d%H%M%S00", time.gmtime(epoch))
    with tempfile.TemporaryDirectory(prefix="eidolon-iso-") as folder:
        tree = os.path.join(folder, "disc")
        os.makedirs(os.path.join(tree, "boot", "grub"))
        strip(kernel, os.path.join(tree, "boot", boot.KERNEL_NAME))
        strip(shell, os.path.join(tree, "boot", boot.MODULE_NAME))
        with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="ascii") as file:
            file.write(menu(program.command_line(SHELL_NAME, [])))
        disc = os.path.join(folder, "disc.iso")
        command = ["grub-mkrescue", "-d", boot.GRUB_PLATFORM, "-o", disc, "--locales=", "--fonts=", "--themes=",
                   f"--install-modules={boot.GRUB_MODULES}", tree, "--", "-volid", "EIDOLON",
                   "-volume_date", "all_file_dates", stamp, "-volume_date", "uuid", stamp]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                env=dict(os.environ, SOURCE_DATE_EPOCH=str(epoch), TZ="UTC"))
        if result.returncode != 0:
            sys.exit(f"iso.py: grub-mkrescue could not make the disc:\n{result.stderr}")
        shutil.move(disc, output)


def main(words):
    if len(words) != 4 or not words[3].isdigit():
        sys.exit(__doc__)
    make(words[0], words[1], words[2], int(words[3]))


if __name__ == "__main__":
    main(sys.argv[1:])
