# SPDX-License-Identifier: BSD-2-Clause
"""What is measured. Each function returns rows, dictionaries that become lines of a CSV.

The work is handed out to all tables in small pieces in turn, so that whatever else the machine does meets all of them
alike, and the least time of each piece over several passes counts.
"""

import contextlib
import subprocess

import tables

PHASES = ("insert", "find", "find_sequential", "find_dependent", "miss", "iterate", "delete")
PIECES = 16
CURVE_POINTS = 16      # between two powers of two
CURVE_FIRST = 65536
HASH_FAMILIES = ("dense", "random", "strided", "attack")


class LostPages(Exception):
    """A table that must not lose pages did."""


def check_content(running, bits, count, family):
    """After insertion: what each has lost, by content."""
    lost = {table.name: int(table.ask("lost")) for table in running}
    for name, pages in lost.items():
        if pages and name not in tables.LOSES:
            raise LostPages(f"{name}, -m{bits}, {family} keys: {pages} of {count} pages are lost")
    return lost


def check_empty(running, bits, count, family):
    """After deletion."""
    for table in running:
        left = int(table.ask("left"))
        if left:
            raise LostPages(f"{table.name}, -m{bits}, {family} keys: {left} of {count} pages outlived their deletion")


def operations(programs, bits, count, family, passes, progress):
    """Nanoseconds an operation for each table and phase, and the pages each lost."""
    least = {}
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(tables.Table(name, program, family, count))
                   for name, program in tables.chosen(programs, bits, family).items()]
        for number in range(passes):
            for table in running:
                table.ask("open")
            for phase in PHASES:
                progress.step(f"-m{bits}, {count} pages, {family} keys, pass {number + 1} of {passes}: {phase}")
                bounds = [count * i // PIECES for i in range(PIECES + 1)] if phase != "iterate" else [0, count]
                for first, end in zip(bounds, bounds[1:]):
                    for table in running:
                        cost = table.ask(phase, first, end - first)
                        key = (table.name, phase, first)
                        least[key] = min(cost, least.get(key, cost))
                if phase == "insert":
                    lost = check_content(running, bits, count, family)
            check_empty(running, bits, count, family)
            for table in running:
                table.ask("close")
    rows = []
    for table in running:
        row = {"bits": bits, "pages": count, "keys": family, "table": table.name}
        for phase in PHASES:
            row[phase] = round(sum(cost for key, cost in least.items() if key[:2] == (table.name, phase)) / count, 1)
        rows.append({**row, "lost": lost[table.name]})
    return rows


def worst(programs, bits, count, family, passes, progress):
    """Nanoseconds of the longest single insertion and deletion."""
    rows = []
    for name, program in tables.chosen(programs, bits, family).items():
        row = {"bits": bits, "pages": count, "keys": family, "table": name}
        with tables.Table(name, program, family, count) as table:
            for what in ("worst_insert", "worst_delete"):
                progress.step(f"-m{bits}, {count} pages, {family} keys: {what}, {name}")
                row[what] = round(table.ask(what, passes))
        rows.append(row)
    return rows


def curve_points(count):
    """Sizes to stop at, from CURVE_FIRST on: CURVE_POINTS in each doubling, and `count`."""
    points = set()
    size = CURVE_FIRST
    while size < count:
        points.update(size + size * i // CURVE_POINTS for i in range(CURVE_POINTS))
        size *= 2
    return sorted(point for point in points if point < count) + [count]


def memory(programs, bits, count, progress):
    """Bytes a page beyond the record, while a table grows and then shrinks (random keys; flat: dense ones)."""
    rows = []
    for name in [name for name, width in programs if width == bits]:
        progress.step(f"-m{bits}: bytes a page, {name}")
        dense_only = name in tables.DENSE_ONLY
        with tables.Table(name, programs[name, bits], "dense" if dense_only else "random", count) as table:
            table.ask("open")
            link = int(table.ask("link_bytes"))
            held = 0
            for direction, points in (("growing", curve_points(count)), ("shrinking", curve_points(count)[-2::-1])):
                for point in points:
                    if direction == "growing":
                        table.ask("insert", held, point - held)
                    else:
                        table.ask("delete", count - held, held - point)
                    held = point
                    rows.append({"bits": bits, "pages": point, "table": name, "direction": direction,
                                 "bytes": round(table.ask("bytes") / point, 2), "link_bytes": link})
    return rows


def hashes(folder, bits, count, progress):
    """Chains, worst over many seeds, and times of each hash."""
    program = tables.build_hashes(folder, bits)
    rows = []
    for family in HASH_FAMILIES:
        progress.step(f"-m{bits}, {count} buckets: hashes of {family} keys")
        done = subprocess.run([program, family, str(count)], check=True, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            name, longest, probes, hash_ns, find_ns = line.split()
            rows.append({"bits": bits, "pages": count, "keys": family, "hash": name, "longest": int(longest),
                         "probes": float(probes), "hash_ns": float(hash_ns), "find_ns": float(find_ns)})
    return rows
