# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon torture: does a program stand power cuts? Runs it undisturbed, then with the plug pulled again and again, and compares.

All runs hold console output back until the snapshot that covers it is durable (--external-sync). What a reader has of it
after any number of cuts is then the program's output with parts repeated, and each boot says how many bytes it may repeat at
most. A Reading goes along the undisturbed output and knows at which places of it the reader may be.

    1. The program runs to its end twice, the second time on a disk that logs each write and flush. If both print the same, cuts can be judged.
    2. Machines are killed at random moments, and run again, until the program has ended; then on a new image, until there were
       as many kills as were asked for.
    3. Disks are made that cuts of the second run could have left (launcher.write_log): what was not flushed lost, reordered, torn. Each is
       verified and booted, and the program goes on to its end.

Whatever is not as in the first run is kept: the image, the console of each boot, and a report with the seed.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from launcher import build, image, machine, program, write_log
from launcher.common import BUILD, ROOT, Failure, UsageFailure, say
from launcher.run import INTERVAL_MS_MAX, MEMORY_MIB_MAX, MEMORY_MIB_MIN, check_memory, whole_number

KILLS_DEFAULT = 20
STATES_DEFAULT = 10
COUNT_MAX = 100000
LIMIT_S_DEFAULT = 60
LIMIT_S_MAX = 86400
SIZE_MIB_DEFAULT = 64
LIVES_MAX = 200  # of one image: a program that needs more makes no progress
STATUS_DIFFERENT = 1
STATUS_KILLED = 128 + signal.SIGKILL
POLL_S = 0.002

# What the machine says among the program's output; a cut can leave the beginning of such a line, even of its first word.
OWN = re.compile(rb"eidolon: [^\n]*(?:\n|\Z)")
OWN_CUT = re.compile(rb"(?:e|ei|eid|eido|eidol|eidolo|eidolon|eidolon:)\Z")
AGAIN = re.compile(rb"eidolon: the next (\d+) bytes may have been seen before\r?\n")
RESUMED = re.compile(rb"eidolon: resumed generation (\d+)")
CREATED = re.compile(r"^eidolon: created .*\n", re.MULTILINE)
CONTEXT_BYTES = 60
ALIKE_BYTES, ALIKE_MAX = 16, 100  # where to look for what a wrong piece of output is like

DESCRIPTION = """\
Find out whether PROGRAM, a static i386 ELF of this host, withstands power cuts: run it undisturbed to its end, then again
with the plug pulled at random moments, and on disks as cuts could have left them, and compare what it printed and how it
ended. Eidolon resumes it where it was; what a cut can break is what it takes for granted about the world: clocks, or what
others know."""

EPILOG = """\
The program must end by itself, and print the same in each undisturbed run; its input has ended. The exit status is 0 if
everything was as undisturbed, 1 if something was not (images and consoles of that are kept), 2 for a wrong command line.

examples:
  gcc -m32 -static prog.c -o prog
  ./eidolon torture -- ./prog 1 2
  ./eidolon torture --kills 500 --seed 7 --keep found -- ./prog"""


def add_options(parser):
    add = parser.add_argument
    add("--kills", metavar="N", type=whole_number(0, COUNT_MAX), default=KILLS_DEFAULT, help="times to pull the plug (default: %(default)s)")
    add("--states", metavar="N", type=whole_number(0, COUNT_MAX), default=STATES_DEFAULT,
        help="disks to try of those that cuts could have left (default: %(default)s)")
    add("--seed", metavar="N", type=whole_number(0, (1 << 63) - 1), help="of everything random (default: another one each time)")
    add("--limit", metavar="S", type=whole_number(1, LIMIT_S_MAX), default=LIMIT_S_DEFAULT,
        help="the program ends within this time undisturbed (default: %(default)s)")
    add("--memory", metavar="MIB", type=whole_number(MEMORY_MIB_MIN, MEMORY_MIB_MAX), default=128, help="of the machine (default: %(default)s)")
    add("--size", metavar="MIB", type=whole_number(image.SIZE_MIB_MIN, image.SIZE_MIB_MAX), default=SIZE_MIB_DEFAULT,
        help="of the images (default: %(default)s)")
    add("--interval", metavar="MS", type=whole_number(1, INTERVAL_MS_MAX), default=50, help="between snapshots (default: %(default)s)")
    add("--keep", metavar="FOLDER", help="a new folder for images and consoles of what differed (default: torture-SEED)")
    add("--json", action="store_true", help="the report as JSON")


