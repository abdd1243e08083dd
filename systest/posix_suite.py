# SPDX-License-Identifier: BSD-2-Clause
"""Debian's posixtestsuite as one static i386 program: built from its sources as they are, each program under a name of its own.

The launcher fetches the sources (tools/launcher/foreign.py). One image with 1,700 programs in it is built and brought in much
faster than 1,700: each source is compiled as usual, its main() gets the program's number for a name, and its other names become
its own. systest/programs/posix_suite.c is what starts them.
"""

import concurrent.futures
import os
import re
import subprocess

from machine import BUILD, ROOT

SOURCES = os.path.join(BUILD, "i386", "posixtestsuite")
OBJECTS = os.path.join(BUILD, "posix")
FLAGS = ["-m32", "-O0", "-fno-pie", "-w", "-pipe", "-std=gnu99", "-D_POSIX_C_SOURCE=200112L", "-D_XOPEN_SOURCE=600",
         "-I" + os.path.join(SOURCES, "include")]


def programs():
    """The names of all programs of the suite that are meant to be run, sorted: `interface/number`."""
    root = os.path.join(SOURCES, "conformance")
    names = []
    for folder, _, files in os.walk(root):
        for file in files:
            if re.fullmatch(r"\d+-\d+\.c", file):
                with open(os.path.join(folder, file), encoding="latin-1") as source:
                    if re.search(r"\bmain\b", source.read()):
                        names.append(os.path.relpath(os.path.join(folder, file), root)[:-2])
    return sorted(name.removeprefix("interfaces/") for name in names)


def source_of(name):
    folder = "" if name.startswith(("definitions/", "behavior/")) else "interfaces"
    return os.path.join(SOURCES, "conformance", folder, name + ".c")


def says(name, pattern):
    with open(source_of(name), encoding="latin-1") as source:
        return re.search(pattern, source.read()) is not None


def sees_calendar(name):
    """Whether a program can tell that CLOCK_REALTIME has gone on while no kernel ran."""
    return says(name, r"CLOCK_REALTIME|gettimeofday|\btime ?\(|_timed|timedlock|timedwait")


def may_abort(name):
    """
    Whether threads of a program can be on their way out, by unwinding, when it exits. exit() of a static program takes down what
    they unwind by, and whoever is late aborts. It happens on Linux, too, to one in thousands.
    """
    return says(name, r"pthread_exit|pthread_cancel")


def symbol(name):
    return "posix_" + re.sub(r"\W", "_", name)


def compile_one(name):
    """Returns the object of a program, or None if it does not compile."""
    target = os.path.join(OBJECTS, symbol(name) + ".o")
    if os.path.exists(target):
        return target
    raw = target + ".raw"
    if subprocess.run(["gcc", *FLAGS, "-c", source_of(name), "-o", raw], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return None
    subprocess.run(["objcopy", "--redefine-sym", f"main={symbol(name)}", f"--keep-global-symbol={symbol(name)}", raw, target],
                   check=True)
    os.unlink(raw)
    return target


def link(path, names, objects):
    """One program of those programs. Returns what the linker says against it."""
    table = path + ".c"
    with open(table, "w", encoding="ascii") as file:
        for name in names:
            file.write(f"extern int {symbol(name)}();\n")
        file.write("const struct { const char *name; int (*main)(); } posix_tests[] = {\n")
        for name in names:
            file.write(f'    {{"{name}", {symbol(name)}}},\n')
        file.write(f"}};\nconst unsigned posix_test_count = {len(names)};\n")
    driver = os.path.join(ROOT, "systest", "programs", "posix_suite.c")
    listed = path + ".objects"
    with open(listed, "w", encoding="ascii") as file:
        file.write("\n".join(objects))
    return subprocess.run(["gcc", "-m32", "-static", "-O1", "-o", path, table, driver, f"@{listed}", "-lpthread", "-lrt", "-lm",
                           "-Wl,--no-warnings"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stderr


def build(path, names):
    """Makes one program of those named. Returns the names of those that are in it; others do not build."""
    os.makedirs(OBJECTS, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = dict(zip(names, pool.map(compile_one, names)))
    built = [name for name in names if objects[name]]
    said = link(path, built, [objects[name] for name in built])
    unlinked = set(re.findall(r"in function `(posix_\w+)'", said)) | set(re.findall(r"/(posix_\w+)\.o", said))
    if unlinked:
        built = [name for name in built if symbol(name) not in unlinked]
        said = link(path, built, [objects[name] for name in built])
    assert os.path.exists(path) and not said, said
    return built
