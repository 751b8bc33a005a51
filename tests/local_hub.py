"""A hub of models on this computer: the few answers of Hugging Face's that a download needs."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

PIECE = 16_384


class LocalHub:
    """Serves ``files``, by ``owner/repository/name``, and can do so badly.

    Attributes:
        requests: method, name and ``Range`` of each request, in order.
        break_after: the body of the next answer ends there, and the next, and so on.
        etag: what the files' checksums are said to be; empty: what they are.
        knows_ranges: answers with the whole file otherwise.
        hold_after: the body waits there until ``go_on`` is set.
        status: every answer is this one.
        instead: answers ``GET`` in place of the files, a method for each request handler.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.break_after: list[int] = []
        self.etag = ""
        self.knows_ranges = True
        self.hold_after: int | None = None
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.status = 200
        self.instead: Callable[[BaseHTTPRequestHandler, bytes, int], None] | None = None
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self, "HEAD")

            def do_GET(self) -> None:
                hub.answer(self, "GET")

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def ranges(self) -> list[str]:
        """The ``Range`` of each download."""
        return [wanted for method, _, wanted in self.requests if method == "GET"]

    def answer(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        name = handler.path.lstrip("/").replace("resolve/main/", "")
        wanted = handler.headers.get("Range", "")
        self.requests.append((method, name, wanted))
        content = self.files.get(name)
        handler.close_connection = True
        if content is None or self.status != 200:
            handler.send_response(404 if content is None else self.status)
            handler.send_header("X-Error-Code", "EntryNotFound" if content is None else "")
            handler.send_header("Content-Length", "0")
            handler.send_header("Connection", "close")
            handler.end_headers()
            return
        if method == "GET" and self.instead is not None:
            begin = re.fullmatch(r"bytes=(\d+)-", wanted)
            self.instead(handler, content, int(begin[1]) if begin else 0)
            return
        start = 0
        if self.knows_ranges and (match := re.fullmatch(r"bytes=(\d+)-", wanted)):
            start = int(match[1])
        handler.send_response(206 if start or (wanted and self.knows_ranges) else 200)
        etag = self.etag or hashlib.sha256(content).hexdigest()
        handler.send_header("X-Repo-Commit", "c0ffee" * 6 + "c0ff")
        handler.send_header("ETag", f'"{etag}"')
        handler.send_header("X-Linked-Etag", f'"{etag}"')
        handler.send_header("X-Linked-Size", str(len(content)))
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.send_header("Connection", "close")
        handler.end_headers()
        if method == "GET":
            self._send(handler, content[start:])

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        end = min(self.break_after.pop(0), len(body)) if self.break_after else len(body)
        for at in range(0, end, PIECE):
            if self.hold_after is not None and at >= self.hold_after:
                self.held.set()
                self.go_on.wait(30)
            try:
                handler.wfile.write(body[at : min(at + PIECE, end)])
            except OSError:  # nobody listens any more
                return

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def local_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub that this process, and those that it starts, take for the real one."""
    import huggingface_hub
    from huggingface_hub import constants

    hub = LocalHub()
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    try:
        yield hub
    finally:
        hub.close()
        huggingface_hub.close_session()