class Reading:
    """Where in the undisturbed output somebody is who has read the consoles of all boots so far: one of some places."""

    def __init__(self, expected):
        self.expected = expected
        self.places = {0}

    def take(self, piece, repeated, is_cut=False):
        """One boot's output, of which at most so many bytes were seen before. Returns what is wrong, or None."""
        wrong = self.take_whole(piece, repeated)
        if wrong and is_cut and OWN_CUT.search(piece):
            return self.take_whole(OWN_CUT.sub(b"", piece), repeated)
        return wrong

    def take_whole(self, piece, repeated):
        if not piece:
            return None
        starts = {place: range(max(0, place - repeated), place + 1) for place in self.places}
        after = {max(place, start + len(piece)) for place, some in starts.items() for start in some
                 if self.expected.startswith(piece, start)}
        if not after:
            same, start = self.most_alike(piece, {start for some in starts.values() for start in some})
            return f"byte {start + same} of the output is {around(piece, same)}, undisturbed it is {around(self.expected, start + same)}"
        self.places = after
        return None

    def most_alike(self, piece, starts):
        """Where a piece that fits nowhere may have been meant to begin: how much of it is right there, and the place."""
        likely = [start for start in sorted(starts) if self.expected.startswith(piece[:ALIKE_BYTES], start)]
        return max((common_length(self.expected, start, piece), start) for start in likely[-ALIKE_MAX:] or [max(starts)])

    def finish(self):
        """Nothing more comes. Returns what is wrong, or None."""
        if len(self.expected) in self.places:
            return None
        place = max(self.places)
        return f"the output ends at byte {place}, undisturbed there follows {around(self.expected, place)}"


def common_length(expected, start, piece):
    """How many bytes of a piece are the expected ones from a place on."""
    if expected.startswith(piece, start):
        return len(piece)
    low, high = 0, min(len(piece), len(expected) - start)
    while low < high:
        middle = (low + high + 1) // 2
        if expected.startswith(piece[:middle], start):
            low = middle
        else:
            high = middle - 1
    return low


def around(content, place):
    rest = content[place:place + CONTEXT_BYTES]
    return repr(rest.decode("utf-8", "backslashreplace")) if rest else "the end"


