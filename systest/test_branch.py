# SPDX-License-Identifier: BSD-2-Clause
"""Branches: a second machine from a kept generation of one that goes on, over its image, and what that image then keeps.

That blocks of a held generation are never written again, and that an image and its branch go on beside each other whatever either
does, is tested on the host (hosttest/store_overlay_test.c).
"""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from crash_witness import STATE, History, Witness
from machine import LAUNCHER, RESUMED, ROOT, WAIT_S, eidolon, environment

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import boot as launcher_boot  # noqa: E402
from launcher import branch as launcher_branch  # noqa: E402

PAGES, CHANGES = 1500, 300  # a few thousand pages a second
TOGETHER_S = 4
TOGETHER_SOAK_S = 600


@pytest.fixture
def branch_of(new_image, tmp_path):
    """Makes a branch of an image and returns it as an image."""
    def make(image, which, name):
        branch = new_image(name)
        eidolon("branch", which, "--image", image.path, "--to", branch.path, status=0, timeout=60)
        return branch
    return make


def ctl(image, *words, status=0):
    return eidolon("ctl", "--image", image.path, *words, status=status, timeout=60).stdout


def stop(image, boot):
    ctl(image, "stop")
    assert boot.end() == 0


def test_branch_under_load_and_its_parent_go_on_byte_for_byte(image, branch_of, program, soak):
    history = History(PAGES, CHANGES)
    parent = image.boot("--interval", "50", program=[program("crash_pages"), str(PAGES), str(CHANGES), "10"])
    parent.expect(r"confirmed 20 of")
    ctl(image, "pin", "good")
    parent.read_for(0.5)  # what it had printed by then
    at_pin = max(int(number) for number, _ in STATE.findall(parent.text()))
    child_image = branch_of(image, "good", "child.img")
    child = child_image.boot("--interval", "50")
    resumed = int(child.expect(RESUMED)[1])
    child.expect(r"confirmed \d+ of")
    grandchild_image = None
    ctl(child_image, "pin", "deeper")
    grandchild_image = branch_of(child_image, "deeper", "grandchild.img")
    grandchild = grandchild_image.boot("--interval", "50")
    grandchild.expect(RESUMED)
    end = time.monotonic() + (TOGETHER_SOAK_S if soak else TOGETHER_S)
    while time.monotonic() < end:
        for boot in (parent, child, grandchild):
            boot.read_for(0.2)
    child.kill()  # its plug is pulled, and it goes on from what it had
    child = child_image.boot("--interval", "50")
    assert int(child.expect(RESUMED)[1]) > resumed
    child.expect(r"confirmed \d+ of")
    for each, boot in ((image, parent), (child_image, child), (grandchild_image, grandchild)):
        stop(each, boot)
        for number, earlier in enumerate(each.boots):
            states = Witness(history).judge(earlier.text(), is_first=True) if each is image else judged(history, earlier)
            assert states > 5, f"{each.name}, boot {number}"
    first_of_child = int(STATE.search(child_image.boots[0].text())[1])
    assert 20 < first_of_child <= at_pin + 1, "the branch began where its parent was when that was named"
    for each in (image, child_image, grandchild_image):
        each.tool("verify")


def judged(history, boot):
    """Each state of a machine that began somewhere is the one that its round has."""
    assert "CORRUPT" not in boot.text() and "panic" not in boot.text()
    states = STATE.findall(boot.text())
    for number, checksum in states:
        assert int(checksum, 16) == history.checksum_after(int(number)), f"state {number}"
    return len(states)


def test_branch_is_listed_held_and_made_independent(image, branch_of, tmp_path):
    boot = image.boot()
    boot.expect("> ")
    boot.send_line("note first")
    boot.expect("That makes 1")
    number = re.search(r"\d+", ctl(image, "pin", "good"))[0]
    branch = branch_of(image, "good", "other.img")
    ctl(image, "unpin", "good")  # its own name holds it
    hold = re.search(r"branch-[0-9a-f]{12}", image.tool("log"))[0]
    assert "needs it" in eidolon("ctl", "--image", image.path, "unpin", hold, status=1).stderr
    listed = eidolon("branch", "--list", "--image", image.path, status=0).stdout
    assert re.search(rf"(?m)^ +{number}  good +{re.escape(branch.path)}$", listed)
    stop(image, boot)
    assert "needs it" in eidolon("image", "unpin", image.path, hold, status=1).stderr
    assert "needs it" in eidolon("run", "--headless", "--image", image.path, "--fresh", "--yes", status=1).stderr
    what = launcher_boot.Boot("kernel", [])
    assert "Discard" not in launcher_boot.grub_configuration(what, image.path, False)
    assert branch.tool("log").splitlines()[1].split()[0] == number
    assert "only its machine changes" in eidolon("image", "pin", branch.path, "x", status=2).stderr
    other = branch.boot()
    other.expect(RESUMED)
    other.send_line("notes")
    other.expect("first")
    assert "in use" in eidolon("branch", "--flatten", branch.path, status=1).stderr
    stop(branch, other)
    before = branch.tool("log")
    eidolon("branch", "--flatten", branch.path, status=0)
    assert branch.tool("log") == before and hold not in image.tool("log")
    assert "no branch" in eidolon("branch", "--flatten", branch.path, status=1).stderr
    os.unlink(image.path)  # it stands on its own
    other = branch.boot()
    other.expect(RESUMED)
    stop(branch, other)
    branch.tool("verify")
    assert not [name for name in os.listdir(tmp_path) if name.endswith((".ctl", ".branches", ".flat"))]


