# SPDX-License-Identifier: BSD-2-Clause
"""What snapshots cost, and what system calls do.

Two kernels are booted in QEMU: the one that ships, with the program guest.c, and one with the same objects and benchmarks
linked in (rig.c and what stands beside it). Where instructions count, QEMU counts them (-icount): a nanosecond is an
instruction, and every run gives the same figures. Where bytes a second count there is no such clock, and only ratios
within a run say anything. Writes a CSV for each table and plots (SVG) to build/bench/snapshot, and prints the tables.
"""

import csv
import os
import re
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import command_line  # noqa: E402
from plot_style import LINES  # noqa: E402

TIMEOUT_S = 900
POWERED_OFF = 33
ICOUNT = ["-icount", "shift=0,sleep=off"]
INTERVALS_MS = (0, 1000, 100, 10, 1)
DISK_BYTES_A_SECOND = 100 << 20  # of the disk that is as slow as one; the host's page cache is no disk
HEAVY_MIB, HEAVY_TURNS = 4, 12000
LIVE_MIB = [16, 256, 2048]
LIVE_MIB_A_PROGRAM = 1024
BOOTS = 5
SETTLING_S = 5  # of little activity after a fill


class Bench:
    """Where things are, and the tables that have been made."""

    def __init__(self, build):
        self.kernel = os.path.join(build, "kernel", "eidolon.elf")
        self.bench_kernel = os.path.join(build, "bench", "snapshot", "eidolon_bench.elf")
        self.guest = os.path.join(build, "bench", "snapshot", "guest")
        self.tool = os.path.join(build, "tools", "image_tool")
        self.folder = os.path.join(build, "bench", "snapshot", "results")
        self.out = os.path.join(build, "bench", "snapshot")
        os.makedirs(self.folder, exist_ok=True)

    def image(self, size_mib=1024):
        """A new image. Its blocks have no place on the host's disk yet."""
        path = os.path.join(self.folder, "disk.img")
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "wb") as file:
            file.truncate(size_mib << 20)
        return path

    def created_image(self, size_mib=1024):
        """A new image as the launcher makes it."""
        path = self.image(size_mib)
        os.unlink(path)
        subprocess.run([self.tool, "create", path, "--size", str(size_mib)], check=True, stdout=subprocess.DEVNULL)
        return path

    def start(self, kernel, options, image, memory, words, icount, bytes_a_second=None):
        """A machine; its programs' output and the kernel's log come through stdout."""
        log = os.path.join(self.folder, "kernel.log")
        disk = f"driver=raw,node-name=image,file.driver=file,file.filename={image}"
        limit = []
        if bytes_a_second:
            disk = (f"driver=throttle,node-name=image,throttle-group=limit,file.driver=raw,file.file.driver=file,"
                    f"file.file.filename={image}")
            limit = ["-object", f"throttle-group,id=limit,x-bps-total={bytes_a_second}"]
        command = ["qemu-system-i386", "-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none", "-m", str(memory),
                   "-serial", "stdio", "-chardev", f"file,id=log,path={log}", "-device",
                   "isa-debugcon,iobase=0xe9,chardev=log", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                   *limit, "-blockdev", disk, "-device",
                   "virtio-blk-pci,drive=image", "-kernel", kernel, "-append", options,
                   "-initrd", f"{self.guest} {' '.join(words)}", *(ICOUNT if icount else [])]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True), log

    def rig(self, name, icount, memory=256, bytes_a_second=None):
        """Run a benchmark of the kernel's to its end. Returns its results."""
        machine, log = self.start(self.bench_kernel, f"selftest=bench_{name}", self.image(), memory, ["guest"], icount,
                                  bytes_a_second)
        machine.communicate(timeout=TIMEOUT_S)
        with open(log, encoding="latin-1") as file:
            lines = file.read().splitlines()
        if machine.returncode != POWERED_OFF:
            raise RuntimeError(f"bench_{name} ended with {machine.returncode}:\n" + "\n".join(lines[-20:]))
        return results(lines)

    def program(self, words, options, icount, memory=128):
        """Run the guest program on a new image to its end. Returns its results."""
        machine, _ = self.start(self.kernel, options, self.created_image(), memory, ["guest", *words], icount)
        output, _ = machine.communicate(timeout=TIMEOUT_S)
        found = results(output.splitlines())
        if machine.returncode != POWERED_OFF or not found:
            raise RuntimeError(f"guest {words} ended with {machine.returncode}:\n{output}")
        return found

    def write(self, name, rows):
        """A table, as CSV and for people."""
        with open(os.path.join(self.out, name + ".csv"), "w", newline="", encoding="ascii") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        print(f"\n{name}")
        widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
        print("  ".join(key.rjust(width) for key, width in widths.items()))
        for row in rows:
            print("  ".join(str(row[key]).rjust(width) for key, width in widths.items()), flush=True)

    def plot(self, script):
        subprocess.run(["gnuplot"], input=LINES + script, text=True, cwd=self.out, check=True)


