# SPDX-License-Identifier: BSD-2-Clause
"""The build: the same from anywhere, quick when little changed, clean with clang too."""

import hashlib
import os
import shutil
import subprocess
import time

import pytest

from machine import BUILD, ROOT

# One after the other, on one worker: they share a build.
pytestmark = pytest.mark.xdist_group("build")

KERNEL = os.path.join("kernel", "eidolon.elf")
PARTS = ["CMakeLists.txt", "CMakePresets.json", "cmake", "docs", "kernel", "include", "tools", "user", "systest", "hosttest",
         "bench", "packaging", "README.md", "CHANGELOG.md", "LICENSE"]


def run(*command, timeout=300, **options):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=timeout, check=False, **options)
    assert result.returncode == 0, result.stdout
    return result.stdout


def copy_of_tree(folder):
    """The sources, elsewhere."""
    os.makedirs(folder)
    for part in PARTS:
        source = os.path.join(ROOT, part)
        if os.path.isdir(source):
            shutil.copytree(source, os.path.join(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
        elif os.path.exists(source):
            shutil.copy(source, folder)
    return str(folder)


def build(tree, preset, *targets, options=()):
    folder = os.path.join(tree, "build")
    output = run("cmake", "--preset", preset, "-B", folder, *options, cwd=tree)
    assert "CMake Warning" not in output, output
    output = run("ninja", "-C", folder, *targets)
    assert "warning:" not in output, output
    return folder


def digest(*path):
    with open(os.path.join(*path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def another_build(tmp_path_factory):
    """A copy of the tree in a place of another length, and what was built of it there."""
    tree = copy_of_tree(tmp_path_factory.mktemp("another") / "a tree of another length")
    return tree, build(tree, "default", "bootable", "package_files")


def test_builds_in_different_places_are_the_same(another_build):
    packaged = [os.path.join("packaging", name) for name in ("eidolon.iso", "image_tool", "eidolon.1.gz", "eidolon-format.5.gz")]
    for part in (KERNEL, os.path.join("user", "shell"), os.path.join("user", "counter"), *packaged):
        assert digest(another_build[1], part) == digest(BUILD, part), part


def test_build_with_nothing_to_do_does_nothing_quickly(another_build):
    before = time.monotonic()
    assert "no work to do" in run("ninja", "-C", another_build[1], "bootable")
    assert time.monotonic() - before < 5


def test_change_of_one_file_rebuilds_little(another_build):
    tree, folder = another_build
    os.utime(os.path.join(tree, "kernel", "main.c"))
    output = run("ninja", "-C", folder, "-v", "bootable")
    assert 1 <= output.count(" -c ") <= 4, output


def test_clang_builds_everything_without_a_warning(tmp_path):
    plain = "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O0"  # of what runs on the host: as many warnings, in a third of the time
    folder = build(copy_of_tree(tmp_path / "tree"), "clang", "bootable", "hosttests", options=[plain])
    assert os.path.exists(os.path.join(folder, KERNEL))
