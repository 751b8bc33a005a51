"""The command line: the same services as the window, for scripts and people without a screen."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Protocol

from pydantic import ValidationError

from app.api.training_schemas import (
    SessionConfig,
    StartResponse,
    TrainingProgress,
    TrainingSessionCreate,
)
from app.bundled import CHANGES
from app.cli import engine, models, output, update
from app.cli.foreground import Start, follow, working
from app.cli.interruption import run_until_told
from app.cli.search import add_arguments as add_search_arguments
from app.cli.search import search
from app.cli.update import agreed
from app.config import check_settings, old_names
from app.db.engine import close_engines
from app.db.migrate import migrate
from app.errors import AppError, first_refused
from app.logs import set_up_logs
from app.printable import printable
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend
from app.services.upgrades import take_upgrade

Command = Callable[[argparse.Namespace, Backend], Awaitable[int]]


class Work(Protocol):
    """Works on sessions until stopped; the exit code."""

    def __call__(self, *, child: bool) -> int: ...


def run_command(arguments: Sequence[str], work: Work) -> int:
    """Run one command; 0: done, 1: an error, 2: wrong usage, 128 and more: ended by a signal.

    Args:
        work: what the command ``worker`` does in this process.
    """
    options = _parser().parse_args(arguments)
    check_settings()
    if options.command == "worker":
        return work(child=options.child)
    for warning in old_names():
        print(warning, file=sys.stderr)
    set_up_logs("terminal")
    migrate()
    if upgrade := take_upgrade("terminal"):
        print(upgrade.sentence, f"More is in {CHANGES}.", sep="\n", file=sys.stderr)
    return run_until_told(_run(options))


async def _run(options: argparse.Namespace) -> int:
    try:
        command: Command = options.run
        return await command(options, Backend())
    finally:
        await close_engines()


async def _index(options: argparse.Namespace, backend: Backend) -> int:
    folders = [os.path.abspath(folder) for folder in options.folders]
    root = folders[0] if len(folders) == 1 else os.path.commonpath(folders)
    wanted: dict[str, object] = {"recursive": not options.no_recursive}
    if options.extensions is not None:
        wanted["extensions"] = options.extensions.split(",")
    if options.exclude:
        wanted["exclude"] = options.exclude
    if options.batch_size is not None:
        wanted["batch_size"] = options.batch_size
    data = TrainingSessionCreate(
        name=options.name or "",
        rootPath=root,
        subdirectories=folders if len(folders) > 1 else [],
        config=_config(wanted),
        model=options.model,
    )
    async with backend.db() as db:
        session = await backend.training.create_session(db, data)
    return await _start_and_follow(options, backend, session.id, print_response=False)


def _config(wanted: dict[str, object]) -> SessionConfig:
    try:
        return SessionConfig.model_validate(wanted)
    except ValidationError as error:
        name, message = first_refused(error)
        raise AppError(f"--{name.replace('_', '-')} {message}.", "See: index --help") from error


async def _start(options: argparse.Namespace, backend: Backend) -> int:
    async with backend.db() as db:
        progress = await backend.training.get_session_progress(db, options.session)
    if progress.status == "completed" and not options.json:  # scripts get the usual answer
        print(
            f"Session {options.session} is finished: {progress.jobsSummary.completed:,} pictures "
            f"are indexed. Look for changes with: update {options.session}"
        )
        return 0
    return await _start_and_follow(options, backend, options.session, print_response=True)


async def _retry(options: argparse.Namespace, backend: Backend) -> int:
    async with working() as runtime:
        async with backend.db() as db:
            count = await backend.training.retry_failed(
                db, options.session, batch_size=options.batch_size, device=options.device
            )
        if not options.json:
            print(f"Pictures to retry: {count:,}" if count else "No pictures failed.")
        return await _follow(options, backend, options.session, runtime) if count else 0


async def _start_and_follow(
    options: argparse.Namespace, backend: Backend, session_id: int, *, print_response: bool
) -> int:
    """Start, then stay until the session ends, unless somebody else's worker does the work."""
    async with working() as runtime:
        start = partial(_start_session, backend, session_id)
        if not print_response:
            return await _follow(options, backend, session_id, runtime, start)
        elsewhere = runtime.status().worker == "elsewhere"
        response = await start()
        print(response.model_dump_json() if options.json else response.message)
        if elsewhere:
            return 0
        options.json, options.quiet = False, True
        return await _follow(options, backend, session_id, runtime)


async def _start_session(backend: Backend, session_id: int) -> StartResponse:
    async with backend.db() as db:
        return await backend.training.start(db, session_id)


async def _follow(
    options: argparse.Namespace,
    backend: Backend,
    session_id: int,
    runtime: Supervisor,
    start: Start | None = None,
) -> int:
    progress = await follow(backend, session_id, runtime, start, show=not options.json)
    if options.json:
        print(progress.model_dump_json())
    elif not getattr(options, "quiet", False):
        print(output.summary(progress))
    return 1 if progress.status == "failed" else 0


async def _sessions(options: argparse.Namespace, backend: Backend) -> int:
    async with backend.db() as db:
        listed = await backend.training.list_sessions(db)
    print(output.sessions(listed, options.json))
    return 0


async def _pause(options: argparse.Namespace, backend: Backend) -> int:
    async with backend.db() as db:
        await backend.training.pause(db, options.session)
    return await _print_progress(options, backend)


async def _cancel(options: argparse.Namespace, backend: Backend) -> int:
    async with backend.db() as db:
        await backend.training.cancel(db, options.session)
    return await _print_progress(options, backend)


