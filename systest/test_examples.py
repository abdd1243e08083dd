# SPDX-License-Identifier: BSD-2-Clause
"""The worked examples of CONTRIBUTING.md: each patch applies to the tree as it is, builds without a warning, and its test passes.

They are built together, in one copy of the tree, and without optimisation: what counts is that they do what they say.
"""

import glob
import os
import re
import subprocess

import pytest

from machine import ROOT
from test_build import copy_of_tree

PATCHES = os.path.join(ROOT, "docs", "examples")

# The test that each patch adds a case to or brings along, and what that says when the case has passed.
EXAMPLES = {
    "system-call": ("proc_memory_test", "calls_on_who_when_and_what_answer_as_documented"),
    "driver": ("ram_disk_test", "image_lives_on_it"),
    "policy": ("vm_policy_test", "lifo_chooses_as_its_model_does"),
    "test": ("pool_test", "use_in_the_manner_of_a_stack_keeps_one_frame"),
}

pytestmark = pytest.mark.xdist_group("build")


def run(*command, cwd):
    result = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=900, check=False)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout[-4000:]}"
    return result.stdout


def patch(name):
    return os.path.join(PATCHES, name + ".patch")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the tree with all examples in it, and the folder where their tests were built."""
    tree = copy_of_tree(tmp_path_factory.mktemp("examples") / "tree")
    folder = os.path.join(tree, "build")
    for name in EXAMPLES:
        run("git", "apply", "--check", patch(name), cwd=tree)  # each alone
    for name in EXAMPLES:
        run("git", "apply", patch(name), cwd=tree)
    run("cmake", "--preset", "default", "-B", folder, "-DCMAKE_BUILD_TYPE=Debug", cwd=tree)
    output = run("ninja", "-C", folder, *(test for test, _ in EXAMPLES.values()), cwd=tree)
    assert "warning:" not in output, output
    return folder


def test_every_patch_is_an_example_that_is_explained():
    with open(os.path.join(ROOT, "CONTRIBUTING.md"), encoding="utf-8") as file:
        explained = set(re.findall(r"\(docs/examples/([a-z-]+)\.patch\)", file.read()))
    there = {os.path.basename(path).removesuffix(".patch") for path in glob.glob(os.path.join(PATCHES, "*.patch"))}
    assert explained == there == set(EXAMPLES)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_example_applies_builds_and_passes(built, name):
    test, case = EXAMPLES[name]
    with open(patch(name), encoding="utf-8") as file:
        assert case in file.read() or name == "system-call"
    output = run(os.path.join(built, "hosttest", test), cwd=built)
    assert re.search(rf"OK \] {case}$", output, re.MULTILINE), output
