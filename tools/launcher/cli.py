# SPDX-License-Identifier: BSD-2-Clause
"""The command line of ./eidolon: which commands there are, what they are called with, and how failures are shown."""

import argparse
import os
import sys

from launcher import bench, branch, build, ctl, demo, image, machine, packages, run, test, torture, web
from launcher.common import IS_INSTALLED, STATUS_FAILURE, STATUS_USAGE, Failure, UsageFailure, alike, reason, say, spoken, version

STATUS_INTERRUPTED = 130
STATUS_PIPE = 141
WITHOUT_SOURCES = ("run", "ctl", "branch", "torture", "image", "help", "--version")  # what works where Eidolon was installed

OVERVIEW = """\
usage: ./eidolon COMMAND [OPTIONS]

  run [OPTIONS] [-- PROGRAM [ARG...]]   boot an image in QEMU and run programs whose memory does not go away
  ctl [OPTIONS] COMMAND ...             ask a running machine: name its state, roll it back, look into it
  branch NAME --to NEW.img              a second machine from a state of one that goes on
  demo                                  see it: programs side by side, and a key that pulls the plug
  torture [OPTIONS] -- PROGRAM [ARG...] find out whether your program withstands power cuts
  image COMMAND FILE ...                look into an image, check it, name its generations
  web [OPTIONS]                         the same in a browser: build the page and serve it to this machine
  test [all|host|system|mutants|...]    run the tests
  bench [NAME...] [OPTIONS]             run benchmarks
  build                                 build everything
  setup                                 install everything that building, running and testing need
  clean                                 remove what was built
  help [COMMAND]                        this text, or that of a command
  --version                             which Eidolon this is

Each command installs and builds what it needs first. ./eidolon COMMAND --help says more."""


def overview(is_installed=IS_INSTALLED):
    """The commands, those that there are where Eidolon was installed, if it was."""
    if not is_installed:
        return OVERVIEW
    lines = [line for line in OVERVIEW.splitlines() if not line.startswith("  ") or line.split()[0] in WITHOUT_SOURCES]
    return "\n".join(lines[:-1]) + "\n./eidolon COMMAND --help says more. A checkout of the sources has more commands."


class Parser(argparse.ArgumentParser):
    """argparse, with errors in this launcher's manner."""

    def error(self, message):
        raise UsageFailure(f"{message} (see {self.prog} --help)")

    def _check_value(self, action, value):
        """The choices of an option: the one that is like what was given comes first in the message."""
        if action.choices is not None and value not in action.choices:
            message = f"{value!r} is none of {', '.join(action.choices)}{alike(value, action.choices)}"
            raise argparse.ArgumentError(action, message)

    def parse_args(self, arguments):
        parsed, rest = self.parse_known_args(arguments)
        if rest:
            self.error(self.unknown(rest[0]))
        return parsed

    def unknown(self, word):
        """A word that is no option."""
        like = alike(word.partition("=")[0], self._option_string_actions) if word.startswith("-") else ""
        return f"{word!r} is no option of {self.prog.removeprefix('./eidolon ')}{like}"

    def format_help(self):
        return spoken(super().format_help())


