"""The page map beside other tables: ./eidolon bench vm_map, or run.py BUILD_FOLDER.

Each table is compiled with the same driver (driver.h) and runs in a process of its own; the work is handed out in small
pieces in turn, so that whatever else the machine does meets all of them alike. The least time of each piece over several
passes counts. Writes results.csv and find.svg to BUILD_FOLDER/bench/vm_map. Quote ratios, not nanoseconds.
"""

import csv
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# The widths each is built for (Debian has the libraries for one only), and what else its compiler must be told.
TABLES = {"vm_map": (64, 32), "boost": (64, 32), "uthash": (64, 32), "glib": (64,), "judy": (64,), "lfht": (64,),
          "ck": (64,), "old": (64, 32), "flat": (64, 32)}
LIBRARIES = {"judy": ["-lJudy"], "lfht": ["-lurcu-cds", "-lurcu-qsbr"], "ck": ["-lck"]}
FAMILIES = ("random", "dense", "strided", "crafted")
DENSE_ONLY = ("flat",)
COUNTS = (65536, 1048576)
PHASES = ("insert", "find", "find_sequential", "find_dependent", "miss", "iterate", "delete")
PASSES = 3
PIECES = 16
MAP_SOURCES = ("vm_map/table", "vm_map/cursor", "lib/pool")


def compile_tables(folder):
    """Returns {(table, bits): program} of what could be built; says what could not."""
    programs = {}
    for bits in (64, 32):
        flags = ["-O2", f"-m{bits}", *(["-msse2"] if bits == 32 else []), f"-I{ROOT}/include", f"-I{HERE}"]
        objects = []
        for source in [f"{ROOT}/kernel/{name}.c" for name in MAP_SOURCES] + [f"{HERE}/machine.c", f"{HERE}/keys.c"]:
            objects.append(os.path.join(folder, f"{os.path.basename(source)}.{bits}.o"))
            subprocess.run(["gcc", "-std=gnu11", *flags, "-c", source, "-o", objects[-1]], check=True)
        for table in (name for name, widths in TABLES.items() if bits in widths):
            program = os.path.join(folder, f"bench_{table}_{bits}")
            extra = subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0"], capture_output=True, text=True,
                                   check=False).stdout.split() if table == "glib" else LIBRARIES.get(table, [])
            language = ["g++", "-std=c++17"] if table == "boost" else ["gcc", "-std=gnu11"]
            source = os.path.join(HERE, f"table_{table}.{'cpp' if table == 'boost' else 'c'}")
            done = subprocess.run([*language, *flags, source, *objects, *extra, "-o", program], check=False,
                                  capture_output=True, text=True)
            if done.returncode == 0:
                programs[table, bits] = program
            else:
                print(f"{table}, -m{bits}: left out, it cannot be built here ({done.stderr.strip().splitlines()[0]})")
    return programs


class Table:
    """A running driver."""

    def __init__(self, program, family, count):
        self.process = subprocess.Popen([program, family, str(count), "7"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def measure(programs, family, count):
    """Nanoseconds an operation for each table and phase, and what each lost."""
    tables = {name: Table(program, family, count) for name, program in programs.items()}
    least = {}
    lost = {}
    for _ in range(PASSES):
        for table in tables.values():
            table.ask("open")
        for phase in PHASES:
            pieces = 1 if phase == "iterate" else PIECES
            for piece in range(pieces):
                for name, table in tables.items():
                    command = "iterate" if phase == "iterate" else f"{phase} {piece * count // pieces} {count // pieces}"
                    cost = table.ask(command)
                    key = (name, phase, piece)
                    least[key] = min(cost, least.get(key, cost))
            if phase == "insert":
                lost = {name: int(table.ask("lost")) for name, table in tables.items()}
        for table in tables.values():
            table.ask("close")
    for table in tables.values():
        table.end()
    return {name: {phase: sum(cost for (who, what, _), cost in least.items() if (who, what) == (name, phase)) / count
                   for phase in PHASES} for name in tables}, lost


def plot(folder):
    script = f"""set terminal svg size 900,420
set output '{folder}/find.svg'
set datafile separator ','
set style data histograms
set style fill solid
set yrange [0:*]
set ylabel 'ns an operation (random keys, 1,048,576 pages, -m64)'
set key top left
plot '{folder}/plot.csv' using 2:xtic(1) title 'insert', '' using 3 title 'find', '' using 4 title 'miss'
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    folder = os.path.join(os.path.abspath(sys.argv[1]), "bench", "vm_map")
    os.makedirs(folder, exist_ok=True)
    programs = compile_tables(folder)
    with open(os.path.join(folder, "results.csv"), "w", newline="", encoding="ascii") as file:
        results = csv.writer(file)
        results.writerow(["bits", "pages", "keys", "table", *PHASES, "lost"])
        for bits in (64, 32):
            for count in COUNTS:
                for family in FAMILIES:
                    chosen = {name: program for (name, width), program in programs.items()
                              if width == bits and (family == "dense" or name not in DENSE_ONLY)}
                    costs, lost = measure(chosen, family, count)
                    print(f"-m{bits}, {count} pages, {family} keys; ns an operation")
                    print(" " * 10 + "".join(f"{phase:>16}" for phase in PHASES) + f"{'lost':>10}")
                    for name in chosen:
                        print(f"{name:10}" + "".join(f"{costs[name][phase]:16.1f}" for phase in PHASES)
                              + f"{lost[name]:10}", flush=True)
                        results.writerow([bits, count, family, name, *(f"{costs[name][p]:.1f}" for p in PHASES),
                                          lost[name]])
                    if (bits, count, family) == (64, COUNTS[-1], "random"):
                        with open(os.path.join(folder, "plot.csv"), "w", encoding="ascii") as rows:
                            for name in chosen:
                                rows.write(f"{name},{costs[name]['insert']:.1f},{costs[name]['find']:.1f},"
                                           f"{costs[name]['miss']:.1f}\n")
                        plot(folder)
    print(f"tables and plot: {folder}")


if __name__ == "__main__":
    main()
