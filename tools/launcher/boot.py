# SPDX-License-Identifier: BSD-2-Clause
"""How the kernel and its program get into the machine: a GRUB disc made for this run, or QEMU's own boot loader.

Both are multiboot loaders and hand over the same things: the kernel's options as words, and one module, the program,
whose command line is its arguments and environment (see launcher.program). QEMU puts a file name in front of either
line, which the kernel knows and cuts off. The module comes along at every boot; the option `start` tells the kernel
when to start it.

GRUB offers: continue; choose an earlier generation; hold a program, or let one go; check the image; start afresh. Without a menu (headless, unless
asked for) it continues at once and writes nothing to the serial line, which belongs to the programs.
"""

import os
import re
import shutil
import subprocess

from launcher import branch, image
from launcher.common import Failure

KERNEL_NAME = "eidolon.elf"
FILES_NAME = "files"
MODULE_NAME = "program"
MENU_TIMEOUT_S = 3

# What GRUB needs on this disc; leaving out the rest makes it in a fifth of the time and the size.
GRUB_MODULES = "normal configfile multiboot biosdisk iso9660 serial terminal"
GRUB_PLATFORM = "/usr/lib/grub/i386-pc"

GRUB_HEAD = """\
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout={timeout}
"""

GRUB_ENTRY = """\
menuentry "{title}" {{
    multiboot /boot/{kernel} {options}
    {module}
    {files}
}}
"""

GRUB_BACK = """\
menuentry "{title}" {{
    configfile /boot/grub/grub.cfg
}}
"""


class Boot:
    """What is booted: the kernel file, its options, the program as module, or None for none, and beside it perhaps a tar of
    files."""

    def __init__(self, kernel, options, module_path=None, module_line=None, files=None):
        self.kernel = kernel
        self.options = options
        self.module_path = module_path
        self.module_line = module_line
        self.files = files if module_path else None

    def words(self, *without, extra=()):
        """The kernel's options as one line, leaving out keys that a menu entry replaces."""
        kept = [word for word in self.options if word.partition("=")[0] not in without]
        return " ".join([*kept, *extra])


def direct_arguments(boot, folder):
    """QEMU arguments for its own loader. `folder`: a temporary one, whose path has no blanks or commas in it."""
    kernel = os.path.join(folder, KERNEL_NAME)
    os.symlink(boot.kernel, kernel)
    arguments = ["-kernel", kernel, "-append", boot.words()]
    if boot.module_path:
        module = os.path.join(folder, MODULE_NAME)
        os.symlink(os.path.abspath(boot.module_path), module)
        modules = f"{module} {boot.module_line}"
        if boot.files:
            files = os.path.join(folder, FILES_NAME)
            os.symlink(os.path.abspath(boot.files), files)
            modules += f",{files}"
        arguments += ["-initrd", modules]
    return arguments


def grub_entry(boot, title, without=(), extra=()):
    module = f"module /boot/{MODULE_NAME} {boot.module_line}" if boot.module_path else ""
    files = f"module /boot/{FILES_NAME}" if boot.files else ""
    return GRUB_ENTRY.format(title=title, kernel=KERNEL_NAME, module=module, files=files,
                             options=boot.words(*without, extra=extra))


def grub_programs(boot, programs):
    """The entries of the submenu about single programs."""
    parts = []
    for program in programs:
        name = re.sub(r"[^A-Za-z0-9._-]", "?", program.name)
        choices = [("Let go of", "release"), ("End", "end")] if program.is_held else [("Hold", "hold")]
        for title, option in choices:
            parts.append(grub_entry(boot, f"{title} program {program.number}, {name}", ("fresh",),
                                    (f"{option}={program.number}",)))
    return parts or [GRUB_BACK.format(title="Back: no program is there")]


def grub_configuration(boot, image_path, menu):
    """grub.cfg. With `menu` it waits for a choice, otherwise it boots the first entry without a word."""
    parts = [GRUB_HEAD.format(timeout=MENU_TIMEOUT_S) if menu else "set timeout=0\n"]
    parts.append(grub_entry(boot, "Continue"))
    parts.append('submenu "Choose an earlier generation" {\n')
    kept = image.kept_generations(image_path) if menu else []
    for generation in kept:
        extra = (f"generation={generation.number}",)
        parts.append(grub_entry(boot, str(generation), ("generation", "fresh"), extra))
    if not kept:
        parts.append(GRUB_BACK.format(title="Back: none is kept"))
    parts.append("}\n")
    parts.append('submenu "Hold a program, or let one go" {\n')
    parts += grub_programs(boot, image.programs(image_path) if menu else [])
    parts.append("}\n")
    parts.append(grub_entry(boot, "Check the image", ("generation", "fresh"), ("check",)))
    parts.append('submenu "Start afresh" {\n')
    if branch.is_needed(image_path):
        parts.append(GRUB_BACK.format(title="Back: a branch needs what is in the image"))
    else:
        parts.append(GRUB_BACK.format(title="Back: keep everything"))
        parts.append(grub_entry(boot, "Discard everything in the image", ("generation", "fresh"), ("fresh",)))
    parts.append("}\n")
    return "".join(parts)


def copy_kernel(kernel, target):
    """Without what a debugger wants of it, if that can be left out here: GRUB reads all of a kernel, and slowly."""
    if not shutil.which("strip") or subprocess.run(["strip", "-o", target, kernel], stdin=subprocess.DEVNULL,
                                                   capture_output=True, check=False).returncode != 0:
        shutil.copyfile(kernel, target)


def grub_arguments(boot, folder, image_path, menu):
    """QEMU arguments for a GRUB disc, which is made in `folder`."""
    if not shutil.which("grub-mkrescue") or not os.path.isdir(GRUB_PLATFORM):
        raise Failure("GRUB is not there (--boot direct does without); as root: apt-get install grub-common grub-pc-bin xorriso "
                      "mtools")
    tree = os.path.join(folder, "disc")
    os.makedirs(os.path.join(tree, "boot", "grub"))
    copy_kernel(boot.kernel, os.path.join(tree, "boot", KERNEL_NAME))
    if boot.module_path:
        shutil.copyfile(boot.module_path, os.path.join(tree, "boot", MODULE_NAME))
    if boot.files:
        shutil.copyfile(boot.files, os.path.join(tree, "boot", FILES_NAME))
    with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="ascii", errors="replace") as file:
        file.write(grub_configuration(boot, image_path, menu))
    disc = os.path.join(folder, "boot.iso")
    result = subprocess.run(["grub-mkrescue", "-d", GRUB_PLATFORM, "-o", disc, "--locales=", "--fonts=", "--themes=",
                             f"--install-modules={GRUB_MODULES}", tree],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Failure(f"grub-mkrescue could not make a boot disc (--boot direct does without)", details=result.stderr)
    return ["-drive", f"if=ide,index=2,media=cdrom,format=raw,readonly=on,file={disc.replace(',', ',,')}",
            "-boot", "order=d"]
