# SPDX-License-Identifier: BSD-2-Clause
"""What programs ask of a system, in instructions, beside Linux.

One static program (guest.c) puts lmbench's questions to Eidolon and to Debian's Linux for i386, in the same emulator with its
instructions counted (-icount): a nanosecond is an instruction, and every run gives the same figures. Eidolon takes no snapshots
meanwhile, Linux has no mitigations. Where Linux's package cannot be had there is no ratio. Writes system.csv and system.svg to
build/bench/system, and prints the table.
"""

import csv
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))
sys.path.insert(2, os.path.join(os.path.dirname(os.path.dirname(HERE)), "tools"))
import command_line  # noqa: E402
import emulated  # noqa: E402
from launcher import foreign  # noqa: E402
from plot_style import LINES  # noqa: E402

IMAGE_MIB = 512
AIM = 1.2

# What the lines are called, and how many times Linux's instructions each may take.
LINES_OF_TABLE = {
    "null_call": ("null call", 1.1), "write_null": ("write to /dev/null", AIM), "read_zero": ("read 1 byte of /dev/zero", AIM),
    "open_close": ("open + close", AIM), "time_by_libc": ("clock_gettime by libc", AIM), "time_by_call": ("clock_gettime by int 0x80", AIM),
    "poll_10": ("poll of 10 pipes", AIM), "signal_handled": ("signal to self, handled", AIM), "write_fault": ("first write fault", AIM),
    "read_write_fault": ("read fault, then write", AIM), "copy_fault": ("copy-on-write fault", AIM),
    "map_64k_touched": ("mmap + munmap of 64 KiB touched", 0.5), "map_8m_untouched": ("mmap + munmap of 8 MiB untouched", 0.5),
    "protect_and_back": ("mprotect there and back", AIM), "pipe_round_trip": ("pipe round trip of two programs", AIM),
    "pipe_64k": ("64 KiB through a pipe", AIM), "yield_and_back": ("yield and back", AIM),
    "ring_hop": ("a token round 25 programs, a hop", AIM), "pipe_with_160_waiting": ("pipe write + read while 160 wait on others", AIM),
    "fork_exit_wait": ("fork + exit + wait, small program", 1.5), "fork_exec_exit_wait": ("fork + exec + exit + wait", 1.2),
    "fork_alone_64m": ("fork alone, 64 MiB touched", 0.06), "fork_exit_wait_64m": ("fork + exit + wait, 64 MiB touched", 1.5),
    "fork_exit_wait_128m_elsewhere": ("the small one while another holds 128 MiB", 1.5),
}


def on_eidolon(build, folder, guest):
    return emulated.results(emulated.on_eidolon(build, folder, f"{guest} guest", IMAGE_MIB), LINES_OF_TABLE)


def cpio_entry(name, mode, content, number):
    """A file of an initramfs, in the format that cpio calls newc."""
    fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def initramfs(guest):
    with open(guest, "rb") as file:
        program = file.read()
    entries = [("dev", 0o040755, b""), ("proc", 0o040755, b""), ("linux", 0o100644, b""), ("init", 0o100755, program), ("TRAILER!!!", 0, b"")]
    return b"".join(cpio_entry(name, mode, content, number + 1) for number, (name, mode, content) in enumerate(entries))


def on_linux(kernel, folder, guest):
    files = os.path.join(folder, "initramfs")
    with open(files, "wb") as file:
        file.write(initramfs(guest))
    done = emulated.qemu("-kernel", kernel, "-initrd", files, "-append", "console=ttyS0 quiet panic=-1 mitigations=off")
    return emulated.results(done.stdout, LINES_OF_TABLE)


def write(rows, folder):
    with open(os.path.join(folder, "system.csv"), "w", newline="", encoding="ascii") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    width = max(len(row["line"]) for row in rows)
    for row in rows:
        over = " over" if row["ratio"] and row["ratio"] > row["aim"] else ""
        print(f"{row['line']:{width}}  {row['eidolon']:>12,}  {row['linux'] or '-':>12}  {row['ratio'] or '-':>6}  {row['aim']:>5}{over}")


PLOT = """\
set terminal svg size 900,620 font "sans,12" background "white"
set output "system.svg"
set datafile separator ","
set logscale x
set yrange [-1:*] reverse
set xlabel "instructions beside Linux's: left of the line is less"
set style fill solid 0.6
set arrow from 1, graph 0 to 1, graph 1 nohead dashtype 2
set lmargin 42
plot "system.csv" every ::1 using 4:0:ytic(1) with points pointtype 7 pointsize 0.9 linecolor rgb "#1b4f8f" title "Eidolon", \\
     "" every ::1 using 5:0 with points pointtype 2 linecolor rgb "#b35806" title "the aim"
"""


def main():
    parser = command_line.parser("system", __doc__)
    parser.add_argument("--quick", action="store_true", help="Eidolon alone: without what would have to be fetched")
    options = parser.parse_args()
    folder = os.path.join(options.build, "bench", "system")
    guest = os.path.join(folder, "guest")
    eidolon = on_eidolon(options.build, folder, guest)
    kernel = None if options.quick else foreign.linux_kernel()
    linux = on_linux(kernel, folder, guest) if kernel else {}
    rows = []
    for name, (line, aim) in LINES_OF_TABLE.items():
        peer = linux.get(name)
        rows.append({"line": line, "eidolon": eidolon[name], "linux": peer, "ratio": round(eidolon[name] / peer, 3) if peer else None, "aim": aim})
    print(f"instructions: Eidolon, Linux ({os.path.basename(kernel) if kernel else 'not to be had'}), ratio, aim")
    write(rows, folder)
    if linux:
        subprocess.run(["gnuplot"], input=LINES + PLOT, text=True, cwd=folder, check=True)


if __name__ == "__main__":
    main()
