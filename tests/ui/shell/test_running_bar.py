"""The slim line about what is being indexed."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.training_schemas import TrainingProgress
from app.ui.parts.theme import theme
from app.ui.shell.running_bar import RunningBar


def session(number: int = 1, done: int = 40, total: int = 100, **values: Any) -> TrainingProgress:
    progress = {
        "current": done,
        "total": total,
        "percentage": 40.0,
        "etaSeconds": 120,
        "imagesPerMinute": 30.0,
    }
    zeros = dict.fromkeys(TrainingProgress.model_fields["jobsSummary"].annotation.model_fields, 0)
    times = TrainingProgress.model_fields["stageTimes"].annotation
    made = TrainingProgress.model_construct(
        sessionId=number,
        name="Holidays",
        status="running",
        progress=TrainingProgress.model_fields["progress"].annotation(**progress),
        jobsSummary=TrainingProgress.model_fields["jobsSummary"].annotation(**zeros),
        stageTimes=times.model_construct(),
        discovering=False,
        stalled=False,
    )
    return made.model_copy(update=values)


@pytest.fixture
def bar(qtbot) -> RunningBar:
    theme()
    bar = RunningBar()
    qtbot.addWidget(bar)
    bar.resize(800, 40)
    return bar


def test_it_is_there_while_something_runs_on_every_page_but_the_sessions(bar, qtbot) -> None:
    bar.set_page("pictures")
    assert bar.isHidden()
    bar.show_running([session()])
    assert not bar.isHidden()
    assert bar.text.full_text() == "Holidays: Indexing 40 of 100 pictures"
    assert bar.left.text() == "About 2 minutes left"
    assert bar.bar.shown == pytest.approx(0.4)
    bar.set_page("sessions")
    assert bar.isHidden()
    bar.set_page("failed")
    with qtbot.waitSignal(bar.wanted, timeout=0) as wanted:
        bar.show_button.click()
    assert wanted.args == [1]
    bar.show_running([])
    assert bar.isHidden()


def test_several_sessions_are_one_line(bar) -> None:
    bar.set_page("pictures")
    bar.show_running([session(1), session(2, done=0, total=300)])
    assert bar.text.full_text() == "2 sessions: Indexing 40 of 400 pictures"
    assert bar.left.text() == ""


def test_while_pictures_are_counted_there_is_no_share(bar) -> None:
    bar.set_page("pictures")
    bar.show_running([session(discovering=True)])
    assert bar.bar.counting
    bar.show_running([session(done=50)])
    assert not bar.bar.counting