def test_branch_that_was_removed_holds_nothing_after_prune(image, branch_of):
    image.boot_with_durable_note("something")
    image.tool("pin", "good")
    branch = branch_of(image, "good", "other.img")  # of an image that does not run
    os.unlink(branch.path)
    assert "gone" in eidolon("branch", "--list", "--image", image.path, status=0).stdout
    eidolon("branch", "--prune", "--image", image.path, status=0)
    assert "branch-" not in image.tool("log") and not os.path.exists(image.path + ".branches")
    image.tool("verify")


def test_what_cannot_be_branched_is_refused_and_leaves_nothing(image, branch_of, tmp_path):
    image.boot_with_durable_note("something")
    image.tool("pin", "good")
    names = sorted(os.listdir(tmp_path))
    new = str(tmp_path / "new.img")
    closed = tmp_path / "closed"
    closed.mkdir()
    cases = [
        (("never", "--to", new), "no such generation"), (("good", "--to", image.path), "there is a file"),
        (("good", "--to", str(tmp_path / "nowhere" / "new.img")), "no folder"),
        (("good", "--image", str(tmp_path / "nobody.img"), "--to", new), "no such image"),
        (("good", "--image", "nbd://there/disk", "--to", new), "on the machine that has it"),
        (("good",), "usage"), (("--list", "--prune"), "usage"), (("--flatten", image.path), "no branch"),
    ]
    for words, complaint in cases:
        arguments = words if "--image" in words else (*words, "--image", image.path)
        result = eidolon("branch", *arguments)
        assert result.returncode in (1, 2) and complaint in result.stderr, f"{words}: {result.stderr}"
        assert result.stderr.count("\n") == 1
    closed.rmdir()
    assert sorted(os.listdir(tmp_path)) == names and "branch-" not in image.tool("log")
    branch = branch_of(image, "good", "other.img")
    os.rename(image.path, image.path + ".away")
    assert "not there any more" in eidolon("run", "--headless", "--image", branch.path, status=1).stderr
    with open(tmp_path / "foreign.img", "wb") as file:
        file.write(b"QFI\xfb" + bytes(5 << 20))
    assert "no branch of an Eidolon image" in eidolon("run", "--headless", "--image", file.name, status=1).stderr


def test_file_of_a_branch_is_sound_to_qemu(image, branch_of):
    image.boot_with_durable_note("something")
    image.tool("pin", "good")
    branch = branch_of(image, "good", "other.img")
    subprocess.run(["qemu-img", "check", branch.path], check=True, capture_output=True)
    boot = branch.boot()
    boot.expect(RESUMED)
    os.kill(boot.qemu_pid(), signal.SIGKILL)
    boot.end()
    result = subprocess.run(["qemu-img", "check", branch.path], check=False, capture_output=True, text=True)
    assert result.returncode in (0, 3), result.stdout  # 3: clusters that are lost, which costs room only


def test_story_of_the_readme(new_image):
    image = new_image("eidolon.img")
    folder = os.path.dirname(image.path)

    def typed(*words):
        result = eidolon(*words, cwd=folder, timeout=60)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    boot = image.boot()
    boot.expect("> ")
    boot.send_line("note buy milk")
    boot.expect("That makes 1")
    number = re.fullmatch(r"generation (\d+) is kept\n", typed("ctl", "pin", "good"))[1]
    boot.send_line("forget all")
    boot.send_line("notes")
    boot.expect("There are no notes")
    branched = f"eidolon: other.img: a branch of generation {number}; boot it: ./eidolon run --image other.img\n"
    assert typed("branch", "good", "--to", "other.img") == branched
    other = new_image("other.img").boot()
    assert other.expect(RESUMED)[1] == number
    other.send_line("notes")
    other.expect("buy milk")
    assert typed("ctl", "rollback", "good") == f"the machine goes on from generation {number}\n"
    assert boot.expect(RESUMED)[1] == number
    boot.send_line("notes")
    boot.expect("buy milk")


