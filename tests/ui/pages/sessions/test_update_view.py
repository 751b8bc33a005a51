"""Updating, removing and relocating in the session view."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_rows import add_pictures, add_session, columns_of, recount, set_columns
from page_parts import Parts
from sqlalchemy import update

from app.api.update_schemas import MissingPreview, RelocationPreview, UpdateSummary
from app.db.engine import write_transaction
from app.db.models import ImageAsset, TrainingJob
from app.db.types import utc_now
from app.ui.pages.sessions import update_panel, update_words
from app.ui.pages.sessions.rate_chart import RateHistory
from app.ui.pages.sessions.session_actions import SessionActions
from app.ui.pages.sessions.session_view import SessionView
from app.ui.pages.sessions.update_actions import possible
from app.ui.parts.theme import theme
from app.ui.pictures.thumbnails import ThumbnailLoader

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def last_update(**values: Any) -> dict[str, Any]:
    return UpdateSummary(at=utc_now(), **values).model_dump(mode="json")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one picture; nothing rings for it."""
    monkeypatch.setattr("app.scan.session_walk.enqueue_session_if_possible", lambda _: None)
    monkeypatch.setattr("app.services.update_service.enqueue_session_if_possible", lambda _: None)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    return tmp_path / "photos"


class Shown:
    """A view on one session, kept up to date by hand."""

    def __init__(self, backend: Any, parts: Parts, session_id: int) -> None:
        self.backend, self.session_id = backend, session_id
        self.thumbnails = ThumbnailLoader(backend.thumbnails, parts.window)
        self.session_actions = SessionActions(
            parts.window, backend, parts.runner, parts.commands.session_actions
        )
        self.view = parts.show(
            SessionView(backend, parts.runner, parts.poller, self.thumbnails, self.session_actions)
        )
        self.panel, self.actions = self.view.updates, self.view.update_actions

    async def show(self) -> Any:
        async with self.backend.db() as db:
            found = await self.backend.training.get_session_progress(db, self.session_id)
        self.view.show_progress(found, RateHistory())
        return found


def run(qt_loop: Any, backend: Any, session_id: int, steps: Any) -> None:
    """Do the steps with a view on this session."""

    async def work() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts, session_id)
            await shown.show()
            await qt_loop.until(shown.panel.settings.isEnabled)
            await steps(shown)
            shown.thumbnails.close()

    qt_loop.run(work())


@pytest.mark.parametrize("status", ["completed", "paused", "failed"])
def test_a_session_at_rest_can_be_updated_and_moved(qt_loop, backend, status) -> None:
    session_id = add_session("One", status)

    async def steps(shown: Shown) -> None:
        assert possible(await shown.show()) == {"update", "relocate"}
        assert shown.view.update_button.isVisible()
        assert shown.view.more_button.isVisible()
        assert shown.panel.settings.isVisible()
        assert not shown.panel.prune_button.isVisible()
        assert shown.view.update_button.toolTip().endswith("(Ctrl+U)")

    run(qt_loop, backend, session_id, steps)


@pytest.mark.parametrize("status", ["pending", "running", "cancelled"])
def test_any_other_session_offers_nothing_of_it(qt_loop, backend, status) -> None:
    session_id = add_session("One", status)

    async def steps(shown: Shown) -> None:
        assert possible(await shown.show()) == frozenset()
        assert not shown.view.update_button.isEnabled()
        assert not shown.panel.isVisible()
        assert not any(action.isEnabled() for action in shown.actions.actions.values())

    run(qt_loop, backend, session_id, steps)


def test_an_update_shows_how_far_it_is_and_then_what_it_found(qt_loop, backend, folder) -> None:
    session_id = add_session("One", "completed", str(folder))
    add_pictures(session_id, {"completed": [str(folder / "gone.jpg"), str(folder / "b.jpg")]})
    (folder / "b.jpg").touch()

    async def steps(shown: Shown) -> None:
        said = []
        shown.actions.stepped.connect(lambda _: said.append(shown.panel.result.text()))
        shown.view.update_button.click()
        assert shown.panel.result.text() == "Looking for changes…"
        assert shown.panel.stop_button.isVisible()
        assert not shown.view.update_button.isEnabled()
        await qt_loop.until(lambda: shown.actions.looked_at(session_id) is None)
        assert "Looking for changes… 2 files" in said
        found = await shown.show()
        assert (found.status, found.lastUpdate.new, found.lastUpdate.missing) == ("running", 1, 1)
        assert not shown.panel.isVisible()  # the progress is what matters now
        set_columns(session_id, status="completed")
        await shown.show()
        assert shown.panel.result.text().startswith("Updated just now: 1 new, ")
        assert shown.panel.prune_button.isVisible()

    run(qt_loop, backend, session_id, steps)


