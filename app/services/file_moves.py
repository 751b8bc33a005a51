"""One file copied, moved, put into the trash or taken out of it: never another one's name taken.

A name is taken by making an empty file of that name, which fails where there is one; the picture
then takes that file's place. A copy is written under a hidden name, read again and compared before
it does, so that a name never stands for half a picture.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from shutil import copystat
from urllib.parse import unquote_to_bytes

from app.errors import AppError
from app.printable import printable

BLOCK = 1024 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
GONE = (errno.ENOENT, errno.ENOTDIR)
_BINARY = getattr(os, "O_BINARY", 0)


class NotDoneError(Exception):
    """This file stays where it is; says why, as a sentence."""


class StoppedError(Exception):
    """A person ended the act while this file was copied; nothing is left of the attempt."""


def looked_at(path: str) -> os.stat_result:
    """What a file is now.

    Raises:
        NotDoneError: it is gone, or no regular file.
    """
    with _plainly():
        status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        raise NotDoneError("It is a link to a file that lies elsewhere.")
    if not stat.S_ISREG(status.st_mode):
        raise NotDoneError("It is not a regular file.")
    return status


def free_names(path: str) -> Iterator[str]:
    """The path, then ``name (2).jpg`` and so on beside it."""
    yield path
    stem, ending = os.path.splitext(path)
    for number in count(2):
        yield f"{stem} ({number}){ending}"


def reserve(path: str) -> str:
    """Take the first name that is free, as an empty file of it.

    Raises:
        NotDoneError: the file system does not allow such a name.
        AppError: nothing can be written into that folder.
    """
    for name in free_names(path):
        try:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o644))
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
                raise NotDoneError("The folder allows no such name.") from error
            raise folder_error(os.path.dirname(path), error) from error
        return name
    raise AssertionError("some name is free")


def release(path: str) -> None:
    """Give a name back that was taken for nothing."""
    with suppress(OSError):
        if os.lstat(path).st_size == 0:
            os.unlink(path)


def move(
    source: str,
    target: str,
    partial: str,
    step: Callable[[int], None],
    stop: Callable[[], bool],
    on_whole: Callable[[], None],
) -> None:
    """Have a file take the place of the empty one at ``target``; the other arguments are those of
    :func:`copy`, for another file system.

    Raises:
        NotDoneError, StoppedError, AppError: as there.
    """
    with _plainly():
        try:
            os.replace(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            step(os.lstat(target).st_size)
            return
    copy(source, target, partial, step, stop, on_whole)
    flush_folder(os.path.dirname(target))  # a power cut must not keep only the other disk's part
    try:
        os.unlink(source)
    except OSError as error:
        with suppress(OSError):
            os.unlink(target)  # else one picture became two
        raise NotDoneError(_reason(error)) from error


def finish_move(source: str, target: str) -> None:
    """Remove the original of a copy that has taken its place, where a power cut left both.

    Raises:
        NotDoneError: they are not the same any more, or the original cannot be removed.
    """
    with _plainly():
        if os.path.samestat(looked_at(source), looked_at(target)):
            raise NotDoneError("Both places are the same one.")
        if _digest(source) != _digest(target):
            raise NotDoneError("It was changed since it was copied, so both files were kept.")
        flush_folder(os.path.dirname(target))
        os.unlink(source)


def copy(
    source: str,
    target: str,
    partial: str,
    step: Callable[[int], None],
    stop: Callable[[], bool],
    on_whole: Callable[[], None] = lambda: None,
) -> None:
    """Have a copy of a file take the place of the empty one at ``target``, with its times.

    Args:
        partial: where it is written until it is whole; in the same folder.
        step: called with how many bytes more were written.
        stop: whether to end; asked after each of them.
        on_whole: called once the copy was compared, right before it takes its place.

    Raises:
        NotDoneError: the file cannot be read, or changes while it is.
        StoppedError: ``stop`` said so.
        AppError: the target's disk is full or fails.
    """
    before = looked_at(source)
    try:
        written = _write(source, partial, step, stop)
        after = looked_at(source)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise NotDoneError("It was being written.")
        try:
            if _digest(partial) != written:
                raise NotDoneError("Its copy is not the same; the disk may be failing.")
            with suppress(PermissionError):  # some file systems have no rights to set
                copystat(source, partial)
            os.utime(partial, ns=(after.st_atime_ns, after.st_mtime_ns))
            on_whole()
            os.replace(partial, target)
        except OSError as error:
            raise folder_error(os.path.dirname(target), error) from error
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _write(
    source: str, partial: str, step: Callable[[int], None], stop: Callable[[], bool]
) -> bytes:
    """Write a copy; the SHA-256 of what was read."""
    digest = hashlib.sha256()
    with _plainly():
        reading = open(source, "rb")  # noqa: SIM115 — its errors are told apart from the target's
    with reading:
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        except OSError as error:
            raise folder_error(os.path.dirname(partial), error) from error
        with open(handle, "wb") as writing:
            while True:
                with _plainly():
                    block = reading.read(BLOCK)
                if not block:
                    break
                if stop():
                    raise StoppedError
                digest.update(block)
                try:
                    writing.write(block)
                    writing.flush()
                except OSError as error:
                    raise folder_error(os.path.dirname(partial), error) from error
                step(len(block))
            try:
                os.fsync(writing.fileno())
            except OSError as error:
                raise folder_error(os.path.dirname(partial), error) from error
    return digest.digest()


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def flush_folder(folder: str) -> None:
    """Have names that were given and taken in a folder survive a power cut."""
    if os.name != "posix":
        return
    with suppress(OSError):  # network file systems may not know this
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# --- the trash -----------------------------------------------------------------------------------


def put_into_trash(path: str) -> str | None:
    """Move a file into the system's trash; where it is then, or None where the system keeps that to
    itself.

    Raises:
        NotDoneError: it is gone, may not be moved, or its disk has no trash.
    """
    from send2trash import TrashPermissionError, send2trash

    try:
        os.lstat(path)
        send2trash(path)
    except TrashPermissionError as error:
        raise NotDoneError("Its disk has no trash.") from error
    except OSError as error:
        raise NotDoneError(_reason(error)) from error
    return _in_trash(path)


def _in_trash(path: str) -> str | None:
    """Where a file that was put into the trash last lies, by the freedesktop.org standard."""
    if sys.platform in ("win32", "darwin"):
        return None
    found: list[tuple[int, str]] = []
    for trash, top in _trashes(path):
        notes = os.path.join(trash, "info")
        for name in _names_in_trash(notes, os.path.basename(path)):
            note = os.path.join(notes, f"{name}.trashinfo")
            if _noted_path(note, top) == path:
                with suppress(OSError):
                    found.append((os.stat(note).st_mtime_ns, os.path.join(trash, "files", name)))
    there = [file for file in sorted(found, reverse=True) if os.path.lexists(file[1])]
    return there[0][1] if there else None


def _names_in_trash(notes: str, name: str) -> Iterator[str]:
    """Names that a file may have there: send2trash counts ``a 1.jpg``, GLib ``a.2.jpg``."""
    stem, ending = os.path.splitext(name)
    for way, first in (("{stem} {number}{ending}", 1), ("{stem}.{number}{ending}", 2)):
        candidate = name
        for number in count(first):
            if not os.path.lexists(os.path.join(notes, f"{candidate}.trashinfo")):
                break
            yield candidate
            candidate = way.format(stem=stem, number=number, ending=ending)


def _trashes(path: str) -> Iterator[tuple[str, str]]:
    """Folders that the file may have been moved into, and what paths in their notes begin at."""
    data = os.environ.get("XDG_DATA_HOME", "")
    data = data if os.path.isabs(data) else os.path.expanduser("~/.local/share")
    yield os.path.join(data, "Trash"), data
    top = os.path.realpath(os.path.dirname(path))
    while not os.path.ismount(top):
        top = os.path.dirname(top)
    yield os.path.join(top, ".Trash", str(os.getuid())), top
    yield os.path.join(top, f".Trash-{os.getuid()}"), top


def _noted_path(note: str, top: str) -> str | None:
    with suppress(OSError), open(note, "rb") as file:
        for line in file:
            if line.startswith(b"Path="):
                return os.path.join(top, os.fsdecode(unquote_to_bytes(line[5:].strip())))
    return None


def forget_note(trashed: str) -> None:
    """Remove what the trash noted of a file that was taken out of it."""
    folder, name = os.path.split(trashed)
    with suppress(OSError):
        os.unlink(os.path.join(os.path.dirname(folder), "info", f"{name}.trashinfo"))


# --- reasons -------------------------------------------------------------------------------------


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotDoneError(_reason(error)) from error


def _reason(error: OSError) -> str:
    if error.errno in GONE:
        return "It is no longer there."
    if error.errno in REFUSED:
        return "You are not allowed to change it or its folder."
    return f"The system refused: {error.strerror or error}."


def folder_error(folder: str, error: OSError) -> AppError:
    """What nothing more can be written into a folder for, as a sentence."""
    name = printable(folder)
    if error.errno in FULL:
        return AppError(f"The disk with {name} is full.", "Free some space, then try again.")
    if error.errno in REFUSED:
        return AppError(f"You are not allowed to write into {name}.", "Choose another folder.")
    if error.errno in GONE:
        return AppError(f"The folder {name} is no longer there.", "Choose another folder.")
    return AppError(
        f"Nothing can be written into {name}: {error.strerror or error}.", "Choose another folder."
    )
