# SPDX-License-Identifier: BSD-2-Clause
"""The files that a new machine begins with: a folder, a tar, or Debian's i386 packages with all that they need.

Whatever it comes from, it becomes one tar, which the boot loader brings and the kernel unpacks. Packages are fetched by apt
with lists of its own and read as they are: nothing of them is unpacked or run on the host. What their scripts would have done
is left out, but for the few files without which hardly anything works.
"""

import glob
import hashlib
import io
import os
import posixpath
import re
import shutil
import subprocess
import tarfile

from launcher import foreign
from launcher.common import Failure, build_path, say

MERGED = ("bin", "sbin", "lib")  # each is a link into /usr
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/bug")
SEARCHED = ("usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin")  # for a program that is named without a slash
LINKS_MAX = 40
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
FOLDERS = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700, "home": 0o755, "etc": 0o755, "usr/bin": 0o755, "usr/sbin": 0o755,
           "usr/lib": 0o755, "var": 0o755, "run": 0o755}
ALWAYS = ["libc-bin"]  # the locale C.UTF-8
ALTERNATIVES = {"awk": ("gawk", "mawk"), "sh": ("dash", "bash", "busybox"), "vi": ("vim.tiny", "nvi"), "editor": ("nano", "vim.tiny"),
                "pager": ("less", "more"), "nc": ("nc.openbsd", "nc.traditional")}
LINKS = {"dev/fd": "/proc/self/fd", "dev/stdin": "/proc/self/fd/0", "dev/stdout": "/proc/self/fd/1", "dev/stderr": "/proc/self/fd/2"}
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/hostname": "eidolon\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def package_name(text):
    """A Debian package's name, checked."""
    if not PACKAGE.match(text):
        raise Failure(f"--with {text!r}: no name of a Debian package: lower-case letters, digits, + - and .")
    return text


# Reading and writing tars ------------------------------------------------------------------------------------------------


def tidy(name):
    """A member's name as a relative path. None: it leads out of the tree."""
    path = posixpath.normpath("/" + name).lstrip("/")
    return None if ".." in name.split("/") else path