def test_an_update_can_be_cancelled(qt_loop, backend, folder) -> None:
    session_id = add_session("One", "completed", str(folder))

    async def steps(shown: Shown) -> None:
        shown.view.update_button.click()
        shown.panel.stop_button.click()
        assert shown.panel.result.text() == "Stopping…"
        await qt_loop.until(lambda: shown.actions.looked_at(session_id) is None)
        found = await shown.show()
        assert found.lastUpdate.message.startswith("Stopped")

    run(qt_loop, backend, session_id, steps)


def test_a_root_that_is_away_is_said_in_place(qt_loop, backend, tmp_path) -> None:
    session_id = add_session("One", "completed", str(tmp_path / "nowhere"))

    async def steps(shown: Shown) -> None:
        shown.view.update_button.click()
        await qt_loop.until(lambda: shown.actions.looked_at(session_id) is None)
        await shown.show()
        text = shown.panel.result.text().replace("\u200b", "")
        assert text.startswith(f"Checked just now. The folder {tmp_path}/nowhere does not exist.")

    run(qt_loop, backend, session_id, steps)


def test_removing_asks_first_and_keeps_everything_by_default(qt_loop, backend, folder) -> None:
    session_id = add_session("One", "completed", str(folder), last_update=last_update(gone=1))
    names = [str(folder / name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    add_pictures(session_id, {"completed": names})
    with write_transaction() as conn:
        missing = ImageAsset.path == str(folder / "b.jpg")
        conn.execute(update(ImageAsset).where(missing).values(missing_since=utc_now()))
        conn.execute(update(TrainingJob).values(attempts=0))
    recount(session_id)

    async def steps(shown: Shown) -> None:
        shown.panel.prune_button.click()
        await qt_loop.until(lambda: shown.actions.question)
        question = shown.actions.question
        assert question.accessibleName() == "Remove 1 missing picture?"
        assert question.accessibleDescription().startswith("1 of 3 pictures is gone.")
        assert question.no_button.isDefault()
        question.no_button.click()
        assert columns_of(session_id)["total_images"] == 3
        shown.actions.question = None
        shown.panel.prune_button.click()
        await qt_loop.until(lambda: shown.actions.question)
        shown.actions.question.yes_button.click()
        await qt_loop.until(lambda: columns_of(session_id)["total_images"] == 2)
        await qt_loop.until(lambda: columns_of(session_id)["last_update"]["gone"] == 0)
        await shown.show()
        assert not shown.panel.prune_button.isVisible()

    run(qt_loop, backend, session_id, steps)


def test_relocating_shows_how_well_it_fits_and_then_updates(qt_loop, backend, folder) -> None:
    session_id = add_session("One", "completed", str(folder))
    add_pictures(session_id, {"completed": [str(folder / "a.jpg")]})
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).values(size=0, folder=str(folder)))
    new = folder.with_name("elsewhere")
    folder.rename(new)

    async def steps(shown: Shown) -> None:
        shown.actions.actions["relocate"].trigger()
        assert shown.actions.chooser.isVisible()
        shown.actions.chooser.fileSelected.emit(str(new))
        shown.actions.chooser.reject()
        await qt_loop.until(lambda: shown.actions.question)
        assert "The pictures are there: all of them." in (
            shown.actions.question.accessibleDescription()
        )
        shown.actions.question.yes_button.click()
        await qt_loop.until(lambda: columns_of(session_id)["root_path"] == str(new))
        await qt_loop.until(lambda: columns_of(session_id)["last_update"])
        await qt_loop.until(lambda: shown.actions.looked_at(session_id) is None)

    run(qt_loop, backend, session_id, steps)


def test_the_settings_are_shown_and_saved(qt_loop, backend) -> None:
    session_id = add_session(
        "One", "completed", "/nowhere", config={"update_every_hours": 24, "batch_size": 7}
    )

    async def steps(shown: Shown) -> None:
        settings = shown.panel.settings
        assert settings.schedule.currentText() == "Update: every day"
        assert not settings.watch_box.isChecked()
        settings.watch_box.click()
        await qt_loop.until(lambda: columns_of(session_id)["config"].get("watch"))
        settings.schedule.setCurrentIndex(0)
        settings.schedule.activated.emit(0)
        await qt_loop.until(lambda: columns_of(session_id)["config"]["update_every_hours"] == 0)
        assert columns_of(session_id)["config"]["batch_size"] == 7
        await qt_loop.until(lambda: "does not exist" in shown.panel.result.text())

    run(qt_loop, backend, session_id, steps)


