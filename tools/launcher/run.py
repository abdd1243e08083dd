# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon run: boot an image in QEMU; create it first if it does not exist.

Everything that can be wrong with the command line, the program and the image's file is looked at before anything is
built or started. What is inside an image the kernel judges.
"""

import argparse
import os
import re
import shlex
import sys
import tempfile

from launcher import boot, branch, build, common, console, image, machine, moment, overlay, program, remote, root
from launcher.common import IS_INSTALLED, STATUS_FAILURE, Failure, UsageFailure, build_path, say

POLICIES = ["random", "fifo", "second-chance", "lru", "sieve"]
OPTIONS_OF_WORDS = ["--qemu", "--kernel-options"]
MEMORY_MIB_MIN = 16
MEMORY_MIB_MAX = 768
BESIDE_PROGRAM_MIB = 6  # what the kernel needs while the program's file is still there
INTERVAL_MS_MAX = 3600 * 1000
PROGRAMS_MAX = 8  # of each of --hold, --end, --release

DESCRIPTION = """\
Boot the image in QEMU. An image that does not exist is created, and PROGRAM, a static i386 ELF of this host, is started
on it. On an image with state everything continues; PROGRAM, if given, is started beside it and gets the keyboard, which
Ctrl-Z passes to the next program in turn. Without PROGRAM a new image starts the shell."""

EPILOG = """\
examples:
  ./eidolon run                                  the shell, on its own image
  gcc -m32 -static prog.c -o prog
  ./eidolon run --image t.img -- ./prog 1 2      your own program
  ./eidolon run --image t.img                    after a power cut: it goes on where it was

An image may be on another machine, which then answers the page faults: there, qemu-nbd --persistent -f raw -x disk FILE
serves a file, and here --image nbd://HOST/disk uses it. A FILE of zeroes (truncate -s 1G FILE) becomes a new image. Serve
it to one machine at a time. If the connection is lost, no more snapshots can be taken: end the machine and run it again.

If the kernel panics again and again, it holds the program that was on the processor: --release lets it go once the kernel is
fixed, --end ends it, ./eidolon image core FILE PROGRAM OUT saves it for gdb.

At a terminal, Ctrl-] x pulls the plug; kill -9 of the process in --pidfile does so from elsewhere. Ctrl-] q, SIGTERM and SIGHUP
make everything durable first and then switch off. Input that ends, /dev/null too, is Ctrl-D to the program that reads it.
The exit status is that of the last program to end, 1 after a refusal or a panic, and as shells have it after a signal: 137 if
QEMU was killed, 143 after SIGTERM, 141 if nobody reads the output any more."""


def whole_number(low, high):
    """An argparse type: a whole number within bounds."""
    def convert(text):
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)
    return convert


def generation(text):
    """An argparse type: a generation's number, the name of a pinned one, or a moment. Which there are the kernel knows."""
    if moment.is_moment(text):
        try:
            moment.check(text)
        except Failure as failure:
            raise argparse.ArgumentTypeError(str(failure)) from None
        return text
    if text.isascii() and text.isdigit() and 1 <= int(text) <= image.GENERATION_MAX:
        return str(int(text))
    if not re.fullmatch(r"[A-Za-z._-][A-Za-z0-9._-]{0,30}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a generation's number, from 1, nor a name (31 letters, "
                                         "digits, . _ -, no digit first), nor a moment ({moment.FORMS}); ./eidolon image log "
                                         "FILE lists them")
    return text


def program_word(text):
    """An argparse type: a program's number, or the name of one or more. Which there are the kernel knows."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,31}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a program's number nor a name of 31 letters, digits, . _ - at "
                                         "most; ./eidolon image programs FILE lists both")
    return text


def kernel_words(text):
    """An argparse type: options of the kernel. Boot loaders give other characters a meaning of their own."""
    for word in text.split():
        if not re.fullmatch(r"[A-Za-z0-9._=-]+", word):
            raise argparse.ArgumentTypeError(f"{word!r} is no option of the kernel: NAME or NAME=VALUE, of letters, "
                                             "digits, . _ -")
    return text.split()


def shell_words(text):
    """An argparse type: words as a shell would split them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be split into words: {error}".lower()) from None


