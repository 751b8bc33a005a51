"""``python -m app``: the window; with arguments, the command line. Imports only what it runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from app.errors import AppError
from app.imports import importing
from app.program import FROZEN

BROKEN_PIPE = 141
"""As a shell has it for a program that nobody listens to any more."""


def main() -> int:
    """Start the window or the command line; the exit code.

    Whatever happens, a person gets a sentence, the log a trace, and the caller an exit code.
    """
    if FROZEN:
        _leave_packaged_libraries()
    if (code := _serve_parent(sys.argv[1:])) is not None:
        return code
    try:
        _prepare_process()
        code = _run()
        sys.stdout.flush()
        _leave_if_ending(code)
        return code
    except AppError as error:
        return _report(error)
    except BrokenPipeError:
        return _nobody_listens()
    except Exception as error:  # noqa: BLE001 — the last place that can say it in a sentence
        return _report_unforeseen(error)


def _serve_parent(arguments: Sequence[str]) -> int | None:
    """Be the child that another process of this program has started; None where this is none."""
    match arguments:
        case ["queue-guard", lock, *command]:
            from app.runtime.server_guard import run as guard

            guard(lock, command)
            return 0
        case ["queue-server"]:
            from app.runtime.loopback_server import run as serve_queue

            return serve_queue()
        case ["decoder", *rest]:
            with importing():
                from app.pictures.decoder_process import main as serve

            return serve(rest)
        case ["card-decoder"]:
            from app.engine.place import find_engine

            find_engine()
            with importing():
                from app.embedding.card_decoder import main as serve_card

            return serve_card()
        case ["engine-test", *rest]:
            with importing():
                from app.embedding.self_test import main as try_engine

            return try_engine(rest)
    return None


def _leave_packaged_libraries() -> None:
    """Programs of the system that are started from here find the system's own libraries again, and
    this one, started once more, the packaged ones."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before:
        os.environ["LD_LIBRARY_PATH"] = before
    os.environ["PYINSTALLER_RESET_ENVIRONMENT"] = "1"


def _prepare_process() -> None:
    from app.private_files import keep_to_this_user

    keep_to_this_user()
    # until there is something to end in order; an exception here is what libraries may swallow
    signal.signal(signal.SIGINT, lambda number, _frame: os._exit(128 + number))
    _use_utf8()
    _prepare_streams()
    sys.excepthook = lambda _kind, error, _trace: _report_unforeseen(error)
    threading.excepthook = lambda info: _log_only(info.exc_value)


def _run() -> int:
    match sys.argv[1:]:
        case []:
            return _window()
        case ["--in-tray"]:  # as the desktop starts it at a login
            return _window(in_tray=True)
        case [path] if os.path.isabs(path):  # from a file manager
            return _window(path)
        case arguments:
            return _command(arguments)


def _command(arguments: list[str]) -> int:
    with importing():
        from app.cli.commands import run_command

    return run_command(arguments, _work)


def _work(*, child: bool) -> int:
    """The command ``worker``: only this process loads the worker's modules."""
    from app.runtime.parent_watch import ParentWatch

    parent = ParentWatch() if child else None  # before what takes long
    with importing():
        from app.worker.main import run

    return run(parent)


def _leave_if_ending(code: int) -> None:
    if ending := sys.modules.get("app.runtime.ending"):  # loaded where there was something to end
        ending.leave_if_ending(code)


def _window(path: str = "", *, in_tray: bool = False) -> int:
    from app.ui.shell.display import has_display, open_window

    if has_display():
        return open_window(path, in_tray=in_tray)
    if in_tray:
        return 0
    if path:
        return _command(["index", path])
    from app.bundled import RESOURCES

    print("There is no screen here: indexing the sample pictures in the terminal instead.")
    return _command(["index", str(RESOURCES / "samples"), "--name", "Sample pictures"])


def _use_utf8() -> None:
    """Start again with file names in UTF-8 where the locale has them in ASCII.

    The ledger is shared with processes that see them as UTF-8, so all must agree on a name.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _prepare_streams() -> None:
    """Whatever is printed can be: also where a stream is closed, or knows ASCII only."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _write_lines(*lines: str) -> None:
    try:
        print(*filter(None, lines), sep="\n", file=sys.stderr, flush=True)
    except OSError:  # the terminal is gone; the log has it
        _silence(sys.stderr)


def _report(error: AppError) -> int:
    from app.logs import log_app_error

    log_app_error(error)
    _write_lines(error.message, error.hint)
    return 1


def _report_unforeseen(error: BaseException) -> int:
    from app.db.errors import ledger_error
    from app.logs import log_unforeseen

    plain = log_unforeseen(error)
    plain = ledger_error(error) or plain
    _write_lines(plain.message, plain.hint)
    return 1


def _log_only(error: BaseException | None) -> None:
    """What a thread failed of; whoever waits for it says what that means."""
    from app.logs import log_unforeseen

    if error is not None and not isinstance(error, SystemExit):
        log_unforeseen(error)


def _nobody_listens() -> int:
    """The reader of the output has gone, as ``head`` does; that is no failure to talk about."""
    _silence(sys.stdout)
    return BROKEN_PIPE


def _silence(stream: object) -> None:
    """Let what is still to be flushed at the end go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
    os.close(nowhere)


if __name__ == "__main__":
    if FROZEN:
        import multiprocessing

        multiprocessing.freeze_support()
    sys.exit(main())
