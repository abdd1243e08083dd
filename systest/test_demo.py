# SPDX-License-Identifier: BSD-2-Clause
"""`./eidolon demo`: its panes go on after the plug, by hand and played by itself; the recording of that shows it, as asciinema and as a
picture."""

import json
import os
import re
import subprocess
import time
import xml.etree.ElementTree

import pexpect
import pytest

from machine import BUILD, LAUNCHER, ROOT, eidolon, environment

pyte = pytest.importorskip("pyte")

NEEDED = [("i386", "bin", "busybox"), ("systest", "lua_repl"), ("systest", "sqlite_repl"), ("user", "life")]
ROWS, COLUMNS = 32, 124
LIMIT_S = 180

pytestmark = pytest.mark.skipif(not all(os.path.exists(os.path.join(BUILD, *path)) for path in NEEDED),
                                reason="the programs of the demonstration are not to be had for i386")


def test_keys_pull_the_plug_and_everything_is_back():
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    child = pexpect.spawn(LAUNCHER, ["demo"], dimensions=(ROWS, COLUMNS), env=dict(environment(), TERM="xterm"), echo=False)

    def wait_for(*texts):
        limit = time.monotonic() + LIMIT_S
        while not all(text in "\n".join(screen.display) for text in texts):
            assert time.monotonic() < limit, "\n".join(screen.display)
            try:
                stream.feed(child.read_nonblocking(65536, timeout=0.2))
            except pexpect.TIMEOUT:
                continue

    try:
        wait_for("/ #", "~", "generation")
        child.send("x=6; echo hel")
        wait_for("echo hel")
        end = time.monotonic() + 1.0
        while time.monotonic() < end:  # some snapshots
            wait_for("generation")
        child.send("\x1dp")
        wait_for("THE PLUG IS OUT")
        child.send("not typed anywhere\x1dp")
        wait_for("echo hel", "generation", "Ctrl-] p pulls")
        child.send("lo $((x * 7))\r")
        wait_for("hello 42")
        assert "not typed" not in "\n".join(screen.display)
        child.send("\x1dq")
        child.expect(pexpect.EOF, timeout=LIMIT_S)
    finally:
        child.close(force=True)
    assert child.exitstatus == 0


def test_recording_shows_that_everything_goes_on(tmp_path):
    cast, svg = tmp_path / "demo.cast", tmp_path / "demo.svg"
    subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "tools", "record_demo.py"), str(cast), str(svg)], check=True, timeout=600,
                   env=environment())
    header, *events = [json.loads(line) for line in cast.read_text().splitlines()]
    assert header["version"] == 2 and all(kind == "o" for _, kind, _ in events)
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    was_dark = False
    shown = []
    for _, _, text in events:
        stream.feed(text.partition("\033[?1049l")[0])
        was_dark = was_dark or "THE PLUG IS OUT" in screen.display[-1]
        shown = screen.display
    text = "\n".join(shown)
    assert was_dark and all(words in text for words in ("half a command, and x is still 41", "1 4 9 16 25 36 49 64 81",
                                                         "The plug is going to be pulled. It was. Here it is.", "resumed generation"))
    assert any(line.startswith("not committed") for line in shown)
    picture = xml.etree.ElementTree.parse(svg).getroot()
    assert "THE PLUG IS OUT" in "".join(picture.itertext()) and len(picture.findall("{http://www.w3.org/2000/svg}g")) > 50


def demo_on(rows, columns, *words):
    """What the demonstration says on a terminal of that size."""
    child = pexpect.spawn(LAUNCHER, ["demo", *words], dimensions=(rows, columns), env=environment(), timeout=LIMIT_S, encoding="utf-8")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    return child.before


def test_what_is_no_terminal_is_told_so(tmp_path):
    assert "needs a terminal: its input and its output" in eidolon("demo", status=1).stderr
    assert "80 columns and 24 rows at least; this one has 79 and 24" in demo_on(24, 79)
    (tmp_path / "file").write_text("")
    assert re.search(r"^eidolon: \S+/file: not a folder; name another one with --folder\r$",
                     demo_on(40, 120, "--folder", str(tmp_path / "file")), re.MULTILINE)