def results(lines):
    """The values of lines that read `bench: key=value ...`."""
    found = []
    for line in lines:
        if line.startswith("bench: "):
            pairs = re.findall(r"(\w+)=(\w+)", line)
            found.append({key: int(value) if value.isdigit() else value for key, value in pairs})
    return found


def pick(found, key, value):
    return [row for row in found if row.get(key) == value]


def points(found, *keys):
    """The greatest of each key at each n, in the order measured."""
    rows = {}
    for result in found:
        row = rows.setdefault(result["n"], {"n": result["n"]})
        for key in keys:
            row[key] = max(row.get(key, 0), result[key])
    return list(rows.values())


# The benchmarks ----------------------------------------------------------------------------------------------------------


def stop(bench):
    found = bench.rig("stop", icount=True, memory=512)
    clock = pick(found, "probe", "clock")[0]
    bench.write("clock", [{"instructions": clock["instructions"], "cycles": clock["cycles"]}])
    for sweep in ("dirty", "resident", "tables"):
        bench.write(f"stop_{sweep}", points(pick(found, "sweep", sweep), "eidolon", "classic", "phantom"))
    bench.plot("""\
set terminal svg size 720,440 font "sans,12" background "white"
set output "stop.svg"
set datafile separator ","
set logscale xy
set key left top
set xlabel "dirty pages"
set ylabel "instructions of the stop"
plot "stop_dirty.csv" every ::1 using 1:4 with linespoints title "every page protected", \\
     "" every ::1 using 1:3 with linespoints title "every dirty page protected", \\
     "" every ::1 using 1:2 with linespoints title "Eidolon"
""")


def programs(bench):
    found = pick(bench.rig("programs", icount=True, memory=512), "sweep", "programs")
    bench.write("stop_programs", points(found, "eidolon"))


def cost(bench):
    found = bench.rig("cost", icount=True)
    parts = pick(found, "cost", "parts")[0]
    bench.write("cost_parts", [{"checksum": parts["checksum"], "copy": parts["copy"]}])
    bench.write("cost", points(pick(found, "cost", "pages"), "cycles", "each"))
    bench.plot("""\
set terminal svg size 720,440 font "sans,12" background "white"
set output "cost.svg"
set datafile separator ","
set logscale xy
set xlabel "dirty pages"
set ylabel "instructions a page, from stop to commit"
plot "cost.csv" every ::1 using 1:3 with linespoints title "a snapshot", 8285 title "the checksum alone" dashtype 2, \\
     1056 title "copying the page once" dashtype 3
""".replace("8285", str(parts["checksum"])).replace("1056", str(parts["copy"])))


def faults(bench):
    found = [row for row in bench.rig("faults", icount=True) if "faults" in row]
    bench.write("faults", [{key: row.get(key, "") for key in found[0]} for row in found])


def disk(bench):
    """Against the raw disk: one of a real disk's speed, and the host's page cache, where the emulated processor is what limits."""
    sequential(bench, "disk", DISK_BYTES_A_SECOND, 4096)
    sequential(bench, "disk_unlimited", None, 1)


def sequential(bench, name, bytes_a_second, least_pages):
    found = pick(bench.rig("disk", icount=False, bytes_a_second=bytes_a_second), "disk", "sequential")
    rows = []
    for pages in sorted({row["n"] for row in found if row["n"] >= least_pages}):
        these = pick(found, "n", pages)
        blocks = statistics.median(row["blocks"] for row in these)
        rows.append({
            "pages": pages,
            "snapshot_ms": round(statistics.median(row["snapshot_ns"] for row in these) / 1e6, 2),
            "raw_ms": round(statistics.median(row["raw_ns"] for row in these) / 1e6, 2),
            "share_of_raw": round(statistics.median(row["raw_ns"] / row["snapshot_ns"] for row in these), 3),
            "blocks": blocks,
            "written_over_dirty": round(blocks / pages, 4),
            "requests": statistics.median(row["requests"] for row in these),
            "flushes": statistics.median(row["flushes"] for row in these),
        })
    bench.write(name, rows)


def scattered(bench):
    row = pick(bench.rig("scattered", icount=False), "disk", "scattered")[0]
    bench.write("scattered", [{"pages": row["pages"], "blocks": row["blocks"],
                               "metadata_share": round(row["blocks"] / row["pages"] - 1, 4)}])


