# SPDX-License-Identifier: BSD-2-Clause
"""Eidolon's page in a headless Chromium: a browser whose profile, and with it the machine's disk, outlives its tabs."""

import functools
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from machine import ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import web  # noqa: E402

WAIT_S = 120


def is_available():
    """Whether there is a browser to test with; ./eidolon test web installs one."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return False
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Server:
    """The site on a port of the loopback, as ./eidolon web serves it."""

    def __init__(self, site):
        handler = functools.partial(web.Handler, directory=site)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Browser:
    """One browser process and its page. It is killed as a whole, or loses its tab."""

    def __init__(self, url, profile, width=1000):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     f"--user-data-dir={profile}", f"--window-size={width},1400"):
            options.add_argument(word)
        self.url = url
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(WAIT_S)
        self.load()

    def load(self):
        self.driver.get(self.url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def console(self):
        return self.run("return window.eidolon ? window.eidolon.serial : ''").replace("\r", "")

    def status(self):
        return self.run("return document.getElementById('status').textContent")

    def wait_for(self, what, pattern, limit_s=WAIT_S):
        """Wait until what() matches. Returns the match."""
        end = time.monotonic() + limit_s
        while True:
            text = what()
            match = re.search(pattern, text, re.MULTILINE)
            if match:
                return match
            assert time.monotonic() < end, f"not within {limit_s} s: {pattern!r} in\n{text}\nstatus: {self.status()}"
            time.sleep(0.05)

    def expect(self, pattern, limit_s=WAIT_S):
        return self.wait_for(self.console, pattern, limit_s)

    def type(self, text):
        self.run("window.eidolon.machine.type(arguments[0])", text)

    def click(self, name):
        self.driver.find_element("id", name).click()

    def close_tab(self):
        """The tab goes, the browser stays, with an empty one."""
        old = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        new = self.driver.current_window_handle
        self.driver.switch_to.window(old)
        self.driver.close()
        self.driver.switch_to.window(new)

    def processes(self):
        """The browser's processes: the children of its driver, and theirs."""
        found, waiting = [], [self.driver.service.process.pid]
        while waiting:
            parent = waiting.pop()
            listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
            children = [int(word) for word in listing.stdout.split()]
            found += children
            waiting += children
        return found

    def kill(self):
        """End the browser as the out-of-memory killer would."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.driver.service.stop()

    def close(self):
        self.driver.quit()
