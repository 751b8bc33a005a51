"""Files and folders that no other user of the computer can reach, and names that stay inside them.

Imports little: the window needs this before its first paint.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from app.errors import AppError

LONGEST_SOCKET_FOLDER = 76
"""Bytes. A socket's whole path must stay below 104 on macOS and 108 on Linux; 28 are for its name
and for what Qt puts behind that while it makes the socket."""

_NO_NAME = re.compile(r"[/\\:\x00-\x1f\x7f]")


def keep_to_this_user() -> None:
    """From now on, what this process and its children make is for this user only."""
    os.umask(0o077)


def make_private_folder(folder: Path) -> None:
    """Make the folder with its parents, or take the rights of others on it away.

    One that belongs to somebody else stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        found = folder.stat()
        if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(stat.S_IMODE(found.st_mode) & 0o700)


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all: what was there stays until the new content is on the disk.

    Raises:
        OSError: it cannot be written; nothing is left of the attempt.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def child(folder: Path, name: str) -> Path:
    """The path of a file or folder directly in ``folder``, for a name that came from elsewhere.

    Raises:
        AppError: the name would lead out of the folder, or what has it is a link that does.
    """
    path = folder / name if name not in ("", ".", "..") and not _NO_NAME.search(name) else None
    if path is None or os.path.dirname(os.path.realpath(path)) != os.path.realpath(folder):
        raise AppError(
            f"“{_NO_NAME.sub('·', name)}” is not the name of anything in {folder}.",
            "Check the name.",
        )
    return path


def socket_folder(data_dir: Path) -> Path:
    """A folder for the sockets of this data folder, which only this user can enter.

    It is ``run`` in the data folder, unless its path is too long for a socket, or it lies on a file
    system that knows neither sockets nor rights. Then it is a folder of the user's session, or
    one for temporary files.

    Raises:
        AppError: there is no place for one.
    """
    run_dir = data_dir / "run"
    try:
        make_private_folder(run_dir)
    except OSError:  # opening the ledger says what is wrong
        pass
    else:
        if _is_private(run_dir) and _takes_sockets(run_dir):
            return run_dir
    folder = _short_folder(data_dir)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise AppError(
            f"The folder {folder} cannot be created: {error.strerror}.",
            "Set AFTERIMAGE_DATA_DIR to a folder with a shorter path.",
        ) from error
    if not (_is_private(folder) and _takes_sockets(folder)):
        raise AppError(
            f"The folder {folder} is not private to you, so it is not used.",
            "Remove it, or set AFTERIMAGE_DATA_DIR to a folder with a shorter path.",
        )
    return folder


def _short_folder(data_dir: Path) -> Path:
    # rarely needed, and together a tenth of the time to the first paint
    import tempfile
    from hashlib import sha256

    digest = sha256(os.fsencode(data_dir)).hexdigest()[:12]
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(session) and _is_private(Path(session)):
        return Path(session, f"afterimage-{digest}")
    return Path(tempfile.gettempdir(), f"afterimage-{os.getuid()}-{digest}")


def _is_private(folder: Path) -> bool:
    """A folder itself, no link to one; this user's, and closed to all others."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return mine and not stat.S_IMODE(found.st_mode) & 0o077


def _takes_sockets(folder: Path) -> bool:
    """Whether a socket can be made there, found out by making one."""
    import socket
    from threading import get_ident

    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER or not str(folder).isprintable():
        return False
    path = folder / f".{os.getpid()}.{get_ident()}"
    try:
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(os.fspath(path))
        path.unlink()
    except OSError:
        return False
    return True