def test_new_pictures_are_told_of_and_can_be_put_off(
    qt_loop, backend, folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = add_session("One", "completed", str(folder), config={"watch": True})

    async def steps(shown: Shown) -> None:
        news = shown.panel.news
        number = 0

        def arrived() -> bool:
            nonlocal number
            number += 1
            (folder / f"new {number}.jpg").touch()
            return news.isVisible()

        await qt_loop.until(arrived, within=30)
        assert news.text.text().endswith("in this folder")
        news.later_button.click()
        assert not news.isVisible()
        monkeypatch.setattr(update_panel, "LATER_S", 0.0)
        shown.panel._later.clear()
        await shown.show()
        assert news.isVisible()
        news.update_button.click()
        assert not news.isVisible()
        await qt_loop.until(lambda: shown.actions.looked_at(session_id) is None)
        assert columns_of(session_id)["total_images"] >= number

    run(qt_loop, backend, session_id, steps)


def test_a_picture_that_the_program_moved_here_itself_is_told_of_no_longer(
    qt_loop, backend, folder
) -> None:
    session_id = add_session("One", "completed", str(folder), config={"watch": True})

    async def steps(shown: Shown) -> None:
        news, moved = shown.panel.news, folder / "moved.jpg"

        def arrived() -> bool:
            moved.touch()
            return news.isVisible()

        await qt_loop.until(arrived, within=30)
        add_pictures(session_id, {"completed": [str(moved)]})
        status = moved.stat()
        with write_transaction() as conn:
            known = update(ImageAsset).where(ImageAsset.path == str(moved))
            conn.execute(known.values(size=status.st_size, mtime_ns=status.st_mtime_ns))
        assert news.isVisible()
        shown.view.watch.look_again()
        await qt_loop.until(lambda: not news.isVisible())

    run(qt_loop, backend, session_id, steps)


def test_links_follow_the_colours_of_the_window(qt_loop, backend, folder) -> None:
    session_id = add_session("One", "completed", str(folder), last_update=last_update(missing=2))

    def links(shown: Shown) -> int:
        """Pixels in the present colour of links."""
        wanted, picture = theme().color("accent").rgb(), shown.panel.result.grab().toImage()
        places = ((x, y) for x in range(picture.width()) for y in range(picture.height()))
        return sum(picture.pixelColor(x, y).rgb() == wanted for x, y in places)

    async def steps(shown: Shown) -> None:
        for scheme in ("dark", "light"):
            theme().set_scheme(scheme)
            await qt_loop.until(lambda: links(shown) > 20)

    try:
        run(qt_loop, backend, session_id, steps)
    finally:
        theme().set_scheme("system")


def test_the_words_of_an_update() -> None:
    at = NOON - timedelta(minutes=3)
    found = UpdateSummary(new=12, changed=3, missing=2, at=at)
    assert update_words.result(found, NOON) == "Updated 3 min ago: 12 new, 3 changed, 2 missing"
    moved = UpdateSummary(moved=1, left_out=1_200, missing=12, at=at)
    told = update_words.result(moved, NOON)
    assert told == "Updated 3 min ago: 1 moved, 12 missing, 1,200 now skipped"
    links = update_words.linked(f"{told} <b>")
    assert '<a href="missing">12 missing</a>' in links
    assert '<a href="excluded">1,200 now skipped</a>' in links
    assert links.endswith("&lt;b&gt;")
    nothing = UpdateSummary(unchanged=9, at=at)
    assert update_words.result(nothing, NOON) == "Updated 3 min ago: no changes"
    away = UpdateSummary(at=at, message="The folder is away.")
    assert update_words.result(away, NOON) == "Checked 3 min ago. The folder is away."
    part = UpdateSummary(new=1, at=at, message="1 folder could not be read.")
    assert update_words.result(part, NOON) == (
        "Updated 3 min ago: 1 new. 1 folder could not be read."
    )


def test_the_words_of_a_question() -> None:
    preview = MissingPreview(missing=312, moved=300, total=40_112, root_reachable=True)
    assert update_words.missing_text(preview) == (
        "312 of 40,112 pictures are gone. 300 of them were moved or renamed and can still be "
        "found. They are removed from the index only; no file is touched."
    )
    fits = RelocationPreview(
        old_root="/a",
        new_root="/b",
        found=298,
        sampled=300,
        pictures=40_112,
        sessions=["one", "two"],
    )
    assert update_words.relocation_text(fits) == (
        "298 of 300 pictures that were checked are there. The index is kept; nothing is "
        "indexed again. 2 sessions move to the new folder."
    )
    assert "all 300 that were checked" in update_words.relocation_text(
        fits.model_copy(update={"found": 300})
    )


def test_a_long_path_can_be_broken_into_lines() -> None:
    assert update_words.breakable(f"{os.sep}a{os.sep}b") == f"{os.sep}\u200ba{os.sep}\u200bb"