def copy_sparse(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


class Life:
    """One boot of a machine on an image, as a process of the launcher."""

    def __init__(self, trial, number, options, words):
        folder, path = trial.folder, trial.path
        self.console_path = os.path.join(folder, f"{trial.name}.{number}.console")
        self.pidfile = os.path.join(folder, f"{trial.name}.{number}.pid")
        arguments = ["run", "--headless", "--boot", "direct", "--external-sync", "--image", path, "--pidfile", self.pidfile,
                     "--interval", str(options.interval), "--memory", str(options.memory), *trial.more]
        if words:
            arguments += ["--", *words]
        self.started = time.monotonic()
        self.started_at = time.time()
        self.killed_at = None
        me = os.getpid()
        with open(self.console_path, "wb") as console:
            self.process = subprocess.Popen([os.path.join(ROOT, "eidolon"), *arguments], stdin=subprocess.DEVNULL, stdout=console,
                                            stderr=subprocess.PIPE, env=dict(os.environ, EIDOLON_BUILD=BUILD, EIDOLON_IS_BUILT="1"),
                                            preexec_fn=lambda: machine.die_with_parent(me))

    def qemu(self):
        try:
            with open(self.pidfile, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def wait(self, seconds):
        """Until it has ended, but not longer than this. Returns whether it has."""
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        """Pull the plug, as soon as there is one."""
        while self.process.poll() is None and (pid := self.qemu()) is None:
            time.sleep(POLL_S)
        try:
            if self.process.poll() is None:
                os.kill(pid, signal.SIGKILL)
                self.killed_at = time.time()
        except ProcessLookupError:
            pass
        self.process.wait()

    def finish(self):
        """Take in what it left. Returns the exit status."""
        self.errors = self.process.communicate()[1].decode("utf-8", "backslashreplace")
        self.seconds = time.monotonic() - self.started
        with open(self.console_path, "rb") as file:
            self.console = file.read().replace(b"\r", b"")
        return self.process.returncode

    def output(self):
        """What the program printed, and how many bytes of that may have been seen before."""
        again = AGAIN.search(self.console)
        return OWN.sub(b"", self.console), int(again[1]) if again else 0


class Trial:
    """An image, the boots of it, and what somebody has read."""

    def __init__(self, folder, name, more=()):
        self.folder = folder
        self.name = name
        self.path = os.path.join(folder, f"{name}.img")
        self.more = list(more)
        self.lives = []
        self.losses_ms = []

    def begin(self, options, words=()):
        life = Life(self, len(self.lives), options, words)
        self.lives.append(life)
        return life

    def has_ended(self):
        """Whether the machine has switched itself off in order, since all was over: another boot would start the shell."""
        told = image.run_tool(["info", self.path], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        has_state = re.search(r"^generation +[1-9]", told, re.MULTILINE) and re.search(r"^shutdown +clean$", told, re.MULTILINE)
        return bool(has_state) and not image.programs(self.path)

    def renew(self, size_mib):
        """An image without a generation is as good as a new one."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        image.create(self.path, size_mib)

    def remove(self):
        for entry in os.listdir(self.folder):
            if entry.startswith(self.name + "."):
                os.unlink(os.path.join(self.folder, entry))

    def note_loss(self, life):
        """After a kill: how much of what this life did is not in the newest generation. Returns whether there is one."""
        told = image.run_tool(["info", self.path], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        found = re.search(r"^committed +(\S+ \S+)\.(\d+)$", told, re.MULTILINE)
        if found:
            committed = time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S")) + int(found[2]) / 1000
            self.losses_ms.append(max(0, round(1000 * (life.killed_at - max(committed, life.started_at)))))
        return re.search(r"^generation +[1-9]", told, re.MULTILINE) is not None


class Campaign:
    """Everything that is tried with one program."""

    def __init__(self, options, words, folder):
        self.options = options
        self.words = words
        self.folder = folder
        self.chance = random.Random(options.seed)
        self.findings = []
        self.kills = self.resumed = self.states = 0
        self.losses_ms = []
        self.is_terminal = sys.stderr.isatty()

    # Undisturbed -------------------------------------------------------------------------------------------------------

    def undisturbed(self, name, more=()):
        trial = Trial(self.folder, name, more)
        trial.renew(self.options.size)
        copy_sparse(trial.path, os.path.join(self.folder, "base.img"))
        build.show_progress(f"torture: {name}, undisturbed")
        life = trial.begin(self.options, self.words)
        if not life.wait(self.options.limit):
            life.kill()
            life.finish()
            raise Failure(f"{self.words[0]}: has not ended within {self.options.limit} s; give it more with --limit, or less to do")
        status = life.finish()
        complaints = CREATED.sub("", life.errors)
        if complaints:
            raise Failure(f"{self.words[0]}: the machine does not run it to its end", details=complaints)
        return trial, life, status

    def learn(self):
        """What the program does undisturbed."""
        first, life, self.status = self.undisturbed("first")
        self.expected = life.output()[0]
        self.seconds = life.seconds
        self.log = os.path.join(self.folder, "logged.log")
        self.logged, again, status = self.undisturbed("logged", ("--write-log", self.log))
        first.remove()
        output = again.output()[0]
        if status != self.status:
            raise Failure(f"{self.words[0]}: ends with status {self.status} the first time and {status} the second, undisturbed: nothing to compare with")
        reading = Reading(self.expected)
        wrong = reading.take(output, 0) or reading.finish()
        if wrong:
            raise Failure(f"{self.words[0]}: prints something else in each undisturbed run: {wrong}")

    # Kills -------------------------------------------------------------------------------------------------------------

    def pull_plugs(self):
        trials = 0
        while self.kills < self.options.kills:
            trials += 1
            trial = Trial(self.folder, f"kills{trials}")
            wrong = self.kill_until_it_ends(trial)
            self.losses_ms += trial.losses_ms
            self.judge(trial, wrong)

    def kill_until_it_ends(self, trial):
        """Returns what is wrong, or None."""
        reading = Reading(self.expected)
        has_state = False
        while True:
            is_last = self.kills >= self.options.kills or len(trial.lives) >= LIVES_MAX
            self.show(f"{self.kills}/{self.options.kills} kills")
            if not has_state:
                trial.renew(self.options.size)
            life = trial.begin(self.options, () if has_state else self.words)
            # A life of its own length would end it; from a kill at the very beginning on everything is tried.
            if not life.wait(self.patience() if is_last else self.chance.uniform(0, self.seconds)):
                if is_last:
                    life.kill()
                    life.finish()
                    return f"it has not ended within {self.patience():.0f} s after {len(trial.lives) - 1} cuts"
                life.kill()
            status = life.finish()
            is_killed = life.killed_at is not None and status == STATUS_KILLED
            self.resumed += bool(RESUMED.search(life.console))
            wrong = reading.take(*life.output(), is_killed)
            if wrong or not is_killed:
                return wrong or reading.finish() or self.wrong_end(status, life)
            self.kills += 1
            has_state = trial.note_loss(life) or has_state
            if trial.has_ended():
                return reading.finish()

    def patience(self):
        return self.options.limit + 10 * self.seconds

    def wrong_end(self, status, life):
        if status == self.status:
            return None
        return f"it ended with status {status}, undisturbed with {self.status}{': ' + life.errors.strip() if life.errors.strip() else ''}"

    # Disks -------------------------------------------------------------------------------------------------------------

    def try_disks(self):
        """Disks that a cut of the logged run could have left."""
        if self.options.states == 0:
            return
        entries = write_log.read_log(self.log)
        cuts = write_log.cuts_of(entries, self.chance, self.options.states)
        cuts = sorted(self.chance.choices(cuts, k=self.options.states))
        trial = Trial(self.folder, "state")
        disk = write_log.Disk(os.path.join(self.folder, "base.img"), entries, trial.path)
        for cut in cuts:
            self.show(f"{self.states}/{self.options.states} disks")
            variant = self.chance.randrange(30)
            disk.advance(cut)
            disk.crash(variant, self.options.seed)
            disk.surface.flush()
            self.try_disk(trial, cut, variant)
            disk.restore()
        disk.close()

    def try_disk(self, trial, cut, variant):
        """On a copy: the next state is made of this one."""
        one = Trial(self.folder, f"state{cut}-{variant}")
        copy_sparse(trial.path, one.path)
        self.states += 1
        told = image.run_tool(["verify", one.path], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if told.returncode not in (0, 1) or "\nsound\n" not in "\n" + told.stdout:
            self.judge(one, f"the image is not sound: {told.stdout.strip() or told.stderr.strip()}")
            return
        is_new = re.search(r"^0 generations ", told.stdout, re.MULTILINE) is not None
        if one.has_ended():
            self.judge(one, None)
            return
        life = one.begin(self.options, self.words if is_new else ())
        if not life.wait(self.patience()):
            life.kill()
            life.finish()
            self.judge(one, f"it has not ended within {self.patience():.0f} s")
            return
        status = life.finish()
        piece, _ = life.output()
        self.resumed += bool(RESUMED.search(life.console))
        wrong = None if self.expected.endswith(piece) else f"it goes on with {around(piece, 0)}, which is not how the output undisturbed ends"
        self.judge(one, wrong or self.wrong_end(status, life))

    # Results -----------------------------------------------------------------------------------------------------------

    def show(self, what):
        wrong = f", {len(self.findings)} differ" if self.findings else ""
        build.show_progress(f"torture: {what}{wrong}")

    def judge(self, trial, wrong):
        if wrong is None:
            trial.remove()
            return
        self.findings.append({"image": trial.name + ".img", "boots": len(trial.lives), "wrong": wrong})
        build.show_progress("")
        say(f"{trial.name}: {wrong}")

    def report(self):
        return {"program": self.words, "seed": self.options.seed, "kills": self.kills, "disks": self.states, "resumed": self.resumed,
                "undisturbed_s": round(self.seconds, 1), "output_bytes": len(self.expected), "status": self.status,
                "oldest_loss_ms": max(self.losses_ms, default=0), "different": self.findings,
                "verdict": "different" if self.findings else "as undisturbed"}


def shown_report(report):
    lines = [f"program      {' '.join(report['program'])}",
             f"undisturbed  {report['output_bytes']} bytes of output, status {report['status']}, {report['undisturbed_s']} s",
             f"kills        {report['kills']}, and {report['disks']} disks that cuts could have left",
             f"resumed      {report['resumed']} times",
             f"oldest loss  {report['oldest_loss_ms']} ms of work, done again",
             f"seed         {report['seed']}"]
    lines += [f"different    {finding['image']}: {finding['wrong']}" for finding in report["different"]]
    return "\n".join(lines + [f"verdict      {report['verdict']}"])


def check(options, words):
    if not words:
        raise UsageFailure("a program is named after --: ./eidolon torture [OPTIONS] -- PROGRAM [ARG...]")
    program.check(words[0])
    program.command_line(words[0], words[1:])
    check_memory(words[0], options.memory)
    if os.path.lexists(options.keep):
        raise Failure(f"{options.keep} exists; choose a new folder with --keep")


def command(options, words):
    """./eidolon torture. Returns the exit status."""
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    options.keep = options.keep or f"torture-{options.seed}"
    check(options, words)
    build.build(["bootable"], ("build", "run"))
    folder = tempfile.mkdtemp(prefix="eidolon-torture-")
    try:
        campaign = Campaign(options, words, folder)
        campaign.learn()
        campaign.pull_plugs()
        campaign.try_disks()
        build.show_progress("")
        report = campaign.report()
        print(json.dumps(report, indent=2) if options.json else shown_report(report))
        if not campaign.findings:
            return 0
        keep(campaign, report)
        return STATUS_DIFFERENT
    finally:
        build.show_progress("")
        shutil.rmtree(folder, ignore_errors=True)


def keep(campaign, report):
    """What differed stays, for somebody to look at."""
    campaign.logged.remove()
    for name in ("logged.log", "base.img", "state.img"):
        path = os.path.join(campaign.folder, name)
        if os.path.exists(path) and name != "logged.log":
            os.unlink(path)
    with open(os.path.join(campaign.folder, "report.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2)
    shutil.copytree(campaign.folder, campaign.options.keep)
    say(f"images, consoles and report are in {campaign.options.keep}")
