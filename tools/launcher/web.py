# SPDX-License-Identifier: BSD-2-Clause
"""./eidolon web: Eidolon in a browser. Builds a folder of static files, and serves it to this machine alone.

The page is in web/. The emulator is v86, fetched from npm in the version that web/package-lock.json names and proves; the
firmware is Debian's. The folder can be put on any web server as it is; without the two headers that ours sends, the
browser gives the machine a coarser clock, which it can live with.
"""

import argparse
import functools
import glob
import gzip
import http.server
import os
import shutil
import subprocess

from launcher import build, common, image, packages
from launcher.common import Failure, ROOT, build_path, reason, say

PORT_DEFAULT = 8086
IMAGE_MIB = 64
FIRMWARE = {"bios.bin": "/usr/share/seabios/bios.bin", "vgabios.bin": "/usr/share/vgabios/vgabios.bin"}
PAGE_FILES = ("*.html", "*.css", "*.mjs", "*.js", "*.svg")

DESCRIPTION = """\
Build the page that runs Eidolon in a browser, and serve it on this machine alone (loopback). What lives in the page is
kept in the browser's own storage; closing the tab is pulling the plug."""


def port_number(text):
    """An argparse type: a TCP port; 0: any that is free."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number from 0 to 65535")
    return int(text)


def add_options(parser):
    parser.add_argument("--port", type=port_number, default=PORT_DEFAULT,
                        help="to listen on (default: %(default)s; 0: any that is free)")
    parser.add_argument("--output", metavar="DIR", help="put the page there, for your own web server, and end")


def have_npm():
    """npm comes with some packages of Node.js, and on its own in Debian."""
    if not shutil.which("npm") or not shutil.which("node"):
        packages.ensure("node")
    return bool(shutil.which("npm"))


def fetch_emulator():
    """v86 in build/web/node_modules, as the lock file has it."""
    folder = build_path("web")
    os.makedirs(folder, exist_ok=True)
    lock = os.path.join(ROOT, "web", "package-lock.json")
    kept = os.path.join(folder, "package-lock.json")
    if os.path.isdir(os.path.join(folder, "node_modules", "v86")) and same_content(lock, kept):
        return
    if not have_npm():
        raise Failure("npm is missing and could not be installed; as root: apt-get install nodejs npm")
    say("fetching the emulator v86 from npm")
    shutil.copy(os.path.join(ROOT, "web", "package.json"), folder)
    shutil.copy(lock, folder)
    result = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        os.unlink(kept)
        raise Failure(f"npm could not fetch the emulator v86", details=result.stdout[-2000:])


def same_content(first, second):
    try:
        with open(first, "rb") as one, open(second, "rb") as other:
            return one.read() == other.read()
    except OSError:
        return False


def put_image(site):
    """A new image, packed: nearly all of it is zeroes."""
    path = os.path.join(site, "new.img")
    if os.path.exists(path):
        os.unlink(path)
    image.create(path, IMAGE_MIB)
    with open(path, "rb") as plain, gzip.GzipFile(path + ".gz", "wb", compresslevel=9, mtime=0) as packed:
        shutil.copyfileobj(plain, packed)
    os.unlink(path)


def assemble(site):
    """Put everything that the browser loads into one folder."""
    packages.ensure("web")
    fetch_emulator()
    os.makedirs(site, exist_ok=True)
    for pattern in PAGE_FILES:
        for path in glob.glob(os.path.join(glob.escape(os.path.join(ROOT, "web")), pattern)):
            shutil.copy(path, site)
    emulator = build_path("web", "node_modules", "v86")
    for name in ("libv86.mjs", "v86.wasm"):
        shutil.copy(os.path.join(emulator, "build", name), site)
    shutil.copy(os.path.join(emulator, "LICENSE"), os.path.join(site, "v86-license.txt"))
    for name, path in FIRMWARE.items():
        if not os.path.exists(path):
            raise Failure(f"{path} is missing; install it: apt-get install seabios vgabios")
        shutil.copy(path, os.path.join(site, name))
    for name, path in (("eidolon.elf", build_path("kernel", "eidolon.elf")), ("shell", build_path("user", "shell"))):
        subprocess.run(["strip", "-o", os.path.join(site, name), path], check=True)
    put_image(site)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of one folder, with the headers that give the page a fine clock."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript",
                      ".wasm": "application/wasm"}

    def end_headers(self):
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path):
        self.send_error(404)

    def log_message(self, *_):
        """Nobody wants to read it."""


def serve(site, port):
    handler = functools.partial(Handler, directory=site)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise Failure(f"port {port}: {reason(error)}; choose another one with --port") from None
    with server:
        say(f"http://127.0.0.1:{server.server_port}/ has Eidolon in it; ^C ends the server, not what lives in the page")
        server.serve_forever()


def check_output(path):
    """The folder for --output is new or empty, or one of ours."""
    if os.path.lexists(path) and not os.path.isdir(path):
        raise Failure(f"--output {path}: no folder; choose another one")
    if os.path.isdir(path) and os.listdir(path) and not os.path.exists(os.path.join(path, "libv86.mjs")):
        raise Failure(f"--output {path}: there is something else in it; name a new or an empty folder")
    parent = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(parent):
        raise Failure(f"--output {path}: there is no folder {parent}; make it first (mkdir -p)")


def command(options):
    """./eidolon web. Returns the exit status."""
    if options.output is not None:
        check_output(options.output)
    build.build(["bootable", "image_tool"])
    site = os.path.abspath(options.output) if options.output is not None else build_path("web", "site")
    assemble(site)
    if options.output is not None:
        say(f"{options.output} is ready for a web server")
        return 0
    serve(site, options.port)
    return 0
