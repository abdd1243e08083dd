# SPDX-License-Identifier: BSD-2-Clause
"""Who calls whom in the kernel, read from the symbols of its objects: calls go down, and never round in a circle.

docs/design.md says what the folders are and what each may call.
"""

import functools
import os
import re
import subprocess

from machine import BUILD, ROOT

OBJECTS = os.path.join(BUILD, "kernel", "CMakeFiles", "kernel_objects.dir")

# Folders from the lowest up: each calls those before it.
LAYERS = ["proc/task", "proc/record", "proc/space", "proc/signal", "proc/call.c", "proc/terminal", "proc/file",
          "proc/program", "proc/calls", "proc/trap"]

# Files that may call each other in a circle, and why. A circle must lie within one of these.
CIRCLES = {
    "the scheduler wakes sleepers and takes back threads that have ended, and both make it switch":
        {"thread/scheduler", "thread/sleep", "thread/thread"},
    "the processor's tables name the entry code, which calls the traps, which return through it on a stack in the tables":
        {"arch/i386/" + name for name in ("context", "cpu", "descriptors", "entry", "trap")},
    "a restart goes back to the first instruction, which leads to what keeps the data for it":
        {"arch/i386/" + name for name in ("boot", "boot_main", "restart")},
}

# Calls that do not come back: anybody may end the kernel.
ENDS = "arch/i386/panic"


def sources():
    """The files that the kernel is made of, as paths below kernel/ without their ending."""
    for folder, _, names in os.walk(os.path.join(ROOT, "kernel")):
        for name in names:
            if name.endswith((".c", ".S")):
                yield os.path.relpath(os.path.join(folder, name), os.path.join(ROOT, "kernel"))


def object_of(source):
    return os.path.join(OBJECTS, source + ".o")


@functools.cache
def calls():
    """{file: {file that it calls: a symbol of that}}"""
    files = [source for source in sources() if os.path.exists(object_of(source))]
    listing = subprocess.run(["nm", "-A", *map(object_of, files)], capture_output=True, text=True, check=True).stdout
    needs, home = {}, {}
    for line in listing.splitlines():
        path, entry = line.split(".o:", 1)
        file = os.path.splitext(os.path.relpath(path, OBJECTS))[0]
        kind, symbol = entry.split()[-2:]
        needs.setdefault(file, set())
        if kind == "U":
            needs[file].add(symbol)
        elif kind in "TDBRCVW":
            home[symbol] = file
    return {file: {home[symbol]: symbol for symbol in sorted(symbols) if home.get(symbol, file) != file}
            for file, symbols in needs.items()}


def circles(graph):
    """Sets of files each of which calls all others, directly or not (Tarjan 1972)."""
    number, low, stack, found = {}, {}, [], []

    def visit(file):
        number[file] = low[file] = len(number)
        stack.append(file)
        for called in graph[file]:
            if called not in number:
                visit(called)
            if called in stack:
                low[file] = min(low[file], low[called])
        if low[file] == number[file]:
            circle = set(stack[stack.index(file):])
            del stack[stack.index(file):]
            if len(circle) > 1:
                found.append(circle)

    for file in graph:
        if file not in number:
            visit(file)
    return found


def layer_of(file):
    for number, layer in enumerate(LAYERS):
        if file.startswith(layer + "/") or file + ".c" == layer:
            return number
    return None


def within_folders(graph):
    """What files of one folder of the kernel call of each other; kernel/proc is one."""
    def module(file):
        return file.split("/")[0] if file.startswith("proc/") else os.path.dirname(file)
    return {file: {other: symbol for other, symbol in called.items() if module(other) == module(file) and other != ENDS}
            for file, called in graph.items()}


def test_programs_call_only_downwards():
    graph = calls()
    missing = [file for file in graph if file.startswith("proc/") and layer_of(file) is None]
    assert not missing, f"in no layer: {missing}"
    seen, upwards = 0, []
    for file, called in graph.items():
        for other, symbol in called.items():
            if layer_of(file) is not None and layer_of(other) is not None:
                seen += 1
                if layer_of(other) > layer_of(file):
                    upwards.append(f"{file} calls {symbol}() of {other}")
    assert seen > 200 and not upwards, "\n".join(upwards)


def test_nobody_below_calls_programs():
    """The machine calls its traps (include/arch/cpu.h). The control line and the life of a boot are above programs; nobody
    else calls kernel/proc."""
    upwards = [f"{file} calls {symbol}() of {other}" for file, called in calls().items() for other, symbol in called.items()
               if other.startswith("proc/") and "/" in file and not file.startswith(("proc/", "control/"))
               and not symbol.startswith("trap_")]
    assert not upwards, "\n".join(upwards)


def test_nobody_but_the_life_of_a_boot_calls_the_control_line():
    upwards = [f"{file} calls {symbol}() of {other}" for file, called in calls().items() for other, symbol in called.items()
               if other.startswith("control/") and "/" in file and not file.startswith("control/")]
    assert not upwards, "\n".join(upwards)


def test_calls_go_round_in_no_circle():
    for circle in circles(within_folders(calls())):
        assert any(circle <= files for files in CIRCLES.values()), f"these call each other: {sorted(circle)}"


def test_headers_of_programs_are_their_own():
    folders = {layer.split("/")[1] for layer in LAYERS if "." not in layer} | {"linux"}
    outside = []
    for source in sources():
        if source.startswith("proc/"):
            continue
        with open(os.path.join(ROOT, "kernel", source), encoding="utf-8") as file:
            for included in re.findall(r'#include "(\w+)/', file.read()):
                if included in folders:
                    outside.append(f"{source} includes a header of kernel/proc/{included}")
    assert not outside, "\n".join(outside)
