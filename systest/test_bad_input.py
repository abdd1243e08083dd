"""Wrong command lines, programs and image files: an error that names the thing and the remedy, and nothing touched."""

import os
import subprocess

import pytest

from machine import eidolon

SOURCE = "int main(void) { return 0; }\n"


def compile_program(folder, name, *options):
    path = os.path.join(folder, name)
    subprocess.run(["gcc", "-x", "c", "-", "-o", path, *options], input=SOURCE, text=True, check=True)
    return path


def refused(*arguments, status=1, **options):
    """Run the launcher, which must refuse; returns its one line."""
    result = eidolon(*arguments, status=status, **options)
    assert result.stdout == ""
    assert result.stderr.startswith("eidolon: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def refused_program(tmp_path, path, *words):
    """A program that is refused before an image is made for it."""
    image = tmp_path / "new.img"
    message = refused("run", "--headless", "--image", str(image), "--", path)
    assert not image.exists()
    assert path in message
    for word in words:
        assert word in message, message


def test_program_that_does_not_exist(tmp_path):
    refused_program(tmp_path, str(tmp_path / "nothing"), "no such file")


def test_program_that_is_a_folder(tmp_path):
    refused_program(tmp_path, str(tmp_path), "directory")


def test_program_that_is_empty(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(b"")
    refused_program(tmp_path, str(path), "empty", "gcc -m32 -static")


def test_program_that_is_a_script(tmp_path):
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\necho hello\n")
    refused_program(tmp_path, str(path), "script", "gcc -m32 -static")


def test_program_that_is_no_elf(tmp_path):
    path = tmp_path / "noise"
    path.write_bytes(bytes(range(256)) * 64)
    refused_program(tmp_path, str(path), "not an ELF", "gcc -m32 -static")


def test_program_of_64_bits(tmp_path):
    refused_program(tmp_path, compile_program(tmp_path, "wide", "-static"), "64-bit", "gcc -m32 -static")


def test_program_linked_dynamically(tmp_path):
    refused_program(tmp_path, compile_program(tmp_path, "dynamic", "-m32"), "dynamically linked", "gcc -m32 -static")


def test_program_not_linked(tmp_path):
    refused_program(tmp_path, compile_program(tmp_path, "object.o", "-m32", "-c"), "not linked", "gcc -m32 -static")


def test_program_that_is_a_library(tmp_path):
    path = compile_program(tmp_path, "library.so", "-m32", "-shared", "-fPIC", "-nostartfiles")
    refused_program(tmp_path, path, "library", "gcc -m32 -static")


def test_program_for_another_processor(tmp_path, program):
    path = tmp_path / "foreign"
    content = bytearray(open(program("hello"), "rb").read())
    content[18:20] = (8).to_bytes(2, "little")
    path.write_bytes(content)
    refused_program(tmp_path, str(path), "MIPS", "gcc -m32 -static")


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.3, 0.6])
def test_program_cut_short(tmp_path, program, share):
    whole = open(program("hello"), "rb").read()
    path = tmp_path / "short"
    path.write_bytes(whole[:max(20, int(len(whole) * share))])
    refused_program(tmp_path, str(path), "truncated")


@pytest.mark.parametrize("arguments, words", [
    (["--memory", "15"], "--memory"),
    (["--memory", "much"], "--memory"),
    (["--size", "1"], "--size"),
    (["--size", "-5"], "--size"),
    (["--interval", "soon"], "--interval"),
    (["--boot", "floppy"], "--boot"),
    (["--disk", "tape"], "--disk"),
    (["--policy", "mru"], "--policy"),
    (["--generation", "a b"], "--generation"),
    (["--accel", "warp"], "--accel"),
    (["--no-such-option"], "--no-such-option"),
    (["program-without-dashes"], "after --"),
    (["--"], "program"),
    (["--qemu", "'"], "--qemu"),
])
def test_wrong_option_is_named(tmp_path, arguments, words):
    assert words in refused("run", "--headless", *arguments, status=2, cwd=tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", ["frobnicate", "--frobnicate", ""])
def test_wrong_command_is_named(command):
    assert repr(command) in refused(command, status=2)


def test_no_command_shows_the_commands():
    result = eidolon(status=2)
    assert "run" in result.stderr and "test" in result.stderr


def test_image_in_a_folder_that_does_not_exist(tmp_path):
    assert str(tmp_path / "no") in refused("run", "--headless", "--image", str(tmp_path / "no" / "x.img"))


def test_image_that_is_a_folder(tmp_path):
    assert "directory" in refused("run", "--headless", "--image", str(tmp_path))


def test_image_that_is_empty(tmp_path):
    path = tmp_path / "empty.img"
    path.write_bytes(b"")
    message = refused("run", "--headless", "--image", str(path))
    assert str(path) in message and "empty" in message and "remove" in message
    assert path.stat().st_size == 0


def test_image_that_is_too_small(tmp_path):
    path = tmp_path / "small.img"
    path.write_bytes(bytes(100000))
    message = refused("run", "--headless", "--image", str(path))
    assert str(path) in message and "too small" in message
    assert path.read_bytes() == bytes(100000)


def test_image_that_is_read_only(image, program):
    assert image.boot(program=[program("hello")]).end() == 0
    os.chmod(image.path, 0o444)
    before = image.content()
    message = refused("run", "--headless", "--image", image.path)
    assert image.path in message and "read-only" in message and "chmod" in message
    assert image.content() == before


def test_size_for_an_image_that_exists(image, program):
    assert image.boot(program=[program("hello")]).end() == 0
    assert "--size" in refused("run", "--headless", "--image", image.path, "--size", "77", status=2)


def test_fresh_without_confirmation_changes_nothing(image, program):
    assert image.boot(program=[program("hello")]).end() == 0
    before = image.content()
    assert "--yes" in refused("run", "--headless", "--image", image.path, "--fresh")
    assert image.content() == before


def test_two_machines_on_one_image(image, program):
    first = image.boot(program=[program("echo")])
    first.expect("> ")
    for loader in ("direct", "grub"):
        message = refused("run", "--headless", "--image", image.path, "--boot", loader)
        assert image.path in message and "in use" in message
    first.send_line("unharmed")
    first.expect("line 1 is <unharmed>")


def test_image_that_ran_out_of_programs_without_a_new_one_starts_the_shell(image, program):
    assert image.boot(program=[program("hello")]).end() == 0
    boot = image.boot()
    boot.expect(r"\$ |> |# ")
