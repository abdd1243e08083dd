#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Record `./eidolon demo --play` as it runs on this machine.

    tools/record_demo.py [CAST [SVG]]     (default: docs/demo.cast docs/demo.svg)

The first is for asciinema (file format version 2), the second an animated picture for pages that run no scripts: each half row
of the screen is drawn for as long as it looked so.
"""

import json
import os
import sys
import time
from xml.sax.saxutils import escape

import pexpect
import pyte

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROWS, COLUMNS = 32, 124
LIMIT_S = 600
FRAME_S = 0.5
END_S = 3.0  # that the last frame stays
CELL_WIDTH, CELL_HEIGHT = 8, 17
COLOURS = {"default": "#d8d8d8", "black": "#101418", "red": "#e05050", "green": "#50c070", "brown": "#d0b040", "blue": "#2f5f9f",
           "magenta": "#b070c0", "cyan": "#50b0c0", "white": "#f0f0f0"}
BACKGROUND = "#101418"


def record():
    """Run it. Returns [(seconds, text), ...] and the exit status."""
    child = pexpect.spawn(os.path.join(ROOT, "eidolon"), ["demo", "--play"], dimensions=(ROWS, COLUMNS), timeout=LIMIT_S, echo=False,
                          encoding="utf-8", env=dict(os.environ, TERM="xterm-256color"))
    start, events = time.monotonic(), []
    while True:
        try:
            events.append((0.0, child.read_nonblocking(65536, timeout=LIMIT_S)))
            events[-1] = (time.monotonic() - start, events[-1][1])
        except pexpect.EOF:
            break
    child.close()
    return events, child.exitstatus


def without_start(events):
    """Leave out how the machines came up: begin with the last moment before something is typed."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for index, (seconds, text) in enumerate(events):
        stream.feed(text)
        if any("# x" in line for line in screen.display):
            begin = max(0.0, seconds - 1.5)
            return [(max(0.0, at - begin), text) for at, text in events]
    return events


def write_cast(path, events):
    with open(path, "w", encoding="utf-8") as file:
        header = {"version": 2, "width": COLUMNS, "height": ROWS, "idle_time_limit": 2.0, "title": "Eidolon: the plug is pulled"}
        file.write(json.dumps(header) + "\n")
        for seconds, text in events:
            file.write(json.dumps([round(seconds, 3), "o", text], ensure_ascii=False) + "\n")


def read_cast(path):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [(event[0], event[2]) for event in lines[1:]]


def style_of(cell):
    fore, back = (cell.bg, cell.fg) if cell.reverse else (cell.fg, cell.bg)
    fore = BACKGROUND if cell.reverse and fore == "default" else COLOURS.get(fore, COLOURS["default"])
    back = COLOURS["default"] if cell.reverse and back == "default" else BACKGROUND if back == "default" else COLOURS.get(back, BACKGROUND)
    return fore, back, cell.bold


def piece(screen, row, first, last, cursor):
    """A stretch of a row as SVG; nothing if it is blank."""
    runs = []
    for column in range(first, last):
        cell = screen.buffer[row][column]
        style = style_of(cell)
        if (row, column) == cursor:
            style = (BACKGROUND, COLOURS["default"], style[2])
        if runs and runs[-1][1] == style:
            runs[-1][2] += cell.data
        else:
            runs.append([column, style, cell.data])
    parts = []
    for column, (fore, back, bold), text in runs:
        x, y = column * CELL_WIDTH, row * CELL_HEIGHT
        if back != BACKGROUND:
            parts.append(f'<rect x="{x}" y="{y}" width="{len(text) * CELL_WIDTH}" height="{CELL_HEIGHT}" fill="{back}"/>')
        shift = len(text) - len(text.lstrip())
        text = text.strip()
        if text:
            parts.append(f'<text x="{x + shift * CELL_WIDTH}" y="{y + 13}" textLength="{len(text) * CELL_WIDTH}" fill="{fore}"'
                         f'{" font-weight=%sbold%s" % (chr(34), chr(34)) if bold else ""}>{escape(text)}</text>')
    return "".join(parts)


def frames(events):
    """What each frame shows: {(row, side): svg}."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    at, shown = 0, []
    end = max(seconds for seconds, text in events if "\033[?1049l" not in text)
    for number in range(int(end / FRAME_S) + 1):
        while at < len(events) and events[at][0] <= number * FRAME_S and "\033[?1049l" not in events[at][1]:
            stream.feed(events[at][1])
            at += 1
        cursor = None if screen.cursor.hidden else (screen.cursor.y, screen.cursor.x)
        middle = COLUMNS // 2 + 1
        shown.append({(row, side): piece(screen, row, side * middle, middle if side == 0 else COLUMNS, cursor)
                      for row in range(ROWS) for side in (0, 1)})
    return shown


def write_svg(path, events):
    shown = frames(events)
    total = len(shown) * FRAME_S + END_S
    by_interval = {}
    for place in shown[0]:
        begin = 0
        for number in range(1, len(shown) + 1):
            if number == len(shown) or shown[number][place] != shown[begin][place]:
                if shown[begin][place]:
                    by_interval.setdefault((begin, number if number < len(shown) else None), []).append(shown[begin][place])
                begin = number
    styles, groups = [], []
    for index, ((begin, end), pieces) in enumerate(sorted(by_interval.items(), key=lambda item: (item[0][0], item[0][1] or 0))):
        if (begin, end) == (0, None):
            groups.append(f"<g>{''.join(pieces)}</g>")
            continue
        from_, to = begin * FRAME_S / total * 100, 100.0 if end is None else end * FRAME_S / total * 100
        styles.append(f"@keyframes k{index}{{0%{{visibility:hidden}}{from_:.3f}%{{visibility:visible}}"
                      f"{'' if end is None else f'{to:.3f}%{{visibility:hidden}}'}}}#g{index}{{animation:k{index} {total:.1f}s step-end infinite}}")
        groups.append(f'<g id="g{index}">{"".join(pieces)}</g>')
    width, height = COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                   f'font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="13" style="white-space:pre"><style>{"".join(styles)}'
                   f'</style><rect width="{width}" height="{height}" fill="{BACKGROUND}"/>{"".join(groups)}</svg>\n')


def main(arguments):
    cast = arguments[0] if arguments else os.path.join(ROOT, "docs", "demo.cast")
    svg = arguments[1] if len(arguments) > 1 else os.path.join(ROOT, "docs", "demo.svg")
    events, status = record()
    if status != 0:
        print(f"record_demo: the demonstration ended with status {status}:\n{''.join(text for _, text in events[-3:])}", file=sys.stderr)
        return 1
    events = without_start(events)
    write_cast(cast, events)
    write_svg(svg, events)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
