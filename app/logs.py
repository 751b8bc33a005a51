"""Log set-up: one rotating file a process, with the session and queue job on every line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path

from app.config import get_settings, old_names
from app.errors import AppError, first_line
from app.masking import hide
from app.private_files import child, make_private_folder

_log = logging.getLogger(__name__)
_context: ContextVar[str] = ContextVar("log_context", default="-")
_FORMAT = "%(asctime)s %(levelname)-7s %(process)d [%(context)s] %(name)s: %(message)s"


def set_up_logs(process: str, *, to_terminal: bool = False) -> None:
    """Write this process's log to ``logs/<process>.log`` in the data folder.

    Args:
        process: ``window``, ``worker`` or ``terminal``.
        to_terminal: also write to standard error.
    """
    settings = get_settings()
    logging.raiseExceptions = False  # a full disk is no reason to write traces to the terminal
    handlers: list[logging.Handler] = []
    if to_terminal:
        handlers.append(_terminal())
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
        handlers[-1].setFormatter(_Private(_FORMAT))
    except (
        OSError,
        AppError,
    ):  # a data folder that cannot be written is reported when the ledger is opened
        handlers = handlers or [logging.NullHandler()]
    for handler in handlers:
        handler.addFilter(_add_context)
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    logging.getLogger("app").setLevel(settings.log_level)  # libraries only when they complain
    for warning in old_names():
        _log.warning(warning)


def log_file(process: str) -> Path:
    """The newest log of a kind of process.

    Raises:
        AppError: that is no name of one.
    """
    return child(get_settings().log_dir, f"{process}.log")


class _Private(logging.Formatter):
    """Hides passwords, also those in the text of an error that somebody else raised."""

    def format(self, record: logging.LogRecord) -> str:
        return hide(super().format(record))


def log_app_error(error: AppError) -> None:
    """Write what a person is told to the log, with the trace of what it comes from."""
    _folder()
    _log.warning("told: %s", error, exc_info=error if error.__cause__ is not None else None)


def log_unforeseen(error: BaseException) -> AppError:
    """Write an error that nobody foresaw to the log, with its trace; what a person is told of it.

    Callable at any time, also where there is no log yet or cannot be any.
    """
    folder = _folder()
    _log.error("unforeseen", exc_info=error)
    safe = "Nothing that was indexed is lost."
    return AppError(
        f"Something unexpected happened: {type(error).__name__}: {first_line(error)}.",
        f"{safe} See the log in {folder}." if folder else safe,
    )


def _folder() -> Path | None:
    """Where the log is, set up where nobody did; None where the settings allow none."""
    try:
        if not logging.getLogger().handlers:
            set_up_logs("terminal")
        return get_settings().log_dir
    except Exception:  # noqa: BLE001 — they may be what is told; without a handler Python prints
        logging.getLogger().addHandler(logging.NullHandler())
        return None


class _Lines(_Private):
    """One line an entry: traces are for files."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(_without_trace(record))
        error = record.exc_info[1] if record.exc_info else None
        return f"{line}: {first_line(error)}" if error is not None else line


def _without_trace(record: logging.LogRecord) -> logging.LogRecord:
    plain = logging.makeLogRecord(record.__dict__)
    plain.exc_info = plain.exc_text = plain.stack_info = None
    return plain


def _terminal() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(_FORMAT))
    return handler


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
