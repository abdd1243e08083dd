# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own programs, with their loader and libraries, from packages as they are: they run, and a cut costs them nothing."""

import io
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from machine import BUILD, RESUMED, ROOT

pytestmark = pytest.mark.xdist_group("debian")
WAIT_S = 240  # for the packages to be fetched, and for Python's first start
PROMPT = r">>> "


def launch(*words):
    return subprocess.run([os.path.join(ROOT, "eidolon"), "run", "--headless", "--boot", "direct", *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WAIT_S, check=False)


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """The packages are in the build folder from then on. Skips where they cannot be had."""
    folder = tmp_path_factory.mktemp("debian")
    result = launch("--image", str(folder / "py.img"), "--with", "python3", "--", "python3", "-c", "print(6 * 7)")
    if result.returncode != 0 and ("could not be fetched" in result.stdout or "apt knows no such" in result.stdout):
        pytest.skip(f"Debian's packages for i386 cannot be had: {result.stdout.splitlines()[-1]}")
    assert result.returncode == 0 and "42" in result.stdout.splitlines(), result.stdout
    return folder


def ask(boot, line, answer):
    boot.send_line(line)
    boot.expect_line(answer, timeout=WAIT_S)


def test_python_has_its_variables_and_its_open_file_after_a_cut(image, fetched):
    boot = image.boot("--with", "python3", program=["python3", "-q"])
    boot.expect(PROMPT, timeout=WAIT_S)
    boot.send_line("d = {'answer': 42}; f = open('/tmp/notes', 'w+'); f.write('first\\nsecond\\n') and f.seek(0)")
    ask(boot, "f.readline()", r"'first\n'")
    boot.send_line("import json, os, time; os.sync(); print('safe')")
    boot.expect_line("safe", timeout=WAIT_S)
    boot.read_for(1)
    boot.kill()
    boot = image.boot()
    boot.expect(RESUMED)
    boot.send_line("")
    boot.expect(PROMPT, timeout=WAIT_S)
    ask(boot, "json.dumps(d)", """'{"answer": 42}'""")
    ask(boot, "f.tell(), f.readline()", r"(6, 'second\n')")
    ask(boot, "sorted(os.listdir('/tmp'))", "['notes']")
    boot.send_line("raise SystemExit(7)")
    assert boot.end() == 7


TOOLS = ["bash", "coreutils", "diffutils", "findutils", "grep", "gzip", "perl-base", "sed", "sqlite3", "tar"]

# The same on Debian, whose programs these are.
SCRIPT = r"""
set -e; cd /tmp; rm -rf work; mkdir work; cd work; umask 022; export LC_ALL=C
for i in {1..40}; do printf 'line %d of %s\n' $i "${i//1/one}" >> text; done
grep -c one text; sed -n 's/line \([0-9]*\)/\1:/p' text | sort -t: -k1,1nr | head -3; md5sum < text
mkdir -p a/b/c; for i in a a/b a/b/c; do cp text $i/copy; ln -s copy $i/link; done; find a -type f | xargs wc -l | sort
tar --sort=name --mtime=@0 -cf - a | gzip -9n | tee a.tgz | sha256sum; mkdir out; tar xzf a.tgz -C out; diff -r a out/a && echo same
perl -ne '$n += length; END { print "$n\n" }' text; perl -e 'print join(",", sort { $b <=> $a } map { $_ * 7 % 11 } 1 .. 10), "\n"'
stat -c '%n %F %a %s' text a a/link; x=$(cat a/b/c/copy | tail -1); echo "${x^^}"; declare -A m=([k]=v [l]=w); echo ${m[k]}${m[l]}
paste -d, <(seq 5) <(seq 6 10); comm -12 <(seq 1 3 30 | sort) <(seq 1 4 30 | sort) | tr '\n' ' '; echo; { sleep 0.1; echo later; } & wait; (trap 'echo bye' EXIT)
chmod 600 text; ls -l text | cut -c1-10; test -x text || echo no; mv a b; rmdir b/b/c 2>/dev/null || echo full; find b | sort | tail -2; rm -r b out
"""
BASE = r"""
cd /tmp; rm -f t.db; sqlite3 t.db 'pragma journal_mode = wal; create table t(x integer, y text);'
for i in {1..12}; do sqlite3 t.db "insert into t select $i, hex(randomblob(200)) from t union all select $i, 'first'; pragma integrity_check;" | uniq; done
sqlite3 t.db 'select count(*), sum(x) from t; pragma integrity_check;'
"""


def tools():
    return [word for name in TOOLS for word in ("--with", name)]


def without_messages(text):
    return [line for line in text.replace("\r", "").splitlines() if not line.startswith("eidolon: ")]


def test_tools_print_what_they_print_on_debian_whatever_is_cut(image, fetched, chance):
    expected = subprocess.run(["bash", "-c", SCRIPT], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    boot = image.boot(*tools(), "--memory", "256", "--interval", "20", program=["bash", "-c", f"echo begun; {SCRIPT}\n{BASE}"])
    boot.expect("begun", timeout=WAIT_S)
    for _ in range(4):
        boot.read_for(chance.uniform(0.5, 2.0))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot("--memory", "256", "--interval", "20")
        boot.expect(RESUMED)
    assert boot.end(timeout=WAIT_S) == 0
    seen = without_messages(boot.text())
    assert seen[-2:] == ["4095|45057", "ok"], seen
    told = [line for whole in image.boots for line in without_messages(whole.text())]
    assert [line for line in expected if line not in told] == [], "what Debian's programs print, and these have not"


def test_package_that_there_is_not_is_named(tmp_path):
    path = tmp_path / "none.img"
    result = launch("--image", str(path), "--with", "no-such-package-anywhere")
    assert result.returncode == 1 and "no-such-package-anywhere" in result.stdout, result.stdout
    result = launch("--image", str(path), "--with", "../etc")
    assert result.returncode == 1 and "no name of a Debian package" in result.stdout
    assert not path.exists()


def add(tar, name, kind=tarfile.REGTYPE, target="", content=b""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size, member.mode = kind, target, len(content), 0o755
    tar.addfile(member, io.BytesIO(content))


@pytest.mark.skipif(not os.path.exists(os.path.join(BUILD, "i386", "bin", "busybox")), reason="no busybox for i386")
def test_folder_and_tar_become_the_machines_files(image, tmp_path):
    folder = tmp_path / "files"
    (folder / "bin").mkdir(parents=True)
    (folder / "data").write_text("from the folder\n")
    shutil.copyfile(os.path.join(BUILD, "i386", "bin", "busybox"), folder / "bin" / "busybox")
    os.chmod(folder / "bin" / "busybox", 0o755)
    for name in ("sh", "cat", "ls"):
        os.symlink("busybox", folder / "bin" / name)
    (folder / "bin" / "hello").write_text("#!/bin/sh\ncat /data\nls -l /data | cut -c1-10\necho $0 $1\n")
    os.chmod(folder / "bin" / "hello", 0o755)
    os.mkfifo(folder / "queue")
    boot = image.boot("--root", str(folder), program=["sh", "-c", "/bin/hello world; ls /"])
    assert boot.end() == 0
    text = boot.text()
    assert "1 files of" in text and "left out" in text
    assert "from the folder\n-rw-r--r--\n/bin/hello world\n" in text and re.search(r"^bin +data +dev", text, re.MULTILINE)

    tar = tmp_path / "files.tar"
    with tarfile.open(tar, "w") as file:
        add(file, "data", content=b"from the tar\n")
    boot = image.boot("--root", str(tar), program=[os.path.join(BUILD, "i386", "bin", "busybox"), "cat", "/data"])
    assert boot.end() == 0 and "from the tar\n" in boot.text()


@pytest.mark.parametrize("words, complaint", [
    (["--root", "{folder}/nothing"], "neither a folder nor a tar"),
    (["--root", "{folder}/text"], "no tar, or a damaged one"),
    (["--root", "{folder}/out.tar"], "leads out of the tree"),
    (["--root", "{folder}/empty", "--with", "dash"], "give one of them"),
    (["--root", "{folder}/empty", "--", "nothing-like-it"], "neither among the machine's files nor here"),
])
def test_files_that_cannot_be_are_refused(tmp_path, words, complaint):
    (tmp_path / "text").write_text("just text, and more of it than a header\n" * 30)
    (tmp_path / "empty").mkdir()
    with tarfile.open(tmp_path / "out.tar", "w") as file:
        add(file, "../outside", content=b"x")
    path = tmp_path / "refused.img"
    result = launch("--image", str(path), *(word.format(folder=tmp_path) for word in words))
    assert result.returncode in (1, 2) and complaint in result.stdout, result.stdout
    assert not path.exists() and not (tmp_path.parent / "outside").exists()
