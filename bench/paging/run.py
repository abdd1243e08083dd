# SPDX-License-Identifier: BSD-2-Clause
"""What page replacement costs: ./eidolon bench paging, or run.py BUILD_FOLDER.

The programs sort, scan, focus, zipf and mix run over PAGES pages of memory with FRAMES frames under each policy: on the
kernel's own fault path in QEMU, and as traces in a simulator that uses the kernel's policy objects and knows Belady's
optimum too. Where both have run they must agree in every count and in the order of victims; the benchmark fails if they
do not. Then what the parts of a fault cost is put together to an effective access time and compared with the times
that the runs took. Last, a program with twice the machine's memory runs on the kernel as it is, under each policy.

Tables (CSV) and plots (SVG) go to BUILD_FOLDER/bench/paging: simulated.csv and kernel.csv with every run, PROGRAM.svg
with faults, disk reads and disk writes against frames, over_optimum.csv, cost.csv, access_time.csv, machine.csv.
"""

import argparse
import csv
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import command_line  # noqa: E402
from plot_style import LINES  # noqa: E402

POLICIES = ["random", "fifo", "second-chance", "lru", "sieve"]
PROGRAMS = ["sort", "scan", "focus", "zipf", "mix"]
EIGHTHS = range(1, 8)
PAGES_MIN, PAGES_MAX = 8, 1024
BUDGETS_MAX = 32  # of frames in one run of the kernel
TABLE_PAGES = (64, 256, 1024)
SIMULATED_BUDGETS = 32
QUICK_PAGES, QUICK_FRAMES = 40, (30, 40)
COMPARED = ("accesses", "touches", "trace", "faults", "reads", "writes", "victims")
POWERED_OFF = 33
TIMEOUT_S = 1200
DISK_BYTES = 16 << 20
MACHINE_MIB, MACHINE_PAGES, MACHINE_ACCESSES, MACHINE_RUNS = 24, 12000, 40000, 3
ICOUNT = ("-icount", "shift=0,sleep=off")
MODEL_DISKS = {"flash, 0.1 ms": 100e3, "rotating, 10 ms": 10e6}  # ns for a request of a page
MEMORY_NS = 100  # of a load that the model takes from the textbook's machine

# What each line is, for the legend: which page goes when a frame is needed.
LEGEND = {
    "random": "random: any page",
    "fifo": "FIFO: the one that came first",
    "second-chance": "second chance: the one that came first, but who was used since is passed over once",
    "lru": "LRU: of eight that are looked at, the one that has not been used for longest",
    "sieve": "SIEVE: a hand goes over all pages; who was used since its last visit stays, who was not goes",
    "optimum": "optimum (Belady's): the one that will not be needed for longest. It knows the future and has the fewest faults and reads.",
}
LEGEND_REST = "At writes it does not look: a policy that happens to throw out clean pages may write less than it."

PLOT = LINES + """\
set terminal svg noenhanced size 1100,580 font "sans,12" background "white"
set output "{program}.svg"
set datafile separator ","
set key off
set xlabel "frames"
set yrange [0:1<*]
set multiplot title "{program}, {pages} pages"
set size 0.333,0.64
{panels}
set origin 0,0
set size 1,0.3
unset border
unset tics
unset xlabel
unset ylabel
set lmargin 2
set rmargin 0
set tmargin 0
set bmargin 0
set key left top Left reverse samplen 5 spacing 1.15
plot [0:1] [0:1] {legend}
unset multiplot
"""


def parse(line):
    pairs = re.findall(r"(\w+)=([\w-]+)", line)
    return {key: int(value) if value.isdigit() else value for key, value in pairs}


def results(text):
    return [parse(line) for line in text.splitlines() if line.startswith("bench: ")]


