"""What was found, with a line over it; more of it comes as one scrolls, or as more is indexed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.api.search_schemas import SearchFilter
from app.ui.pages.pictures.results import SearchResults
from app.ui.pages.pictures.results_line import ResultsLine
from app.ui.pages.pictures.search_bar import SearchBar
from app.ui.pages.pictures.search_runner import Answer, SearchRunner
from app.ui.parts.theme import SPACE_S

if TYPE_CHECKING:
    from app.errors import AppError


class FoundPictures(QWidget):
    """Shows what the runner is answered."""

    there = Signal()
    """There is something to see now."""
    again_wanted = Signal()

    def __init__(self, runner: SearchRunner, results: SearchResults, bar: SearchBar) -> None:
        super().__init__()
        self._runner, self._bar = runner, bar
        self.line, self.results = ResultsLine(), results
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.line)
        column.addWidget(results, 1)
        runner.answered.connect(self._show_answer)
        runner.added.connect(self._add_answer)
        runner.failed.connect(self._show_error)
        runner.slow.connect(self._show_slow)
        runner.grown.connect(self._show_growth)
        results.more_wanted.connect(runner.more)
        results.score_wanted.connect(self.line.set_least)
        results.again_wanted.connect(self.again_wanted)
        self.line.again_button.clicked.connect(self.again_wanted)

    def _show_answer(self, answer: Answer) -> None:
        self.there.emit()
        self.results.show_answer(answer, self._bar.only() != SearchFilter())
        self._show_count(answer)
        self.line.show_growth(0)

    def _add_answer(self, answer: Answer) -> None:
        self.results.add(answer)
        self._show_count(answer)

    def _show_count(self, answer: Answer) -> None:
        more = answer.next_offset is not None
        self.line.show_count(len(self.results.hits), more=more, left_out=answer.left_out)

    def _show_error(self, error: AppError) -> None:
        self.there.emit()
        self.line.say("")
        self.results.show_error(error)

    def _show_slow(self, slow: bool) -> None:
        if slow:
            self.there.emit()
            self.line.say("Searching…")
            self.results.show_slow()

    def _show_growth(self, number: int) -> None:
        """More is indexed: it comes by itself unless somebody reads on, and is offered then."""
        read = self.results.is_being_read()
        self.line.show_growth(number if read else 0)
        if number and not read:
            self._runner.renew(lambda: not self.results.is_being_read())
