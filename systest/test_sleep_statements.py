# SPDX-License-Identifier: BSD-2-Clause
"""What a comment says of sleeping, its function says to the machine; and the documents' table of locks is the kernel's.

A function that "does not sleep" begins with DOES_NOT_SLEEP(), or is one bracket of atomic_begin() and atomic_end(); one that
"may sleep" asks thread_may_sleep() before anything else, also when it will not sleep this time. A comment speaks of the
function that it stands above; of several, the first, or the ones that its bullets name (`- name(): may sleep`).
"""

import glob
import os
import re

from machine import ROOT

SAYS_NOT = re.compile(r"(?:does|do|must|may|did|will|can) not sleep|cannot sleep|never sleeps?|nothing sleeps|"
                      r"without (?:a |any )?sleep", re.IGNORECASE)
SAYS_MAY = re.compile(r"\bmay\s+sleep\b", re.IGNORECASE)
NOT, MAY = "does not sleep", "may sleep"

# Functions of which a comment says something that a statement at their beginning would not say, and why.
ASKS_CALLER = "says what the caller may do"
UNLESS_THERE = "is called in what is atomic when there are records: then it does not sleep"
EXCEPTIONS = {
    ("atomic_begin", NOT): "is the bracket",
    ("thread_may_sleep", NOT): "is the question",
    ("thread_may_sleep", MAY): "is the question",
    ("panic", NOT): "does not return",
    ("log_add_sink", NOT): "says it of the sink, which log_line() brackets",
    ("panic_set_keeper", NOT): "says it of the keeper, which runs in a panic",
    ("choices_apply", NOT): "sleeps in one case, and says so",
    ("program_call_begin", MAY): ASKS_CALLER,
    ("program_call_commit", NOT): ASKS_CALLER,
    ("program_call_keep", MAY): ASKS_CALLER,
    ("call_change_task", NOT): ASKS_CALLER,
    ("call_progress", MAY): ASKS_CALLER,
    ("call_exchange_mask", MAY): ASKS_CALLER,
    ("call_interrupted", MAY): "changes registers by task_touch(), and so is in the bracket of its call",
    ("call_let_others_run", NOT): "is for calls that do not sleep",
    ("vm_region_reserve", NOT): ASKS_CALLER,
    ("exchange_regions", NOT): "its bracket begins behind the reserving",
    ("vm_fault_look", NOT): "inline, on the way of every fault; what it calls asserts it",
    ("record_reserve", MAY): UNLESS_THERE,
    ("space_reserve", MAY): UNLESS_THERE,
    ("task_reserve", MAY): UNLESS_THERE,
    ("program_reserve", MAY): UNLESS_THERE,
}

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
BESIDE = re.compile(r"(?:\n#define (?:[^\n\\]|\\\n)*|\n(?:static )?struct \w+ \{.*?\n\};)*", re.DOTALL)  # what they need
END_OF_HEADS = re.compile(r"\n[ \t]*\n|\{|/\*|\Z")
NAME = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(")
DEFINITION = re.compile(r"^[a-zA-Z_][^;{}#/\"]*?\b([a-z_][a-z0-9_]*)\([^;{}]*?\)\n\{\n(.*?)^\}",
                        re.DOTALL | re.MULTILINE)


def sources():
    """Path below the root and text of each header and source of the kernel."""
    for pattern in ("include/**/*.h", "kernel/**/*.[ch]"):
        for path in sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True)):
            with open(path, encoding="utf-8") as file:
                yield os.path.relpath(path, ROOT), file.read()


def functions_below(text, at):
    """The names of the functions whose heads follow a comment that ends there."""
    at += BESIDE.match(text[at:]).end()
    heads = text[at:at + END_OF_HEADS.search(text[at:]).start()]
    names = []
    for head in heads.split(";"):
        head = head.strip()
        if not re.match(r"typedef|#|return|if|for|while|\}|\(|[=,]", head) and "(*" not in head:
            found = NAME.search(head)
            names += [found[1]] if found else []
    return names


def claims(path, text):
    """(function, what it says, where) for each claim in a file."""
    for comment in COMMENT.finditer(text):
        words = re.sub(r"\s*\n\s*\*\s?", " ", comment[0])
        names = functions_below(text, comment.end())
        if not names or text[:comment.start()].rpartition("\n")[2].strip():
            continue  # of a file, a field or a statement
        where = f"{path}:{text[:comment.start()].count(chr(10)) + 1}"
        for says, pattern in ((NOT, SAYS_NOT), (MAY, SAYS_MAY)):
            if pattern.search(words):
                bullets = [name for name, rest in re.findall(r"- ([a-z_0-9]+)\(\):(.*?)(?=- [a-z_0-9]+\(\):|\Z)", words)
                           if pattern.search(rest) and name in names]
                for name in bullets or names[:1]:
                    yield name, says, where


def bodies():
    """The bodies of the kernel's functions: by name, and of those that only their file knows by path and name."""
    found = {}
    for path, text in sources():
        for definition in DEFINITION.finditer(text):
            is_local = path.endswith(".c") and definition[0].startswith("static")
            found[(path, definition[1]) if is_local else definition[1]] = definition[2]
    return found


def is_kept(body, says):
    first = body.lstrip().split("\n", 1)[0]
    if says == MAY:
        return first == "thread_may_sleep();"
    return first == "DOES_NOT_SLEEP();"


def test_what_a_comment_says_of_sleeping_its_function_asserts():
    all_bodies = bodies()
    made, kept, broken = set(), 0, []
    for path, text in sources():
        for name, says, where in claims(path, text):
            made.add((name, says))
            if (name, says) in EXCEPTIONS:
                continue
            if not is_kept(all_bodies.get((path, name), all_bodies.get(name, "")), says):
                broken.append(f"{where}: {name}() {says}, and does not begin so")
            kept += 1
    assert not broken, "\n".join(broken)
    assert kept > 100
    assert not set(EXCEPTIONS) - made, "exceptions that nothing needs"


def test_the_table_of_lock_ranks_is_the_kernels():
    with open(os.path.join(ROOT, "include/thread.h"), encoding="utf-8") as file:
        ranks = re.search(r"enum lock_rank \{(.*?)\}", file.read(), re.DOTALL)[1]
    ranks = re.findall(r"^ +(LOCK_[A-Z_]+),", ranks, re.MULTILINE)
    with open(os.path.join(ROOT, "docs/design.md"), encoding="utf-8") as file:
        table = re.findall(r"^\| `(LOCK_[A-Z_]+)` \|", file.read(), re.MULTILINE)
    assert table == ranks and len(ranks) > 1


def test_each_mutex_has_one_rank():
    ranks = {}
    for path, text in sources():
        for mutex, rank in re.findall(r"\bmutex_(?:lock|try_lock|unlock)\(&([^,]+), (\w+)\)", text):
            ranks.setdefault((path.rpartition("/")[0], mutex), set()).add(rank)
    assert len(ranks) >= 4
    assert all(len(each) == 1 for each in ranks.values()), ranks
    used = {rank for each in ranks.values() for rank in each}
    assert all(rank.startswith("LOCK_") for rank in used)
