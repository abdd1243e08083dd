# SPDX-License-Identifier: BSD-2-Clause
"""The page map beside other tables, what each can lose included.

    ./eidolon bench vm_map [--quick | --full] [--only WHAT]...

Times are of the processor, in nanoseconds; quote the ratios within one run, which hold on other machines and while this
one is busy. Writes a CSV for each table and plots (SVG) to build/bench/vm_map. Ends with an error if a table loses a
page that should not. docs/performance.md says what came of it.
"""

import argparse
import os
import sys

import measure
import report as reports
import tables

BITS = (64, 32)
MEASUREMENTS = ("operations", "worst", "memory", "hashes")
FAMILIES = ("random", "dense", "strided", "crafted")
# Operations: (pages, families, passes); worst: (pages, passes); memory: where the curve ends; hashes: buckets.
PLANS = {
    "quick": {"operations": [(65536, FAMILIES, 3)], "worst": [(65536, 5)], "memory": 262144, "hashes": [16384]},
    "default": {"operations": [(65536, FAMILIES, 3), (100000, ("random",), 3), (1048576, ("random",), 3)],
                "worst": [(1048576, 3)], "memory": 1048576, "hashes": [65536]},
    "full": {"operations": [(65536, FAMILIES, 3), (100000, ("random",), 3), (1048576, FAMILIES, 3),
                            (1500000, ("random",), 3), (3000000, ("random",), 2), (4194304, FAMILIES, 2)],
             "worst": [(1048576, 4), (4194304, 4)], "memory": 4194304, "hashes": [65536, 1048576]},
}
# What the map is to reach with random keys, for 32 and 64 bits: (name, column, peer, {bits: at most}).
AIMS = [("find / boost", "find", "boost", {32: 0.85, 64: 1.0}),
        ("find / uthash", "find", "uthash", {32: 0.5, 64: 0.45}),
        ("insert / uthash", "insert", "uthash", {32: 0.55, 64: 0.5}),
        ("miss / uthash", "miss", "uthash", {32: 0.5, 64: 0.45})]
AIMS_FROM = 1048576    # pages
WORST_AIM = 1 / 5000
BYTES_AIM = {32: 4.1, 64: 8.1}


def run_operations(report, programs, plan, progress):
    for count, families, passes in plan["operations"]:
        for bits in BITS:
            for family in families:
                rows = measure.operations(programs, bits, count, family, passes, progress)
                report.add("operations", rows)
                report.show(f"-m{bits}, {count} pages, {family} keys: ns an operation, and pages lost", rows,
                            ["table", *measure.PHASES, "lost"])
    counts = {count for count, _, _ in plan["operations"]}
    for bits in BITS:
        reports.plot_operations(report, bits, max(counts))
        if len(counts) > 1:
            reports.plot_sizes(report, bits)


def run_worst(report, programs, plan, progress):
    for count, passes in plan["worst"]:
        for bits in BITS:
            rows = measure.worst(programs, bits, count, "random", passes, progress)
            report.add("worst", rows)
            report.show(f"-m{bits}, {count} pages, random keys: ns of the longest single operation", rows,
                        ["table", "worst_insert", "worst_delete"])
            reports.plot_worst(report, bits, count)


def run_memory(report, programs, plan, progress):
    for bits in BITS:
        rows = measure.memory(programs, bits, plan["memory"], progress)
        report.add("memory", rows)
        summary = []
        for name in dict.fromkeys(row["table"] for row in rows):
            values = [row["bytes"] for row in report.pick("memory", bits=bits, table=name, direction="growing")]
            shrinking = [row["bytes"] for row in report.pick("memory", bits=bits, table=name, direction="shrinking")]
            summary.append({"bits": bits, "table": name, "least": min(values),
                            "mean": round(sum(values) / len(values), 2), "most": max(values),
                            "most_shrinking": max(shrinking),
                            "link": report.value("memory", "link_bytes", bits=bits, table=name)})
        report.add("memory_summary", summary)
        report.show(f"-m{bits}, {measure.CURVE_FIRST} to {plan['memory']} pages and back: bytes a page beyond record, link",
                    summary, ["table", "least", "mean", "most", "most_shrinking", "link"])
        reports.plot_memory(report, bits)


