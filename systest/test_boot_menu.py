# SPDX-License-Identifier: BSD-2-Clause
"""GRUB's menu, driven over the serial line: continue, choose an earlier generation, hold a program, check, start afresh."""

import re
import time

from machine import RESUMED

DOWN, ENTER = "\x0e", "\r"
CONTINUE, EARLIER, HOLD, CHECK, AFRESH = range(5)
KEY_PAUSE_S = 0.1


def choose(boot, *entries):
    """Choose an entry, then one of its submenu, by their positions."""
    for entry in entries:
        boot.expect("Press enter|Use the")
        boot.read_for(0.3)
        for key in [DOWN] * entry + [ENTER]:
            boot.send(key)
            time.sleep(KEY_PAUSE_S)


def menu(image, *options, **more):
    return image.boot("--boot", "grub", "--menu", *options, **more)


def test_menu_offers_what_there_is(used_image):
    boot = menu(used_image)
    boot.expect("Continue")
    boot.expect("Choose an earlier generation")
    boot.expect("Hold a program, or let one go")
    boot.expect("Check the image")
    boot.expect("Start afresh")


def test_menu_continues_by_itself_after_a_while(used_image):
    menu(used_image).expect(RESUMED)


def test_menu_continue_resumes(used_image):
    boot = menu(used_image)
    choose(boot, CONTINUE)
    boot.expect(RESUMED)
    boot.send_line("again")
    boot.expect("line 3 is <again>")


def test_menu_check_says_what_was_found_and_changes_nothing(used_image):
    before = used_image.content()
    boot = menu(used_image)
    choose(boot, CHECK)
    pages, bad = map(int, boot.expect(r"eidolon: check: generation \d+: (\d+) pages read, (\d+) of them damaged").groups())
    assert pages > 20 and bad == 0
    assert boot.end() == 0
    assert used_image.content() == before


def test_menu_check_finds_damage(used_image):
    """Every block beyond the roots and labels is damaged, one bit each."""
    with open(used_image.path, "r+b") as file:
        content = bytearray(file.read(8 << 20))
        for block in range(4, len(content) // 4096):
            if any(content[block * 4096:][:4096]):
                content[block * 4096 + 1000] ^= 4
        file.seek(0)
        file.write(content)
    boot = menu(used_image)
    choose(boot, CHECK)
    boot.expect("eidolon: check: ")
    assert boot.end() == 1
    assert "panic" not in boot.log()


def test_menu_start_afresh_asks_and_then_discards(used_image, program):
    boot = menu(used_image, program=[program("echo")])
    choose(boot, AFRESH, 0)
    boot.expect("Choose an earlier generation")
    boot.kill()
    boot = menu(used_image, program=[program("echo")])
    choose(boot, AFRESH, 1)
    boot.expect("echo is ready")
    boot.send_line("new")
    boot.expect("line 1 is <new>")


def test_menu_earlier_generation_resumes_it(used_image):
    boot = menu(used_image)
    choose(boot, EARLIER)
    boot.expect("ESC to return")
    boot.read_for(0.5)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", boot.text().split("ESC to return")[-1])
    numbers = [int(number) for number in re.findall(r"Generation (\d+), ", shown)]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) > 1
    boot.send(DOWN + ENTER)
    assert int(boot.expect(RESUMED)[1]) == numbers[1]


def test_menu_holds_a_program_and_lets_it_go(used_image):
    boot = menu(used_image)
    choose(boot, HOLD, 0)
    boot.expect(r"eidolon: program 1 \(echo\) is held")
    used_image.wait_until_committed(boot, "programs", "^ +1 .* held ")
    boot.kill()
    boot = menu(used_image)
    choose(boot, HOLD)
    boot.expect("Let go of program 1, echo")
    boot.expect("End program 1, echo")
    boot.read_for(0.3)
    boot.send(ENTER)
    boot.expect(r"eidolon: program 1 \(echo\) is let go")
    used_image.wait_until_committed(boot, "programs", "^ +1 .* alive ")