class Tree:
    """What will be in the tar: members by name, the later ones over the earlier."""

    def __init__(self):
        self.members = {}
        self.left_out = set()

    def add(self, member, content):
        self.members[member.name] = (member, content)

    def add_folder(self, name, mode=0o755):
        if name and name not in self.members:
            self.add_folder(posixpath.dirname(name))
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, mode
            self.add(member, b"")

    def add_file(self, name, content, mode=0o644):
        if name not in self.members:
            self.add_folder(posixpath.dirname(name))
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content)
            self.add(member, content)

    def add_link(self, name, target):
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
        self.add(member, b"")

    def read(self, file, is_package):
        """All of a tar's members. In a package's, folders that are links into /usr are those."""
        with tarfile.open(fileobj=file, mode="r|*") as tar:
            for member in tar:
                name = tidy(member.name)
                if name is None:
                    raise Failure(f"{member.name}: a file whose name leads out of the tree")
                if not name or (is_package and name.startswith(LEFT_OUT)):
                    continue
                name = self.merged(name) if is_package else name
                if is_package and member.islnk():
                    member.linkname = self.merged(tidy(member.linkname) or member.linkname)
                if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                    self.left_out.add(name)
                    continue
                if name in self.members and member.isdir():
                    continue
                content = tar.extractfile(member).read() if member.isreg() else b""
                member.name, member.uid, member.gid, member.uname, member.gname = name, 0, 0, "", ""
                member.pax_headers = {}
                self.add(member, content)

    @staticmethod
    def merged(name):
        first = name.partition("/")[0]
        return f"usr/{name}" if first in MERGED else name

    def write(self, path):
        with open(f"{path}.new", "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
                links = []
                for name in sorted(self.members):
                    member, content = self.members[name]
                    if member.islnk():
                        links.append(member)
                        continue
                    tar.addfile(member, io.BytesIO(content))
                for member in links:  # once what they lead to is there
                    tar.addfile(member)
        os.replace(f"{path}.new", path)


# Where files come from ---------------------------------------------------------------------------------------------------


def from_folder(folder, path):
    """A folder of the host. Owners are root's; what is no file, folder or link is left out."""
    tree = Tree()
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            source = os.path.join(parent, name)
            member = tarfile.TarInfo(os.path.relpath(source, folder))
            status = os.lstat(source)
            member.mode, member.mtime = status.st_mode & 0o7777, int(status.st_mtime)
            content = b""
            if os.path.islink(source):
                member.type, member.linkname = tarfile.SYMTYPE, os.readlink(source)
            elif os.path.isdir(source):
                member.type = tarfile.DIRTYPE
            elif os.path.isfile(source):
                with open(source, "rb") as file:
                    content = file.read()
                member.size = len(content)
            else:
                tree.left_out.add(member.name)
                continue
            tree.add(member, content)
    tree.write(path)
    return tree


def from_tar(source, path):
    tree = Tree()
    try:
        with open(source, "rb") as file:
            tree.read(file, False)
    except tarfile.TarError as error:
        raise Failure(f"{source}: no tar, or a damaged one: {error}") from error
    tree.write(path)
    return tree


def needed(folder, packages):
    """Packages with all that they depend on, as apt finds it."""
    found = foreign.apt_output(folder, "-s", "--no-install-recommends", "install", *packages, *ALWAYS)
    if found is None:
        raise Failure(f"--with: apt knows no such i386 packages, or none that go together: {' '.join(packages)}")
    return re.findall(r"^Inst (\S+)", found, re.MULTILINE)


def from_packages(packages, path):
    """Debian's packages, fetched into the build folder. Once they are there, nothing is fetched."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Failure("--with: apt-get and dpkg-deb are needed to get Debian's packages; --root takes a folder or a tar")
    tree = Tree()
    for name in MERGED:
        tree.add_link(name, f"usr/{name}")
    say(f"fetching {' '.join(packages)} and what they need, for i386")
    with foreign.Lists() as folder:
        names = needed(folder, packages)
        if not foreign.apt_get(folder, "download", *names):
            raise Failure(f"--with: these packages could not be fetched: {' '.join(names)}")
        for file in sorted(glob.glob(os.path.join(glob.escape(folder), "*.deb"))):
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as process:
                tree.read(process.stdout, True)
    complete(tree)
    tree.write(path)
    say(f"{len(names)} packages; their scripts were not run, and documentation and translations are left out")


def complete(tree):
    """What the packages' scripts would have made, as far as hardly anything works without."""
    for name, mode in FOLDERS.items():
        tree.add_folder(name, mode)
    for name, content in FILES.items():
        tree.add_file(name, content.encode())
    for name, target in LINKS.items():
        tree.add_link(name, target)
    for name, programs in ALTERNATIVES.items():
        there = [program for program in programs if f"usr/bin/{program}" in tree.members]
        if there and f"usr/bin/{name}" not in tree.members:
            tree.add_link(f"usr/bin/{name}", there[0])


# What the launcher asks for ----------------------------------------------------------------------------------------------


def prepare(options, folder):
    """The tar that a machine begins with, or None. `folder`: temporary."""
    if options.packages:
        names = sorted({package_name(name) for name in options.packages})
        kept = build_path("roots")
        os.makedirs(kept, exist_ok=True)
        path = os.path.join(kept, hashlib.sha256(" ".join(names).encode()).hexdigest()[:16] + ".tar")
        if not os.path.exists(path):
            from_packages(names, path)
        return path
    if not options.root:
        return None
    path = os.path.join(folder, "files.tar")
    if os.path.isdir(options.root):
        tree = from_folder(options.root, path)
    elif os.path.isfile(options.root):
        tree = from_tar(options.root, path)
    else:
        raise Failure(f"--root {options.root}: neither a folder nor a tar")
    if tree.left_out:
        say(f"{len(tree.left_out)} files of {options.root} are devices or the like, and left out")
    return path


def find(path, name):
    """A program in the tar, links followed: its path in the tree and its content; None: there is none."""
    with tarfile.open(path, "r:") as tar:
        members = {member.name: member for member in tar}
        for start in [name.lstrip("/")] if "/" in name else [f"{folder}/{name}" for folder in SEARCHED]:
            at = follow(members, posixpath.normpath(start))
            if at is not None and members[at].isreg():
                return "/" + start, tar.extractfile(members[at]).read()
    return None


def follow(members, path):
    """The name of what a path leads to, through links. None: nowhere."""
    done, rest, links = "", path.split("/"), 0
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            done = posixpath.dirname(done)
            continue
        here = posixpath.join(done, part)
        member = members.get(here)
        if member is None:
            return None
        if member.issym():
            links += 1
            if links > LINKS_MAX:
                return None
            target = member.linkname
            done = "" if target.startswith("/") else done
            rest = target.split("/") + rest
        elif member.islnk():
            rest = member.linkname.split("/") + rest
            done = ""
        else:
            done = here
    return done
