# SPDX-License-Identifier: BSD-2-Clause
"""The tables: how each is built, and one that runs.

Each is compiled with the same driver (driver.h) into a program of its own. Debian has some libraries for 64 bits only;
what cannot be built here is left out, and that is said.
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ALL = ("vm_map", "boost", "uthash", "glib", "judy", "lfht", "ck", "old", "flat")
LIBRARIES = {"judy": ["-lJudy"], "lfht": ["-lurcu-cds", "-lurcu-memb"], "ck": ["-lck"]}
LOSES = ("old",)          # every other table must keep every page
DENSE_ONLY = ("flat",)    # has no place for other keys
OWN = ("vm_map", "old", "flat")  # need no library: they can be built everywhere
MAP_SOURCES = ("vm_map/table", "vm_map/frame_use", "vm_map/presence", "vm_map/cursor", "vm_map/policy", "vm_map/policy_clock",
               "vm_map/policy_lru", "vm_map/policy_sieve", "lib/pool", "thread/atomic")
SEED = "7"


def flags(bits):
    return ["-O2", f"-m{bits}", *(["-msse2"] if bits == 32 else []), f"-I{ROOT}/include", f"-I{HERE}"]


def libraries(name):
    if name == "glib":
        return subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0"], capture_output=True, text=True,
                              check=False).stdout.split()
    return LIBRARIES.get(name, [])


def build(folder, progress):
    """Returns {(table, bits): program}."""
    programs = {}
    for bits in (64, 32):
        objects = []
        for source in [f"{ROOT}/kernel/{name}.c" for name in MAP_SOURCES] + [f"{HERE}/machine.c", f"{HERE}/keys.c"]:
            objects.append(os.path.join(folder, f"{os.path.basename(source)}.{bits}.o"))
            subprocess.run(["gcc", "-std=gnu11", *flags(bits), "-c", source, "-o", objects[-1]], check=True)
        for name in ALL:
            progress.step(f"compiling {name}, -m{bits}")
            source = os.path.join(HERE, f"table_{name}.{'cpp' if name == 'boost' else 'c'}")
            compiler = ["g++", "-std=c++17"] if name == "boost" else ["gcc", "-std=gnu11"]
            program = os.path.join(folder, f"bench_{name}_{bits}")
            done = subprocess.run([*compiler, *flags(bits), source, *objects, *libraries(name), "-o", program],
                                  check=False, capture_output=True, text=True)
            if done.returncode == 0:
                programs[name, bits] = program
            elif name in OWN:
                sys.exit(f"vm_map: {name}, -m{bits} does not build:\n{done.stderr}")
            else:
                errors = [line for line in done.stderr.splitlines() if "error" in line or "cannot find" in line]
                progress.say(f"{name}, -m{bits}: left out, it cannot be built here: {(errors or ['?'])[0].strip()}")
    return programs


def build_hashes(folder, bits):
    program = os.path.join(folder, f"hashes_{bits}")
    subprocess.run(["gcc", "-std=gnu11", *flags(bits), f"{HERE}/hashes.c", f"{HERE}/keys.c", "-o", program], check=True)
    return program


def chosen(programs, bits, family):
    """The tables of this width that can hold such keys."""
    return {name: program for (name, width), program in programs.items()
            if width == bits and (family == "dense" or name not in DENSE_ONLY)}


class Table:
    """A running driver; use it in a with statement."""

    def __init__(self, name, program, family, count):
        self.name = name
        self.process = subprocess.Popen([program, family, str(count), SEED], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, *words):
        """The number that the driver answers with."""
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"table {self.name} ended in the middle of {words}: status {self.process.wait()}")
        return float(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
