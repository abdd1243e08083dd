# SPDX-License-Identifier: BSD-2-Clause
"""Files and directories as busybox uses them: what it prints is what it prints on Linux, whatever is cut in between."""

import os
import shutil
import subprocess
import tempfile

import pytest

from machine import BUILD, RESUMED

BUSYBOX = os.path.join(BUILD, "i386", "bin", "busybox")
pytestmark = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="no busybox for i386")

SCRIPT = r"""
set -e
d=$1
rm -rf $d; mkdir $d; cd $d; umask 022
echo one > a; echo two >> a; cat a; wc -c < a
mkdir -p p/q/r; cp a p/q/b; ln -s ../q/b p/q/l; ln a hard; ls -1 . p/q; cat p/q/l
stat -c '%n %F %a %h' a p p/q/l hard
mv a p/q/r/c; rm hard; find . | sort
sed -i s/two/zwei/ p/q/b; cat p/q/b
dd if=/dev/zero of=z bs=1000 count=70 2>/dev/null; wc -c < z; cmp -n 70000 z /dev/zero && echo zeroes
tar cf t.tar p z; tar tf t.tar | sort; mkdir x; tar xf t.tar -C x; diff -r p x/p && cmp z x/z && echo same
gzip -c t.tar > t.gz; gunzip -c t.gz | cmp - t.tar && echo unpacked
chmod 640 z; stat -c %a z; touch -d '2020-01-02 03:04:05' z; stat -c %Y z; ln -s z s; test s -ef z && echo one file
for i in 1 2 3 4 5 6 7 8 9; do echo $i > f$i; done; cat f?; echo f*; rm f[1-5]; ls -1 f*; rm -r x
readlink p/q/l; cd p/q; pwd | sed "s,$d,D,"; cd ../..; test -d p && test ! -e nothing && echo tests
mv p y; mkdir y2; mv y y2/; find y2 -type f | sort; rmdir y2 2>/dev/null || echo not empty
exec 3>open; rm open; echo kept >&3; exec 3>&-
i=0; mkdir many; while [ $i -lt 150 ]; do : > many/a-file-with-number-$i; i=$((i + 1)); done
ls many | wc -l; rm -r many y2; ls -1; cd /; rm -r $d; ls -d $d 2>/dev/null || echo gone
"""

# The same many times: only a sum of what it has printed is told.
ROUNDS = rf"""
echo begun
n=0
while [ $n -lt 8 ]; do
    told="$told $( ({SCRIPT}) 2>&1 | md5sum)"
    n=$((n + 1))
done
echo "$told"
"""


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="eidolon-files-", dir="/tmp")
    yield f"{path}/w"
    shutil.rmtree(path)


def on_linux(script, folder):
    return subprocess.run([BUSYBOX, "ash", "-c", script, "sh", folder], stdout=subprocess.PIPE, text=True, timeout=60,
                          check=True).stdout


def shell(script):
    return [BUSYBOX, "ash", "-c", script, "sh", "/tmp/w"]


def without_messages(text):
    return [line for line in text.replace("\r", "").splitlines() if not line.startswith("eidolon: ")]


def test_busybox_prints_what_it_prints_on_linux(image, folder):
    boot = image.boot(program=shell(SCRIPT))
    assert boot.end() == 0
    assert without_messages(boot.text()) == on_linux(SCRIPT, folder).splitlines()


def test_tree_is_what_it_is_on_linux_whatever_was_cut(image, folder, chance):
    boot = image.boot("--interval", "20", program=shell(ROUNDS))
    boot.expect("begun")
    for _ in range(5):
        boot.read_for(chance.uniform(0.3, 1.5))
        if not boot.is_running():
            break
        boot.kill()
        boot = image.boot("--interval", "20")
        boot.expect(RESUMED)
    assert boot.end(timeout=120) == 0
    assert on_linux(ROUNDS, folder).splitlines()[-1] in without_messages(boot.text())


def test_files_are_there_when_their_programs_have_ended(image):
    """The object space has files as it has programs: those of an earlier program are the next one's."""
    first = "mkdir -p /srv/data; echo remembered > /srv/data/note; ln -s data/note /srv/link"
    assert image.boot(program=[BUSYBOX, "ash", "-c", first]).end() == 0
    boot = image.boot(program=[BUSYBOX, "ash", "-c", "cat /srv/link; ls -1 /srv; rm -r /srv; ls -1 /"])
    assert boot.end() == 0
    assert without_messages(boot.text())[-7:] == ["remembered", "data", "link", "dev", "proc", "root", "tmp"]
