# SPDX-License-Identifier: BSD-2-Clause
"""Lies: an image of a real run in which one field says something else, while every checksum is right.

The image is that of a household of programs: pipes empty and full, clones, calls of every kind that block, programs that have
ended, pinned generations, several cuts. Each lie is drawn from a seed by lie_tool (hosttest/lie.h), which mends the checksums
up to the roots. Whoever meets a lie refuses the image, saying why and with every byte as it was, or goes on unharmed: there is
no panic, no hang, and an image in which the checker found nothing wrong stays so.
"""

import os
import re
import shutil
import subprocess

import pytest

from machine import BUILD, RESUMED, ROOT, Image, eidolon

SANITIZED = os.path.join(BUILD, "asan")
TOOL = os.path.join(SANITIZED, "hosttest", "lie_tool")
BOOT_TOOL = os.path.join(SANITIZED, "hosttest", "lie_boot")

LIES, LIES_SOAK = 2000, 100_000
HOST_BOOTED, HOST_BOOTED_SOAK = 500, 100_000
BOOTED, BOOTED_SOAK = 24, 1500
BOOT_S = 20
LIFE_S = 0.7

pytestmark = pytest.mark.xdist_group("lies")

def build_tool():
    """The tool, and with it the store and the image tool's commands, under AddressSanitizer and UBSan."""
    subprocess.run(["cmake", "--preset", "asan", "-B", SANITIZED], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", SANITIZED, "--target", "lie_tool", "lie_boot"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def household(tmp_path_factory):
    """The path of a truthful image with a household in it."""
    build_tool()
    image = Image(str(tmp_path_factory.mktemp("lies")), "household.img")
    words = [os.path.join(BUILD, "systest", "household")]
    for number, options in enumerate([("--size", "16"), (), ()]):
        boot = image.boot(*options, "--interval", "20", program=words if number == 0 else ())
        boot.expect(r"beat \d+\.")
        boot.read_for(3.0 if number == 0 else 1.2)
        boot.kill()
        if number < 2:
            image.tool("pin", f"cut{number}")
    assert image.tool("verify").endswith("sound\n")
    yield image.path
    image.close()


def kept(household):
    """Where the image stays, so that a lie can be told again."""
    path = os.path.join(BUILD, "lies.img")
    shutil.copyfile(household, path)
    return path


def tell_all(tool, household, chance, count):
    seed = chance.randrange(1 << 40)
    result = subprocess.run([tool, household, "--seed", str(seed), "--count", str(count), "--jobs", str(os.cpu_count() or 1)],
                            text=True, capture_output=True, check=False)
    if result.returncode != 0:
        path = kept(household)
        first = re.search(r"^lie (\d+):", result.stdout + result.stderr, re.MULTILINE)
        again = ""
        if first is not None:
            told = subprocess.run([tool, path, "--only", first[1]], text=True, errors="replace", capture_output=True, check=False)
            again = f"--- again, status {told.returncode}:\n{told.stdout[-2500:]}\n{told.stderr[-4000:]}"
        pytest.fail(f"{result.stdout}{result.stderr}\none of them again: {tool} {path} --only SEED\n{again}")


def test_lies_are_refused_or_harmless_to_the_tools_and_the_store(household, chance, soak):
    tell_all(TOOL, household, chance, LIES_SOAK if soak else LIES)


def test_lies_are_refused_or_harmless_to_boots_on_the_host(household, chance, soak):
    tell_all(BOOT_TOOL, household, chance, HOST_BOOTED_SOAK if soak else HOST_BOOTED)


def tell(household, image, seed):
    """Returns what the lie is, and the bytes of the image with it."""
    subprocess.run([TOOL, household, "--only", str(seed), "--write", image.path], check=True, capture_output=True)
    return image.content()


def judge(image, before):
    """Boot an image with a lie in it, and look what comes of it. Returns what is wrong, or None."""
    was_sound = eidolon("image", "verify", image.path).returncode == 0
    boot = image.boot("--interval", "20")
    boot.expect(rf"{RESUMED}|eidolon: image: |eidolon: new object space", timeout=BOOT_S)
    boot.read_for(LIFE_S)
    refused = "it was left as it is" in boot.text() or "is not kept" in boot.text()
    if refused:
        boot.end()
    elif boot.is_running():
        boot.kill()
    said = boot.text() + boot.log()
    if re.search(r"^panic: ", said, re.MULTILINE):  # and not what the lie says of an earlier one
        return "the kernel panics"
    if refused:
        return None if image.content() == before else "the image was refused, and has been written to"
    if was_sound and eidolon("image", "verify", image.path).returncode != 0:
        return "an image in which nothing was found wrong is not sound afterwards"
    return None


def test_lies_are_refused_or_harmless_to_a_machine(household, new_image, chance, soak):
    wrong = []
    first = chance.randrange(1 << 40)
    for seed in range(first, first + (BOOTED_SOAK if soak else BOOTED)):
        image = new_image(f"lie{seed}.img")
        try:
            found = judge(image, tell(household, image, seed))
        except AssertionError as error:
            found = str(error)
        if found is not None:
            wrong.append(f"lie {seed}: {found}\n{image.story()}")
        image.close()
        os.unlink(image.path)
    if wrong:
        again = f"{TOOL} {kept(household)} --only SEED --write OUT; ./eidolon run --image OUT"
        pytest.fail("\n".join(wrong) + f"\none of them again: {again}")