def test_interrupted_branch_leaves_at_most_what_prune_clears(image, chance, tmp_path):
    boot = image.boot()
    boot.expect("> ")
    ctl(image, "pin", "good")
    made = []
    for number in range(6):
        path = str(tmp_path / f"new{number}.img")
        process = subprocess.Popen([LAUNCHER, "branch", "good", "--image", image.path, "--to", path], env=environment(),
                                   stderr=subprocess.PIPE)
        time.sleep(chance.uniform(0.05, 0.6))
        process.send_signal(chance.choice([signal.SIGINT, signal.SIGKILL]))
        process.communicate(timeout=WAIT_S)
        if os.path.exists(path):
            made.append(path)
    eidolon("branch", "--prune", "--image", image.path, status=0)
    log = image.tool("log")
    listed = eidolon("branch", "--list", "--image", image.path, status=0).stdout
    assert len(re.findall(r"branch-", log)) == listed.count("new") and "gone" not in listed
    for path in made:
        subprocess.run(["qemu-img", "check", "-q", "-U", path], check=path in listed)
    stop(image, boot)


def test_branch_on_a_full_disk_is_refused_and_leaves_nothing(image, tmp_path):
    image.boot_with_durable_note("something")
    image.tool("pin", "good")
    full = tmp_path / "full"
    full.mkdir()
    script = (f"mount -t tmpfs -o size=64k none {full} && head -c 40000 /dev/zero >{full}/filler && "
              f'"$0" branch good --image "$1" --to {full}/new.img; status=$?; ls {full}; exit $status')
    result = subprocess.run(["unshare", "-rm", "sh", "-c", script, LAUNCHER, image.path], capture_output=True, text=True,
                            env=environment(), check=False, timeout=60)
    if "unshare" in result.stderr or "mount" in result.stderr:
        pytest.skip("no mount namespaces here (unshare -rm)")
    assert result.returncode == 1 and "no space left" in result.stderr and result.stdout == "filler\n"
    assert "branch-" not in image.tool("log") and not os.path.exists(image.path + ".branches")


@pytest.mark.parametrize("content", [b"garbage{", b'{"hold": "branch-1"}', b"[]", b"7", b'{"hold": 1, "file": 2, "generation": "x", "name": 3}',
                                     b"\0\377", b'{"hold": "branch-1", "file": "a"'])
def test_damaged_list_of_branches_is_named_and_left_as_it_is(image, content):
    image.tool("create", "--size", "16")
    with open(image.path + ".branches", "wb") as file:
        file.write(content + b"\n")
    for words in (("branch", "--list", "--image", image.path), ("branch", "--prune", "--image", image.path),
                  ("run", "--fresh", "--headless", "--image", image.path)):
        result = eidolon(*words, status=1, timeout=60)
        assert ".branches: line 1" in result.stderr and "Traceback" not in result.stderr
    with open(image.path + ".branches", "rb") as file:
        assert file.read() == content + b"\n"


@pytest.mark.parametrize("at, data, said", [
    (16, b"\0\377\0\0", "damaged"), (8, b"\377" * 8, "damaged"), (24, b"\377" * 8, "damaged"), (24, bytes(8), "damaged"),
    (104, b"\377" * 8, "no branch"), (24, b"\0\1", "damaged")])
def test_damaged_file_of_a_branch_is_named(image, branch_of, at, data, said):
    image.boot_with_durable_note("something")
    image.tool("pin", "good")
    branch = branch_of(image, "good", "branch.img")
    with open(branch.path, "r+b") as file:
        file.seek(at)
        file.write(data)
    for words in (("run", "--headless"), ("branch", "--flatten", branch.path)):
        place = ("--image", branch.path) if words[0] == "run" else ()
        result = eidolon(*words, *place, status=1, timeout=60)
        assert said in result.stderr and len(result.stderr) < 500 and "Traceback" not in result.stderr


def change_list(path, number):
    for turn in range(40):
        hold = f"branch-{number}-{turn}"
        with launcher_branch.List(path) as known:
            known.add({"hold": hold, "file": path + hold, "generation": turn, "name": "x"})
        if turn < 39:  # so that the list is empty now and then, and goes
            with launcher_branch.List(path) as known:
                assert hold in [entry["hold"] for entry in known.entries]
                known.remove(hold)


def test_list_of_branches_loses_nothing_that_is_added_at_once(tmp_path):
    path = str(tmp_path / "some.img")
    workers = [multiprocessing.Process(target=change_list, args=(path, number)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    with open(path + ".branches", encoding="utf-8") as file:
        kept = sorted(json.loads(line)["hold"] for line in file)
    assert kept == sorted(f"branch-{number}-39" for number in range(6))
    assert sorted(os.listdir(tmp_path)) == ["some.img.branches"]
