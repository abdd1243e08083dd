# SPDX-License-Identifier: BSD-2-Clause
"""Wrong command lines, programs and image files: an error that names the thing and the remedy, and nothing touched."""

import os
import re
import struct
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
    assert result.stderr.startswith(("eidolon: ", "eidolon image: ")) and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def refused_program(tmp_path, path, *words, arguments=(), options=()):
    """A program that is refused before an image is made for it."""
    image = tmp_path / "new.img"
    message = refused("run", "--headless", "--image", str(image), *options, "--", path, *arguments)
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


@pytest.mark.parametrize("arguments", [["x"] * 508, ["x" * 32767]])
def test_program_with_too_many_arguments(tmp_path, program, arguments):
    refused_program(tmp_path, program("hello"), "at most 512 of 32767 bytes", arguments=arguments)


def test_program_larger_than_memory(tmp_path, program, image):
    path = tmp_path / "large"
    path.write_bytes(open(program("hello"), "rb").read())
    os.truncate(path, 10 << 20)
    assert image.boot("--memory", "16", program=[str(path)]).end() == 0
    before = image.content()
    for size, words in ((1, "--memory 17"), (758 << 20, "at most 762")):
        os.truncate(path, (10 << 20) + size)
        refused_program(tmp_path, str(path), words, options=("--memory", "16"))
        assert words in refused("run", "--headless", "--image", image.path, "--memory", "16", "--", str(path))
    assert image.content() == before


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


LOAD, OFFSET, ADDRESS, MEMORY_BYTES, FLAGS = 1, 1, 2, 5, 6


def change_segment(content, number, field, change):
    """Of the number-th loadable segment of an ELF file."""
    table, count = struct.unpack_from("<I", content, 28)[0], struct.unpack_from("<H", content, 44)[0]
    loadable = [at for at in range(table, table + 32 * count, 32) if struct.unpack_from("<I", content, at)[0] == LOAD]
    at = loadable[number] + 4 * field
    struct.pack_into("<I", content, at, change(struct.unpack_from("<I", content, at)[0]))


@pytest.mark.parametrize("number, field, change, words", [
    (1, ADDRESS, lambda address: address - 0x2000, "overlap"),
    (0, ADDRESS, lambda address: address + 0x1000000, "overlap"),
    (1, OFFSET, lambda offset: offset + 1, "damaged"),
    (0, ADDRESS, lambda address: 0x1000, "special addresses"),
    (-1, ADDRESS, lambda address: 0xBFFFF000 + address % 4096, "special addresses"),
    (-1, ADDRESS, lambda address: 0xC0000000 + address % 4096, "special addresses"),
    (-1, MEMORY_BYTES, lambda length: 0xFFFFFFFF, "special addresses"),
    (-1, MEMORY_BYTES, lambda length: 1, "larger in the file"),
    (1, FLAGS, lambda flags: 4, "executable"),
])
def test_program_with_an_impossible_segment(tmp_path, program, number, field, change, words):
    content = bytearray(open(program("hello"), "rb").read())
    change_segment(content, number, field, change)
    path = tmp_path / "damaged"
    path.write_bytes(content)
    refused_program(tmp_path, str(path), words)


@pytest.mark.parametrize("at, value", [(6, 9), (20, 7), (42, 31), (44, 0), (44, 65), (24, 0xFF)])
def test_program_with_a_damaged_header(tmp_path, program, at, value):
    content = bytearray(open(program("hello"), "rb").read())
    content[at] = value
    content[at + 1] = 0
    path = tmp_path / "damaged"
    path.write_bytes(content)
    refused_program(tmp_path, str(path), "ELF")