def add_options(parser):
    add = parser.add_argument
    add("--image", metavar="FILE", default=image.default_path(),
        help="the image (default: %(default)s), or where it is served: nbd://HOST[:PORT]/EXPORT")
    add("--size", metavar="MIB", type=whole_number(image.SIZE_MIB_MIN, image.SIZE_MIB_MAX),
        help=f"of a new image (default: {image.SIZE_MIB_DEFAULT}, sparse)")
    add("--memory", metavar="MIB", type=whole_number(MEMORY_MIB_MIN, MEMORY_MIB_MAX), default=128,
        help="of the machine (default: %(default)s)")
    add("--interval", metavar="MS", type=whole_number(0, INTERVAL_MS_MAX), default=100,
        help="between snapshots (default: %(default)s; 0: only on request)")
    add("--fresh", action="store_true", help="discard the image's state, after asking")
    add("--yes", action="store_true", help="do not ask")
    add("--with", metavar="PACKAGE", dest="packages", action="append", default=[],
        help="bring the files of a Debian package for i386 along, and of all that it needs; can be given again")
    add("--root", metavar="FOLDER|TAR", help="bring these files along; PROGRAM may be one of them")
    add("--generation", metavar="N|NAME|MOMENT", type=generation,
        help="go on from an earlier kept snapshot; a moment is %s" % moment.FORMS)
    for option, what in (("--hold", "do not let a program run, by number or name, until it is let go"),
                         ("--end", "end a program without letting it run again"),
                         ("--release", "let a held program go")):
        add(option, metavar="PROGRAM", type=program_word, action="append", default=[], help=what)
    add("--boot", choices=["grub", "direct"], default="direct" if IS_INSTALLED else "grub", help="boot loader (default: %(default)s)")
    add("--menu", action="store_true", help="wait at GRUB's menu, on screen and serial line, also when headless")
    add("--disk", choices=["virtio", "ata"], default="virtio", help="the disk's interface (default: %(default)s)")
    add("--headless", action="store_true", help="no window: the serial console on stdin and stdout (the default "
                                                "without a display)")
    add("--pidfile", metavar="FILE", help="write QEMU's process id there")
    add("--cpu", choices=sorted(machine.PROCESSORS), default="qemu32",
        help="the processor (default: %(default)s); baseline: one that web browsers' and other emulators offer, too; max: "
             "all that QEMU or this host has. An image resumes wherever everything it has seen is present")
    add("--accel", choices=["tcg", "kvm"], default="tcg", help="emulation or virtualisation (default: %(default)s)")
    add("--icount", action="store_true", help="deterministic virtual time: one instruction, one nanosecond")
    add("--external-sync", action="store_true", help="console output waits until the snapshot that covers it is durable")
    add("--policy", choices=POLICIES, help="of page replacement (default: sieve)")
    add("--kernel-options", metavar="WORDS", type=kernel_words, default=[],
        help="passed on to the kernel; kernel/options.h lists them")
    add("--log", metavar="FILE", help="keep the kernel's log there")
    add("--write-log", metavar="FILE", help="log every write and flush of the disk there, as dm-log-writes does")
    add("--qemu", metavar="ARGS", type=shell_words, default=[], help="passed on to QEMU")


def check(options, words):
    """Everything that can be refused before anything is built. Returns whether the image exists."""
    if options.boot == "direct" and options.menu:
        raise UsageFailure("--menu is GRUB's: it does not go with --boot direct")
    if options.external_sync and options.interval == 0:
        raise UsageFailure("--external-sync: output would wait for ever without snapshots; give an --interval above 0")
    if options.fresh and options.image and not remote.is_remote(options.image):
        branch.refuse_discarding(options.image)
    if options.fresh and options.generation:
        raise UsageFailure("--fresh discards what --generation asks for: give one of them")
    chosen = [f"--{name}" for name in ("hold", "end", "release") if getattr(options, name)]
    for name in ("hold", "end", "release"):
        if len(getattr(options, name)) > PROGRAMS_MAX:
            raise UsageFailure(f"--{name}: {PROGRAMS_MAX} programs at most")
    if options.fresh and chosen:
        raise UsageFailure(f"--fresh discards the programs that {chosen[0]} is about: give one of them")
    if options.accel == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise Failure("--accel kvm: /dev/kvm is not there or not usable for you; use --accel tcg")
    if options.accel == "kvm" and options.icount:
        raise UsageFailure("--icount counts emulated instructions: it does not go with --accel kvm")
    if options.packages and options.root:
        raise UsageFailure("--root and --with: give one of them")
    if words and not (options.packages or options.root):
        check_program(options, Chosen(words[0], words))
    check_outputs(options, words)
    if options.write_log and remote.is_remote(options.image):
        raise UsageFailure("--write-log: the image is on a server, which does the writing; log it there")
    if not options.image:
        raise UsageFailure("--image: a file is needed, it may be a new one")
    if remote.is_remote(options.image):
        return not remote.check(options.image, options.size, options.generation)
    exists = image.check(options.image, options.size)
    if not exists and options.generation:
        raise Failure(f"{options.image} does not exist, so it has no generation {options.generation}")
    if not exists and chosen:
        raise Failure(f"{options.image} does not exist, so it has no program for {chosen[0]}")
    return exists


