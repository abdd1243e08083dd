# SPDX-License-Identifier: BSD-2-Clause
"""Every numbered invariant has a name of its own, stated once, and is cited by code or a test."""

import collections
import itertools
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ("include", "kernel", "hosttest", "tools", "bench", "user", "systest", "docs")
SUFFIXES = {".c", ".h", ".S", ".toml", ".py", ".md", ".cmake", ".txt"}

# In the comment that heads a file: " *     NAME-1  What always holds."
STATED = re.compile(r"^ \*\s{4,}([A-Z]+-\d+)\s+(?=\S)")
# NAME-1, NAME-1 to NAME-3, NAME-1 to 3, NAME-1 .. NAME-3, NAME-1, 2 and 4
CITED = re.compile(r"\b([A-Z]+)-(\d+)((?:\s*(?:to|and|\.\.|,)\s*(?:\1-)?\d+)*)\b")
# In a table of the documents: "| NAME-1 | to come | what will always hold |"
TO_COME = re.compile(r"^\| ([A-Z]+-\d+) \| to come \|")
FURTHER = re.compile(r"(to|and|\.\.|,)\s*(?:[A-Z]+-)?(\d+)")


def names_in(match):
    """All names that one citation stands for."""
    family, last = match[1], int(match[2])
    yield f"{family}-{last}"
    for word, number in FURTHER.findall(match[3]):
        first = last + 1 if word in ("to", "..") else int(number)
        last = int(number)
        yield from (f"{family}-{n}" for n in range(first, last + 1))


def sources():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and path != pathlib.Path(__file__).resolve():
                yield path


def survey(files):
    """Where each name is stated, and where it is cited besides."""
    stated, cited = collections.defaultdict(list), collections.defaultdict(list)
    for name, lines in files:
        for number, line in enumerate(lines, 1):
            here = f"{name}:{number}"
            head = STATED.match(line) if name.endswith((".c", ".h")) else None
            if head:
                stated[head[1]].append(here)
                line = line[head.end():]
            for found in itertools.chain.from_iterable(map(names_in, CITED.finditer(line))):
                cited[found].append(here)
    return stated, cited


def faults(files):
    files = list(files)
    stated, cited = survey(files)
    to_come = {found[1] for name, lines in files if name.startswith("docs/")
               for line in lines if (found := TO_COME.match(line))}
    families = {name.split("-")[0] for name in stated}
    for name in sorted(to_come & stated.keys()):
        yield f"{name}, stated in {stated[name][0]}, is still to come in docs/"
    for name, places in stated.items():
        if len(places) > 1:
            yield f"{name} is stated twice: {', '.join(places)}"
        if not any(not place.startswith("docs/") for place in cited[name]):
            yield f"{name}, stated in {places[0]}, is cited by no code and no test"
    for name, places in cited.items():
        is_planned = name in to_come and all(place.startswith("docs/") for place in places)
        if name.split("-")[0] in families and name not in stated and not is_planned:
            yield f"{name} is cited in {places[0]} and stated nowhere"


def test_invariants_are_stated_once_and_cited():
    found = list(faults((str(path.relative_to(ROOT)), path.read_text(errors="replace").splitlines())
                        for path in sources()))
    assert not found, "\n".join(found)


def test_invariants_survey_finds_each_fault():
    head = " *     ABC-1  A thing holds."
    assert not list(faults([("a.h", [head]), ("b.c", ["/* ABC-1 */"])]))
    assert "stated twice" in next(faults([("a.h", [head]), ("b.h", [head]), ("b.c", ["/* ABC-1 */"])]))
    assert "cited by no code" in next(faults([("a.h", [head]), ("docs/a.md", ["ABC-1"])]))
    assert "stated nowhere" in next(faults([("a.h", [head]), ("b.c", ["/* ABC-1 to ABC-3 */"])]))
    assert "ABC-2 is cited" in next(faults([("a.h", [head]), ("b.c", ["/* ABC-1 and 2 */"])]))


def test_invariants_to_come_are_named_in_documents_only():
    head, plan = " *     ABC-1  A thing holds.", "| ABC-2 | to come | another one |"
    sound = [("a.h", [head]), ("b.c", ["/* ABC-1 */"]), ("docs/a.md", [plan])]
    assert not list(faults(sound))
    assert "ABC-2 is cited" in next(faults([*sound, ("c.c", ["/* ABC-2 */"])]))
    assert "still to come" in next(faults([*sound, ("c.h", [" *     ABC-2  Another one."])]))
