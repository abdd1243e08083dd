# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon ctl: ask a running machine. What there is to ask is in docs/control.md.

The machine is found by its image (launcher.meeting). Each command is a request or two, whose answers are shown for people, or
as they came with --json.
"""

import argparse
import json
import os
import secrets
import signal
import socket
import time

from launcher import image, meeting, moment, program
from launcher.common import Failure, UsageFailure, alike, shown

PATIENCE_S = 60
SLOWEST_BYTES_S = 10000  # that a file to be started gets into a machine with

DESCRIPTION = """\
Ask the machine that runs on an image, from anywhere on this host.

  status                     what it is doing        stat                 what that has cost
  ps                         its programs            log                  the generations it keeps
  snapshot                   wait until this moment is durable, and print its generation
  pin NAME [GENERATION]      keep a generation, this moment's, under a name       unpin NAME
  rollback GENERATION|NAME   the whole machine goes on from there; its console stays attached; also 10m-ago, yesterday,
                             2026-11-29T13:33, wherever a generation is named
  signal PROGRAM SIGNAL      a number, or KILL, CONT and so on
  start PROGRAM [ARG...]     a file of this host, beside the others
  ladder [--minutes N] ...   how many generations stay as time goes by (newest, minutes, hours, days, percent)
  watch [COUNT]              a line for each generation
  stop                       make everything durable, then switch off"""

EPILOG = """\
The exit status is 0 when it is done, 1 when the machine refuses, does not answer, or none runs, 2 for a wrong command line. A
request that was cut off can be made again with the same --id: it is not done twice."""


class Gone(Failure):
    """The connection has ended."""


class Refused(Failure):
    """The machine has answered, and does not do it."""

    def __init__(self, message, answer):
        super().__init__(message)
        self.answer = answer


class Connection:
    """To a machine's control socket."""

    def __init__(self, path, patience_s):
        self.path = path
        self.patience_s = patience_s
        self.socket = meeting.connect(path)
        if self.socket is None:
            raise Failure(f"{path}: no machine runs on it, or none that you may ask; start one: ./eidolon run --image {path}")
        self.rest = b""

    def send(self, *words, identity=None):
        line = " ".join([identity or secrets.token_hex(16), words[0], *map(program.word, words[1:])])
        try:
            self.socket.sendall(line.encode() + b"\n")
        except OSError:
            pass  # the answer, if there is one, says why

    def receive(self, patience_s):
        """The next line, read."""
        self.socket.settimeout(patience_s)
        while b"\n" not in self.rest:
            try:
                data = self.socket.recv(65536)
            except socket.timeout:
                raise Failure(f"{self.path}: the machine has not answered for {patience_s} s (--wait)") from None
            except OSError:
                data = b""
            if not data:
                raise Gone(f"{self.path}: the machine has ended, or its launcher has")
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def ask(self, *words, identity=None, patience_s=None):
        """A request and its answer, which is not a refusal."""
        self.send(*words, identity=identity)
        answer = self.receive(patience_s or self.patience_s)
        while "event" in answer:  # that overtook it
            answer = self.receive(patience_s or self.patience_s)
        if not answer.get("ok"):
            details = answer.get("details")
            if answer.get("kind") == "gone":
                raise Gone(f"{self.path}: {answer['error']}")
            raise Refused(f"{self.path}: {details + ': ' if details else ''}{answer.get('error', 'refused')}", answer)
        return answer


    def kept(self):
        """The generations that the image keeps, as launcher.moment wants them."""
        return [(each["generation"], each["wall_ns"], [text_of(name["name"]) for name in each["names"]])
                for each in self.ask("log")["generations"]]

    def with_numbers(self, name, words):
        """The words of a request: with a generation's number in place of a moment, rules in place of options."""
        if name == "ladder":
            return rules_words(self, rules_given(words))
        place = {"pin": 1, "rollback": 0}.get(name, len(words))
        if place >= len(words) or not moment.is_moment(words[place]):
            return words
        return [*words[:place], moment.choose(words[place], self.kept(), self.path), *words[place + 1:]]


