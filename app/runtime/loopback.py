"""The queue server in Python, :mod:`app.runtime.loopback_server`, as a process."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from contextlib import suppress
from importlib.util import find_spec

import psutil

from app.errors import AppError
from app.program import program_command
from app.queue.connection import LoopbackServer, embedded_server, write_address
from app.runtime.valkey import data_folder, log_file

COMMAND = "queue-server"
"""The entry of the program that is the server, which tells it from other processes."""


def launch() -> tuple[LoopbackServer, subprocess.Popen[bytes]]:
    """Start a server and leave its address.

    Returns:
        the server, and its process, or that of what starts Python.

    Raises:
        AppError: there is none for this system.
        OSError: it cannot be started, or a file cannot be written; then it ends by itself.
    """
    if find_spec("fakeredis") is None:
        raise AppError(
            "No queue server comes with the program on this system.",
            "Set AFTERIMAGE_REDIS_URL to the address of a Redis server.",
        )
    with log_file().open("ab") as output:
        process = subprocess.Popen(
            program_command(COMMAND),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=data_folder(),
            start_new_session=os.name == "posix",  # Ctrl-C in the terminal is not meant for it
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    assert process.stdout is not None
    with process.stdout as printed:
        address = printed.readline()
    if not address:
        process.wait()
        raise OSError(errno.ECHILD, "the queue server ended immediately")
    server = LoopbackServer(**json.loads(address))
    write_address(server)
    return server, process


def end_server() -> None:
    """End the server whose address is known; any other ends when nobody uses it."""
    server = embedded_server()
    if not isinstance(server, LoopbackServer):
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(server.pid)
        if COMMAND in process.cmdline():
            process.kill()
            process.wait()
