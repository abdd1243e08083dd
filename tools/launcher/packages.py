# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages, by what they are needed for, and their installation.

A command asks for the groups it needs; only what is missing is installed, with one line that says so. Nobody is asked
anything and the system's configuration is not touched. Without root rights it uses sudo, or says which command an
administrator has to run.
"""

import os
import shutil
import subprocess

from launcher.common import IS_INSTALLED, Failure, say, show_progress

GROUPS = {
    "build": ["gcc", "gcc-multilib", "binutils", "cmake", "ninja-build", "libxxhash-dev", "file", "dpkg-dev"],
    "run": ["qemu-system-x86", "grub-common", "grub-pc-bin", "xorriso", "mtools"],
    "window": ["qemu-system-gui"],
    "remote": ["qemu-utils"],
    "web": ["seabios", "vgabios"],
    "node": ["nodejs", "npm"],
    "bochs": ["bochs"],
    "browser": ["chromium", "chromium-driver", "python3-selenium"],
    "test": ["libcmocka-dev", "python3-pytest", "python3-pexpect", "python3-pyte", "python3-pytest-xdist", "python3-pytest-rerunfailures",
             "python3-xxhash", "qemu-utils", "gdb", "clang", "libclang-rt-dev", "clang-format", "clang-tidy", "cppcheck"],
    "demo": ["python3-pyte"],
    "bench": ["g++", "g++-multilib", "gnuplot-nox", "uthash-dev", "libglib2.0-dev", "libjudy-dev", "liburcu-dev",
              "libck-dev", "libboost1.81-dev"],
}


LOCK_S = 600  # how long another apt is waited for


def installed(names):
    """Which of these packages dpkg has fully installed."""
    query = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
                           capture_output=True, text=True, check=False)
    return {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}


def missing(groups):
    names = [name for group in groups for name in GROUPS[group]]
    present = installed(names)
    return [name for name in names if name not in present]


def root_prefix(command):
    """What to put before a command that needs root rights."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo", "--preserve-env=DEBIAN_FRONTEND"]
    raise Failure(f"packages are missing and installing them needs root rights; as root: {' '.join(command)}")


def apt_get(*arguments):
    """Run apt-get without questions, with its last line as progress; returns the status and the output."""
    command = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", "-o", f"DPkg::Lock::Timeout={LOCK_S}", *arguments]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    lines = []
    with subprocess.Popen(root_prefix(["apt-get", *arguments]) + command, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        for line in process.stdout:
            lines.append(line)
            show_progress(line.rstrip("\n"))
    show_progress("")
    return process.returncode, "".join(lines)


def advice(names, output):
    """What may help where apt-get has failed, by what it said."""
    if "dpkg was interrupted" in output or "fix-broken install" in output:
        return "an earlier installation was cut short; as root: dpkg --configure -a && apt-get --fix-broken install"
    return f"try: apt-get update && apt-get install {' '.join(names)}"


def ensure(*groups):
    """Install what is missing of these groups. Returns whether anything was installed."""
    if not shutil.which("dpkg-query"):
        say("this is no Debian system: the packages that would be needed are not looked for")
        return False
    names = missing(groups)
    if not names:
        return False
    if IS_INSTALLED:
        raise Failure(f"packages are missing; as root: apt-get install {' '.join(names)}")
    say(f"installing {' '.join(names)}")
    install = ["install", "--no-install-recommends", *names]
    status, _ = apt_get(*install)
    if status != 0:
        # The lists may be stale or absent. A list that cannot be refreshed is no reason to stop.
        apt_get("update")
        status, output = apt_get(*install)
        if status != 0:
            tail = "\n".join(output.splitlines()[-10:])
            raise Failure(f"these packages could not be installed; {advice(names, output)}", details=tail)
    return True
