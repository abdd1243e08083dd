# SPDX-License-Identifier: BSD-2-Clause
"""Eidolon in a browser: under node at every write of a session, and in a real Chromium whose tabs are closed and whose
processes are killed at random moments."""

import os
import re
import subprocess
import sys
import time

import pytest

import browser
from machine import BUILD, DURABLE, ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import web  # noqa: E402
from launcher.common import Failure  # noqa: E402

pytestmark = pytest.mark.xdist_group("web")
NEEDS_BROWSER = pytest.mark.skipif(not browser.is_available(), reason="no browser: ./eidolon test web installs one")
TABS, TABS_SOAK = 12, 100


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that ./eidolon web serves."""
    folder = tmp_path_factory.mktemp("web") / "site"
    try:
        web.assemble(str(folder))
    except Failure as failure:
        pytest.skip(f"the page cannot be built here: {failure}")
    return str(folder)


def node(site, script, *arguments):
    """Run one of web/test under node. Returns what it printed."""
    environment = dict(os.environ, EIDOLON_SITE=site, EIDOLON_IMAGE_TOOL=os.path.join(BUILD, "tools", "image_tool"))
    result = subprocess.run(["node", os.path.join(ROOT, "web", "test", script), *arguments], env=environment, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800,
                            check=False)
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_disk_acknowledges_only_what_is_stored(site):
    assert "# fail 0" in node(site, "disk_test.mjs")


def test_power_cut_at_every_write_loses_nothing(site, soak):
    printed = node(site, "every_write.mjs", *(["40", "60"] if soak else ["6", "6"]))
    assert re.search(r"all sound, .* none lost", printed)


def test_image_wanders_between_qemu_and_the_emulator(site, image):
    """The same processor on both sides, so it can go back."""
    image.boot_with_durable_note("born in QEMU", "--size", "64", "--cpu", "baseline")
    printed = node(site, "go_on.mjs", image.path, "from the emulator")
    assert re.search(r" 1 .* born in QEMU$", printed, re.MULTILINE)
    boot = image.boot("--cpu", "baseline")
    boot.expect("resumed generation")
    boot.send_line("\x15notes")
    boot.expect(r"1 .* born in QEMU\s+2 .* from the emulator")
    boot.kill()
    image.tool("verify")


@pytest.fixture
def page(site, tmp_path):
    """Opens the page, again and again, in one profile."""
    server = browser.Server(site)
    opened = []

    def open_page(**options):
        opened.append(browser.Browser(server.url, str(tmp_path / "profile"), **options))
        return opened[-1]

    yield open_page
    for one in opened:
        try:
            one.close()
        except Exception:  # it was killed before
            pass
    server.close()


def notes(tab):
    """What the shell has kept, by number. What was being typed when the power went is there as well: ^U takes it away."""
    before = len(tab.console())
    tab.type("\x15notes\rtime\r")
    tab.wait_for(lambda: tab.console()[before:], r"alive, over all boots")
    return re.findall(r"^(?:> )*\s*\d+ .* (tab \d+)$", tab.console()[before:], re.MULTILINE)


@NEEDS_BROWSER
def test_closed_tabs_and_killed_browsers_lose_no_note(page, chance, soak):
    tab = page()
    tab.expect(r"> $")
    expected = []
    for number in range(TABS_SOAK if soak else TABS):
        before = len(tab.console())
        tab.type(f"\x15note tab {number}\rsync\r")
        tab.wait_for(lambda: tab.console()[before:], DURABLE)
        expected.append(f"tab {number}")
        tab.type(chance.choice(["count\r", "primes 100000\r", "note half a"]))
        time.sleep(chance.random() * 0.5)
        if chance.random() < 0.3:
            tab.kill()
            tab = page()
        else:
            tab.close_tab()
            tab.load()
        tab.expect(r"resumed generation \d+")
        tab.type("\x03")
        assert notes(tab) == expected
    tab.type("\x15forget all\r")


def is_displayed(tab, name):
    return tab.driver.find_element("id", name).is_displayed()


@NEEDS_BROWSER
def test_plug_and_earlier_states_by_button(page):
    tab = page()
    tab.expect(r"> $")
    tab.type("note tab 1\rsync\r")
    tab.expect(r"That makes 1[\s\S]*" + DURABLE)
    tab.click("plug")
    tab.wait_for(tab.status, "nothing is lost")
    tab.click("power")
    tab.expect("resumed generation")
    tab.type("note tab 2\rsync\r")
    tab.expect(r"That makes 2[\s\S]*" + DURABLE)
    assert notes(tab) == ["tab 1", "tab 2"]
    assert not is_displayed(tab, "back") and not is_displayed(tab, "generation")  # there is nothing to choose from yet
    tab.click("list")
    tab.wait_for(tab.status, r"\d+ states are kept")
    assert is_displayed(tab, "back") and is_displayed(tab, "generation")
    oldest = tab.run("const s = document.getElementById('generation'); s.value = '0'; s.dispatchEvent(new Event('input'));"
                     "return window.eidolon.kept[window.eidolon.kept.length - 1].number")
    assert f"generation {oldest}," in tab.run("return document.getElementById('generation-text').textContent")
    tab.click("back")
    tab.wait_for(lambda: tab.run("return window.eidolon.serial.split('resumed generation').length > 2 ? 'twice' : ''"), "twice")
    tab.wait_for(tab.console, rf"resumed generation {oldest}\b|This is Eidolon")


def shown(tab):
    """The lines of the machine's screen, as the page shows them."""
    return tab.run("return [...document.querySelectorAll('#screen .text > div')].map((row) => row.textContent.trimEnd()).join('\\n')")


