"""Questions while a person types: one at a time, only the newest waits, none is answered late."""

from __future__ import annotations

from typing import Any

import pytest
from page_parts import Parts
from search_parts import Service, hit

from app.api.search_schemas import SearchFilter, SearchQuery, SearchTerm
from app.errors import AppError
from app.queue.ask import WorkerAwayError
from app.ui.pages.pictures import search_runner
from app.ui.pages.pictures.search_runner import Answer, SearchRunner
from app.ui.parts.error_dialog import ErrorDialog


def query(text: str, least: float | None = None) -> SearchQuery:
    return SearchQuery(terms=[SearchTerm(text=text)], filter=SearchFilter(), minScore=least)


class Asking:
    """A search runner with what it answered."""

    def __init__(self, backend: Any, parts: Parts) -> None:
        self.service = Service()
        object.__setattr__(backend, "search", self.service)
        self.search_runner = SearchRunner(backend, parts.runner, parts.poller, parts.window)
        self.answers: list[Answer] = []
        self.added: list[Answer] = []
        self.errors: list[AppError] = []
        self.slow: list[bool] = []
        self.search_runner.answered.connect(self.answers.append)
        self.search_runner.added.connect(self.added.append)
        self.search_runner.failed.connect(self.errors.append)
        self.search_runner.slow.connect(self.slow.append)

    def texts(self) -> list[str]:
        return [answer.query.terms[0].text or "" for answer in self.answers]


@pytest.fixture
def again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_runner, "AGAIN_MS", 20)


