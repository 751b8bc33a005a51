"""A session whose model cannot be had: real services and ledger, no worker."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn_model import DRAWN_MODEL
from ledger_rows import add_pictures, add_session, columns_of, set_columns
from page_parts import Parts
from PySide6.QtWidgets import QFileDialog

from app.config import BUILTIN_MODEL
from app.embedding.catalogue import CURATED
from app.ui.pages.sessions.rate_chart import RateHistory
from app.ui.pages.sessions.session_actions import SessionActions
from app.ui.pages.sessions.session_view import SessionView
from app.ui.parts.error_dialog import ErrorDialog
from app.ui.pictures.thumbnails import ThumbnailLoader

AWAY = CURATED[0].spec
NO_NETWORK = "The model could not be downloaded: the hub cannot be reached. Try again later."


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    monkeypatch.setattr(
        "app.services.training_service.enqueue_session", lambda number: calls.append(number) or "j"
    )
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A model folder of a person's own."""
    return str(shutil.copytree(DRAWN_MODEL, tmp_path / "my model"))


def failed_session(completed: int = 0, **values: Any) -> int:
    row = {"model": AWAY, "error_message": NO_NETWORK, "error_kind": "model"} | values
    session_id = add_session("One", "failed", **row)
    done = [f"/photos/{number}.jpg" for number in range(completed)]
    add_pictures(session_id, {"completed": done, "pending": ["/photos/p.jpg"]})
    return session_id


class Shown:
    """A view on one session, kept up to date by hand."""

    def __init__(self, backend: Any, parts: Parts, session_id: int) -> None:
        self.backend, self.window, self.session_id = backend, parts.window, session_id
        thumbnails = ThumbnailLoader(backend.thumbnails, parts.window)
        actions = SessionActions(
            parts.window, backend, parts.runner, parts.commands.session_actions
        )
        self.view = parts.show(
            SessionView(backend, parts.runner, parts.poller, thumbnails, actions), 560
        )
        self.ways = self.view.ways
        self.changes: list[bool] = []
        actions.changed.connect(lambda: self.changes.append(True))

    async def show(self) -> None:
        async with self.backend.db() as db:
            found = await self.backend.training.get_session_progress(db, self.session_id)
        self.view.show_progress(found, RateHistory())

    def row(self) -> tuple[str, str, str | None]:
        columns = columns_of(self.session_id)
        return columns["model"], columns["status"], columns["error_kind"]


def run(qt_loop: Any, backend: Any, session_id: int, steps: Callable[[Shown], Any]) -> None:
    """Do the steps with a view on this session."""

    async def work() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts, session_id)
            await shown.show()
            await steps(shown)

    qt_loop.run(work())


def test_the_built_in_model_takes_over_at_once_where_nothing_was_indexed(
    qt_loop, backend, rung
) -> None:
    session_id = failed_session()

    async def steps(shown: Shown) -> None:
        assert shown.view.banner.text.text() == NO_NETWORK
        assert shown.view.banner.button.text() == "Start again"
        buttons = shown.ways.builtin_button, shown.ways.other_button, shown.ways.folder_button
        for control in buttons:
            assert control.isVisible()
            place = control.mapTo(shown.view, control.rect().bottomRight())
            assert shown.view.rect().contains(place)
        shown.ways.builtin_button.click()
        await qt_loop.until(lambda: shown.changes)
        assert shown.row() == (BUILTIN_MODEL, "running", None)
        assert rung == [session_id]
        await shown.show()
        assert not shown.ways.isVisible()
        assert not shown.view.banner.isVisible()

    run(qt_loop, backend, session_id, steps)


def test_what_would_be_indexed_again_is_asked_first(qt_loop, backend) -> None:
    session_id = failed_session(completed=3)

    async def steps(shown: Shown) -> None:
        shown.ways.builtin_button.click()
        question = shown.ways.question
        assert question.accessibleName() == "Go on with the built-in model?"
        assert question.accessibleDescription().startswith("3 pictures are indexed again.")
        question.no_button.click()
        assert shown.row()[0] == AWAY
        shown.ways.builtin_button.click()
        shown.ways.question.yes_button.click()
        await qt_loop.until(lambda: shown.row() == (BUILTIN_MODEL, "running", None))
        assert columns_of(session_id)["completed_images"] == 0
        await qt_loop.until(lambda: shown.changes)

    run(qt_loop, backend, session_id, steps)


def test_a_model_folder_is_checked_and_taken(qt_loop, backend, folder, tmp_path) -> None:
    session_id = failed_session()

    async def steps(shown: Shown) -> None:
        shown.ways.folder_button.click()
        dialog = shown.view.window().findChild(QFileDialog)
        assert dialog.isVisible()
        dialog.reject()
        shown.ways.use_folder(str(tmp_path))
        await qt_loop.until(lambda: shown.window.findChild(ErrorDialog))
        assert shown.row()[1] == "failed"
        shown.window.findChild(ErrorDialog).accept()
        shown.ways.use_folder(folder)
        await qt_loop.until(lambda: shown.row() == (folder, "running", None))
        await qt_loop.until(lambda: shown.changes)

    run(qt_loop, backend, session_id, steps)


def test_models_that_are_here_are_offered_else_the_page_of_models(qt_loop, backend, folder) -> None:
    session_id = failed_session()

    async def steps(shown: Shown) -> None:
        wanted: list[bool] = []
        shown.ways.models_wanted.connect(lambda: wanted.append(True))
        shown.ways.other_button.click()
        await qt_loop.until(lambda: wanted)
        assert not shown.ways.menu.isVisible()
        await backend.models.add_folder(folder)
        shown.ways.other_button.click()
        await qt_loop.until(shown.ways.menu.isVisible)
        entries = [entry for entry in shown.ways.menu.actions() if entry.text()]
        assert [entry.text() for entry in entries] == ["my model", "More models…"]
        entries[0].trigger()
        shown.ways.menu.close()
        await qt_loop.until(lambda: shown.row() == (folder, "running", None))
        await qt_loop.until(lambda: shown.changes)

    run(qt_loop, backend, session_id, steps)


@pytest.mark.parametrize(
    ("values", "offered"),
    [
        ({"status": "failed"}, {"builtin", "other", "folder"}),
        ({"model": BUILTIN_MODEL}, {"other", "folder"}),
        ({"error_kind": None}, set()),
        ({"status": "paused"}, set()),
    ],
)
def test_only_what_can_help_is_offered(qt_loop, backend, values, offered) -> None:
    session_id = failed_session()
    set_columns(session_id, **values)

    async def steps(shown: Shown) -> None:
        controls = {
            "builtin": shown.ways.builtin_button,
            "other": shown.ways.other_button,
            "folder": shown.ways.folder_button,
        }
        assert {name for name, control in controls.items() if control.isVisible()} == offered

    run(qt_loop, backend, session_id, steps)
