# SPDX-License-Identifier: BSD-2-Clause
"""How long an innocent program stands still while others make pages durable, end, or give memory up.

A program spins (guest.c) and notes the longest time between two of its instructions, in instructions: the emulator counts them
(-icount). One turn of another thread is 10,000,000 of them. Writes stall.csv to build/bench/stall and prints the table.
"""

import csv
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))
import command_line  # noqa: E402
import emulated  # noqa: E402

IMAGE_MIB = 1024
LINES = {
    "commit_0": "a sync with nothing to do", "commit_1000": "1,000 pages made durable", "commit_10000": "10,000 pages made durable",
    "commit_32768": "32,768 pages made durable", "unmap_32768": "32,768 pages unmapped", "end_32768": "a program with 32,768 pages ends",
    "collapse_8192": "a clone ends after its parent wrote 8,192 pages",
}
QUICK = ["commit_0", "commit_1000", "collapse_8192"]


def main():
    parser = command_line.parser("stall", __doc__)
    parser.add_argument("--quick", action="store_true", help="the short lines only")
    options = parser.parse_args()
    folder = os.path.join(options.build, "bench", "stall")
    guest = os.path.join(folder, "guest")
    names = QUICK if options.quick else list(LINES)
    output = emulated.on_eidolon(options.build, folder, f"{guest} guest{' quick' if options.quick else ''}", IMAGE_MIB)
    found = emulated.results(output, names)
    with open(os.path.join(folder, "stall.csv"), "w", newline="", encoding="ascii") as file:
        writer = csv.writer(file)
        writer.writerow(["while", "instructions"])
        writer.writerows([LINES[name], found[name]] for name in names)
    width = max(len(line) for line in LINES.values())
    for name in names:
        print(f"{LINES[name]:{width}}  {found[name]:>12,}")


if __name__ == "__main__":
    main()
