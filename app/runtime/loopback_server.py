"""A queue server in Python, for systems that no Valkey comes for: the process itself.

    python -m app queue-server

It prints its address as JSON, serves processes that know its password on the loopback, and ends
when the last of them is gone. It keeps everything in memory: what it loses, the ledger knows.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import select
import socket
import threading
import time
from typing import Any

from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler

LOOK_EVERY_S = 0.25
UNUSED_S = 0.3
"""So long nobody is connected before it ends."""
FIRST_WITHIN_S = 15.0
"""The same before anybody was."""
PASSWORD_WITHIN_S = 5.0


def run() -> int:
    """Serve until nobody is connected any more; the exit code."""
    server = LoopbackServer(secrets.token_urlsafe(32))
    address = {"port": server.server_address[1], "password": server.password, "pid": os.getpid()}
    os.write(1, json.dumps(address).encode() + b"\n")
    os.dup2(2, 1)  # whoever started it waits for the end of its output
    threading.Thread(target=server.serve_forever, args=(3600,), daemon=True).start()
    while server.is_needed():
        time.sleep(LOOK_EVERY_S)
    return 0


class LoopbackServer(TcpFakeServer):
    """Listens on a free port, which no other program can take as well.

    Args:
        password: what a connection has to begin with, as Redis's command AUTH has it.
    """

    def __init__(self, password: str) -> None:
        self.password = password
        self._begin = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(password), password.encode())
        self._users: set[socket.socket] = set()
        self._needed_until = time.monotonic() + FIRST_WITHIN_S
        super().__init__(("127.0.0.1", 0))
        self.RequestHandlerClass = _Handler
        self.daemon_threads = True

    def server_bind(self) -> None:
        self.allow_reuse_address = False
        if exclusive := getattr(socket, "SO_EXCLUSIVEADDRUSE", None):  # of Windows
            self.socket.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        super().server_bind()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its own thread, unless it does not know the password."""
        if not self._knows_password(request):
            return
        request.sendall(b"+OK\r\n")
        self._users.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self._users.discard(request)
            self._needed_until = time.monotonic() + UNUSED_S

    def is_needed(self) -> bool:
        """Whether anybody is connected, or was a moment ago."""
        # a thread that waits for a job does not notice that whoever asked is gone
        if not all(map(_has_left, list(self._users))):
            self._needed_until = time.monotonic() + UNUSED_S
        return time.monotonic() < self._needed_until

    def _knows_password(self, request: socket.socket) -> bool:
        request.settimeout(PASSWORD_WITHIN_S)
        said = b""
        try:
            while len(said) < len(self._begin) and (
                part := request.recv(len(self._begin) - len(said))
            ):
                said += part
        except OSError:
            return False
        return hmac.compare_digest(said, self._begin)


class _Handler(TCPFakeRequestHandler):
    """One connection."""

    disable_nagle_algorithm = True  # each answer is sent at once

    def setup(self) -> None:
        super().setup()
        self.connection.setblocking(True)  # it waits, and does not look a hundred times a second
        about = self.current_client.get_socket()._client_info
        for name in ("addr", "laddr"):  # as Redis writes them, and RQ reads them
            about[name] = "{}:{}".format(*about[name])


def _has_left(connection: socket.socket) -> bool:
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # closed meanwhile
        return True