def parser(name, description, epilog=None, usage=None):
    made = Parser(prog=f"./eidolon {name}", description=description, epilog=epilog, usage=usage, allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--version", action="version", version=f"eidolon {version()}", help="show which Eidolon this is")
    return made


def join_values(arguments, names):
    """`--qemu -s` as `--qemu=-s`: argparse takes a value that begins with a dash for another option."""
    joined = list(arguments)
    for index in range(len(joined) - 2, -1, -1):
        if joined[index] in names:
            joined[index:index + 2] = [f"{joined[index]}={joined[index + 1]}"]
    return joined


def split_words(arguments):
    """The options of a command, and after -- the program with its arguments."""
    if "--" not in arguments:
        return arguments, []
    split = arguments.index("--")
    if not arguments[split + 1:]:
        raise UsageFailure("-- is followed by a program")
    return arguments[:split], arguments[split + 1:]


def parse_options(options, arguments):
    """Those of a command whose program is named after --."""
    parsed, rest = options.parse_known_args(arguments)
    if rest:
        options.error(options.unknown(rest[0]) + ("" if rest[0].startswith("-") else
                                                  "; an image is named with --image, a program after --"))
    return parsed


def command_run(arguments):
    arguments, words = split_words(arguments)
    options = parser("run", run.DESCRIPTION, run.EPILOG, "./eidolon run [OPTIONS] [-- PROGRAM [ARG...]]")
    run.add_options(options)
    return run.command(parse_options(options, join_values(arguments, run.OPTIONS_OF_WORDS)), words)


def command_torture(arguments):
    arguments, words = split_words(arguments)
    options = parser("torture", torture.DESCRIPTION, torture.EPILOG, "./eidolon torture [OPTIONS] -- PROGRAM [ARG...]")
    torture.add_options(options)
    return torture.command(parse_options(options, arguments), words)


def command_ctl(arguments):
    options = parser("ctl", ctl.DESCRIPTION, ctl.EPILOG, "./eidolon ctl [OPTIONS] COMMAND ...")
    ctl.add_options(options)
    chosen = options.parse_args(arguments)
    if chosen.command[:1] == ["unpin"] and len(chosen.command) == 2:
        branch.refuse_unpin(chosen.image, chosen.command[1])
    return ctl.command(chosen)


def command_branch(arguments):
    options = parser("branch", branch.DESCRIPTION, branch.EPILOG)
    branch.add_options(options)
    return branch.command(options.parse_args(arguments))


def command_image(arguments):
    if len(arguments) == 3 and arguments[0] == "unpin":
        branch.refuse_unpin(arguments[1], arguments[2])
    asked = ctl.ask_for_image(arguments)
    return asked if asked is not None else image.command(arguments)


def command_test(arguments):
    options = parser("test", test.DESCRIPTION)
    test.add_options(options)
    return test.command(options.parse_args(arguments))


def command_demo(arguments):
    options = parser("demo", demo.DESCRIPTION)
    demo.add_options(options)
    return demo.command(options.parse_args(arguments))


def command_web(arguments):
    options = parser("web", web.DESCRIPTION)
    web.add_options(options)
    return web.command(options.parse_args(arguments))


def command_bench(arguments):
    options = parser("bench", bench.DESCRIPTION)
    bench.add_options(options)
    own, words = bench.split(arguments)
    if own and own[0].startswith("-") and not {"-h", "--help", "--version"} & set(own):
        raise UsageFailure(f"{own[0]}: name the benchmark first, its options follow: ./eidolon bench NAME {own[0]}")
    return bench.command(options.parse_args(own), words)


def command_build(arguments):
    parser("build", "Build everything that is not up to date, into build/.").parse_args(arguments)
    build.build(["all"])
    return 0


def command_setup(arguments):
    options = parser("setup", "Install the Debian packages that building, running, testing and benchmarks need.")
    options.add_argument("--browser", action="store_true", help="and a browser, for the tests of the web page")
    options.add_argument("--bochs", action="store_true", help="and the emulator Bochs, for the test that boots the disc there")
    groups = ["build", "run", "test", "bench", "web"]
    chosen = options.parse_args(arguments)
    groups += [name for name in ("browser", "bochs") if getattr(chosen, name)]
    if not packages.ensure(*groups, *(["window"] if machine.has_display() else [])):
        say("everything is installed")
    return 0


def command_clean(arguments):
    parser("clean", "Remove the build folder. Images are left alone.").parse_args(arguments)
    build.clean()
    return 0


def command_help(arguments):
    if arguments and arguments[0] not in HELP:
        return command(arguments[0])([*arguments[1:], "--help"])
    print(spoken(overview()))
    return 0


def command_version(arguments):
    parser("--version", "Show which Eidolon this is.").parse_args(arguments)
    print(f"eidolon {version()}")
    return 0


HELP = ("help", "--help", "-h")
COMMANDS = {
    "run": command_run, "ctl": command_ctl, "branch": command_branch, "torture": command_torture, "demo": command_demo, "image": command_image, "web": command_web, "test": command_test, "bench": command_bench, "build": command_build,
    "setup": command_setup, "clean": command_clean, "help": command_help, "--version": command_version,
}


def command(name):
    """The function of a command."""
    if name in HELP:
        return command_help
    if name not in COMMANDS:
        raise UsageFailure(f"there is no command {name!r}{alike(name, COMMANDS)} (see ./eidolon help)")
    if IS_INSTALLED and name not in WITHOUT_SOURCES:
        raise UsageFailure(f"{name} works on the sources of Eidolon, in a checkout; this is an installed one, which has run, ctl, branch, torture and image")
    return COMMANDS[name]


def main(arguments):
    """Run one command. Returns the exit status."""
    try:
        if not arguments:
            print(spoken(overview()), file=sys.stderr)
            return STATUS_USAGE
        status = command(arguments[0])(arguments[1:])
        sys.stdout.flush()
        return status
    except Failure as failure:
        if failure.args[0]:
            say(failure, failure.details)
        return failure.status
    except KeyboardInterrupt:
        return STATUS_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would try once more
        return STATUS_PIPE
    except OSError as error:
        say(f"{error.filename}: {reason(error)}" if error.filename else reason(error))
        return STATUS_FAILURE