class Chosen:
    """What is to run: a file of the host's, the words that it gets, and a tar of files to bring along, or None."""

    def __init__(self, path, words, files=None):
        self.path = path
        self.words = words
        self.files = files


def choose(options, words, folder):
    """The program and the files. `folder`: temporary."""
    files = root.prepare(options, folder)
    if files is None:
        return Chosen(words[0] if words else None, words)
    found = root.find(files, words[0] if words else "sh")
    if found is None:
        if words and not os.path.exists(words[0]):
            raise Failure(f"{words[0]}: neither among the machine's files nor here")
        return Chosen(words[0] if words else None, words, files)
    name, content = found
    path = os.path.join(folder, os.path.basename(name))
    with open(path, "wb") as file:
        file.write(content)
    return Chosen(path, [name, *words[1:]], files)


def check_program(options, chosen):
    """What is wrong with it, before anything is built."""
    if chosen.path:
        program.check(chosen.path, chosen.files is not None)
        program.command_line(chosen.words[0], chosen.words[1:], chosen.files is not None)
        check_memory(chosen.path, options.memory, chosen.files)


def check_memory(path, memory_mib, files=None):
    """The boot loader puts a program's whole file into memory, and the tar; GRUB, if it cannot, goes on without it."""
    size_mib = -(-(os.path.getsize(path) + (os.path.getsize(files) if files else 0)) // image.MIB)
    needed_mib = size_mib + BESIDE_PROGRAM_MIB
    if needed_mib > MEMORY_MIB_MAX:
        raise Failure(f"{path}: a program of {size_mib} MiB; at most {MEMORY_MIB_MAX - BESIDE_PROGRAM_MIB} MiB can be "
                      "booted with (strip removes what is for debuggers)")
    if needed_mib > memory_mib:
        raise Failure(f"{path}: a program of {size_mib} MiB does not fit a machine of {memory_mib} MiB; give it --memory "
                      f"{needed_mib} or more")


def check_outputs(options, words):
    """The files that QEMU writes beside the image: it would cut whatever has their names to nothing."""
    taken = [("the image", options.image), *(("the program", word) for word in words[:1])]
    for option, path in (("--pidfile", options.pidfile), ("--log", options.log), ("--write-log", options.write_log)):
        if path is None:
            continue
        if path == "":
            raise UsageFailure(f"{option}: a file is needed, it may be a new one")
        if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise Failure(f"{option} {path}: there is no such folder; make it first")
        if os.path.exists(path) and not os.path.isfile(path):
            raise Failure(f"{option} {path}: no regular file; choose another name")
        for what, other in taken:
            if is_same_file(path, other):
                raise UsageFailure(f"{option} {path}: that is {what}, and would be overwritten; choose another name")
        taken.append((option, path))


def is_same_file(one, other):
    """Of two names, by whatever links; they need not exist."""
    if os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def confirm_discarding(path):
    """--fresh: ask, unless told not to."""
    if not os.isatty(0):
        raise Failure(f"--fresh discards the state of {path}: confirm with --yes")
    print(f"Discard everything in {path}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failure("nothing was changed")


def kernel_options(options, program_given):
    """The words on the kernel's command line."""
    words = [f"interval={options.interval}", f"start={'always' if program_given else 'new'}"]
    if options.generation:
        words.append(f"generation={options.generation}")
    for name in ("hold", "end", "release"):
        words += [f"{name}={word}" for word in getattr(options, name)]
    if options.external_sync:
        words.append("external-sync")
    if options.policy:
        words.append(f"policy={options.policy}")
    if options.fresh:
        words.append("fresh")
    return words + console.window_words() + options.kernel_options


def module(chosen):
    """The program to bring along: what was asked for, or the shell. Returns its path and its command line."""
    if chosen.path:
        return chosen.path, program.command_line(chosen.words[0], chosen.words[1:], chosen.files is not None)
    shell = build_path("user", "shell")
    return (shell, program.command_line(shell, [])) if os.path.exists(shell) else (None, None)


def command_of_machine(options, chosen, log, folder):
    """QEMU's command line and the connection to the image's server. `folder`: temporary, nothing is in it yet."""
    path, line = module(chosen)
    what = boot.Boot(build_path("kernel", "eidolon.elf"), kernel_options(options, bool(chosen.path)), path, line, chosen.files)
    if options.boot == "direct":
        boot_arguments = boot.direct_arguments(what, folder)
    else:
        menu = options.menu or not options.headless
        boot_arguments = boot.grub_arguments(what, folder, options.image, menu)
    connection = remote.connect(options.image) if remote.is_remote(options.image) else None
    return machine.arguments(options, log, boot_arguments, folder, connection), connection


def from_generation(options, generation):
    """The options of a machine that is rolled back: what was asked of its first boot is done."""
    again = argparse.Namespace(**vars(options))
    again.generation, again.fresh, again.menu = generation, False, False
    again.hold, again.end, again.release = [], [], []
    return again


def start(options, chosen, folder):
    """Boot, and wait for the end. `folder`: temporary."""
    log = os.path.abspath(options.log) if options.log else os.path.join(folder, "kernel.log")

    def again(generation):
        return command_of_machine(from_generation(options, generation), Chosen(None, []), log, tempfile.mkdtemp(dir=folder))

    if options.write_log:
        with open(options.write_log, "wb"):
            pass  # QEMU adds to what is there
    command_line, connection = command_of_machine(options, chosen, log, folder)
    trouble = "--write-log: the log is of one run of QEMU" if options.write_log else None
    return machine.Machine(command_line, log, options.image, connection, None if trouble else again, trouble).wait()


def command(options, words):
    """./eidolon run. Returns the exit status."""
    with common.temporary_folder(plain_folder()) as folder:
        return run(options, words, folder)


def run(options, words, folder):
    """The same. `folder`: temporary."""
    options.headless = options.headless or not machine.has_display()
    image.make_default_folder(options.image)
    exists = check(options, words)
    chosen = choose(options, words, folder)
    check_program(options, chosen)
    if exists and options.fresh and not options.yes:
        confirm_discarding(options.image)
    options.fresh = options.fresh and exists
    groups = ("build", "run") if options.headless else ("build", "run", "window")
    build.build(["bootable"], groups)
    if not exists and remote.is_remote(options.image):
        remote.prepare(options.image)
    elif not exists:
        image.create(options.image, options.size or image.SIZE_MIB_DEFAULT)
        say(f"created {options.image}")
    options.generation = generation_number(options)
    try:
        return start(options, chosen, folder)
    except (Failure, OSError) as failure:
        is_refusal = getattr(failure, "status", STATUS_FAILURE) == STATUS_FAILURE
        if not exists and not remote.is_remote(options.image) and is_refusal and image.is_untouched(options.image):
            os.unlink(options.image)
        raise


def generation_number(options):
    """A moment is looked up here, where the time zone is known; all else is the kernel's to find."""
    if not options.generation or not moment.is_moment(options.generation):
        return options.generation
    if remote.is_remote(options.image) or overlay.is_overlay(options.image):
        what = "the image is on a server" if remote.is_remote(options.image) else "the image is a branch"
        raise UsageFailure(f"--generation {options.generation}: {what}, so a number or a name is needed; the menu lists them")
    return moment.choose(options.generation, image.kept(options.image), options.image)


def plain_folder():
    """Where temporary files go: boot loaders split their command lines at blanks, and have other ideas about other letters."""
    folder = tempfile.gettempdir()
    return folder if re.fullmatch(r"[A-Za-z0-9._/+-]+", folder) else "/tmp"