class Bench:
    """Where things are; the two ways to run the laboratory; what is written."""

    def __init__(self, build):
        self.simulator = os.path.join(build, "bench", "paging", "paging_simulator")
        self.kernel = os.path.join(build, "bench", "paging", "eidolon_paging.elf")
        self.product = os.path.join(build, "kernel", "eidolon.elf")
        self.guest = os.path.join(build, "bench", "paging", "guest")
        self.tool = os.path.join(build, "tools", "image_tool")
        self.out = os.path.join(build, "bench", "paging")

    def simulate(self, pages, budgets):
        done = subprocess.run([self.simulator, str(pages), *map(str, budgets)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the simulator failed: {done.stderr.strip()}")
        return results(done.stdout)

    def run_kernel(self, pages, budgets, words=(), extra=()):
        """Boot the kernel of the laboratory. `words`: more of its options. Returns its runs and its probes."""
        with tempfile.TemporaryDirectory(prefix="eidolon-") as folder:
            disk, log = os.path.join(folder, "disk"), os.path.join(folder, "log")
            with open(disk, "wb") as file:
                file.truncate(DISK_BYTES)
            options = f"selftest=bench_paging paging_pages={pages} paging_frames={','.join(map(str, budgets))}"
            options = " ".join([options, *words])
            done = subprocess.run(
                ["qemu-system-i386", "-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none", "-m", "64",
                 "-chardev", f"file,id=log,path={log}", "-device", "isa-debugcon,iobase=0xe9,chardev=log",
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-blockdev",
                 f"driver=raw,node-name=disk,file.driver=file,file.filename={disk}", "-device",
                 "virtio-blk-pci,drive=disk", "-kernel", self.kernel, "-append", options, *extra],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)
            with open(log, encoding="latin-1") as file:
                text = file.read()
        if done.returncode != POWERED_OFF:
            raise RuntimeError(f"the kernel ended with {done.returncode}:\n" + "\n".join(text.splitlines()[-20:]))
        found = results(text)
        probes = {(row["probe"], row["policy"]): row["ns"] / row["count"] for row in found if "probe" in row}
        return [row for row in found if "program" in row], probes

    def run_guest(self, policy, words):
        """Run guest.c on the kernel as it ships, on a new image. Returns what it printed."""
        with tempfile.TemporaryDirectory(prefix="eidolon-") as folder:
            image = os.path.join(folder, "image")
            subprocess.run([self.tool, "create", image, "--size", "512"], check=True, stdout=subprocess.DEVNULL)
            done = subprocess.run(
                ["qemu-system-i386", "-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none",
                 "-m", str(MACHINE_MIB), "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                 "-blockdev", f"driver=raw,node-name=disk,file.driver=file,file.filename={image}", "-device",
                 "virtio-blk-pci,drive=disk", "-kernel", self.product, "-append", f"policy={policy} interval=100",
                 "-initrd", f"{self.guest} guest {' '.join(map(str, words))}"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        found = results(done.stdout)
        if done.returncode != POWERED_OFF or not found:
            raise RuntimeError(f"the guest under {policy} ended with {done.returncode}:\n{done.stdout[-2000:]}")
        return found[0]

    def write(self, name, rows):
        with open(os.path.join(self.out, name + ".csv"), "w", newline="", encoding="ascii") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)

    def show(self, name, rows):
        """A table, as CSV and for people."""
        self.write(name, rows)
        print(f"\n{name}")
        widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
        for row in [{key: key for key in rows[0]}, *rows]:
            print("  ".join(str(row[key]).rjust(width) for key, width in widths.items()), flush=True)

    def plot(self, rows, pages):
        """PROGRAM.svg: three panels, a line for each policy and the optimum, and what they are below."""
        names = ["optimum", *POLICIES]
        legend = ", ".join(f'NaN with linespoints linetype {number} title "{LEGEND[name]}"' for number, name in enumerate(names, 1))
        legend = legend.replace(", NaN", f', NaN linecolor rgb "white" title "{LEGEND_REST}", NaN', 1)
        for program in PROGRAMS:
            self.write("plot", pivot(pick(rows, program=program)))
            panels = []
            for number, what in enumerate(("faults", "reads", "writes")):
                lines = ", ".join(f'"plot.csv" using "frames":"{name} {what}" with linespoints linetype {style} pointinterval -4'
                                  for style, name in enumerate(names, 1))
                title = what if what == "faults" else f"disk {what}"
                panels.append(f'set origin {number / 3:.3f},0.3\nset ylabel "{title}"\nplot {lines}')
            script = PLOT.format(program=program, pages=pages, panels="\n".join(panels),
                                 legend=legend)
            subprocess.run(["gnuplot"], input=script, text=True, cwd=self.out, check=True)
        os.unlink(os.path.join(self.out, "plot.csv"))


def pick(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def pivot(rows):
    """One line for each number of frames."""
    lines = {}
    for row in rows:
        line = lines.setdefault(row["frames"], {"frames": row["frames"]})
        for what in ("faults", "reads", "writes"):
            line[f"{row['policy']} {what}"] = row[what]
    return [lines[frames] for frames in sorted(lines)]


def key_of(row):
    return row["program"], row["policy"], row["frames"]


def disagreements(kernel, simulated):
    """What the kernel and the simulator do not agree on, one line each."""
    other = {key_of(row): row for row in simulated}
    found = []
    for row in kernel:
        expected = other[key_of(row)]
        for name in COMPARED:
            if row[name] != expected[name]:
                found.append(f"{' '.join(map(str, key_of(row)))}: {name} {row[name]}, simulated {expected[name]}")
    return found


def compare(kernel, simulated, wanted):
    """Insist on agreement, on so many runs, and that what only reads never writes."""
    wrong = disagreements(kernel, simulated)
    wrong += [f"{' '.join(map(str, key_of(row)))}: reading alone caused {row['writes']} writes"
              for row in kernel if row["program"] == "scan" and row["writes"] > 0]
    if wrong or len(kernel) != wanted:
        raise RuntimeError("\n".join([f"{len(kernel)} runs of {wanted}", *wrong]))
    print(f"{len(kernel)} runs of the kernel and the simulator agree in every count and victim", flush=True)


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def over_optimum(bench):
    """Faults over the optimum's, by size, policy and program, from an eighth to seven eighths of the pages' frames."""
    table = []
    for pages in TABLE_PAGES:
        rows = bench.simulate(pages, [pages * eighth // 8 for eighth in EIGHTHS])
        least = {(row["program"], row["frames"]): row["faults"] for row in pick(rows, policy="optimum")}
        for policy in POLICIES:
            line = {"pages": pages, "policy": policy}
            for program in PROGRAMS:
                line[program] = geometric_mean([row["faults"] / least[program, row["frames"]]
                                                for row in pick(rows, program=program, policy=policy)])
            line["mean"] = geometric_mean([line[program] for program in PROGRAMS])
            table.append({key: round(value, 2) if isinstance(value, float) else value for key, value in line.items()})
    bench.show("over_optimum", table)


def costs(bench, probes):
    """What the kernel's part of a fault costs: in instructions, which repeat, and in nanoseconds of this day."""
    _, counted = bench.run_kernel(PAGES_MIN, [PAGES_MIN], extra=ICOUNT)
    bench.show("cost", [{"of": name, "policy": policy, "instructions": round(counted[name, policy]), "ns": round(ns, 1)}
                        for (name, policy), ns in probes.items()])


def mean(total, count):
    return total / count if count else 0


def access_times(bench, kernel, probes, pages):
    """
    Effective access times: what a hit, the kernel's part of a fault and the disk come to, beside what the runs took;
    and what the same model says of a memory of 100 ns and other disks.
    """
    rows = []
    frames = pages // 2
    for program in PROGRAMS:
        for policy in POLICIES:
            run = pick(kernel, program=program, policy=policy, frames=frames)[0]
            base = pick(kernel, program=program, policy=policy, frames=pages)[0]
            hit = (base["ns"] - base["read_ns"] - base["written_ns"]) / base["accesses"]
            ratio, dirty = run["faults"] / run["accesses"], run["writes"] / run["faults"]
            fault = probes["fault", policy] * (1 - dirty) + probes["fault_dirty", policy] * dirty
            disk = mean(run["read_ns"], run["reads"]) + dirty * mean(run["written_ns"], run["writes"])
            line = {"program": program, "policy": policy, "miss_ratio": round(ratio, 4),
                    "writes_per_fault": round(dirty, 2), "hit_ns": round(hit), "kernel_us": round(fault / 1e3, 1),
                    "disk_us": round(disk / 1e3, 1), "modelled_ns": round(hit + ratio * (fault + disk)),
                    "measured_ns": round(run["ns"] / run["accesses"])}
            for name, request in MODEL_DISKS.items():
                line[name] = round(MEMORY_NS + ratio * (1 + dirty) * request)
            rows.append(line)
    bench.show("access_time", rows)


def machine(bench):
    """The whole machine: faults that read, pages that gave up their frame, pages written, by policy. Medians."""
    rows = []
    for what, scan_every in (("zipf", 0), ("mix", MACHINE_ACCESSES // 4)):
        for policy in POLICIES:
            runs = [bench.run_guest(policy, [MACHINE_PAGES, MACHINE_ACCESSES, scan_every]) for _ in range(MACHINE_RUNS)]
            row = {key: round(statistics.median(run[key] for run in runs)) for key in runs[0]}
            rows.append({"program": what, "policy": policy, "faults": row["faults"], "pages_out": row["pages_out"],
                         "pages_written": row["written"], "seconds": round(row["ns"] / 1e9, 2)})
    bench.show("machine", rows)


def full(bench, options):
    pages = options.pages
    budgets = sorted({*options.frames, pages // 2, pages}) if options.frames else \
        sorted({max(1, pages * eighth // 8) for eighth in (1, 2, 4, 6, 8)})
    steps = range(1, SIMULATED_BUDGETS + 1)
    fine = sorted({max(1, pages * step // SIMULATED_BUDGETS) for step in steps} | set(budgets))
    simulated = bench.simulate(pages, fine)
    bench.write("simulated", simulated)
    bench.plot(simulated, pages)
    over_optimum(bench)
    if options.simulate:
        return
    kernel, probes = bench.run_kernel(pages, budgets)
    bench.write("kernel", kernel)
    print()
    compare(kernel, simulated, len(PROGRAMS) * len(POLICIES) * len(budgets))
    costs(bench, probes)
    access_times(bench, kernel, probes, pages)
    machine(bench)


def quick(bench):
    kernel, _ = bench.run_kernel(QUICK_PAGES, QUICK_FRAMES)
    compare(kernel, bench.simulate(QUICK_PAGES, QUICK_FRAMES), len(PROGRAMS) * len(POLICIES) * len(QUICK_FRAMES))


def some(bench, options):
    """One program, one policy, or both."""
    budgets = sorted(set(options.frames)) or [options.pages // 2]
    wanted = {key: getattr(options, key) for key in ("program", "policy") if getattr(options, key)}
    kernel, _ = bench.run_kernel(options.pages, budgets, [f"paging_{key}={name}" for key, name in wanted.items()])
    simulated = bench.simulate(options.pages, budgets)
    compare(kernel, simulated, sum(row["policy"] != "optimum" for row in pick(simulated, **wanted)))
    least = {(row["program"], row["frames"]): row["faults"] for row in pick(simulated, policy="optimum")}
    bench.show("runs", [{**{key: row[key] for key in ("program", "policy", "frames", "accesses", "faults", "reads",
                                                      "writes")},
                         "optimum": least[row["program"], row["frames"]]} for row in kernel])


def whole_number(low, high):
    def convert(text):
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)
    return convert


def arguments():
    parser = command_line.parser("paging", __doc__.partition("\n\n")[2])
    parser.add_argument("--pages", metavar="N", type=whole_number(PAGES_MIN, PAGES_MAX), default=64,
                        help=f"of the programs' memory, {PAGES_MIN} to {PAGES_MAX} (default: %(default)s)")
    parser.add_argument("--frames", metavar="N", type=whole_number(1, PAGES_MAX), nargs="+", default=[],
                        help="to run the kernel with, up to as many as there are pages; for the whole laboratory half "
                             "of them and all are added (default: an eighth, a quarter, half, three quarters and all)")
    parser.add_argument("--program", choices=PROGRAMS, help="run the kernel with this one alone")
    parser.add_argument("--policy", choices=POLICIES, help="run the kernel under this one alone")
    parser.add_argument("--simulate", action="store_true", help="leave out the kernel: seconds instead of minutes")
    parser.add_argument("--quick", action="store_true", help="only whether kernel and simulator agree, on little work")
    options = parser.parse_args()
    if options.frames and max(options.frames) > options.pages:
        parser.error(f"--frames {max(options.frames)}: there are only {options.pages} pages; give more --pages")
    if len(options.frames) > BUDGETS_MAX - 2:
        parser.error(f"--frames: at most {BUDGETS_MAX - 2} numbers")
    return options


def main():
    options = arguments()
    bench = Bench(options.build)
    try:
        if options.quick:
            quick(bench)
        elif options.program or options.policy:
            some(bench, options)
        else:
            full(bench, options)
    except RuntimeError as error:
        print(f"paging: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
