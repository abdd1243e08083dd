# SPDX-License-Identifier: BSD-2-Clause
"""The program a machine is to start: checked on the host, then turned into a boot module's command line.

The kernel validates what it is given again. The checks here exist because the host can say more: it knows the file's
name, and what to do about it.
"""

import os
import stat
import struct
import urllib.parse

from launcher.common import Failure, reason

USER_START = 0x00010000

USER_IMAGE_END = 0xBF000000

ELF_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
PROGRAM_HEADER = struct.Struct("<IIIIIIII")
ELFCLASS32, ELFCLASS64 = 1, 2
ELFDATA2LSB = 1
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
EM_386 = 3
EV_CURRENT = 1
PT_LOAD, PT_INTERP = 1, 3
PF_X = 1
HEADERS_MAX = 64
SEGMENTS_MAX = 16
PAGE_BYTES = 4096

RECIPE = "build it with: gcc -m32 -static"
MACHINES = {2: "SPARC", 8: "MIPS", 20: "PowerPC", 22: "S/390", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}

# What a program finds in its environment.
ENVIRONMENT = {"HOME": "/", "PATH": "/", "TERM": "linux"}
ENVIRONMENT_WITH_FILES = {"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "linux",
                          "LANG": "C.UTF-8", "USER": "root"}

# What the kernel takes for arguments and environment, encoded.
WORDS_MAX = 512
WORDS_BYTES_MAX = 32767


def read(path):
    """The bytes of a program file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            kind = "a directory" if os.path.isdir(path) else "no regular file"
            raise Failure(f"{path}: {kind}, not a program; name a static i386 program")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Failure(f"{path}: {reason(error)}; name a static i386 program") from None


def check(path, has_files=False):
    """Refuse what the kernel could not run, with the remedy. has_files: its interpreter may be among the machine's files."""
    content = read(path)
    if content[:4] != b"\x7fELF":
        what = "an empty file" if not content else "a script" if content[:2] == b"#!" else "not an ELF program"
        raise Failure(f"{path}: {what}; a program is a static i386 ELF: {RECIPE}")
    if len(content) < ELF_HEADER.size:
        raise Failure(f"{path}: truncated within the ELF header ({len(content)} bytes); build or copy it again")
    identity, kind, machine, version, entry, table, _, _, _, entry_size, count, *_ = ELF_HEADER.unpack_from(content)
    if identity[4] == ELFCLASS64:
        raise Failure(f"{path}: a 64-bit program; Eidolon runs 32-bit i386 programs: {RECIPE}")
    if identity[4] != ELFCLASS32 or identity[5] != ELFDATA2LSB or machine != EM_386:
        name = MACHINES.get(machine, f"machine number {machine}")
        raise Failure(f"{path}: a program for another processor ({name}), not i386: {RECIPE}")
    if kind not in (ET_EXEC, ET_DYN):
        name = {ET_REL: "an object file that is not linked yet", ET_CORE: "a core dump"}.get(kind, f"ELF type {kind}")
        raise Failure(f"{path}: {name}; a program is needed: {RECIPE}")
    if identity[6] != EV_CURRENT or version != EV_CURRENT:
        raise Failure(f"{path}: a damaged ELF program (of an unknown version): {RECIPE}")
    if not 0 < count <= HEADERS_MAX or entry_size != PROGRAM_HEADER.size:
        raise Failure(f"{path}: a damaged ELF program (its program headers make no sense): {RECIPE}")
    if table + count * entry_size > len(content):
        raise Failure(f"{path}: truncated: its program headers end at byte {table + count * entry_size}, the file at "
                      f"{len(content)}; build or copy it again")
    headers = [PROGRAM_HEADER.unpack_from(content, table + index * entry_size) for index in range(count)]
    if not has_files and any(header[0] == PT_INTERP for header in headers):
        raise Failure(f"{path}: a dynamically linked program, and the machine has no files with its libraries: give them by --with "
                      f"or --root, or {RECIPE}")
    segments = [header for header in headers if header[0] == PT_LOAD and header[5] != 0]
    for segment in segments:
        check_segment(path, kind, segment, len(content))
    check_segments(path, kind, entry, segments)


