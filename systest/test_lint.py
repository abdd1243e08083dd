# SPDX-License-Identifier: BSD-2-Clause
"""What tools find in the sources by looking at them: format, cppcheck, clang-tidy. The compiler's warnings are errors anyway."""

import collections
import json
import os
import re
import shutil
import subprocess

import pytest

from machine import BUILD, ROOT

# The analyzer looks into fewer calls, in a tenth of the time; a soak has it look into all.
SHALLOW = ["--extra-arg=-Xclang", "--extra-arg=-analyzer-config", "--extra-arg=-Xclang", "--extra-arg=mode=shallow"]
FOLDERS = ["kernel/arch", "kernel/dev", "kernel/lib", "kernel/proc/calls", "kernel/proc", "kernel/snap", "kernel/thread", "kernel/vm_map", "kernel",
           "bench", "tools", "hosttest"]


def tool(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def sources():
    listing = run(["git", "ls-files", "*.c", "*.h"])
    if listing.returncode != 0:
        pytest.skip("this is no checkout of git")
    return [name for name in listing.stdout.splitlines() if os.path.exists(os.path.join(ROOT, name))]


def test_every_source_is_formatted():
    names = sources()
    assert len(names) > 300
    found = run([tool("clang-format"), "--dry-run", "--Werror", *names])
    assert found.returncode == 0, f"clang-format -i mends this:\n{found.stderr[:4000]}"


def test_steps_follow_each_other_as_the_style_says():
    """`if (error == OK) { error = step(); }`, and not a condition in the expression."""
    found = run(["git", "grep", "-nE", r"error = error (== OK[^?;]*\?[^;]*: error;|!= OK \? error :)", "--", "*.c", "*.h"])
    assert found.returncode == 1, f"docs/style.md has another idiom for these:\n{found.stdout}{found.stderr}"


def words_of(name):
    """How often each word is in a source, without its comments."""
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return collections.Counter(re.findall(r"\w+", re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)))


def exported():
    """Functions of the build's objects that others may call; what benchmarks build beside it, and other builds below it, is their own."""
    parts = [os.path.join(BUILD, part) for part in ("kernel", "hosttest", "tools")]
    objects = [os.path.join(folder, name) for part in parts for folder, _, names in os.walk(part) for name in names if name.endswith(".o")]
    listing = run(["nm", "--defined-only", "--extern-only", *objects]).stdout
    names = {line.split()[2] for line in listing.splitlines() if re.match(r"[0-9a-f]+ T ", line)}
    return {name for name in names if not name.startswith("__") and name not in ("main", "_start")}


def test_every_function_is_called_and_exported_only_for_others():
    with open(os.path.join(ROOT, "kernel/proc/calls/list.h"), encoding="utf-8") as file:
        listed = set(re.findall(r"call_\w+", file.read()))
    used = {name: words_of(name) for name in sources() + run(["git", "ls-files", "*.S", "*.ld"]).stdout.split()}
    functions = exported() - listed
    assert len(functions) > 500
    wrong = []
    for function in sorted(functions):
        files = [name for name, words in used.items() if function in words]
        headers = [name for name in files if name.endswith(".h")]
        if len(files) != 1 + len(headers) or any(used[name][function] > 1 for name in headers):
            continue
        body = next(name for name in files if name not in headers)
        if body.endswith(".c") and used[body][function] == 1:
            wrong.append(f"{function}() of {body}: nobody calls it")
        elif body.endswith(".c") and len(headers) == 1:
            wrong.append(f"{function}() of {body}: nobody else calls it, so it is static")
    assert not wrong, "\n".join(wrong)


def test_cppcheck_finds_nothing():
    found = run([tool("cppcheck"), "--enable=warning,performance,portability", "--inline-suppr", "--quiet",
                 "--error-exitcode=1", "--suppressions-list=tools/lint/cppcheck-suppressions.txt",
                 "-I", "include", "-I", "include/lib", "kernel"])
    assert found.returncode == 0, found.stderr


def folder_of(path):
    """The first of FOLDERS that holds a source; None: none does."""
    name = os.path.relpath(path, ROOT)
    return next((folder for folder in FOLDERS if name.startswith(folder + "/")), None)


def compiled():
    """Sources, each with the command of its first compilation: of the kernel's, that is the kernel's own."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    found = {}
    for command in commands:
        path = os.path.normpath(os.path.join(command["directory"], command["file"]))
        if path.endswith(".c") and folder_of(path) is not None:
            found.setdefault(path, dict(command, file=path))
    return list(found.values())


@pytest.mark.parametrize("folder", FOLDERS)
def test_clang_tidy_finds_nothing(folder, tmp_path, pytestconfig):
    if folder == "hosttest" and not pytestconfig.getoption("--soak"):
        pytest.skip("in a soak: it takes minutes")
    commands = [command for command in compiled() if folder_of(command["file"]) == folder]
    assert commands
    with open(tmp_path / "compile_commands.json", "w", encoding="utf-8") as file:
        json.dump(commands, file)
    shallow = [] if pytestconfig.getoption("--soak") else SHALLOW
    found = run([tool("clang-tidy"), "-p", str(tmp_path), "--quiet", *shallow, *(command["file"] for command in commands)])
    assert found.returncode == 0, found.stdout
