"""One act on files while it goes on, in a thread: announced, done and settled file by file."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from app.api.file_schemas import ActProgress, ActResult, ChosenFile
from app.db import file_acts
from app.db.engine import write_transaction
from app.db.file_acts import PlannedFile, SettledFile
from app.db.statuses import ActKind
from app.errors import AppError
from app.pictures.file_times import storable_ns
from app.printable import printable
from app.queue.enqueue import enqueue_payload_refresh
from app.scan.arrivals import take_in
from app.services import file_moves
from app.services.file_moves import NotDoneError, StoppedError

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Files that are announced in one commit."""
SETTLED_EVERY_S = 0.5
BUSY = "It is being indexed at this moment."
STOPPED = "It was stopped."

Check = Callable[[ChosenFile], str]
"""Why a file is not to be touched after all, as a sentence; empty where it is."""


@dataclass(slots=True)
class Item:
    """One file on its way."""

    file: ChosenFile
    source: str = ""
    """Where it is, if that is not where the picture is: in the trash."""
    wanted: str = ""
    """Where it is to be, for an undo; else its own name in the act's folder."""
    undoes: int | None = None
    """The row that it undoes."""
    status: os.stat_result | None = None


@dataclass(slots=True)
class Act:
    """One act while it goes on; runs in a thread."""

    kind: ActKind
    progress: ActProgress
    folder: str = ""
    check: Check = lambda _: ""
    undoes: bool = False
    name: str = field(default_factory=lambda: uuid4().hex)
    bytes_total: int = 0
    bytes_done: int = 0
    done: list[int] = field(default_factory=list)
    size: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    error: AppError | None = None
    """Why it cannot go on."""
    known_places: bool = True
    _settled: list[SettledFile] = field(default_factory=list)
    _undone: list[int] = field(default_factory=list)
    _folders: set[str] = field(default_factory=set)
    _arrived: list[str] = field(default_factory=list)
    _settled_at: float = 0.0

    def run(self, items: Sequence[Item]) -> ActResult:
        """Do it.

        Raises:
            AppError: nothing can be done at all; later on, the result says so.
        """
        if self.folder:
            self._check_folder(items)
        self.progress.total = len(items)
        self._settled_at = time.monotonic()
        for start in range(0, len(items), AT_ONCE):
            if self.error or self.progress.stop.is_set():
                break
            self._some(items[start : start + AT_ONCE])
        if self._arrived:
            take_in(self._arrived)
        if self.kind in (ActKind.MOVE, ActKind.RESTORE) and self.done:
            enqueue_payload_refresh()
        if self.error is not None and not self.done and not self.failed:
            raise self.error
        return self._result(len(items))

    def _check_folder(self, items: Sequence[Item]) -> None:
        if not os.path.isdir(self.folder):
            raise file_moves.folder_error(self.folder, FileNotFoundError(2, "not found"))
        needed = sum(self._new_bytes(item) for item in items)
        self.bytes_total = needed
        if needed and needed > (free := shutil.disk_usage(self.folder).free):
            raise AppError(
                f"{printable(self.folder)} has no room for these files: {_gb(needed)} are needed "
                f"and {_gb(free)} are free.",
                "Free some space, or choose another folder.",
            )

    def _new_bytes(self, item: Item) -> int:
        """What a file takes on the disk with the folder; nothing if it is there already."""
        try:
            status = os.lstat(item.file.path)
            here = self.kind == ActKind.MOVE and status.st_dev == os.stat(self.folder).st_dev
        except OSError:
            return 0
        return 0 if here else status.st_size

    def _some(self, items: Sequence[Item]) -> None:
        """Announce some files, then touch them one by one."""
        planned = [(item, plan) for item in items if (plan := self._plan(item)) is not None]
        with write_transaction() as conn:
            held = file_acts.held_assets(conn, [item.file.asset_id for item, _ in planned])
            if self.kind == ActKind.COPY:
                held = set()
            free = [(item, plan) for item, plan in planned if item.file.asset_id not in held]
            rows = file_acts.begin(
                conn, self.name, platform.node(), self.kind, [plan for _, plan in free]
            )
        for item, _ in planned:
            if item.file.asset_id in held:
                self._fail(item, BUSY)
        try:
            for (item, plan), row in zip(free, rows, strict=True):
                self._one(item, plan, row)
        finally:
            self._settle()

    def _plan(self, item: Item) -> PlannedFile | None:
        """What is about to be done with a file; None where that cannot be."""
        source = item.source or item.file.path
        target = item.wanted or (
            os.path.join(self.folder, os.path.basename(source)) if self.folder else None
        )
        try:
            item.status = status = file_moves.looked_at(source)
            if self.kind == ActKind.MOVE and target == source:
                raise NotDoneError("It is in that folder already.")
        except NotDoneError as error:
            self._fail(item, str(error))
            return None
        time_ns = storable_ns(status.st_mtime_ns)
        return PlannedFile(item.file.asset_id, source, target, status.st_size, time_ns)

    def _one(self, item: Item, plan: PlannedFile, row: int) -> None:
        """Touch one file."""
        if self.error or self.progress.stop.is_set():
            reason = self.error.message if self.error else STOPPED
            self._settled.append(SettledFile(row, reason, plan.target))
            return
        try:
            if reason := self.check(item.file):
                raise NotDoneError(reason)
            if self.kind == ActKind.TRASH:
                target = file_moves.put_into_trash(plan.source)
                self.known_places = self.known_places and target is not None
            else:
                target = self._put(plan, row)
        except StoppedError:
            self._settled.append(SettledFile(row, STOPPED, plan.target))
        except (NotDoneError, AppError) as error:
            reason = error.message if isinstance(error, AppError) else str(error)
            self._settled.append(SettledFile(row, reason, plan.target))
            if isinstance(error, AppError) and self.folder:
                self.error = error  # the others are to go there, too
            else:
                self._fail(item, reason)
        else:
            self._succeed(item, plan, row, target)
        if time.monotonic() - self._settled_at > SETTLED_EVERY_S:
            self._settle()

    def _put(self, plan: PlannedFile, row: int) -> str:
        """Copy or move a file to a name that is free; where it is then."""
        assert plan.target is not None
        target = file_moves.reserve(plan.target)
        try:
            if target != plan.target:
                with write_transaction() as conn:
                    file_acts.retarget(conn, row, target)
            way = (
                plan.source,
                target,
                partial_of(target, row),
                self._step,
                self.progress.stop.is_set,
            )
            if self.kind == ActKind.COPY:
                file_moves.copy(*way)
            else:
                file_moves.move(*way, lambda: self._note_copied(row))
        except BaseException:
            file_moves.release(target)
            raise
        if self.kind == ActKind.RESTORE:
            file_moves.forget_note(plan.source)
        self._folders |= {os.path.dirname(target), os.path.dirname(plan.source)}
        self._arrived.append(target)
        return target

    def _note_copied(self, row: int) -> None:
        """From now on the next start may finish this move to another disk."""
        with write_transaction() as conn:
            file_acts.note_copied(conn, row)

    def _step(self, written: int) -> None:
        self.bytes_done += written
        if self.bytes_total:
            self.progress.share = min(self.bytes_done / self.bytes_total, 1.0)

    def _succeed(self, item: Item, plan: PlannedFile, row: int, target: str | None) -> None:
        assert item.status is not None
        time_ns = plan.mtime_ns
        if target is not None:
            with suppress(OSError):
                time_ns = storable_ns(os.lstat(target).st_mtime_ns)
        folder = os.path.dirname(target or "")
        self._settled.append(SettledFile(row, "", target, folder, time_ns))
        self.done.append(item.file.asset_id)
        self.size += plan.size
        if item.undoes is not None:
            self._undone.append(item.undoes)
        self._count()
        log.info("%s: %s → %s", self.kind, printable(plan.source), printable(target or "trash"))

    def _fail(self, item: Item, reason: str) -> None:
        path = item.source or item.file.path
        self.failed.append((item.file.path, reason))
        self._count()
        log.info("%s: %s not done: %s", self.kind, printable(path), reason)

    def _count(self) -> None:
        self.progress.done = len(self.done) + len(self.failed)
        if not self.bytes_total:
            self.progress.share = self.progress.done / max(self.progress.total, 1)

    def _settle(self) -> None:
        """Have the ledger say what became of the files so far."""
        for folder in self._folders:
            file_moves.flush_folder(folder)
        with write_transaction() as conn:
            file_acts.settle(conn, self._settled)
            if self._undone:
                file_acts.undone(conn, self._undone)
        self._settled, self._undone, self._folders = [], [], set()
        self._settled_at = time.monotonic()

    def _result(self, number: int) -> ActResult:
        return ActResult(
            act=self.name,
            kind=self.kind.value,
            folder=self.folder or None,
            done=tuple(self.done),
            bytes=self.size,
            failed=tuple(self.failed),
            left=number - len(self.done) - len(self.failed),
            ended=str(self.error or ""),
            can_undo=bool(self.done) and self.known_places and not self.undoes,
            undoes=self.undoes,
        )


def partial_of(target: str, row: int) -> str:
    """Where a copy is written before it is whole: hidden, so that no walk takes it for a picture,
    and known from its row, so that what a power cut leaves is found."""
    return os.path.join(os.path.dirname(target), f".afterimage-{row}.partial")


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