def text_of(member):
    """A text of the machine's, whose bytes came as characters."""
    return member.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def bytes_text(count):
    """As the image tool has it."""
    size, unit = count, 0
    while size * 10 >= 10240 and unit < 4:
        size, unit = size / 1024, unit + 1
    name = ["B", "KiB", "MiB", "GiB", "TiB"][unit]
    tenths = int(size * 10) / 10
    return f"{int(tenths)} {name}" if tenths == int(tenths) else f"{tenths} {name}"


def time_text(ns):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // 10**9)) + f".{ns // 10**6 % 1000:03}"


# What is shown ---------------------------------------------------------------------------------------------------------


def show_log(answer):
    """The same columns as ./eidolon image log."""
    print(f"{'generation':>10}  {'committed':23}  {'pages':>9}  {'changed':>9}  {'written':>10}  {'stop':>11}  name")
    for kept in answer["generations"]:
        line = f"{kept['generation']:10}  {time_text(kept['wall_ns'])}"
        if "damage" in kept:
            line += f"  its record: {kept['damage']}"
        else:
            line += f"  {kept['pages']:9}  {kept['changed']:9}  {bytes_text(kept['bytes']):>10}  {kept['stop_ns'] // 1000:8} us"
        names = ", ".join(text_of(each["name"]) for each in kept["names"])
        print(line + (f"  {names}" if names else ""))


def show_programs(answer):
    print(f"{'program':>7}  {'parent':>6}  {'state':7}  {'tasks':>5}  {'regions':>7}  {'mapped':>10}  {'in use':>10}  "
          f"{'time':>9}  name")
    for each in answer["programs"]:
        seconds = (each["user_ns"] + each["system_ns"]) / 1e9
        print(f"{each['program']:7}  {each['parent']:6}  {each['state']:7}  {each['tasks']:5}  {each['regions']:7}  "
              f"{bytes_text(each['pages'] * 4096):>10}  {bytes_text(each['in_use'] * 4096):>10}  {seconds:7.2f} s  "
              f"{shown(text_of(each['name']))}")


def show_status(answer):
    part = answer["image"]
    for name, value in (
            ("kernel", answer["kernel"]), ("running for", f"{answer['up_ns'] / 1e9:.1f} s, boot {answer['boots']}"),
            ("programs", answer["programs"]), ("generation", answer["generation"]),
            ("snapshots", f"{answer['snapshots']}, {answer['failures']} failed"),
            ("memory", f"{bytes_text(answer['memory_free_kib'] * 1024)} of {bytes_text(answer['memory_kib'] * 1024)} free"),
            ("disk", f"{bytes_text(part['free_bytes'])} of {bytes_text(part['bytes'])} free"),
            ("space", part["space"])):
        print(f"{name:12} {value}")


def show_info(answer):
    """The same lines as ./eidolon image info, of an image in use."""
    part = answer["image"]
    print(f"space       {part['space']}\ncreated     {time_text(part['created_ns'])}\nsize        {bytes_text(part['bytes'])}\n"
          f"free        {bytes_text(part['free_bytes'])}\ngeneration  {answer['generation'] or 'none yet'}")
    merging = ", being merged" if part["is_merging"] else ""
    print(f"content     {bytes_text(part['pages'] * 4096)} in {part['pages']} pages\n"
          f"log         {part['log_records']} records, {part['log_pages']} pages{merging}\n"
          f"shutdown    in use\nkernel      {part['kernel'] or '-'}")


RULES = {"newest": (2, 16), "minutes": (0, 126), "hours": (0, 126), "days": (0, 126), "percent": (0, 90)}
TOGETHER_MAX = 126


def rules_given(words):
    """What the options of `ladder` say, as the image tool has them."""
    usage = "usage: ladder" + "".join(f" [--{name} N]" for name in RULES)
    if len(words) % 2:
        raise UsageFailure(usage)
    given = {}
    for option, number in zip(words[::2], words[1::2]):
        least, most = RULES.get(option.removeprefix("--"), (0, 0))
        if most == 0 or not option.startswith("--"):
            raise UsageFailure(usage)
        if not (number.isascii() and number.isdigit() and least <= int(number) <= most):
            raise UsageFailure(f"{option} {number}: a number, {least} to {most}")
        given[option[2:]] = int(number)
    return given


