# SPDX-License-Identifier: BSD-2-Clause
"""What is installed: the Debian package in a root without the sources, the bootable disc, manual pages, completion.

The package is unpacked somewhere and run from there by a user who has nothing, while the sources and the build are hidden
behind an empty folder, where the host allows that.
"""

import os
import re
import shutil
import subprocess
import time

import pexpect
import pytest

from machine import BUILD, ROOT, eidolon

PACKAGING = os.path.join(BUILD, "packaging")
DISC = os.path.join(PACKAGING, "eidolon.iso")
SOURCES_ONLY = ("build", "test", "bench", "setup", "clean", "web")
FIRST_PROMPT_S = 60  # it takes three on a machine that has nothing else to do
HIDE = 'for place in $0; do mount -t tmpfs none "$place" || exit 99; done; exec "$@"'

pytestmark = pytest.mark.xdist_group("package")


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300, **options)


def hidden():
    """What to put before a command so that it does not see sources and build; nothing if that cannot be had."""
    places = {ROOT} if BUILD.startswith(ROOT + os.sep) else {ROOT, BUILD}
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", HIDE, " ".join(places)]
    return prefix if run(*prefix, "true").returncode == 0 else []


class Installed:
    """An unpacked package, and the user who runs it."""

    def __init__(self, folder, package):
        self.root = os.path.join(folder, "root")
        self.home = os.path.join(folder, "home")
        os.makedirs(self.home)
        result = run("dpkg-deb", "-x", package, self.root)
        assert result.returncode == 0, result.stderr
        self.prefix = hidden()
        self.environment = {"HOME": self.home, "PATH": "/usr/bin:/bin", "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def path(self, *parts):
        return os.path.join(self.root, "usr", *parts)

    def eidolon(self, *words):
        return run(*self.prefix, self.path("bin", "eidolon"), *words, cwd="/", env=self.environment)

    def spawn(self, *words):
        command = [*self.prefix, self.path("bin", "eidolon"), *words]
        return pexpect.spawn(command[0], command[1:], cwd="/", env=self.environment, timeout=FIRST_PROMPT_S,
                             encoding="latin-1", echo=False)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The path of the Debian package."""
    folder = str(tmp_path_factory.mktemp("package"))
    result = run("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb"))


@pytest.fixture(scope="module")
def installed(package, tmp_path_factory):
    return Installed(str(tmp_path_factory.mktemp("installed")), package)


def pull_the_plug(console):
    """Ctrl-] x at the machine's terminal."""
    console.send("\x1dx")
    console.expect(pexpect.EOF)
    console.close()


def test_package_runs_from_the_first_minute_without_the_sources(installed):
    begun = time.monotonic()
    console = installed.spawn("run")
    console.expect("> ")
    assert time.monotonic() - begun < FIRST_PROMPT_S
    console.send("note from a package\r")
    console.expect("That makes 1")
    console.send("sync\r")
    console.expect("> ")
    time.sleep(1)
    pull_the_plug(console)
    image = os.path.join(installed.home, ".local", "share", "eidolon", "eidolon.img")
    assert os.path.exists(image) and sorted(os.listdir(installed.home)) == [".cache", ".local"]
    console = installed.spawn("run")
    console.expect(r"resumed generation \d+")
    console.send("\rnotes\r")
    console.expect("from a package")
    console.send("exit\r")
    console.expect(pexpect.EOF)
    assert installed.eidolon("image", "verify", image).returncode == 0


def test_installed_command_says_what_it_has_not(installed):
    for name in SOURCES_ONLY:
        result = installed.eidolon(name)
        assert result.returncode == 2 and "checkout" in result.stderr and "Traceback" not in result.stderr, result.stderr
    version = installed.eidolon("--version").stdout
    assert version == eidolon("--version", status=0).stdout and re.search(r"^eidolon \d+\.\d+\.\d+", version)
    for words in (["help"], ["run", "--help"], ["image", "--help"]):
        result = installed.eidolon(*words)
        assert result.returncode == 0 and "usage: eidolon" in result.stdout and "./eidolon" not in result.stdout, result.stdout
    listed = re.findall(r"^  (-?-?[a-z]+)", installed.eidolon("help").stdout, re.MULTILINE)
    assert set(listed) == {"run", "ctl", "branch", "torture", "image", "help", "--version"}


def test_package_has_nothing_of_this_machine_in_it(installed, package):
    control = run("dpkg-deb", "-f", package).stdout
    assert re.search(r"^Depends: .*python3.*qemu-system-x86|^Depends: .*qemu-system-x86.*python3", control, re.MULTILINE), control
    assert "grub" not in re.search(r"^Depends: (.*)", control, re.MULTILINE)[1]
    places = {os.fsencode(ROOT), os.fsencode(BUILD)}
    count = 0
    for folder, _, names in os.walk(installed.root):
        for name in names:
            path = os.path.join(folder, name)
            count += 1
            with open(path, "rb") as file:
                content = file.read()
            assert not any(place in content for place in places), path
            assert not name.endswith(".pyc")
    assert count > 25


