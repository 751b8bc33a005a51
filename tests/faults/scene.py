"""The program at work on a folder of pictures, in processes of its own, and watched from outside.

A scene knows its processes by a mark in their environment, or by the folder that they work in, so
one that lost its parent is found, too.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
from albums import Album, make_album
from drawn_model import DRAWN_MODEL
from injection import INJECT, TESTS, Plan, Step

from app.config import Settings, get_settings, variable

REPOSITORY = TESTS.parent
MARK = "AFTERIMAGE_SCENE"
LOOK_S = 0.03
CLOCK_S = 2.0
"""So much the system may be wrong about when a process began."""
LISTENERS_EVERY_S = 0.5
REST_WITHIN_S = 90.0
ENDS_WITHIN_S = 30.0
NOTHING_RUNS_FOR_S = 5.0
"""Once every program has ended, no more is waited for."""
GONE_WITHIN_S = 2.0
"""After a program has ended, nothing of it runs longer than this."""
LOOPBACK = ("127.0.0.1", "::1")
SETTING_NAMES = {
    name for setting in Settings.model_fields for name in (variable(setting), setting.upper())
}

Role = Literal["window", "command", "worker", "fork server", "decoder", "queue", "guard"]


class FaultError(AssertionError):
    """Something did not come about that must."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session's row as it is at this moment."""

    status: str
    error: str
    waiting: str
    total: int
    running: int
    done: int
    """Completed, failed and cancelled ones."""
    finished_at: float | None


@dataclass(slots=True)
class Program:
    """One start of the program."""

    process: subprocess.Popen[bytes]
    output: Path
    errors: Path
    killed: bool = False
    """The scene ended it by force, so its exit code tells nothing."""

    def wait(self, within: float = ENDS_WITHIN_S) -> int:
        """Its exit code.

        Raises:
            FaultError: it does not end.
        """
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.killed = True
            self.process.send_signal(signal.SIGABRT)  # it writes where each thread stands
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GONE_WITHIN_S)
            said = f"{self.what()} did not end within {within:.0f} s: {self.said()[-3000:]}"
            raise FaultError(said) from None

    def until_open(self) -> None:
        """Wait until a window is so far that it can be closed: it handles the signal to end."""
        deadline = time.monotonic() + ENDS_WITHIN_S
        while self.what() == "the window" and time.monotonic() < deadline:
            with suppress(OSError):
                status = Path(f"/proc/{self.process.pid}/status").read_text()
                caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
                if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
                    return
            if self.process.poll() is not None:
                return
            time.sleep(LOOK_S)

    def what(self) -> str:
        arguments = self.process.args
        assert isinstance(arguments, list)
        return " ".join(arguments[3:4]) or "the window"

    def said(self) -> str:
        """What it wrote to standard output and standard error."""
        return self.output.read_text("utf-8", "replace") + self.errors.read_text("utf-8", "replace")