async def _progress(options: argparse.Namespace, backend: Backend) -> int:
    return await _print_progress(options, backend)


async def _print_progress(options: argparse.Namespace, backend: Backend) -> int:
    async with backend.db() as db:
        progress: TrainingProgress = await backend.training.get_session_progress(
            db, options.session
        )
    print(progress.model_dump_json() if options.json else output.summary(progress))
    return 0


async def _failed(options: argparse.Namespace, backend: Backend) -> int:
    offset = 0
    async with backend.db() as db:
        await backend.training.get_session_progress(db, options.session)
        while rows := await backend.pictures.failures(db, options.session, offset=offset):
            for row in rows:
                text = f"{printable(row.path)}\t{row.errorMessage}"
                print(row.model_dump_json() if options.json else text)
            offset += len(rows)
    return 0


async def _rename(options: argparse.Namespace, backend: Backend) -> int:
    async with backend.db() as db:
        await backend.sessions.rename(db, options.session, options.name)
    return await _print_progress(options, backend)


async def _remove(options: argparse.Namespace, backend: Backend) -> int:
    if options.json and not options.yes:
        raise AppError("--json cannot ask for confirmation.", "Add --yes to remove the session.")
    async with backend.db() as db:
        preview = await backend.sessions.preview_removal(db, options.session)
    if not options.yes:
        print(
            f"{preview.pictures - preview.kept:,} pictures can no longer be found then; "
            f"{preview.kept:,} are in other sessions, too. Your files stay as they are."
        )
        if not await asyncio.to_thread(agreed, "Remove the session?"):
            return 0
    async with working(wait_until_ready=True), backend.db() as db:  # the worker has the vectors
        await backend.sessions.remove(db, options.session)
    print(preview.model_dump_json() if options.json else "Removed. No file was touched.")
    return 0


async def _doctor(options: argparse.Namespace, backend: Backend) -> int:
    async with working(wait_until_ready=True), backend.db() as db:
        status = await backend.system.status(db)
    print(status.model_dump_json(indent=2) if options.json else output.doctor(status))
    return 0 if status.redisPingMs is not None and any(w.alive for w in status.workers) else 1


async def _verify(options: argparse.Namespace, backend: Backend) -> int:
    async with working(wait_until_ready=True):
        report = await backend.system.verify(repair=options.repair, sample=options.sample)
    print(report.model_dump_json() if options.json else output.report(report))
    return 1 if report.problems else 0


def _number(text: str) -> int:
    """A count of pictures, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a number of pictures")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="afterimage", description="Without a command, the window opens."
    )
    shown = f"Afterimage {version('afterimage')}"
    parser.add_argument("--version", action="version", version=shown)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Command | None, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--json", action="store_true", help="print JSON for scripts")
        return command

    index = add("index", _index, "Index folders, and wait until that is done.")
    index.add_argument("folders", nargs="+", metavar="FOLDER")
    index.add_argument("--name", help="name of the session; default: the folder's name")
    index.add_argument("--extensions", help="file types, such as jpg,png; default: all supported")
    index.add_argument(
        "--exclude",
        action="append",
        metavar="PATTERN",
        help="skip names or paths, such as '*.png' or 'Exports/'; can be repeated",
    )
    index.add_argument("--no-recursive", action="store_true", help="do not include subfolders")
    index.add_argument("--model", help="builtin, NAME/PRETRAINED or a checkpoint folder")
    index.add_argument("--batch-size", type=int, help="pictures per batch; default 32")
    add("sessions", _sessions, "List all sessions.")
    about = {
        "start": (_start, "Start a session."),
        "pause": (_pause, "Pause a session after its current batch."),
        "resume": (_start, "Resume a paused session."),
        "cancel": (_cancel, "Stop a session permanently; what has been indexed is kept."),
        "retry": (_retry, "Retry a session's failed pictures."),
        "progress": (_progress, "Show the progress of a session."),
        "failed": (_failed, "List a session's failed pictures and why."),
        "rename": (_rename, "Give a session another name."),
        "remove": (_remove, "Remove a session and its pictures from the index."),
    }
    for name, (run, text) in about.items():
        command = add(name, run, text)
        command.add_argument("session", type=int, metavar="ID")
        if name == "rename":
            command.add_argument("name", metavar="NAME")
        if name == "remove":
            command.add_argument("--yes", action="store_true", help="do not ask")
        if name == "retry":
            command.add_argument("--batch-size", type=int, help="smaller batches need less memory")
            command.add_argument("--device", help="cpu helps if GPU memory is short")
    add_search_arguments(add("search", search, "Find pictures by description or by example."))
    updated = add("update", update.run, "Look for new, changed and missing pictures.")
    updated.add_argument("session", type=int, metavar="ID")
    updated.add_argument(
        "--prune", action="store_true", help="remove missing pictures from the index"
    )
    updated.add_argument("--yes", action="store_true", help="with --prune: do not ask")
    models.add_arguments(
        add("models", models.run, "List models, or download, remove, choose or measure one.")
    )
    engine.add_arguments(
        add("engine", engine.run, "Show, install or remove what understands pictures.")
    )
    worker = add("worker", None, "Process sessions until stopped.")
    worker.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    add("doctor", _doctor, "Check that everything runs.")
    verify = add("verify", _verify, "Check the ledger against the stored vectors.")
    verify.add_argument("--repair", action="store_true", help="repair what can be repaired")
    verify.add_argument(
        "--sample",
        type=_number,
        default=0,
        metavar="N",
        help="embed N pictures of each model again and compare",
    )
    return parser
