"""Gets an engine: download, check, unpack, try, and only then switch to it.

What was downloaded is kept until the engine works, so that a stop, a lost network or a full disk
costs only what is missing. The engine that is in use stays until the new one has passed its test.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from filelock import Timeout

from app.engine import index
from app.engine.lock import TITLES, Variant, Wheel
from app.engine.place import (
    LOCK,
    PARTIAL,
    PYTHON,
    Engine,
    current,
    describe,
    engine_lock,
    engines_folder,
    switch_to,
)
from app.engine.wheel import unpack
from app.errors import AppError
from app.private_files import make_private_folder
from app.transfer import OnProgress, RemoteFile, Reports, Stopped, Transfer

WHAT = "the engine"
TEST_WITHIN_S = 300.0
"""Its first import from a cold disk included."""
_LOOK_EVERY_S = 0.2
_LAST_WORDS = 400
"""Characters of what a failed test printed that are shown."""


def install(
    variant: Variant,
    indexes: dict[str, str],
    test: Sequence[str],
    *,
    wheels: Path | None = None,
    on_progress: OnProgress = lambda _: None,
    stop: threading.Event | None = None,
) -> Engine | None:
    """Install an engine into the data folder and use it from now on.

    Args:
        indexes: the address of each index that the variant names.
        test: starts the test of an engine, whose folder is added as the last argument.
        wheels: a folder with all files; None: they are downloaded.
        on_progress: called in this thread, several times a second.
        stop: once it is set, this ends within seconds, and can be taken up later.

    Returns:
        the engine; None where it was stopped.

    Raises:
        AppError: another process is at it, no network, no room, a file is missing, damaged or
            cannot be written, or the engine does not work here. The engine in use stays in use.
    """
    reports = Reports(on_progress, stop or threading.Event())
    transfer = Transfer(WHAT, engines_folder(), reports, index.stream, index.network_error())
    try:
        make_private_folder(engines_folder())
        with engine_lock(0):
            return _Installation(variant, indexes, test, transfer, reports).run(wheels)
    except Stopped:
        return None
    except Timeout as error:
        raise AppError(
            "The engine is being installed or removed by another process.",
            "Wait until that is done.",
        ) from error
    except OSError as error:
        raise transfer.cannot_write(error) from error


def remove() -> int:
    """Delete the engine of the data folder, and what was downloaded for one.

    Returns:
        the bytes that this sets free.

    Raises:
        AppError: another process is at it, or something cannot be deleted.
    """
    if not engines_folder().is_dir():
        return 0
    freed = used_bytes()
    try:
        with engine_lock(0):
            switch_to(None)
            for path in engines_folder().iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != LOCK:
                    path.unlink()
    except Timeout as error:
        raise AppError(
            "The engine is being installed or removed by another process.",
            "Stop that first.",
        ) from error
    except OSError as error:
        raise AppError(
            f"The engine in {engines_folder()} cannot be deleted: {error.strerror}.",
            "Quit the program everywhere, then try again: afterimage engine remove",
        ) from error
    return freed


def used_bytes() -> int:
    """Bytes of the engine in the data folder, and of what was downloaded for one."""
    engine = current()
    downloads = sum(_size(path) for path in _wheels_folder().glob("*"))
    return downloads + (engine.size if engine is not None else 0)


def downloaded_bytes(variant: Variant) -> int:
    """Bytes of a variant that earlier attempts have left here."""
    folder = _wheels_folder()
    names = (name for each in variant.wheels for name in (each.file, _partial(each)))
    return sum(_size(folder / name) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # not there, or renamed meanwhile
        return 0


def _wheels_folder() -> Path:
    return engines_folder() / "wheels"


def _partial(wheel: Wheel) -> str:
    """Named after the content: the rest of another version is never put behind this one."""
    return f"{wheel.file}.{wheel.sha256[:16]}{PARTIAL}"


class _Installation:
    """One, by one process."""

    def __init__(
        self,
        variant: Variant,
        indexes: dict[str, str],
        test: Sequence[str],
        transfer: Transfer,
        reports: Reports,
    ) -> None:
        self._variant, self._indexes, self._test = variant, indexes, test
        self._transfer, self._reports = transfer, reports
        self.engine = Engine(variant.version, variant.name, PYTHON, variant.unpacked)

    def run(self, wheels: Path | None) -> Engine:
        final = engines_folder() / self.engine.name
        if current() == self.engine:  # another process was quicker
            return self.engine
        folder = final.with_name(f"{final.name}{PARTIAL}")
        self._remove_rest_of_others()
        missing = 0 if wheels else self._variant.download - downloaded_bytes(self._variant)
        self._transfer.check_room(missing + self._variant.unpacked)
        files = self._collected(wheels) if wheels else self._downloaded()
        try:
            self._unpack(files, folder)
            self._try(folder)
            describe(folder, self.engine)
            shutil.rmtree(final, ignore_errors=True)
            folder.replace(final)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        switch_to(self.engine)
        shutil.rmtree(_wheels_folder(), ignore_errors=True)
        return self.engine

    def _remove_rest_of_others(self) -> None:
        """What attempts at other engines have left, so that it takes no room for ever."""
        for path in engines_folder().glob(f"*{PARTIAL}"):
            shutil.rmtree(path)
        wanted = {name for each in self._variant.wheels for name in (each.file, _partial(each))}
        for path in _wheels_folder().glob("*"):
            if path.name not in wanted:
                path.unlink()

    # Getting

    def _downloaded(self) -> list[Path]:
        folder = _wheels_folder()
        folder.mkdir(exist_ok=True)
        self._reports.whole = self._variant.download
        files = []
        for wheel in self._variant.wheels:
            file = folder / wheel.file
            if not file.is_file():
                self._download(wheel, file)
            self._reports.before += wheel.size
            files.append(file)
        return files

    def _download(self, wheel: Wheel, target: Path) -> None:
        self._reports.check_stop()
        address = self._indexes[wheel.index]
        found = index.links(address, wheel.project, self._transfer).get(wheel.file)
        if found is None:
            raise self._transfer.failed(
                f"{address} no longer has {wheel.file}", "Install a newer version of Afterimage."
            )
        remote = RemoteFile(found, wheel.file, wheel.size, wheel.sha256)
        self._transfer.fetch(remote, target.with_name(_partial(wheel)), target)

    def _collected(self, folder: Path) -> list[Path]:
        """All files out of a person's own folder, each of them checked."""
        self._reports.whole = self._variant.download
        if missing := [w.file for w in self._variant.wheels if not (folder / w.file).is_file()]:
            more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise AppError(
                f"The folder {folder} does not have {missing[0]}{more}.",
                "List what is needed with: afterimage engine status --files",
            )
        for wheel in self._variant.wheels:
            file = folder / wheel.file
            if not self._transfer.has_content(file, RemoteFile("", "", wheel.size, wheel.sha256)):
                raise AppError(
                    f"{file} is not the file that this engine needs: its checksum is another one.",
                    "Get that file again.",
                )
            self._reports.before += wheel.size
        return [folder / wheel.file for wheel in self._variant.wheels]

    # Unpacking and trying

    def _unpack(self, files: Sequence[Path], folder: Path) -> None:
        self._reports.before, self._reports.whole = 0, self._variant.unpacked

        def on_piece(size: int) -> None:
            self._reports.check_stop()
            self._reports.report("unpacking", 0, self._variant.unpacked)
            self._reports.before += size

        folder.mkdir()
        try:
            for file in files:
                unpack(file, folder, on_piece)
        except ValueError as error:
            raise AppError(f"The engine cannot be unpacked: {error}.", "Report this.") from error

    def _try(self, folder: Path) -> None:
        """Have a process of its own import the engine and use it.

        Raises:
            AppError: that did not go well.
        """
        self._reports.before = self._reports.whole = 0
        self._reports.report("testing", 0, 0)
        output = folder.with_name("test.log")
        with output.open("wb") as file:
            test = subprocess.Popen(
                [*self._test, str(folder)], stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        code = self._end_of(test)
        words = output.read_text("utf-8", "replace").strip()
        if code != 0:
            raise AppError(
                f"The engine for {TITLES[self._variant.name]} does not work on this computer: "
                f"{_last_line(words) or f'its test ended with code {code}'}.",
                "Choose another one, or try again; the download is kept.",
            )
        output.unlink()

    def _end_of(self, test: subprocess.Popen[bytes]) -> int:
        waited = 0.0
        while True:
            try:
                return test.wait(_LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                waited += _LOOK_EVERY_S
            if self._reports.stop.is_set() or waited > TEST_WITHIN_S:
                test.kill()
                test.wait()
                self._reports.check_stop()
                return -1


def _last_line(words: str) -> str:
    """Why a test failed, without a full stop, so that it can end a sentence."""
    return words.splitlines()[-1][:_LAST_WORDS].rstrip(" .") if words else ""
