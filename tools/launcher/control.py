# SPDX-License-Identifier: BSD-2-Clause
"""The control socket of a running machine: whoever may write to it asks, and the kernel, or the launcher, answers.

A request is a line, an answer a line of JSON (docs/control.md). Many may be connected at once: each client's requests are
answered one after the other, and those of all clients go to the kernel one line at a time, over its second serial port. A
request that waits for a snapshot holds up nobody else's. What a client sends beyond a request's length is thrown away, a
client that says nothing for a while is let go, and one that does not read its answer loses it.

The launcher itself answers what the kernel cannot: `start FILE` (it reads the file and hands it over in pieces), `stop` and
`rollback`.

The socket appears when QEMU has locked the image, so that no two machines quarrel about it, and is removed when the
launcher ends, however it ends.
"""

import base64
import json
import os
import queue
import re
import secrets
import socket
import subprocess
import threading

from launcher import meeting, program
from launcher.common import Failure, say

REQUEST_MAX = 4096  # letters, as the kernel has it
ANSWER_MAX = 4 << 20  # of one from the kernel: 4,094 programs take a quarter of that
CLIENTS_MAX = 64
QUEUE_MAX = 256  # lines on their way to the kernel
IDLE_S = 60  # that a client may say nothing
READING_S = 10  # that one may take to read an answer
PIECE_BYTES = 2048  # of a program's file, to a line
KERNEL_S = 60  # that the kernel may take for what the launcher asks of it by itself
READY_S = 60  # that a machine that was rolled back may take to boot

ID = re.compile(r"[0-9a-fA-F]{1,32}")
FORM = "a request is: ID COMMAND WORD...; an id has 1 to 32 hexadecimal digits"


def failed(identity, kind, text):
    return {"id": identity, "ok": False, "kind": kind, "error": text}


