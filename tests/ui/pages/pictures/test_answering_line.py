"""The line over the results: which model answers, and the larger one that is offered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from page_parts import Parts
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.api.model_schemas import ModelDownload, ModelIndex, ModelRow
from app.config import BUILTIN_MODEL
from app.embedding.catalogue import RECOMMENDED, RECOMMENDED_FOR_OTHERS
from app.errors import AppError
from app.ui.pages.pictures.answering_line import (
    DECLINED,
    NOTHING_YET,
    WANTED,
    AnsweringLine,
    offering,
)

LARGER = RECOMMENDED.spec


def row(spec: str, **values: Any) -> ModelRow:
    """A model; ``vectors`` pictures can be found with it, ``answers``: searches use it."""
    vectors, answers = values.pop("vectors", 0), values.pop("answers", False)
    index = ModelIndex(
        modelId=1,
        vectors=vectors,
        sessions=1,
        inSearch=answers,
        only=False,
        picturesPerSecond=values.pop("speed", None),
        measuredOn="cpu",
    )
    known = {
        "kind": "hub",
        "title": spec.partition("/")[0],
        "description": "",
        "languages": "English",
        "downloadMb": 605,
        "dimension": 8,
        "recommended": False,
        "state": "ready",
    }
    return ModelRow(spec=spec, indexes=[index] if vectors else [], **(known | values))


class Models:
    """A service whose downloads end when a test says so."""

    def __init__(self) -> None:
        self.rows = [
            row(
                BUILTIN_MODEL,
                title="Built-in",
                inUse=True,
                sessions=1,
                pictures=600,
                vectors=600,
                answers=True,
                speed=60.0,
            ),
            row(LARGER, state="absent"),
        ]
        self.done: list[str] = []
        self.failing = ""
        self.state: ModelDownload | None = None

    async def list(self, db: Any, language: str) -> list[ModelRow]:
        return self.rows

    def downloads(self) -> dict[str, ModelDownload]:
        return {LARGER: self.state} if self.state else {}

    async def use(self, spec: str) -> None:
        self.done.append(f"use {spec}")
        for one in self.rows:
            one.inUse = one.spec == spec

    async def download(self, spec: str) -> None:
        self.done.append(f"download {spec}")
        if self.failing:
            self.state = ModelDownload(phase="failed", message=self.failing)
        else:
            self.rows[1].state = "ready"

    async def switch_sessions(self, db: Any, spec: str) -> None:
        if self.rows[0].indexing:
            raise AppError("The session is being indexed.")
        self.done.append(f"switch {spec}")
        self.rows[0].sessions, self.rows[1].sessions = 0, 1
        self.rows[1].pictures, self.rows[1].indexing = 600, True

    def stop_download(self, spec: str) -> None:
        self.state = None

    async def add_folder(self, folder: str) -> str:
        self.rows.append(row(folder))
        return folder


@pytest.fixture
def memory(tmp_path: Any) -> QSettings:
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


class Line:
    """An :class:`AnsweringLine` over :class:`Models`, used as a context."""

    def __init__(self, backend: Any, memory: QSettings, models: Models) -> None:
        self.models, self.memory = models, memory
        self.backend = replace(backend, models=models)
        self.parts = Parts(backend)

    async def __aenter__(self) -> AnsweringLine:
        await self.parts.__aenter__()
        page = QWidget()
        line = AnsweringLine(self.backend, self.parts.runner, self.parts.poller, self.memory, page)
        QVBoxLayout(page).addWidget(line)
        self.parts.show(page, 900, 160)
        return line

    async def __aexit__(self, *error: object) -> None:
        await self.parts.__aexit__(*error)


def test_the_larger_model_is_got_and_takes_over_by_itself(qt_loop, backend, memory) -> None:
    async def steps() -> None:
        models = Models()
        async with Line(backend, memory, models) as line:
            await qt_loop.until(line.notice.isVisible)
            assert line.notice.text.text() == (
                f"{RECOMMENDED.title} finds more: 605 MB to download, then about 52 s of "
                "indexing on this computer."
            )
            line.notice.button.click()
            await qt_loop.until(lambda: f"switch {LARGER}" in models.done)
            assert models.done == [f"use {LARGER}", f"download {LARGER}", f"switch {LARGER}"]
            await qt_loop.until(lambda: "has indexed your pictures" in line.notice.text.text())
            assert not line.notice.button.isVisible()

            first, larger = models.rows
            larger.indexes = first.indexes
            first.indexes = []
            line._watch.now()
            await qt_loop.until(lambda: not line.notice.isVisible())
            assert memory.value(WANTED) == ""

    qt_loop.run(steps())


def test_that_nothing_goes_on_is_said_with_the_way_to_the_sessions(
    qt_loop, backend, memory, qtbot
) -> None:
    async def steps() -> None:
        models = Models()
        await models.use(LARGER)
        await models.switch_sessions(None, LARGER)
        models.rows[1].title = "CLIP"
        async with Line(backend, memory, models) as line:
            await qt_loop.until(line.notice.isVisible)
            assert line.notice.text.text() == (
                "Searches use the built-in model until CLIP has indexed your pictures: 0 of 600."
            )
            assert not line.notice.button.isVisible()
            models.rows[1].indexing = False  # it was paused, or stopped by an error
            line._watch.now()
            await qt_loop.until(line.notice.button.isVisible)
            assert line.notice.text.text() == (
                "Searches use the built-in model: CLIP knows 0 of 600 pictures, and nothing is "
                "being indexed."
            )
            with qtbot.waitSignal(line.sessions_wanted, timeout=0, raising=True):
                line.notice.button.click()

    qt_loop.run(steps())


def test_a_first_session_that_stands_still_is_told_of(qt_loop, backend, memory, qtbot) -> None:
    async def steps() -> None:
        models = Models()
        models.rows[0].indexes = []  # the only session has indexed nothing
        models.rows[0].indexing = True
        async with Line(backend, memory, models) as line:
            line.show_rows(models.rows)
            assert not line.isVisible()
            models.rows[0].indexing = False
            line._watch.now()
            await qt_loop.until(line.notice.isVisible)
            assert line.notice.text.text() == NOTHING_YET
            with qtbot.waitSignal(line.sessions_wanted, timeout=0, raising=True):
                line.notice.button.click()
            models.rows[0].sessions = 0
            line._watch.now()
            await qt_loop.until(lambda: not line.isVisible())

    qt_loop.run(steps())


def test_a_session_that_runs_is_waited_for(qt_loop, backend, memory) -> None:
    async def steps() -> None:
        models = Models()
        models.rows[0].indexing = True
        async with Line(backend, memory, models) as line:
            await qt_loop.until(line.notice.isVisible)
            line.get(LARGER)
            await qt_loop.until(lambda: models.rows[1].state == "ready")
            assert f"switch {LARGER}" not in models.done
            models.rows[0].indexing = False
            line._watch.now()
            await qt_loop.until(lambda: f"switch {LARGER}" in models.done)

    qt_loop.run(steps())


def test_what_was_wanted_goes_on_after_a_restart_unseen(qt_loop, backend, memory) -> None:
    async def steps() -> None:
        models = Models()
        await models.use(LARGER)
        memory.setValue(WANTED, LARGER)
        async with Line(backend, memory, models) as line:
            line.parentWidget().hide()
            await qt_loop.until(lambda: f"switch {LARGER}" in models.done)

    qt_loop.run(steps())


def test_a_download_that_cannot_work_has_ways_on(qt_loop, backend, memory, qtbot, tmp_path) -> None:
    async def steps() -> None:
        models = Models()
        models.failing = "There is no connection to the internet."
        async with Line(backend, memory, models) as line:
            await qt_loop.until(line.notice.isVisible)
            line.get(LARGER)
            await qt_loop.until(line.builtin_button.isVisible)
            assert line.download.problem.text() == models.failing
            with qtbot.waitSignal(line.models_wanted, timeout=0, raising=True):
                line.other_button.click()
            line.use_folder(str(tmp_path))
            await qt_loop.until(lambda: f"switch {tmp_path}" in models.done)

            line.get(LARGER)
            await qt_loop.until(line.builtin_button.isVisible)
            line.builtin_button.click()
            await qt_loop.until(lambda: models.done[-1] == f"use {BUILTIN_MODEL}")
            await qt_loop.until(lambda: not line.builtin_button.isVisible())

    qt_loop.run(steps())


def test_not_now_is_remembered(qt_loop, backend, memory) -> None:
    async def steps() -> None:
        async with Line(backend, memory, Models()) as line:
            await qt_loop.until(line.notice.isVisible)
            assert not line.notice.close_button.isVisible()  # one way to say no
            line.decline_button.click()
            assert not line.notice.isVisible()
            assert memory.value(DECLINED) == LARGER
        async with Line(backend, memory, Models()) as line:
            line.show_rows(Models().rows)
            assert not line.isVisible()

    qt_loop.run(steps())


def test_a_model_chosen_for_new_sessions_only_is_told_from_one_that_indexes(
    qt_loop, backend, memory, qtbot
) -> None:
    async def steps() -> None:
        models = Models()
        await models.use(LARGER)
        async with Line(backend, memory, models) as line:
            await qt_loop.until(line.notice.isVisible)
            assert "no picture is indexed with" in line.notice.text.text()
            with qtbot.waitSignal(line.models_wanted, timeout=0, raising=True):
                line.notice.button.click()
            assert models.done == [f"use {LARGER}"]

    qt_loop.run(steps())


def test_the_offer_names_the_language_of_the_person() -> None:
    built_in = Models().rows[0]
    built_in.indexes[0].picturesPerSecond = None
    text = offering(RECOMMENDED_FOR_OTHERS, "de", built_in)
    assert text == "SigLIP 2 ViT-B/32 finds more, and understands German: 1.5 GB to download."