def rules_words(connection, given):
    """The words of the request: all five rules, or none if none is to change."""
    if not given:
        return []
    now = connection.ask("ladder")
    rules = {name: given.get(name, now[name]) for name in RULES}
    if rules["minutes"] + rules["hours"] + rules["days"] > TOGETHER_MAX:
        raise UsageFailure(f"{rules['minutes']} minutes, {rules['hours']} hours and {rules['days']} days are more than an image has room "
                           f"for; {TOGETHER_MAX} together at most")
    return [str(number) for number in rules.values()]


def show_ladder(answer):
    """The same lines as ./eidolon image ladder."""
    print(f"keeps    the newest {answer['newest'] or 16}, and the first of each of the last {answer['minutes']} minutes, "
          f"{answer['hours']} hours, {answer['days']} days (UTC)\nat most  {answer['percent']} % of the image\n"
          f"now      {answer['older']} older generations, which hold {bytes_text(answer['bytes'])}")


def show_members(answer):
    for name, value in answer.items():
        if name not in ("id", "ok"):
            print(f"{name:22} {value}")


def generation_text(answer):
    return f"generation {answer['generation']} is durable"


# The commands ----------------------------------------------------------------------------------------------------------


def signal_number(word):
    """A signal by its number or its name; i386 Linux numbers them as this host does."""
    if word.isascii() and word.isdigit():
        return word
    name = word.upper()
    name = name if name.startswith("SIG") else "SIG" + name
    if name not in signal.Signals.__members__:
        names = [each.removeprefix("SIG") for each in signal.Signals.__members__]
        raise UsageFailure(f"signal: there is no signal {word!r}{alike(word.upper(), names)}")
    return str(int(signal.Signals[name]))


def start_words(words):
    """The file's whole path is for the launcher there; what the program sees is what was typed."""
    program.check(words[0])
    line = program.command_line(words[0], words[1:])
    return [os.path.abspath(words[0]), *line.split(" ")]


def do_watch(connection, options, words):
    count = int(words[0]) if words else None
    connection.ask("watch", "on")
    while count is None or count > 0:
        try:
            event = connection.receive(None)
        except Gone:
            return 0  # the machine ended while it was watched
        if options.json:
            print(json.dumps(event), flush=True)
        else:
            print(f"{event['generation']:10}  {time_text(event['wall_ns'])}  {event['stop_ns'] // 1000:8} us  "
                  f"{event['programs']} program{'' if event['programs'] == 1 else 's'}", flush=True)
        count = None if count is None else count - 1
    return 0