def spread(name, values):
    values = sorted(values)
    return {"of": name, "n": len(values), "median_ms": round(statistics.median(values) / 1e6, 3),
            "p90_ms": round(values[len(values) * 9 // 10] / 1e6, 3), "longest_ms": round(values[-1] / 1e6, 3)}


def sync(bench):
    found = pick(bench.rig("sync", icount=False), "disk", "sync")
    bench.write("sync", [spread("a page made durable", [row["sync_ns"] for row in found]),
                         spread("a raw block and a flush", [row["raw_ns"] for row in found])])


def guest_sync(bench):
    found = bench.program(["sync", "100"], "interval=0", icount=False)
    bench.write("guest_sync", [spread("sync() of a program", [row["sync_ns"] for row in found])])


def calls(bench):
    found = bench.program(["calls", "200"], "interval=0", icount=True)
    bench.write("calls", [{"call": row["call"], "instructions": row["instructions"]} for row in found])


def heavy(bench):
    rows = []
    for interval in INTERVALS_MS:
        words = ["heavy", str(HEAVY_MIB), str(HEAVY_TURNS)]
        found = bench.program(words, f"interval={interval}", icount=True)[0]
        base = rows[0]["ms"] if rows else found["ns"] / 1e6
        rows.append({"interval_ms": interval, "ms": round(found["ns"] / 1e6, 2), "snapshots": found["snapshots"],
                     "pages": found["pages"], "slowdown": round(found["ns"] / 1e6 / base, 3),
                     "share_of_processor": round(1 - base / (found["ns"] / 1e6), 3),
                     "longest_gap_us": found["longest"] // 1000, "longest_stop_ns": found["stop_max"]})
    bench.write("heavy", rows)
    bench.plot("""\
set terminal svg size 720,440 font "sans,12" background "white"
set output "heavy.svg"
set datafile separator ","
set style fill solid 0.6
set boxwidth 0.6
set yrange [0:*]
set xlabel "interval of snapshots, ms (0: none)"
set ylabel "time over the time without snapshots"
plot "heavy.csv" every ::1 using 0:5:xtic(1) with boxes notitle
""")


def read_result(machine, key):
    """Wait for the next line of a program's output that has a key."""
    for line in machine.stdout:
        for result in results([line.rstrip()]):
            if key in result:
                return result
    raise RuntimeError(f"the machine ended before it said {key}")


def cut(machine):
    machine.send_signal(signal.SIGKILL)
    machine.communicate()


def fill(bench, image, mib):
    """Programs that fill so much memory, on an image, one beginning where the others are; cut when all is durable."""
    for already in range(0, mib, LIVE_MIB_A_PROGRAM):
        words = ["guest", "live", str(min(mib - already, LIVE_MIB_A_PROGRAM))]
        machine, _ = bench.start(bench.kernel, "interval=0 start=always", image, 256, words, False)
        for _ in range(already // LIVE_MIB_A_PROGRAM + 1):
            read_result(machine, "live")  # each that was cut when it was durable says so again
        cut(machine)


def settle(bench, image):
    """The programs of an image go on for a while with little to do, and snapshots at the usual interval."""
    machine, _ = bench.start(bench.kernel, "interval=100", image, 256, ["guest"], False)
    read_result(machine, "resumed")
    time.sleep(SETTLING_S)
    cut(machine)


def boot_times(bench, image):
    times = []
    for _ in range(BOOTS):
        machine, _ = bench.start(bench.kernel, "interval=0", image, 256, ["guest"], False)
        times.append(read_result(machine, "resumed")["boot_ns"])
        cut(machine)
    return times


def log_pages(bench, image):
    found = subprocess.run([bench.tool, "info", image], check=True, capture_output=True, text=True).stdout
    return int(re.search(r"^log .*records, (\d+) pages", found, re.M).group(1))


def boot(bench):
    rows = []
    for mib in LIVE_MIB:
        image = bench.created_image(3 * mib + 256)
        fill(bench, image, mib)
        for when in ("at once", f"{SETTLING_S} s later"):
            if when != "at once":
                settle(bench, image)
            times = boot_times(bench, image)
            rows.append({"live_mib": mib, "cut": when, "log_pages": log_pages(bench, image),
                         "boot_to_program_ms": round(statistics.median(times) / 1e6, 1),
                         "longest_ms": round(max(times) / 1e6, 1)})
    bench.write("boot", rows)


ALL = {function.__name__: function for function in (stop, programs, cost, faults, disk, scattered, sync, guest_sync, calls,
                                                   heavy, boot)}


def arguments():
    parser = command_line.parser("snapshot", __doc__.partition("\n\n")[2])
    parser.add_argument("--only", metavar="TABLE", nargs="+", choices=ALL, default=list(ALL),
                        help=f"some of: {' '.join(ALL)} (default: all, some ten minutes)")
    parser.add_argument("--quick", action="store_true", help="only whether it runs: two of the tables, with little in them")
    options = parser.parse_args()
    if options.quick:
        options.only = ["sync", "boot"]
        LIVE_MIB[1:] = []
    return options


def main():
    options = arguments()
    bench = Bench(options.build)
    for name in options.only:
        begun = time.monotonic()
        ALL[name](bench)
        print(f"({name}: {time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
