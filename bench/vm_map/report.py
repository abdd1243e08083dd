# SPDX-License-Identifier: BSD-2-Clause
"""What a run leaves: progress while it lasts, tables for people, CSVs and plots."""

import csv
import os
import subprocess
import sys

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from plot_style import BOXES  # noqa: E402

TERMINAL = 'set terminal svg noenhanced size 900,{height} font "sans,12" background "white"\nset output "{name}.svg"\n'


class Progress:
    """One line at a terminal that says what is being done; nothing elsewhere."""

    def __init__(self):
        self.shown = sys.stderr.isatty()

    def step(self, text):
        if self.shown:
            sys.stderr.write(f"\r\033[K{text[:100]}")
            sys.stderr.flush()

    def say(self, text):
        """A line that stays."""
        self.step("")
        if self.shown:
            sys.stderr.write("\r")
            sys.stderr.flush()
        print(text, flush=True)


class Report:
    """Rows by the name of their table, each written out as soon as there is more of it."""

    def __init__(self, folder, progress):
        self.folder = folder
        self.progress = progress
        self.rows = {}

    def add(self, name, rows):
        """More rows of a table: to its CSV, and to the reader."""
        self.rows.setdefault(name, []).extend(rows)
        with open(os.path.join(self.folder, name + ".csv"), "w", newline="", encoding="ascii") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(self.rows[name])

    def show(self, title, rows, columns):
        """These columns as a table; values at the left, their names above."""
        cells = [[str(row[column]) for column in columns] for row in rows]
        widths = [max(len(text) for text in column) for column in zip(columns, *cells)]
        self.progress.say(f"\n{title}")
        for line in [columns, *cells]:
            self.progress.say("  ".join(text.rjust(width) for text, width in zip(line, widths)))

    def pick(self, name, **wanted):
        return [row for row in self.rows.get(name, []) if all(row[key] == value for key, value in wanted.items())]

    def value(self, name, column, **wanted):
        """A single figure, or None."""
        rows = self.pick(name, **wanted)
        return rows[0][column] if rows else None

    def plot(self, name, script, height=440):
        script = TERMINAL.format(name=name, height=height) + BOXES + "set datafile separator ','\n" + script
        subprocess.run(["gnuplot"], input=script, text=True, cwd=self.folder, check=True)


def block(name, rows):
    """Rows of numbers as data of a gnuplot script."""
    return f"${name} << EOD\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\nEOD\n"


def plot_operations(report, bits, count):
    rows = report.pick("operations", bits=bits, pages=count, keys="random")
    phases = ("insert", "find", "miss", "delete", "iterate")
    report.plot(f"operations_{bits}", block("rows", [[row["table"], *(row[p] for p in phases)] for row in rows]) + f"""\
set style data histograms
set yrange [0:*]
set key top left
set title "{count} pages, random keys, -m{bits}"
set ylabel "ns an operation"
plot """ + ", ".join(f"$rows using {i}:xtic(1) title '{phase}'" for i, phase in enumerate(phases, 2)))


def plot_curves(report, name, rows, column, ylabel, bits, yrange="set yrange [0:*]"):
    """One line for each table over the number of pages."""
    names = list(dict.fromkeys(row["table"] for row in rows))
    data = "".join(block(who, [[row["pages"], row[column]] for row in rows if row["table"] == who]) for who in names)
    report.plot(f"{name}_{bits}", data + f"""\
set logscale x 2
{yrange}
set key outside right
set format x "%.0f"
set xlabel "pages"
set title "random keys, -m{bits}"
set ylabel "{ylabel}"
plot """ + ", ".join(f"${who} using 1:2 with linespoints linewidth {width} title '{who}'"
                     for who, width in ((who, 3 if who == "vm_map" else 1) for who in names)))


def plot_memory(report, bits):
    rows = [{**row, "total": row["bytes"] + row["link_bytes"]} for row in report.pick("memory", bits=bits)]
    growing = [row for row in rows if row["direction"] == "growing"]
    shrinking = [row for row in rows if row["direction"] == "shrinking"]
    plot_curves(report, "memory", growing, "total", "bytes beyond the record, link included", bits)
    plot_curves(report, "memory_shrinking", shrinking, "total", "the same, after having been that large", bits,
                "set logscale y\nset yrange [1:*]")


def plot_sizes(report, bits):
    rows = sorted(report.pick("operations", bits=bits, keys="random"), key=lambda row: row["pages"])
    plot_curves(report, "find", rows, "find", "ns a find", bits)


def plot_worst(report, bits, count):
    rows = report.pick("worst", bits=bits, pages=count, keys="random")
    data = block("rows", [[row["table"], row["worst_insert"], row["worst_delete"]] for row in rows])
    report.plot(f"worst_{bits}", data + f"""\
set style data histograms
set logscale y
set yrange [100:*]
set key top right
set title "{count} pages, random keys, -m{bits}"
set ylabel "ns of the longest operation"
plot $rows using 2:xtic(1) title 'insert', $rows using 3 title 'delete'
""")


def plot_hashes(report, bits, count):
    rows = report.pick("hashes", bits=bits, pages=count)
    names = list(dict.fromkeys(row["hash"] for row in rows))
    families = list(dict.fromkeys(row["keys"] for row in rows))
    script = f"set multiplot layout 3,1 title 'hashes: {count} pages in as many buckets, -m{bits}'\n"
    for column in ("probes", "longest", "find_ns"):
        script += block(column, [[name, *(row[column] for row in rows if row["hash"] == name)] for name in names])
    for column, label in (("probes", "probes a page"), ("longest", "longest chain"), ("find_ns", "ns a find")):
        script += f"""\
set style data histograms
set logscale y
set yrange [{'0.8' if column == 'probes' else '1'}:*]
set key above
set ylabel "{label}"
plot """ + ", ".join(f"${column} using {i}:xtic(1) title '{family}'" for i, family in enumerate(families, 2)) + "\n"
    report.plot(f"hashes_{bits}", script, height=900)
