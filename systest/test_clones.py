"""Clones of programs: what they share and what not, whatever is cut, and that nothing is left of them."""

from machine import RESUMED
from test_transcripts import drive_nothing, transcript_on_linux, without_messages


def test_clones_see_what_they_see_on_linux(image, program):
    expected = transcript_on_linux(program("forks"), drive_nothing)
    boot = image.boot(program=[program("forks")])
    assert boot.end(timeout=120) == 0
    assert without_messages(boot.text()).splitlines() == expected.splitlines()


def test_clones_go_on_whatever_was_cut(image, program, chance):
    boot = image.boot(program=[program("forks"), "3000"])
    boot.expect("child: ")
    for _ in range(8):
        boot.read_for(chance.uniform(0.1, 0.8))
        if not boot.is_running() or "done" in boot.text():
            break
        boot.kill()
        boot = image.boot()
        boot.expect(RESUMED)
    assert boot.end(timeout=180) == 0
    assert "3000 rounds, 0 wrong\ndone\n" in boot.text()
    for each in image.boots:
        assert "crowd: 0 wrong" in each.text() or "crowd" not in each.text()
        assert "lost" not in each.text() and "waitpid:" not in each.text()