def test_what_is_typed_in_one_go_is_asked_once(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            for text in ("a", "a r", "a red"):
                asking.search_runner.ask(query(text))
            await qt_loop.until(lambda: asking.answers)
            assert asking.service.texts == asking.texts() == ["a red"]
            assert len(asking.answers[0].hits) == 200

    qt_loop.run(steps())


def test_only_the_newest_question_waits_and_late_answers_are_dropped(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.service.go.clear()
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.service.texts == ["one"])
            for text in ("two", "three", "four"):
                asking.search_runner.ask(query(text), delay_ms=0)
                await qt_loop.until(lambda: not asking.search_runner._wait.isActive())
            asking.service.go.set()
            await qt_loop.until(lambda: asking.answers)
            assert asking.service.texts == ["one", "four"]
            assert asking.texts() == ["four"]
            assert asking.service.most_at_once == 1

    qt_loop.run(steps())


def test_the_same_question_is_asked_once_more_only_when_wanted(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            asking.search_runner.ask(query("one"), delay_ms=0)
            assert not asking.search_runner.waiting
            asking.search_runner.ask(query("one"), delay_ms=0, again=True)
            await qt_loop.until(lambda: len(asking.answers) == 2)

    qt_loop.run(steps())


def test_a_question_that_is_forgotten_is_not_answered(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.service.go.clear()
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.service.asked)
            asking.search_runner.forget()
            asking.service.go.set()
            await qt_loop.until(lambda: not asking.search_runner.waiting)
            assert not asking.answers

    qt_loop.run(steps())


def test_further_pages_come_when_asked_for_until_there_are_none(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.search_runner.more()
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            for number in (1, 2):
                asking.search_runner.more()
                asking.search_runner.more()
                await qt_loop.until(lambda number=number: len(asking.added) == number)
            asking.search_runner.more()
            assert not asking.search_runner.waiting
            assert [offset for _, offset in asking.service.asked] == [0, 200, 400]
            assert [len(answer.hits) for answer in asking.added] == [200, 50]

    qt_loop.run(steps())


def test_a_page_whose_pictures_are_all_hidden_is_passed_over(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            whole = asking.service.search

            async def hiding(
                db: Any, asked: SearchQuery, *, offset: int = 0, limit: int = 200
            ) -> Any:
                page = await whole(db, asked, offset=offset, limit=limit)
                return page.model_copy(update={"hits": []}) if offset < 400 else page

            asking.service.search = hiding  # type: ignore[assignment]
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            assert [found.assetId for found in asking.answers[0].hits] == list(range(400, 450))

    qt_loop.run(steps())


@pytest.mark.usefixtures("again_soon")
def test_while_the_process_is_away_it_is_asked_again_by_itself(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.service.error = WorkerAwayError("It is starting.")
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: len(asking.errors) >= 3)
            assert asking.search_runner.waiting
            asking.service.error = None
            await qt_loop.until(lambda: asking.answers)
            assert asking.texts() == ["one"]
            assert not asking.search_runner.waiting

    qt_loop.run(steps())


@pytest.mark.usefixtures("again_soon")
def test_a_page_that_was_not_answered_is_asked_for_again(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            asking.service.error = WorkerAwayError("It is starting.")
            asking.search_runner.more()
            await qt_loop.until(lambda: asking.errors)
            asking.service.error = None
            await qt_loop.until(lambda: asking.added)
            assert [offset for _, offset in asking.service.asked][-1] == 200
            assert len(asking.answers) == 1

    qt_loop.run(steps())


def test_another_failure_is_said_once_and_not_tried_again(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.service.error = AppError("This is no picture.", "Choose another.")
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.errors)
            assert [str(error) for error in asking.errors] == [
                "This is no picture. Choose another."
            ]
            assert not asking.search_runner.waiting

    qt_loop.run(steps())


def test_a_bug_is_reported_and_the_next_question_is_answered(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            parts.window.show()
            asking = Asking(backend, parts)
            asking.service.error = ZeroDivisionError("a bug")
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: parts.window.findChild(ErrorDialog))
            assert not asking.errors
            asking.service.error = None
            asking.search_runner.ask(query("two"), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            assert asking.texts() == ["two"]

    qt_loop.run(steps())


def test_what_takes_long_is_said_and_taken_back(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.service.go.clear()
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.slow)
            assert asking.slow == [True]
            asking.service.go.set()
            await qt_loop.until(lambda: asking.answers)
            assert asking.slow[-1] is False

    qt_loop.run(steps())


@pytest.mark.parametrize(("hits", "best"), [([hit(1, score=0.24)], 0.24), ([], None)])
def test_where_nothing_scores_enough_the_best_is_named(qt_loop, backend, hits, best) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.service.hits = hits
            asking.search_runner.ask(query("one", least=0.3), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            assert asking.answers[0].hits == []
            assert asking.answers[0].best == best

    qt_loop.run(steps())


def test_pictures_are_found_by_their_names_where_no_model_can_be_asked(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.service.error = AppError("The engine is not installed.")
            asking.search_runner.ask(query("beach"), delay_ms=0)
            await qt_loop.until(lambda: asking.errors)
            assert not asking.answers
            asking.service.named_hits = [hit(7, "/photos/beach.jpg")]
            asking.search_runner.ask(query("beach"), delay_ms=0, again=True)
            await qt_loop.until(lambda: asking.answers)
            assert [found.path for found in asking.answers[0].hits] == ["/photos/beach.jpg"]
            assert len(asking.errors) == 1

    qt_loop.run(steps())


def test_what_was_indexed_since_a_question_is_counted_and_asked_for_without_a_word(
    qt_loop, backend, monkeypatch
) -> None:
    monkeypatch.setattr(search_runner, "SLOW_MS", 0)
    monkeypatch.setattr(search_runner, "RENEWED_EVERY_S", 0.0)

    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            runner, grown = asking.search_runner, []
            runner.grown.connect(grown.append)
            runner.note_indexed(1, 300)
            assert not grown  # nothing is asked
            runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            runner.note_indexed(1, 300)
            runner.note_indexed(1, 312)
            assert grown == [0, 12]
            asking.slow.clear()

            runner.renew(lambda: False)  # somebody has begun to read meanwhile
            runner.more()  # and comes near the end
            await qt_loop.until(lambda: asking.added)
            assert asking.service.texts == ["one", "one"]
            assert len(asking.answers) == 1

            asking.service.error = AppError("It is broken.")
            runner.renew(lambda: True)
            await qt_loop.until(lambda: not runner.waiting)
            asking.service.error = None
            runner.note_indexed(1, 312)
            assert grown[-1] == 12

            runner.renew(lambda: True)
            await qt_loop.until(lambda: len(asking.answers) == 2)
            assert not asking.errors
            assert True not in asking.slow
            runner.note_indexed(1, 312)
            assert grown[-1] == 0
            runner.note_indexed(2, 900)  # another model answers
            assert grown[-1] == 0

    qt_loop.run(steps())


def test_the_same_is_not_asked_again_at_every_look(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            asking = Asking(backend, parts)
            asking.search_runner.ask(query("one"), delay_ms=0)
            await qt_loop.until(lambda: asking.answers)
            asking.search_runner.renew(lambda: True)
            assert not asking.search_runner.waiting

    qt_loop.run(steps())