@pytest.mark.parametrize("arguments, words", [
    (["--memory", "15"], "--memory"),
    (["--memory", "769"], "--memory"),
    (["--memory", "-1"], "--memory"),
    (["--memory", ""], "--memory"),
    (["--memory", "9" * 40], "--memory"),
    (["--memory"], "--memory"),
    (["--memory", "much"], "--memory"),
    (["--size", "1"], "--size"),
    (["--size", "-5"], "--size"),
    (["--size", "1048577"], "--size"),
    (["--interval", "soon"], "--interval"),
    (["--interval", "-1"], "--interval"),
    (["--interval", "3600001"], "--interval"),
    (["--interval", "0.5"], "--interval"),
    (["--boot", "floppy"], "--boot"),
    (["--disk", "tape"], "--disk"),
    (["--policy", "mru"], "--policy"),
    (["--policy", ""], "--policy"),
    (["--generation", "a b"], "--generation"),
    (["--generation", ""], "--generation"),
    (["--generation", "0"], "--generation"),
    (["--generation", "5x"], "--generation"),
    (["--generation", "9" * 40], "--generation"),
    (["--generation", "n" * 32], "--generation"),
    (["--fresh", "--generation", "5"], "--generation"),
    (["--external-sync", "--interval", "0"], "--interval"),
    (["--boot", "direct", "--menu"], "--menu"),
    (["--image", ""], "--image"),
    (["--image", "ftp://there/image"], "'ftp'"),
    (["--log", ""], "--log"),
    (["--pidfile", ""], "--pidfile"),
    (["--kernel-options", "interval=5;"], "--kernel-options"),
    (["--accel", "warp"], "--accel"),
    (["--no-such-option"], "--no-such-option"),
    (["program-without-dashes"], "after --"),
    (["other.img"], "with --image"),
    (["--"], "program"),
    (["--qemu", "'"], "--qemu"),
])
def test_wrong_option_is_named(tmp_path, arguments, words):
    assert words in refused("run", "--headless", *arguments, status=2, cwd=tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("arguments, words", [
    (["test", "everything"], "'everything'"),
    (["test", "--seed", "soon"], "--seed"),
    (["test", "--seed", ""], "--seed"),
    (["test", "host", "-k", "thread"], "-k"),
    (["bench", "everything"], "paging, snapshot, stall, system, vm_map"),
    (["bench", "--quick"], "NAME --quick"),
    (["bench", "paging", "snapshot", "--quick"], "one by one"),
    (["build", "everything"], "everything"),
    (["setup", "everything"], "everything"),
    (["clean", "everything"], "everything"),
    (["help", "everything"], "'everything'"),
])
def test_wrong_word_of_another_command_is_named(arguments, words):
    assert words in refused(*arguments, status=2)


@pytest.mark.parametrize("command", ["run", "torture", "image", "image pin", "test", "bench", "bench paging", "bench snapshot",
                                     "bench vm_map", "build", "setup", "clean"])
def test_command_explains_itself(command):
    words = command.split()
    explained = eidolon(*words, "--help", status=0).stdout
    assert explained.startswith("usage: ") and " ".join(words) in explained and len(explained.splitlines()) >= 3
    assert eidolon("help", *words, status=0).stdout == explained


def test_image_tool_is_asked_for_one_command_either_way():
    assert eidolon("image", "help", "pin", status=0).stdout == eidolon("image", "pin", "--help", status=0).stdout
    assert "did you mean verify?" in refused("image", "help", "verfy", status=2)


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


def test_image_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.symlink("nowhere", tmp_path / "link")
    os.symlink("loop", tmp_path / "loop")
    for name, words in (("pipe", "no regular file"), ("link", "nowhere"), ("loop", "symbolic links"),
                        ("/dev/null", "no regular file"), ("pipe/x", "not a directory")):
        message = refused("run", "--headless", "--image", name, cwd=tmp_path)
        assert name in message and words in message, message
        message = refused("image", "info", name, status=2, cwd=tmp_path)
        assert name in message, message
    assert sorted(os.listdir(tmp_path)) == ["link", "loop", "pipe"]


@pytest.mark.parametrize("option", ["--log", "--pidfile"])
def test_file_that_would_overwrite_another_is_refused(tmp_path, used_image, program, option):
    before = used_image.content()
    folder, name = os.path.split(used_image.path)
    os.link(used_image.path, os.path.join(folder, "other-name.img"))
    for other in (name, f"./{name}", "other-name.img"):
        assert "the image" in refused("run", "--headless", "--image", name, option, other, status=2, cwd=folder)
    assert used_image.content() == before
    copy = tmp_path / "hello"
    copy.write_bytes(open(program("hello"), "rb").read())
    assert "the program" in refused("run", "--headless", "--image", name, option, str(copy), "--", str(copy), status=2,
                                    cwd=folder)
    assert copy.read_bytes() == open(program("hello"), "rb").read()
    assert "the image" in refused("run", "--headless", "--image", "new.img", option, "new.img", status=2, cwd=folder)
    assert "--pidfile" in refused("run", "--headless", "--image", name, "--pidfile", "x", "--log", "x", status=2, cwd=folder)
    assert "no regular file" in refused("run", "--headless", "--image", name, option, "/dev/null", cwd=folder)
    assert "no such folder" in refused("run", "--headless", "--image", name, option, "no/x", cwd=folder)
    assert used_image.content() == before and not os.path.exists(os.path.join(folder, "new.img"))


def test_image_tool_refuses_by_name_and_changes_nothing(used_image, tmp_path):
    used_image.tool("pin", "taken")
    path, before = used_image.path, used_image.content()
    newest = re.search(r"^generation +(\d+)$", used_image.tool("info"), re.MULTILINE)[1]
    out = str(tmp_path / "out")
    for words, named in ((["log", path, "x"], "usage: log FILE"), (["info"], "usage: info FILE"), (["frob", path], "frob"),
                         (["pin", path, "a b"], "31 letters"), (["pin", path, "a/b"], "31 letters"),
                         (["pin", path, "5x"], "31 letters"), (["pin", path, ""], "31 letters"),
                         (["pin", path, "n" * 32], "31 letters"), (["pin", path, "999999", "name"], "image log"),
                         (["pin", path, "nobody", "name"], "image log"), (["pin", path, "taken"], "unpin"),
                         (["unpin", path, "nobody"], "image log"), (["diff", path, newest, "999999"], "image log"),
                         (["diff", path, "5x", newest], "image log"), (["programs", path, "0"], "image log"),
                         (["cat", path, "1", "0xC0000000", "1"], "0xc0000000"), (["cat", path, "1", "here", "1"], "here"),
                         (["cat", path, "99", "0x8048000", "1"], "no program 99"),
                         (["cat", path, "1", "0", "1"], "nothing at 0x00000000"),
                         (["cat", path, "1", "0x8048000", "0x70000000"], "nothing at 0x08"), (["core", path, "all", out], "all"),
                         (["core", path, "1", path], "choose another"), (["picture", path, path], "the image itself"),
                         (["core", path, "1", out, "nobody"], "image log"),
                         (["ladder", path, "--minutes", "999"], "0 to 126"), (["ladder", path, "--minutes", "120"], "126 together"),
                         (["ladder", path, "--newest", "1"], "2 to 16"), (["ladder", path, "--years", "1"], "usage"),
                         (["create", path], "choose another"),
                         (["create", out, "--size"], "usage"), (["create", out, "--size", "3"], "4 to 1048576"),
                         (["create", out, "--frob"], "usage"), (["create", out, out], "usage")):
        result = eidolon("image", *words, status=2)
        assert result.stdout == "" and named in result.stderr and result.stderr.count("\n") == 1, (words, result.stderr)
        assert used_image.content() == before and not os.path.exists(out), words


@pytest.mark.parametrize("length", [4096, 5000, (4 << 20) - 1, 8 << 20])
def test_part_of_an_image_is_refused(used_image, tmp_path, length):
    path = tmp_path / "part.img"
    part = used_image.content()[:length]
    path.write_bytes(part)
    for words in (["run", "--headless", "--boot", "direct", "--image"], ["image", "info"], ["image", "verify"],
                  ["image", "log"], ["image", "pin"]):
        result = eidolon(*words, str(path), *(["name"] if words[-1] == "pin" else []), status=1)
        assert str(path) in result.stderr and re.search("too small|not an Eidolon image|blocks", result.stderr)
        assert path.read_bytes() == part, words


def test_name_for_an_image_without_generations(image):
    eidolon("image", "create", image.path, "--size", "4", status=0)
    before = image.content()
    assert "nothing has been committed" in refused("image", "pin", image.path, "name", status=2)
    assert image.content() == before


def test_names_beyond_those_that_fit(used_image):
    for number in range(32):
        used_image.tool("pin", f"name{number}")
    before = used_image.content()
    assert "no room" in refused("image", "pin", used_image.path, "one-more", status=2)
    assert used_image.content() == before


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
    for words in (["verify"], ["diff", "1", "2"]):  # what the machine is not asked (test_control.py)
        message = refused("image", words[0], image.path, *words[1:], status=2)
        assert image.path in message and "in use by a running machine" in message
    first.send_line("unharmed")
    first.expect("line 1 is <unharmed>")


def test_image_that_ran_out_of_programs_without_a_new_one_starts_the_shell(image, program):
    assert image.boot(program=[program("hello")]).end() == 0
    boot = image.boot()
    boot.expect(r"\$ |> |# ")