class Client:
    """One connection. Answers are sent from several threads."""

    def __init__(self, connection):
        self.connection = connection
        self.lock = threading.Lock()
        self.watches = False
        connection.settimeout(IDLE_S)

    def send(self, answer):
        data = json.dumps(answer).encode() + b"\n"
        with self.lock:
            try:
                self.connection.settimeout(READING_S)
                self.connection.sendall(data)
                self.connection.settimeout(None if self.watches else IDLE_S)
            except OSError:
                self.close()

    def close(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def lines(self):
        """The requests; None for one that is too long, which is the last."""
        rest = b""
        while True:
            try:
                data = self.connection.recv(4096)
            except OSError:
                return
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                if len(line) > REQUEST_MAX:
                    yield None
                    return
                yield line
            if len(rest) > REQUEST_MAX:
                yield None
                return


class Server:
    """The socket, and the way to the kernel. `machine`: has switch_off(), roll_back(), is_ready()."""

    def __init__(self, machine, image):
        self.machine = machine
        self.image = image
        self.path = None
        self.listener = None
        self.remover = None
        self.lock = threading.Lock()
        self.waiting = {}  # by id: (line, [queue of each that waits])
        self.clients = set()
        self.enders = []  # clients that have asked for the end
        self.loading = threading.Lock()  # one file goes in at a time
        self.ready = threading.Event()
        self.outgoing = queue.Queue(QUEUE_MAX)
        self.line = None
        self.is_watched = False

    # The socket ------------------------------------------------------------------------------------------------------

    def listen(self):
        """The image is this machine's now."""
        if self.listener:
            return
        try:
            path = meeting.choose(self.image)
            listener = socket.socket(socket.AF_UNIX)
            if os.path.lexists(path):
                os.unlink(path)
            mask = os.umask(0o177)
            try:
                listener.bind(path)
            finally:
                os.umask(mask)
            listener.listen(CLIENTS_MAX)
        except OSError as error:
            say(f"the machine cannot be asked anything while it runs: its socket: {(error.strerror or str(error)).lower()}")
            return
        self.path, self.listener = path, listener
        self.remover = self.remove_after(path)
        threading.Thread(target=self.accept, daemon=True).start()

    @staticmethod
    def remove_after(path):
        """A shell that removes the socket when this process has ended, unless another machine has put its own there."""
        script = 'read -r _; [ "$(stat -c %i -- "$0" 2>/dev/null)" = "$1" ] && rm -f -- "$0"'
        return subprocess.Popen(["sh", "-c", script, path, str(os.stat(path).st_ino)], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            client = Client(connection)
            with self.lock:
                is_one_too_many = len(self.clients) == CLIENTS_MAX
                if not is_one_too_many:
                    self.clients.add(client)
            if is_one_too_many:
                client.send(failed("", "busy", f"{CLIENTS_MAX} others are connected already; try again"))
                connection.close()
            else:
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            for line in client.lines():
                if line is None:
                    client.send(failed("", "usage", f"a request has at most {REQUEST_MAX} letters"))
                    return
                if line.strip():
                    self.take(client, line)
        finally:
            with self.lock:
                self.clients.discard(client)
            client.watches = False
            self.set_watched()
            client.connection.close()

    def take(self, client, data):
        try:
            text = data.decode("ascii").strip()
        except UnicodeDecodeError:
            text = "\0"
        if not text.isprintable():
            client.send(failed("", "usage", "a request has printing characters of ASCII only"))
            return
        identity, _, rest = text.partition(" ")
        name, _, words = rest.strip().partition(" ")
        if not ID.fullmatch(identity) or not name:
            client.send(failed("", "usage", FORM))
            return
        own = {"stop": self.stop, "rollback": self.roll_back, "start": self.start, "watch": self.watch,
               "load": self.refuse, "bytes": self.refuse}.get(name)
        if own:
            own(client, identity, words.split())
        else:
            client.send(self.ask(text))

    # Requests that the launcher carries out --------------------------------------------------------------------------

    def refuse(self, client, identity, _):
        client.send(failed(identity, "usage", "start FILE hands a file over"))

    def watch(self, client, identity, words):
        if words not in (["on"], ["off"]):
            client.send(failed(identity, "usage", "watch on|off"))
            return
        client.watches = words == ["on"]
        self.set_watched()
        client.send({"id": identity, "ok": True})

    def set_watched(self):
        """The kernel is asked for a line for each generation while anybody wants them."""
        with self.lock:
            wanted = any(client.watches for client in self.clients)
            if wanted == self.is_watched:
                return
            self.is_watched = wanted
        self.outgoing.put(self.watch_line())

    def watch_line(self):
        return f"{secrets.token_hex(8)} watch {'on' if self.is_watched else 'off'}"

    def stop(self, client, identity, _):
        """Answered by finish(), when QEMU has ended."""
        with self.lock:
            self.enders.append((client, identity))
        self.machine.switch_off(0)

    def roll_back(self, client, identity, words):
        if len(words) != 1:
            client.send(failed(identity, "usage", "rollback GENERATION|NAME"))
            return
        log = self.ask(f"{secrets.token_hex(8)} log", KERNEL_S)
        kept = log.get("generations", [])
        number = next((each["generation"] for each in kept if words[0] == str(each["generation"]) or
                       {"name": words[0]} in each["names"]), None)
        if not log["ok"]:
            client.send({**log, "id": identity})
            return
        if number is None:
            client.send(failed(identity, "not-found", f"{words[0]}: no such generation is kept; log lists them"))
            return
        trouble = self.machine.roll_back(words[0])
        if trouble:
            client.send(failed(identity, "failed", trouble))
            return
        answer = self.ask(f"{secrets.token_hex(8)} status", READY_S)
        client.send({"id": identity, "ok": True, "generation": number} if answer["ok"] else {**answer, "id": identity})

    def start(self, client, identity, words):
        try:
            path = os.fsdecode(unquote(words[0]) if words else b"")
            if not os.path.isabs(path) or len(words) < 2:
                raise Failure("start FILE WORD... [-- VARIABLE=VALUE...]: the file's whole path, then what the program finds")
            program.check(path)
            content = program.loaded_part(program.read(path))
        except Failure as failure:
            client.send(failed(identity, "usage", str(failure)))
            return
        with self.loading:
            client.send(self.load(identity, content, " ".join(words[1:])))

    def load(self, identity, content, line):
        """Hand a file over, in pieces, and start it."""
        request = f"{identity} start {line}"
        if len(request) > REQUEST_MAX:
            return failed(identity, "usage", f"{len(request)} letters of arguments and environment; at most {REQUEST_MAX} fit")
        answer = self.ask(f"{secrets.token_hex(8)} load {len(content)}", KERNEL_S)
        for at in range(0, len(content), PIECE_BYTES):
            if not answer["ok"]:
                break
            piece = base64.b64encode(content[at:at + PIECE_BYTES]).decode()
            answer = self.ask(f"{secrets.token_hex(8)} bytes {at} {piece}", KERNEL_S)
        return self.ask(request) if answer["ok"] else {**answer, "id": identity}

    # The kernel ------------------------------------------------------------------------------------------------------

    def ask(self, line, patience_s=None):
        """Have the kernel answer a line. Whoever asks the same meanwhile shares the answer."""
        identity = line.partition(" ")[0].lower()
        mine = queue.Queue()
        with self.lock:
            asked, waiters = self.waiting.get(identity, (line, []))
            if asked != line:
                return failed(identity, "busy", "another request has this id, and is not answered yet")
            if not waiters:
                try:
                    self.outgoing.put_nowait(line)
                except queue.Full:
                    return failed(identity, "busy", f"{QUEUE_MAX} requests are on their way already; try again")
                self.waiting[identity] = (line, waiters)
            waiters.append(mine)
        try:
            answer = mine.get(timeout=patience_s)
        except queue.Empty:
            with self.lock:
                self.waiting.pop(identity, None)
            answer = failed(identity, "silent", f"the kernel has not answered for {patience_s} s")
        return {**answer, "id": line.partition(" ")[0]}

    def write_lines(self):
        """What is asked goes to the kernel that runs, whichever that is by then."""
        while True:
            line = self.outgoing.get()
            try:
                self.line.sendall(line.encode() + b"\n")
            except OSError:
                pass  # it has ended; whoever waits for an answer is told

    def read_from(self, line):
        """A kernel has begun; our end of its line."""
        if self.line is None:
            threading.Thread(target=self.write_lines, daemon=True).start()
        self.line = line
        threading.Thread(target=self.read_answers, args=(line,), daemon=True).start()
        if self.is_watched:
            self.outgoing.put(self.watch_line())

    def read_answers(self, line):
        rest = b""
        while True:
            try:
                data = line.recv(65536)
            except OSError:
                data = b""
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            for each in whole:
                self.take_answer(each)
            rest = b"" if len(rest) > ANSWER_MAX else rest

    def take_answer(self, data):
        try:
            answer = json.loads(data)
        except ValueError:
            return  # half of one: the machine was cut off, or the line
        if not isinstance(answer, dict):
            return
        if "event" in answer:
            with self.lock:
                watchers = [client for client in self.clients if client.watches]
            for client in watchers:
                client.send(answer)
            return
        with self.lock:
            _, waiters = self.waiting.pop(str(answer.get("id")).lower(), ("", []))
        for waiter in waiters:
            waiter.put(answer)

    def forget_waiting(self, kind, text):
        """A kernel has ended: what it was asked it will not answer."""
        with self.lock:
            waiting, self.waiting = self.waiting, {}
        for identity, (_, waiters) in waiting.items():
            for waiter in waiters:
                waiter.put(failed(identity, kind, text))

    # The end ---------------------------------------------------------------------------------------------------------

    def finish(self, generation):
        """The machine has ended; `generation`: durable, after an end in order. Tell those who wait, remove the socket."""
        if self.listener:
            self.listener.close()
        with self.lock:
            enders, self.enders = self.enders, []
        for client, identity in enders:
            client.send({"id": identity, "ok": True, "generation": generation} if generation is not None else
                        failed(identity, "failed", "the machine has ended otherwise; its launcher says why"))
        self.forget_waiting("gone", "the machine has ended")
        with self.lock:
            clients = list(self.clients)
        for client in clients:
            client.close()
        if self.remover:
            self.remover.stdin.close()
            self.remover.wait()


def unquote(word):
    """The bytes of a percent-encoded word."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), word.encode())
