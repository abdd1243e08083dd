# SPDX-License-Identifier: BSD-2-Clause
"""Debian's i386 packages, unpacked into the build folder, for tests that need libraries or whole programs of i386.

Installing them would mean adding an architecture to the system. Instead apt fetches them with lists of its own, kept
in the build folder, and they are unpacked there: nothing outside it changes. What cannot be had is left out, with a
line that says so; the tests that want it are then skipped. Sources of Debian's come the same way.
"""

import glob
import os
import re
import shutil
import subprocess

from launcher.common import build_path, say

PACKAGES = ["liblua5.4-dev", "libsqlite3-dev", "musl-dev", "busybox-static", "mksh"]
LINUX = "linux-image-686"
SOURCES = ["posixtestsuite"]


def apt_output(folder, *arguments):
    """What apt-get says, with state of its own in a folder; None: it failed."""
    options = ["APT::Architecture=i386", "APT::Architectures=i386", f"Dir::State={folder}/state",
               f"Dir::Cache={folder}/cache", "Dir::State::status=/dev/null", "Acquire::Languages=none",
               "APT::Sandbox::User="]
    command = ["apt-get", "-q"] + [word for option in options for word in ("-o", option)]
    result = subprocess.run([*command, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False)
    return result.stdout if result.returncode == 0 else None


def apt_get(folder, *arguments):
    return apt_output(folder, *arguments) is not None


def unpacked(root, package):
    """The mark left once a package is in place."""
    return os.path.join(root, f".{package}")


def fetch(package, folder, root):
    """Download and unpack one package. Returns whether that worked."""
    if not apt_get(folder, "download", package):
        return False
    files = glob.glob(os.path.join(glob.escape(folder), f"{package}_*.deb"))
    if not files or subprocess.run(["dpkg-deb", "-x", files[0], root], check=False).returncode != 0:
        return False
    with open(unpacked(root, package), "w", encoding="ascii"):
        return True


def lists_from(folder):
    """Options of apt-get: what to fetch and where from is said by the files of that folder alone."""
    return ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={folder}"]


class Lists:
    """apt's lists for i386, in a folder of their own while they are needed. What `sources` names has lists of sources alone."""

    def __init__(self, sources=None):
        self.folder = build_path(f"i386-apt-{os.getpid()}")
        self.options = lists_from(sources) if sources else []

    def __enter__(self):
        for part in ("state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, part), exist_ok=True)
        # A list that cannot be refreshed is no reason to stop: what matters is whether the packages come.
        apt_get(self.folder, *self.options, "update")
        return self.folder

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


def ensure():
    """Have the packages under build/i386, as far as they can be had. Returns whether any was added."""
    root = build_path("i386")
    names = [name for name in PACKAGES if not os.path.exists(unpacked(root, name))]
    if not names or not shutil.which("apt-get"):
        return False
    say(f"fetching {' '.join(names)} for i386 into {root}")
    os.makedirs(root, exist_ok=True)
    with Lists() as folder:
        failed = [name for name in names if not fetch(name, folder, root)]
    if failed:
        say(f"not to be had for i386: {' '.join(failed)}; tests that need them are skipped")
    return len(failed) < len(names)


def write_source_lists(folder):
    """What this machine's lists of packages say about packages, said about their sources."""
    os.makedirs(folder, exist_ok=True)
    for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.list"), *glob.glob("/etc/apt/sources.list.d/*.sources")]:
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                text = re.sub(r"^Types:.*", "Types: deb-src", file.read(), flags=re.MULTILINE)
            with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8") as file:
                file.write(re.sub(r"^deb ", "deb-src ", text, flags=re.MULTILINE))


def ensure_sources():
    """Have Debian's sources of SOURCES below build/i386, each in a folder of its name, as far as they can be had."""
    root = build_path("i386")
    names = [name for name in SOURCES if not os.path.exists(os.path.join(root, name))]
    if not names or not shutil.which("apt-get"):
        return
    say(f"fetching the sources of {' '.join(names)} into {root}")
    os.makedirs(root, exist_ok=True)
    lists = os.path.join(build_path(f"i386-apt-{os.getpid()}"), "sources")
    write_source_lists(lists)
    with Lists(lists) as folder:
        for name in names:
            apt_get(folder, *lists_from(lists), "source", name)
            found = [path for path in glob.glob(os.path.join(glob.escape(folder), f"{name}-*")) if os.path.isdir(path)]
            if found:
                os.rename(found[0], os.path.join(root, name))
            else:
                say(f"not to be had: the sources of {name}; tests that need them are skipped")


def linux_kernel():
    """Debian's kernel for i386, to compare with. Returns its path, or None where it cannot be had."""
    root = build_path("i386-linux")
    if not kernels(root) and shutil.which("apt-get"):
        say(f"fetching {LINUX} for i386 into {root}")
        os.makedirs(root, exist_ok=True)
        with Lists() as folder:
            # It depends on the one that is current.
            if apt_get(folder, "download", LINUX):
                files = glob.glob(os.path.join(glob.escape(folder), f"{LINUX}_*.deb"))
                depends = subprocess.run(["dpkg-deb", "-f", *files, "Depends"], capture_output=True, text=True, check=False).stdout.split()
                if depends:
                    fetch(depends[0], folder, root)
        shutil.rmtree(os.path.join(root, "lib"), ignore_errors=True)  # modules
    return kernels(root)[-1] if kernels(root) else None


def kernels(root):
    return sorted(glob.glob(os.path.join(glob.escape(root), "boot", "vmlinuz-*")))