@dataclass
class Scene:
    """Pictures, a data folder and the program; see :mod:`judge` for what must hold at the end.

    Args:
        place: an empty folder, or that of a scene that ended, whose library is continued.
        settings: environment variables of the program, such as ``AFTERIMAGE_DATABASE_URL``.
    """

    place: Path
    seed: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    albums: list[Album] = field(default_factory=list)
    struck_at: float = 0.0
    """When the fault was over, in seconds since the epoch; recovery counts from here."""
    listeners: set[str] = field(default_factory=set)
    """Sockets that listened on an address that is not this computer's own."""
    repeats: bool = False
    """Pictures were embedded anew for a good reason, such as a lost store."""
    programs: list[Program] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = self.place / "data"
        self.plan = Plan(self.place / "plan")
        self._mark = f"{os.getpid()}-{time.time_ns()}"
        self._next_listeners = 0.0
        self._oldest = time.time() - CLOCK_S
        self._earlier = 0
        """The newest session before the last ``index``."""
        for name in ("work", "temporary", "output"):
            (self.place / name).mkdir(parents=True, exist_ok=True)

    # --- pictures -------------------------------------------------------------------------------

    def album(self, plain: int = 24, *, odd: bool = True) -> Album:
        """One more folder of pictures."""
        number = len(self.albums)
        folder = self.place / "pictures" / f"album {number}"
        self.albums.append(make_album(folder, self.seed * 100 + number, plain, odd=odd))
        return self.albums[-1]

    # --- the program ----------------------------------------------------------------------------

    def index(self, album: Album, *steps: Step) -> Program:
        """``index`` over an album, in small batches."""
        arguments = ("index", str(album.folder), "--batch-size", "4", "--json")
        return self.start(*arguments, steps=steps)

    def window(self, *steps: Step) -> Program:
        """The window, without a screen."""
        return self.start(steps=steps)

    def start(
        self, *arguments: str, steps: Sequence[Step] | None = (), data: Path | None = None
    ) -> Program:
        """The program with these arguments.

        Args:
            steps: what goes wrong in it; None leaves the steps as they are.
            data: a data folder other than the scene's.
        """
        if steps is not None:
            self.plan.write(steps)
        if arguments[:1] == ("index",):
            rows = self.rows("SELECT max(id) FROM training_sessions")
            self._earlier = (rows[0][0] if rows else None) or 0
        place = self.place / "output" / str(len(self.programs))
        output, errors = place.with_suffix(".out"), place.with_suffix(".err")
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "app", *arguments],
                cwd=self.place / "work",
                env=self.environment() | ({"AFTERIMAGE_DATA_DIR": str(data)} if data else {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.programs.append(Program(process, output, errors))
        return self.programs[-1]

    def run(self, *arguments: str, code: int | None = 0, steps: Sequence[Step] = ()) -> str:
        """Run a command to its end; what it said."""
        program = self.start(*arguments, steps=steps)
        found = program.wait(REST_WITHIN_S)
        if code is not None and found != code:
            raise FaultError(f"{program.what()} ended with {found}: {program.said()[-600:]}")
        return program.said()

    def environment(self) -> dict[str, str]:
        """Variables of the scene's processes: nothing of this process's settings, all marked."""
        own = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
        return (
            own
            | {
                MARK: self._mark,
                "AFTERIMAGE_DATA_DIR": str(self.data),
                "AFTERIMAGE_MODEL": DRAWN_MODEL,
                "XDG_CACHE_HOME": str(self.place / "cache"),
                "TMPDIR": str(self.place / "temporary"),
                "PYTHONPATH": os.pathsep.join((str(INJECT), str(TESTS), str(REPOSITORY))),
                "PYTHONFAULTHANDLER": "1",
                "FAULT_PLAN": str(self.plan.file),
                "QT_QPA_PLATFORM": "offscreen",
                "AFTERIMAGE_DEVICE": "cpu",
                "AFTERIMAGE_PRECISION": "fp32",
            }
            | self.settings
        )

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The program's own functions, called in this process, work on this scene's library."""
        from app.db.engine import get_sync_engine

        def forget() -> None:
            if get_sync_engine.cache_info().currsize:
                get_sync_engine().dispose()
                get_sync_engine.cache_clear()
            get_settings.cache_clear()

        before, rights = dict(os.environ), os.umask(0o077)  # as the program does
        forget()
        own = {"AFTERIMAGE_DATA_DIR": str(self.data), "AFTERIMAGE_MODEL": DRAWN_MODEL}
        os.environ.update(own | self.settings)
        try:
            yield
        finally:
            forget()
            os.umask(rights)
            os.environ.clear()
            os.environ.update(before)

    # --- processes ------------------------------------------------------------------------------

    def processes(self) -> dict[int, psutil.Process]:
        """Everything that runs for this scene, by process id."""
        found = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.create_time() < self._oldest:
                    continue  # not of this scene; to read its environment takes its time
                if process.status() != psutil.STATUS_ZOMBIE and self._is_ours(process):
                    found[process.pid] = process
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        if process.environ().get(MARK) == self._mark:
            return True
        return Path(process.cwd()).is_relative_to(self.place)  # the queue server paints over it

    def of(self, role: Role) -> list[psutil.Process]:
        """The processes of one kind."""
        ours = self.processes()
        return [process for process in ours.values() if self._role(process, ours) == role]

    def _role(self, process: psutil.Process, ours: dict[int, psutil.Process]) -> str:
        with suppress(psutil.Error):
            if "valkey" in process.name():
                return "queue"
            words = process.cmdline()
            if any(word.endswith("server_guard.py") for word in words):
                return "guard"
            if "decoder" in words:
                parent = ours.get(process.ppid())
                forked = parent is not None and "decoder" in parent.cmdline()
                return "decoder" if forked else "fork server"
            if "worker" in words:
                return "worker"
            if words:  # for a moment a process that has just begun has none
                return "window" if words[-1] == "app" else "command"
        return "gone"

    def until_runs(self, role: Role) -> psutil.Process:
        """Wait for a process of a kind."""
        found: list[psutil.Process] = []

        def runs() -> bool:
            found.extend(self.of(role))
            return bool(found)

        self.until(runs, f"there is no {role} process")
        return found[0]

    def until_ready(self) -> None:
        """Wait until a worker takes work; at its start it has compared ledger and store."""
        self.until(self._is_ready, "no worker is ready")

    def _is_ready(self) -> bool:
        """A worker that was killed has left its word, so the one that gave it must run."""
        with suppress(OSError, ValueError):
            word = json.loads((self.data / "run" / "worker.json").read_text(encoding="utf-8"))
            return any(process.pid == word["pid"] for process in self.of("worker"))
        return False

    def kill(self, *roles: Role) -> None:
        """End all processes of these kinds as a power cut does; without a kind, all there are."""
        chosen = [p for role in roles for p in self.of(role)]
        if not roles:
            chosen = list(self.processes().values())
        killed = {process.pid for process in chosen}
        for program in self.programs:
            program.killed = program.killed or program.process.pid in killed
        for process in chosen:
            with suppress(psutil.Error):
                process.suspend()  # all at once: none sees the death of another
        for process in chosen:
            with suppress(psutil.Error):
                process.kill()
        self.strike()

    def end(self) -> list[str]:
        """Ask every program to end and see that nothing is left; what was left, in words."""
        self.plan.lift_all()
        wrong = []
        running = [program for program in self.programs if program.process.poll() is None]
        for program in running:
            program.until_open()
            program.process.send_signal(signal.SIGTERM)
        for program in running:
            try:
                program.wait()
            except FaultError as error:
                wrong.append(str(error))
        deadline = time.monotonic() + GONE_WITHIN_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        for process in left.values():
            with suppress(psutil.Error):
                wrong.append(f"left running: {' '.join(process.cmdline())[:120]}")
                process.kill()
        for program in running:
            program.process.wait()
        return wrong

    # --- looking --------------------------------------------------------------------------------

    def strike(self) -> None:
        """The fault was done, or was taken away again: recovery counts from now on."""
        self.struck_at = time.time()

    def until(
        self, condition: Callable[[], object], otherwise: str, within: float = REST_WITHIN_S
    ) -> None:
        """Wait for something that the program does, and look at its sockets meanwhile.

        Raises:
            FaultError: it does not come about.
        """
        runs_until = time.monotonic()
        deadline = runs_until + within
        while not condition():
            if time.monotonic() > self._next_listeners:
                self.look_at_sockets()
            if any(program.process.poll() is None for program in self.programs):
                runs_until = time.monotonic()
            if time.monotonic() > min(deadline, runs_until + NOTHING_RUNS_FOR_S):
                raise FaultError(f"{otherwise}; {self._where_it_stands()}")
            time.sleep(LOOK_S)

    def look_at_sockets(self) -> None:
        """Note who listens beyond this computer."""
        self._next_listeners = time.monotonic() + LISTENERS_EVERY_S
        for process in self.processes().values():
            with suppress(psutil.Error):
                for socket in process.net_connections("tcp"):
                    if socket.status == psutil.CONN_LISTEN and socket.laddr.ip not in LOOPBACK:
                        self.listeners.add(f"{process.name()} listens on {socket.laddr.ip}")

    def until_struck(self, step: Step) -> None:
        """Wait until a step was taken."""
        self.until(lambda: self.plan.struck_at(step), f"{step.at} was not reached")
        self.struck_at = self.plan.struck_at(step) or 0.0

    def until_settled(self, number: int) -> None:
        """Wait until so many pictures of the newest session are done."""
        self.until(lambda: (s := self.session()) and s.done >= number, "too little was indexed")

    def until_waiting(self, within: float = REST_WITHIN_S) -> str:
        """Wait until the newest session says why it does not go on; the sentence."""
        otherwise = "the session does not say why it stands still"
        self.until(lambda: self.said() or self._is_complete(), otherwise, within)
        if not (message := self.said()):
            raise FaultError(f"it goes on as if nothing were wrong; {self._where_it_stands()}")
        return message

    def until_complete(self, within: float = REST_WITHIN_S) -> None:
        """Wait until the newest session is completed by itself."""
        self.until(self._is_complete, "the session is not completed", within)

    def _is_complete(self) -> bool:
        session = self.session()
        return session is not None and session.status == "completed" and not session.running

    def session(self) -> SessionState | None:
        """The session of the last ``index``; None while there is none, or no ledger."""
        rows = self.rows(
            "SELECT status, error_message, waiting_for, total_images, running_images,"
            " completed_images + failed_images + cancelled_images, finished_at"
            f" FROM training_sessions WHERE id > {self._earlier} ORDER BY id DESC LIMIT 1"
        )
        if not rows:
            return None
        status, error, waiting, total, running, done, finished = rows[0]
        return SessionState(
            status, error or "", waiting or "", total, running, done, _seconds(finished)
        )

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Read from the ledger without any of the program's code; empty where it cannot be."""
        address = f"{(self.data / 'ledger.sqlite3').absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=5)) as ledger:
                return list(ledger.execute(sql, parameters))
        except sqlite3.Error:
            return []

    def first_settled_after(self, moment: float) -> float | None:
        """When a picture got its vector for the first time after a moment; None: never."""
        times = self.rows(
            "SELECT created_at FROM training_evidence WHERE embedding_checksum IS NOT NULL"
        )
        later = [at for (text,) in times if (at := _seconds(text) or 0) > moment]
        return min(later, default=None)

    def last_freed_after(self, moment: float) -> float | None:
        """When the last picture that a dead worker held was free again; None: there was none."""
        times = self.rows(
            "SELECT training_evidence.created_at FROM training_evidence JOIN training_jobs"
            " ON training_jobs.id = job_id WHERE attempt < attempts AND embedding_checksum IS NULL"
        )
        return max((at for (text,) in times if (at := _seconds(text) or 0) > moment), default=None)

    def said(self) -> str:
        """Why the newest session does not go on; empty where it does."""
        session = self.session()
        if session is None:
            return ""
        return session.waiting or (session.error if session.status == "failed" else "")

    def _where_it_stands(self) -> str:
        left = [" ".join(p.cmdline())[-40:] for p in self.processes().values() if p.is_running()]
        return f"session: {self.session()}; processes: {left}"

    def release(self) -> None:
        """End what is not the program; called once it has ended, and once only."""

    def clear(self) -> None:
        """Remove everything; called once it has ended."""
        self.release()
        shutil.rmtree(self.place, ignore_errors=True)


def _seconds(moment: Any) -> float | None:
    """A moment of the ledger as seconds since the epoch."""
    from datetime import UTC, datetime

    if moment is None or isinstance(moment, float):
        return moment
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return float(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