def test_package_has_no_complaint_of_lintian(package, soak):
    if not soak or not shutil.which("lintian"):
        pytest.skip("in a soak, with lintian installed (apt-get install lintian): it takes long")
    result = run("lintian", "--fail-on", "error,warning", package)
    assert result.returncode == 0, result.stdout


def test_installation_into_a_folder_works(tmp_path):
    prefix = str(tmp_path / "a prefix")
    result = run("cmake", "--install", BUILD, "--prefix", prefix)
    assert result.returncode == 0, result.stderr
    result = run(os.path.join(prefix, "bin", "eidolon"), "image", "create", str(tmp_path / "new.img"), "--size", "4",
                 env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert result.returncode == 0 and os.path.getsize(tmp_path / "new.img") == 4 << 20


def options_of(command):
    text = eidolon(command, "--help", status=0).stdout
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text.partition("options:")[2].partition("examples:")[0])) - {"-"}


def page(name):
    """A manual page as it is shown; it must be right by groff's own judgement."""
    if not shutil.which("man"):
        pytest.skip("man is not installed: apt-get install man-db")
    result = run("man", "--warnings", "-l", os.path.join(PACKAGING, name),
                 env=dict(os.environ, MANWIDTH="200", LC_ALL="C.UTF-8", MAN_KEEP_FORMATTING=""))
    assert result.returncode == 0 and result.stderr == "", result.stderr
    return result.stdout


def test_manual_pages_say_what_help_says():
    text = page("eidolon.1")
    for option in options_of("run") | options_of("test"):
        assert re.search(rf"^ +.*{re.escape(option)}\b", text, re.MULTILINE), option
    overview = [line.split() for line in eidolon("help", status=0).stdout.splitlines() if line.startswith("  ")]
    assert len(overview) > 10
    for words in overview:
        last = r"\s+".join(map(re.escape, words[-2:]))
        assert re.search(rf"^ +{words[0]}\b[^\n]*\s+([^\n]* )?{last}$", text, re.MULTILINE), words
    text = page("eidolon-image.1")
    for name in re.findall(r"^  ([a-z]+) ", eidolon("image", "--help", status=0).stdout, re.MULTILINE):
        assert re.search(rf"^ +{name} FILE", text, re.MULTILINE), name
    with open(os.path.join(ROOT, "docs", "disk-format.md"), encoding="utf-8") as file:
        titles = re.findall(r"^## (.*)", file.read(), re.MULTILINE)
    text = page("eidolon-format.5")
    assert len(titles) > 8 and all(title.replace("`", "") in text for title in titles)


def complete(*words):
    """What bash offers for the last word."""
    script = f'. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _eidolon 2>/dev/null; printf "%s\\n" "${{COMPREPLY[@]}}"'
    result = run("bash", "-c", script, "bash", os.path.join(PACKAGING, "eidolon.bash"), *words)
    return set(result.stdout.split())


def test_completion_offers_what_there_is():
    overview = eidolon("help", status=0).stdout
    assert complete("eidolon", "") == set(re.findall(r"^  (-?-?[a-z]+) ", overview, re.MULTILINE)) - {"--version"}
    assert complete("eidolon", "run", "--pol") == {"--policy"}
    assert complete("eidolon", "run", "--policy", "s") == {"second-chance", "sieve"}
    assert complete("eidolon", "run", "") - {"--"} == options_of("run")
    assert complete("eidolon", "ctl", "st") == {"status", "stat", "start", "stop"}
    assert complete("eidolon", "image", "p") == {"pin", "programs", "picture", "ps"}
    assert complete("eidolon", "run", "--", "./prog", "--pol") == set()


def boot_disc(image):
    """A PC without an operating system, with the disc in its drive and a disk for the image."""
    return pexpect.spawn("qemu-system-i386", ["-cpu", "qemu32", "-m", "128", "-display", "none", "-serial", "stdio", "-monitor",
                         "none", "-no-reboot", "-cdrom", DISC, "-boot", "d", "-drive", f"if=ide,format=raw,file={image}"],
                         timeout=180, encoding="latin-1", echo=False)


@pytest.mark.skipif(not os.path.exists(DISC), reason="built where grub-mkrescue is")
def test_bootable_disc_goes_on_with_the_disk(tmp_path):
    image = str(tmp_path / "disk.img")
    eidolon("image", "create", image, "--size", "16", status=0)
    machine = boot_disc(image)
    machine.expect("Start afresh")
    machine.expect("> ")
    machine.send("note from a disc\r")
    machine.expect("That makes 1")
    time.sleep(1)
    machine.kill(9)
    machine.close()
    machine = boot_disc(image)
    machine.expect(r"resumed generation \d+")
    machine.send("\rnotes\r")
    machine.expect("from a disc")
    machine.kill(9)
    machine.close()
