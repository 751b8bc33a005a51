"""The first page: a folder, the samples, the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget

from app.bundled import RESOURCES
from app.config import BUILTIN_MODEL, get_settings, save_setting
from app.embedding.catalogue import CURATED, RECOMMENDED
from app.ui.pages.sessions.first_run import FirstRunPage, about_model
from app.ui.parts.actions import ActionRunner
from app.ui.parts.error_dialog import ErrorDialog


@pytest.fixture
def page(qt_loop: Any, backend: Any) -> Iterator[FirstRunPage]:
    runner = ActionRunner(QWidget())
    page = FirstRunPage(backend, runner)
    page.resize(900, 600)
    page.show()
    yield page
    qt_loop.run(runner.close())


def test_a_folder_is_handed_on(page: FirstRunPage) -> None:
    chosen: list[str] = []
    page.folder_chosen.connect(chosen.append)
    page.choose_button.click()
    (dialog,) = page.window().findChildren(QFileDialog)
    dialog.fileSelected.emit("/pictures")
    dialog.reject()
    assert chosen == ["/pictures"]


def test_the_samples_become_a_session_with_the_built_in_model(
    qt_loop: Any, backend: Any, page: FirstRunPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    if not (RESOURCES / "samples").is_dir():
        (tmp_path / "samples").mkdir()
        monkeypatch.setattr("app.ui.pages.sessions.first_run.RESOURCES", tmp_path)

    async def steps() -> None:
        created: list[int] = []
        page.created.connect(created.append)
        page.samples_button.click()
        page.samples_button.click()
        assert not page.samples_button.isEnabled()
        await qt_loop.until(lambda: created or page.findChildren(ErrorDialog))
        async with backend.db() as db:
            (session,) = await backend.training.list_sessions(db)
        assert (session.sessionId, session.model) == (created[0], BUILTIN_MODEL)
        assert session.name == "Sample pictures"

    qt_loop.run(steps())


def test_the_built_in_model_says_what_it_cannot_do(page: FirstRunPage) -> None:
    assert get_settings().model == BUILTIN_MODEL
    assert "a thousand kinds" in about_model(BUILTIN_MODEL)
    assert "knows nothing about people" in about_model(BUILTIN_MODEL)
    assert page.model.better_button.isVisible()


def test_the_cost_of_a_model_is_said_before_it_is_chosen() -> None:
    assert "605.0 MB" in about_model(RECOMMENDED.spec) or "605 MB" in about_model(RECOMMENDED.spec)


def test_a_model_that_is_picked_is_set_for_good(qt_loop: Any, page: FirstRunPage) -> None:
    async def steps() -> None:
        box, other = page.model, next(item for item in CURATED if item.spec != BUILTIN_MODEL)
        box.choice.setCurrentIndex(box.choice.findData(other.spec))
        box.choice.activated.emit(box.choice.currentIndex())
        await qt_loop.until(lambda: get_settings().model == other.spec)
        get_settings.cache_clear()
        assert get_settings().model == other.spec
        assert not box.better_button.isVisible()

    qt_loop.run(steps())


def test_one_click_takes_the_recommended_model(qt_loop: Any, page: FirstRunPage) -> None:
    async def steps() -> None:
        page.model.better_button.click()
        await qt_loop.until(lambda: get_settings().model == RECOMMENDED.spec)
        assert page.model.choice.currentData() == RECOMMENDED.spec
        # and begins its download, which says why it cannot go on
        progress = page.model.offer.progress
        await qt_loop.until(lambda: progress.problem.isVisible())
        assert "HF_HUB_OFFLINE" in progress.problem.text()
        assert progress.again_button.isVisible()
        progress.others_button.click()  # the built-in model, the others, a folder
        assert page.model.choice.view().isVisible()
        page.model.choice.hidePopup()

    qt_loop.run(steps())


def test_a_checkpoint_of_ones_own_is_shown_by_its_folder(
    qt_loop: Any, backend: Any, page: FirstRunPage
) -> None:
    async def steps() -> None:
        box = page.model
        box.choice.activated.emit(box.choice.count() - 1)
        (dialog,) = page.window().findChildren(QFileDialog)
        dialog.fileSelected.emit("/models/mine")
        dialog.reject()
        await qt_loop.until(lambda: get_settings().model == "/models/mine")
        assert box.choice.currentText() == "mine"
        assert "/models/mine" in about_model("/models/mine")

    qt_loop.run(steps())


def test_a_model_that_cannot_be_saved_is_taken_back(
    qt_loop: Any, page: FirstRunPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.errors import AppError

    def refuse(_name: str, _value: str) -> None:
        raise AppError("The settings could not be saved.")

    monkeypatch.setattr("app.ui.pages.sessions.first_run.save_setting", refuse)

    async def steps() -> None:
        page.model.use(RECOMMENDED.spec)
        await qt_loop.until(lambda: page.model.choice.currentData() == BUILTIN_MODEL)

    qt_loop.run(steps())


def test_a_model_from_the_environment_cannot_be_changed_here(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_setting("model", RECOMMENDED.spec)
    monkeypatch.setenv("AFTERIMAGE_MODEL", BUILTIN_MODEL)
    get_settings.cache_clear()
    page = FirstRunPage(backend, ActionRunner(QWidget()))
    page.show()
    assert not page.model.choice.isEnabled()
    assert page.model.choice.currentData() == BUILTIN_MODEL
    assert not page.model.better_button.isVisible()
