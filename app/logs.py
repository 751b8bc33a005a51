"""Log set-up: one rotating file a process, with the session and queue job on every line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path

from app.config import get_settings
from app.errors import AppError
from app.masking import hide
from app.private_files import child, make_private_folder

_context: ContextVar[str] = ContextVar("log_context", default="-")
_FORMAT = "%(asctime)s %(levelname)-7s %(process)d [%(context)s] %(name)s: %(message)s"


def set_up_logs(process: str, *, to_terminal: bool = False) -> None:
    """Write this process's log to ``logs/<process>.log`` in the data folder.

    Args:
        process: ``window``, ``worker`` or ``terminal``.
        to_terminal: also write to standard error.
    """
    settings = get_settings()
    handlers: list[logging.Handler] = []
    if to_terminal:
        handlers.append(logging.StreamHandler(sys.stderr))
    try:
        make_private_folder(settings.data_dir)
        settings.log_dir.mkdir(exist_ok=True)
        handlers.append(
            RotatingFileHandler(
                log_file(process),
                maxBytes=2_000_000,
                backupCount=3,
                encoding="utf-8",
                errors="backslashreplace",
            )
        )
    except (
        OSError,
        AppError,
    ):  # a data folder that cannot be written is reported when the ledger is opened
        handlers = handlers or [logging.StreamHandler(sys.stderr)]
    for handler in handlers:
        handler.addFilter(_add_context)
        handler.setFormatter(_Formatter(_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    logging.getLogger("app").setLevel(settings.log_level)  # libraries only when they complain


def log_file(process: str) -> Path:
    """The newest log of a kind of process.

    Raises:
        AppError: that is no name of one.
    """
    return child(get_settings().log_dir, f"{process}.log")


class _Formatter(logging.Formatter):
    """Hides passwords, also those in the text of an error that somebody else raised."""

    def format(self, record: logging.LogRecord) -> str:
        return hide(super().format(record))


def _add_context(record: logging.LogRecord) -> bool:
    record.context = _context.get()
    return True


@contextmanager
def log_context(**ids: object) -> Iterator[None]:
    """Name session, job or asset on every line logged inside the block."""
    token = _context.set(" ".join(f"{name}={value}" for name, value in ids.items()))
    try:
        yield
    finally:
        _context.reset(token)
