# SPDX-License-Identifier: BSD-2-Clause
"""A server of a network block device that can lose power: what it has not flushed is in its memory only.

A ForgetfulServer serves one file to one client after the other, in threads of this process. Writes stay in memory until a
flush puts them into the file. crash() drops them and every connection; serve() is the server coming back.

The protocol is NBD, fixed newstyle, with simple replies: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
"""

import os
import socket
import struct
import threading

OLD_MAGIC, OPTION_MAGIC, REPLY_MAGIC = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
REQUEST_MAGIC, ANSWER_MAGIC = 0x25609513, 0x67446698
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
HAS_FLAGS, SENDS_FLUSH = 1, 4
OPTION_EXPORT_NAME, OPTION_ABORT, OPTION_INFO, OPTION_GO = 1, 2, 6, 7
REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 1, 3, 0x80000001
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
INVALID = 22
BLOCK = 4096


def receive(connection, count):
    """Exactly so many bytes; EOFError if the client has gone."""
    data = bytearray()
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


class ForgetfulServer:
    """- path: the file that is served, of whole blocks. It must not change while somebody is connected."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.unflushed = {}  # block: its bytes
        self.forgotten = 0   # blocks
        self.clients = 0     # that were accepted
        self.lock = threading.Lock()
        self.listener = self.connection = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def serve(self):
        """Be there for clients."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen()
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def crash(self):
        """Go away without what was not flushed. Returns how many blocks that was."""
        with self.lock:
            listener, connection, self.listener, self.connection = self.listener, self.connection, None, None
            lost = len(self.unflushed)
            self.unflushed = {}
            self.forgotten += lost
        for end in (listener, connection):
            if end is not None:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()
        return lost

    def stop(self):
        self.crash()
        os.close(self.file)

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                if self.listener is not listener:
                    connection.close()
                    return
                self.connection = connection
                self.clients += 1
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.negotiate(connection):
                    self.transmit(connection)
            except (EOFError, OSError):
                pass
            connection.close()

    def negotiate(self, connection):
        """Whether an export was agreed on; its name is taken as it comes."""
        connection.sendall(struct.pack(">QQH", OLD_MAGIC, OPTION_MAGIC, FIXED_NEWSTYLE | NO_ZEROES))
        flags, = struct.unpack(">I", receive(connection, 4))
        while True:
            _, option, length = struct.unpack(">QII", receive(connection, 16))
            receive(connection, length)
            if option == OPTION_EXPORT_NAME:
                connection.sendall(struct.pack(">QH", self.size, HAS_FLAGS | SENDS_FLUSH)
                                   + (b"" if flags & NO_ZEROES else bytes(124)))
                return True
            if option in (OPTION_GO, OPTION_INFO):
                info = struct.pack(">HQH", 0, self.size, HAS_FLAGS | SENDS_FLUSH)
                self.answer_option(connection, option, REPLY_INFO, info)
                self.answer_option(connection, option, REPLY_ACK)
                if option == OPTION_GO:
                    return True
                continue
            self.answer_option(connection, option, REPLY_ACK if option == OPTION_ABORT else REPLY_UNSUPPORTED)
            if option == OPTION_ABORT:
                return False

    @staticmethod
    def answer_option(connection, option, kind, data=b""):
        connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data)) + data)

    def transmit(self, connection):
        while True:
            magic, _, kind, handle, offset, length = struct.unpack(">IHHQQI", receive(connection, 28))
            if magic != REQUEST_MAGIC or kind == DISCONNECT:
                return
            data = receive(connection, length) if kind == WRITE else b""
            with self.lock:
                if self.connection is not connection:
                    return
                error, answer = self.do(kind, offset, length, data)
            connection.sendall(struct.pack(">IIQ", ANSWER_MAGIC, error, handle) + answer)

    def do(self, kind, offset, length, data):
        """Returns the error for the client, and what it reads."""
        if kind == FLUSH:
            for block, content in self.unflushed.items():
                os.pwrite(self.file, content, block * BLOCK)
            self.unflushed = {}
            return 0, b""
        if kind not in (READ, WRITE) or offset + length > self.size:
            return INVALID, b""
        first, end = offset // BLOCK, -(-(offset + length) // BLOCK)
        content = bytearray(b"".join(self.block(number) for number in range(first, end)))
        at = offset - first * BLOCK
        if kind == READ:
            return 0, bytes(content[at:at + length])
        content[at:at + length] = data
        for number in range(first, end):
            self.unflushed[number] = bytes(content[(number - first) * BLOCK:(number - first + 1) * BLOCK])
        return 0, b""

    def block(self, number):
        found = self.unflushed.get(number)
        return found if found is not None else os.pread(self.file, BLOCK, number * BLOCK)
