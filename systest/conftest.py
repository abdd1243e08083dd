# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the system tests: a machine to boot, programs to run in it, and random numbers that can be had again.

    --seed N     the seed of the random moments and orders; drawn and printed if absent
    --soak       the long versions
    --selftest P of the kernel's own tests those whose names begin with P (test_kernel.py): planted faults need no more

A failing test shows what each of its machines wrote to the console in its last boots, and the kernel's log.
"""

import os
import random

import pytest

from machine import BUILD, Image

PROGRAMS = os.path.join(BUILD, "systest")
WITH_I386_LIBRARIES = ("lua_", "sqlite_", "musl_")


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, help="seed of the random moments")
    parser.addoption("--soak", action="store_true", help="run the long versions")
    parser.addoption("--selftest", metavar="PREFIX", default="", help="of the kernel's own tests only some")


def pytest_configure(config):
    config.addinivalue_line("markers", "xdist_group(name): tests that run on one worker")
    if config.getoption("seed") is None:
        config.option.seed = random.SystemRandom().randrange(1 << 32)


def pytest_collection_modifyitems(items):
    """Tests that stay together on one worker begin first: at the end there are short ones for all workers."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


def pytest_report_header(config):
    return f"seed: {config.getoption('seed')} (again with --seed)"


@pytest.fixture
def soak(request):
    return request.config.getoption("soak")


@pytest.fixture
def own_tests(request):
    """What the names of the kernel's own tests that are wanted begin with."""
    return request.config.getoption("selftest")


@pytest.fixture
def chance(request):
    """Random numbers of this test alone, so that the order and choice of tests do not matter."""
    return random.Random(f"{request.config.getoption('seed')} {request.node.nodeid}")


@pytest.fixture
def program():
    """The path of a program of systest/programs; the test is skipped if libraries for it could not be had."""
    def find(name):
        path = os.path.join(PROGRAMS, name)
        if not os.path.exists(path) and name.startswith(WITH_I386_LIBRARIES):
            pytest.skip(f"{name} was not built: its library for i386 is missing")
        assert os.path.exists(path), f"{name} was not built: systest/CMakeLists.txt names the programs"
        return path
    return find


@pytest.fixture
def new_image(request, tmp_path):
    """Makes images whose machines are ended with the test; what they wrote is shown if it fails."""
    images = []

    def make(name="test.img"):
        images.append(Image(str(tmp_path), name))
        return images[-1]

    request.node.images = images
    yield make
    for image in images:
        image.close()


@pytest.fixture
def image(new_image):
    """An image file that does not exist yet, and machines on it."""
    return new_image()


@pytest.fixture
def used_image(image, program):
    """An image with a program in it that was cut off; its last states are `line 1` and `line 2`."""
    boot = image.boot("--size", "16", program=[program("echo")])
    boot.expect("> ")
    for number in (1, 2):
        boot.send_line("kept")
        boot.expect(f"line {number} is <kept>")
        boot.read_for(0.5)
    boot.kill()
    return image


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for image in getattr(item, "images", []):
            report.sections.append((f"seed: {item.config.getoption('seed')}; {image.name}", image.story()))