def press(tab, *keys):
    from selenium.webdriver import ActionChains
    ActionChains(tab.driver).send_keys(*keys).perform()


def focus(tab):
    return tab.run("return document.activeElement.id")


@NEEDS_BROWSER
def test_keyboard_alone_types_into_the_screen_leaves_it_and_pulls_the_plug(page):
    from selenium.webdriver import Keys
    tab = page()
    tab.expect(r"> $")
    assert focus(tab) == "screen"
    press(tab, "note tab 7", Keys.ENTER)
    tab.expect("That makes 1")
    press(tab, Keys.F6)
    assert focus(tab) == "text"
    press(tab, "notes")
    press(tab, Keys.ENTER)
    tab.expect(r"^\s+1 .* tab 7$")
    press(tab, Keys.TAB, Keys.TAB)
    assert focus(tab) == "plug"
    press(tab, Keys.ENTER)
    tab.wait_for(tab.status, "nothing is lost")
    assert focus(tab) == "power"
    press(tab, Keys.ENTER)
    tab.expect("resumed generation")
    assert focus(tab) == "screen"


@NEEDS_BROWSER
def test_keys_go_to_the_machine_only_while_its_screen_has_the_focus(page):
    from selenium.webdriver import Keys
    tab = page()
    tab.expect(r"> $")
    tab.type("sync\r")
    tab.expect(DURABLE)
    tab.load()  # a page that is loaded again begins on the screen, but who has left before it started stays where he is
    tab.run("document.getElementById('text').focus()")
    tab.expect(r"resumed generation")
    press(tab, "zzz")
    assert tab.run("return document.getElementById('text').value") == "zzz"
    tab.type("note tab 3\r")
    tab.expect("That makes 1")
    assert "zzz" not in shown(tab)


@NEEDS_BROWSER
def test_screen_of_the_page_is_what_the_console_showed_after_a_resume_too(page):
    tab = page()
    tab.expect(r"> $")
    tab.type("note tab 1\rsync\r")
    tab.expect(DURABLE)
    tab.wait_for(lambda: shown(tab), DURABLE)
    before = shown(tab)
    assert before.startswith("This is Eidolon. Memory does not go away: nothing is saved, and nothing is lost.\nMake a note")
    tab.load()
    tab.expect("resumed generation")
    tab.wait_for(tab.status, "goes on where it was")
    tab.wait_for(lambda: shown(tab), "^eidolon: resumed generation")
    assert shown(tab).startswith(before[:before.index("durable")])


@NEEDS_BROWSER
def test_second_tab_is_told_of_the_first(page):
    tab = page()
    tab.expect(r"> $")
    tab.driver.switch_to.new_window("tab")
    tab.load()
    tab.wait_for(tab.status, "another tab")


@NEEDS_BROWSER
def test_page_fits_a_phone(page):
    tab = page(width=500)
    tab.expect(r"> $")
    assert tab.run("return document.documentElement.scrollWidth <= window.innerWidth")
    tab.wait_for(lambda: tab.run("return document.getElementById('memory-text').textContent"), r"[1-9]\d* program, (read|protected|written)")
    cursor, screen, row = tab.run("""
        const row = [...document.querySelectorAll('#screen .text > div')].find((one) => one.querySelector('.cursor'));
        return [row.querySelector('.cursor'), document.getElementById('screen'), row].map((one) => one.getBoundingClientRect());""")
    assert "rgba(0, 0, 0, 0)" == tab.run("return getComputedStyle(document.querySelector('#screen .text span')).backgroundColor")
    assert row["top"] < cursor["top"] and cursor["bottom"] <= row["top"] + screen["height"] / 25 + 1, (cursor, row)