def run_hashes(report, folder, plan, progress):
    for count in plan["hashes"]:
        for bits in BITS:
            rows = measure.hashes(folder, bits, count, progress)
            report.add("hashes", rows)
            report.show(f"-m{bits}, {count} pages in as many buckets: hashes (chains: worst of 100 seeds)", rows,
                        ["keys", "hash", "longest", "probes", "hash_ns", "find_ns"])
    for bits in BITS:
        reports.plot_hashes(report, bits, plan["hashes"][0])


def ratio(report, name, column, bits, count, peer):
    ours = report.value(name, column, bits=bits, pages=count, keys="random", table="vm_map")
    theirs = report.value(name, column, bits=bits, pages=count, keys="random", table=peer)
    return ours / theirs if ours is not None and theirs else None


def ratio_rows(report, plan):
    """The aims and what this run has of them."""
    rows = []

    def add(aim_name, bits, count, measured, aim, digits=2):
        if measured is not None and count >= AIMS_FROM:
            rows.append({"ratio": aim_name, "bits": bits, "pages": count, "measured": f"{measured:.{digits}f}",
                         "aim": f"{aim:.{digits}f}", "reached": "yes" if measured <= aim else "no"})

    for name, column, peer, aims in AIMS:
        for bits in BITS:
            for count, _, _ in plan["operations"]:
                add(name, bits, count, ratio(report, "operations", column, bits, count, peer), aims[bits])
    for bits in BITS:
        for count, _ in plan["worst"]:
            add("worst insert / boost", bits, count, ratio(report, "worst", "worst_insert", bits, count, "boost"),
                WORST_AIM, 6)
        for column, while_it in (("most", "growing"), ("most_shrinking", "shrinking")):
            most = report.value("memory_summary", column, bits=bits, table="vm_map")
            add(f"bytes beyond record and link, {while_it}", bits, plan["memory"], most, BYTES_AIM[bits])
    return rows


def options():
    parser = argparse.ArgumentParser(prog="./eidolon bench vm_map", description=__doc__.partition("\n\n")[0],
                                     epilog=__doc__.split("\n\n", 2)[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="BUILD_FOLDER", help=argparse.SUPPRESS)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="plan", action="store_const", const="quick", default="default",
                      help="65,536 pages only, under a minute (the default: up to 1,048,576, a few minutes)")
    size.add_argument("--full", dest="plan", action="store_const", const="full",
                      help="up to 4,194,304 pages, all families of keys, half an hour; needs 12 GiB of memory")
    parser.add_argument("--only", metavar="WHAT", action="append", choices=MEASUREMENTS,
                        help=f"one of {', '.join(MEASUREMENTS)}; may be repeated")
    return parser.parse_args()


def main():
    chosen = options()
    plan = PLANS[chosen.plan]
    only = chosen.only or MEASUREMENTS
    folder = os.path.join(os.path.abspath(chosen.folder), "bench", "vm_map")
    os.makedirs(folder, exist_ok=True)
    progress = reports.Progress()
    report = reports.Report(folder, progress)
    try:
        programs = tables.build(folder, progress) if set(only) != {"hashes"} else {}
        if "hashes" in only:
            run_hashes(report, folder, plan, progress)
        if "memory" in only:
            run_memory(report, programs, plan, progress)
        if "worst" in only:
            run_worst(report, programs, plan, progress)
        if "operations" in only:
            run_operations(report, programs, plan, progress)
    except (measure.LostPages, RuntimeError) as failure:
        progress.say("")
        print(f"bench vm_map: {failure}", file=sys.stderr)
        return 1
    rows = ratio_rows(report, plan)
    if rows:
        report.add("ratios", rows)
        report.show("what the map is to reach, with random keys", rows, list(rows[0]))
    progress.say(f"\ntables and plots: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