def do_start(connection, options, words):
    line = start_words(words)
    # The words are encoded already, but for the path.
    identity = options.id or secrets.token_hex(16)
    connection.socket.sendall(" ".join([identity, "start", program.word(line[0]), *line[1:]]).encode() + b"\n")
    answer = connection.receive(connection.patience_s + os.path.getsize(words[0]) // SLOWEST_BYTES_S)
    if not answer.get("ok"):
        raise Refused(f"{words[0]}: {answer.get('error', 'refused')}; the console says more if it is about the program", answer)
    show(options, answer, lambda found: print(f"program {found['program']} has started"))
    return 0


def show(options, answer, how):
    if options.json:
        print(json.dumps({name: value for name, value in answer.items() if name != "id"}))
    else:
        how(answer)


# name: (fewest words, most, their usage, what is shown)
COMMANDS = {
    "status": (0, 0, "", show_status),
    "stat": (0, 0, "", show_members),
    "ps": (0, 0, "", show_programs),
    "log": (0, 0, "", show_log),
    "snapshot": (0, 0, "", lambda answer: print(generation_text(answer))),
    "pin": (1, 2, "NAME [GENERATION]", lambda answer: print(f"generation {answer['generation']} is kept")),
    "unpin": (1, 1, "NAME", lambda answer: None),
    "ladder": (0, 2 * len(RULES), "[--minutes N] ...", show_ladder),
    "rollback": (1, 1, "GENERATION|NAME", lambda answer: print(f"the machine goes on from generation {answer['generation']}")),
    "signal": (2, 2, "PROGRAM SIGNAL", lambda answer: None),
    "start": (1, 500, "PROGRAM [ARG...]", None),
    "watch": (0, 1, "[COUNT]", None),
    "stop": (0, 0, "", lambda answer: print(f"switched off: {generation_text(answer)}")),
}


def add_options(parser):
    add = parser.add_argument
    add("--image", metavar="FILE", default=image.default_path(), help="that the machine runs on (default: %(default)s)")
    add("--json", action="store_true", help="show the answer as it came: a line of JSON")
    add("--wait", metavar="S", type=seconds, default=PATIENCE_S, help="for an answer (default: %(default)s)")
    add("--id", metavar="HEX", type=identity, help="of the request, to make the same one again (default: random)")
    add("command", metavar="COMMAND", nargs=argparse.REMAINDER)


def seconds(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, 1 to 86400")
    return int(text)


def identity(text):
    if not 1 <= len(text) <= 32 or any(letter not in "0123456789abcdefABCDEF" for letter in text) or int(text, 16) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 32 hexadecimal digits, one of them not 0")
    return text


def check(words):
    """The command and its words, before anybody is asked."""
    if not words:
        raise UsageFailure("ctl: name a command: " + " ".join(COMMANDS))
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        raise UsageFailure(f"ctl: there is no command {name!r}{alike(name, COMMANDS)} (see ./eidolon ctl --help)")
    least, most, usage, _ = COMMANDS[name]
    if not least <= len(rest) <= most:
        raise UsageFailure(f"usage: ./eidolon ctl {name} {usage}".rstrip())
    if name == "watch" and rest and not (rest[0].isascii() and rest[0].isdigit() and int(rest[0]) > 0):
        raise UsageFailure(f"watch: {rest[0]!r} is not a whole number above 0")
    if name == "ladder":
        rules_given(rest)
    if name == "signal":
        rest = [rest[0], signal_number(rest[1])]
    return name, rest


def command(options):
    """./eidolon ctl. Returns the exit status."""
    name, words = check(options.command)
    connection = Connection(options.image, options.wait)
    try:
        if name in ("watch", "start"):
            return {"watch": do_watch, "start": do_start}[name](connection, options, words)
        words = connection.with_numbers(name, words)
        show(options, connection.ask(name, *words, identity=options.id), COMMANDS[name][3])
    except Refused as refused:
        if options.json:
            show(options, refused.answer, None)
        raise
    return 0


# ./eidolon image, of an image in use -----------------------------------------------------------------------------------

OF_IMAGES = {"log": ("log", show_log), "info": ("status", show_info), "programs": ("ps", show_programs), "ps": ("ps", show_programs),
             "ladder": ("ladder", show_ladder), "pin": ("pin", None), "unpin": ("unpin", None)}
STATUS_NOT_RUN = 2  # of the image tool


def ask_for_image(arguments):
    """An image command on an image that a machine has: asked there. Returns the exit status; None: it is not such a one."""
    if len(arguments) < 2 or arguments[0] not in OF_IMAGES or not os.path.exists(arguments[1]):
        return None
    name, how = OF_IMAGES[arguments[0]]
    path, words = arguments[1], arguments[2:]
    if name == "pin" and len(words) == 2:
        words.reverse()  # the image tool has the generation first
    least, most, _, _ = COMMANDS[name]
    if not least <= len(words) <= most:
        return None
    if name == "ladder":
        rules_given(words)
    try:
        connection = Connection(path, PATIENCE_S)
    except Failure:
        return None
    try:
        answer = connection.ask(name, *connection.with_numbers(name, words))
    except Gone:
        return None  # it has just ended: its image is a file like others
    except Failure as failure:
        raise Failure(str(failure), STATUS_NOT_RUN) from None
    if how:
        how(answer)
    return 0
