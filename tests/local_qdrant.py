"""Starts and ends what stands in for a Qdrant server, see ``local_qdrant_server.py``."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = Path(__file__).with_name("local_qdrant_server.py")
START_WITHIN_S = 30


class LocalQdrant:
    """Such a server, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        port_file = folder / "port"
        self._process = subprocess.Popen([sys.executable, SERVER, str(port_file)])
        deadline = time.monotonic() + START_WITHIN_S
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the stand-in for Qdrant did not start")
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{port_file.read_text()}"

    def go_away(self) -> None:
        """Close every connection without an answer from now on."""
        self._process.send_signal(signal.SIGUSR1)

    def come_back(self) -> None:
        """Answer again, with the data that there was."""
        self._process.send_signal(signal.SIGUSR2)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def running_qdrant() -> Iterator[LocalQdrant]:
    """Such a server, which is gone after the block."""
    with tempfile.TemporaryDirectory() as folder:
        server = LocalQdrant(Path(folder))
        try:
            yield server
        finally:
            server.end()