def loaded_part(content):
    """Of a checked program file, what is loaded, from its beginning: names and what is for debuggers mostly lie behind that."""
    _, _, _, _, _, table, _, _, _, entry_size, count, *_ = ELF_HEADER.unpack_from(content)
    headers = [PROGRAM_HEADER.unpack_from(content, table + index * entry_size) for index in range(count)]
    end = max([table + count * entry_size, ELF_HEADER.size, *(header[1] + header[4] for header in headers)])
    return content[:end]


def check_segment(path, kind, segment, length):
    """A loadable part by itself: all there, as it was linked, and within a program's window."""
    _, offset, address, _, file_bytes, memory_bytes, _, alignment = segment
    if offset + file_bytes > length:
        raise Failure(f"{path}: truncated: a segment ends at byte {offset + file_bytes}, the file at {length}; "
                      "build or copy it again")
    if file_bytes > memory_bytes:
        raise Failure(f"{path}: a damaged ELF program (a segment is larger in the file than in memory): {RECIPE}")
    if alignment >= PAGE_BYTES and (alignment & (alignment - 1) or (address ^ offset) % PAGE_BYTES):
        raise Failure(f"{path}: a damaged ELF program (a segment lies differently in its page than in the file): "
                      f"{RECIPE}")
    low = 0 if kind == ET_DYN else USER_START
    if address < low or address + memory_bytes > USER_IMAGE_END:
        raise Failure(f"{path}: linked to run at {address:#x}, {memory_bytes} bytes; programs live between {USER_START:#x} "
                      f"and {USER_IMAGE_END:#x}: link it without special addresses")


def check_segments(path, kind, entry, segments):
    """The loadable parts together: apart from each other, and with an entry point in one of them."""
    if not segments:
        raise Failure(f"{path}: a damaged ELF program (nothing in it is to be loaded): {RECIPE}")
    if len(segments) > SEGMENTS_MAX:
        raise Failure(f"{path}: {len(segments)} segments, at most {SEGMENTS_MAX} fit; link it with the default linker "
                      "script")
    if kind == ET_DYN and entry == 0:
        raise Failure(f"{path}: a shared library; a program is needed: {RECIPE}")
    ends = [address + memory_bytes for _, _, address, _, _, memory_bytes, _, _ in segments]
    if any(segment[2] < end for segment, end in zip(segments[1:], ends)):
        raise Failure(f"{path}: a damaged ELF program (its segments overlap or are out of order): {RECIPE}")
    if not any(segment[2] <= entry < end and segment[6] & PF_X for segment, end in zip(segments, ends)):
        raise Failure(f"{path}: a damaged ELF program (its entry point is in no executable segment): {RECIPE}")


def word(text):
    """A word of a module's command line: no byte in it means anything to a boot loader or a shell."""
    if text == "":
        return "%00"  # a word of no letters would not be one
    if text == "--":
        return "%2D-"  # not the one that ends the arguments
    return urllib.parse.quote(os.fsencode(text), safe="/=")


def command_line(path, arguments, has_files=False):
    """Arguments, the program's path first, then `--` and the environment: what the kernel makes argv and envp of. Refused
    if they are more than it takes."""
    environment = ENVIRONMENT_WITH_FILES if has_files else ENVIRONMENT
    words = [word(text) for text in (path, *arguments)]
    words += ["--"] + [word(f"{name}={value}") for name, value in environment.items()]
    line = " ".join(words)
    if len(words) > WORDS_MAX or len(line) > WORDS_BYTES_MAX:
        raise Failure(f"{path}: {len(words)} arguments and environment words of {len(line)} bytes are too many for a "
                      f"program: at most {WORDS_MAX} of {WORDS_BYTES_MAX} bytes fit")
    return line
