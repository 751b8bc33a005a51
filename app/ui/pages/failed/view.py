"""Failed pictures by cause: what happened, what can be done, and doing it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.api.training_schemas import FailureGroup
from app.ui.pages.failed.actions import (
    Outcome,
    Retried,
    exclude_rows,
    export,
    outcome_of,
    retry_cause,
    retry_rows,
)
from app.ui.pages.failed.cause_list import CauseList, is_transient, title_of
from app.ui.pages.failed.model import FailedModel, kind_of
from app.ui.pages.failed.retry_button import RetryButton
from app.ui.pages.failed.table import FailedTable
from app.ui.parts import words
from app.ui.parts.commands import bind
from app.ui.parts.confirm import ConfirmDialog, ask
from app.ui.parts.file_dialogs import save_table
from app.ui.parts.passing import Passing
from app.ui.parts.reveal import reveal
from app.ui.parts.session_names import full_names
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XS
from app.ui.parts.widgets import EmptyState, Page, Skeleton, button, label
from app.ui.pictures.thumbnails import ThumbnailLoader

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from app.api.training_schemas import JobRow
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

EVERY_S = 2.0
NAMES_EVERY_S = 20.0


class FailedView(Page):
    """Failed pictures of one session, or of all.

    New failures that come while a person reads on are announced, not pushed in: what is being
    looked at stays where it is.
    """

    count_changed = Signal(int)

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        session_id: int | None = None,
        *,
        thumbnails: ThumbnailLoader | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Failed pictures", parent)
        self._backend, self._runner = backend, runner
        self._session_id = session_id
        self._groups: list[FailureGroup] | None = None
        self._count = -1
        self._retried: Retried | None = None
        """What is being tried again, until it is known what came of it."""
        self._retrying: asyncio.Task[None] | None = None
        self._kinds: set[str] = set()
        """The causes that there were when that began; they stay listed meanwhile."""
        self._named_at = -math.inf
        self.question: ConfirmDialog | None = None
        self.thumbnails = thumbnails or ThumbnailLoader(backend.thumbnails, self)
        self.model = FailedModel(backend, poller)
        self.table = FailedTable(self.model, self.thumbnails, session_id is None)
        self.model.setParent(self.table)
        self.causes = CauseList()
        self.export_button = button("Export CSV…", icon_name="export")
        self.all_button = RetryButton("Retry all", "primary")
        self.cause_button = RetryButton("Retry all of this cause")
        self.selected_button = RetryButton("Retry selected")
        self.show_button = button("Show in folder", icon_name="folder-open")
        self.exclude_button = button("Exclude…", "danger")
        self.more_button = button("", "quiet", "arrow-up")
        self.cause_title, self.advice = label(role="section"), label(role="secondary")
        self.message = label(role="secondary")
        self._passing = Passing(self.message)
        self._empty = EmptyState("check-circle", "No picture failed", _EMPTY_TEXT)
        self._skeleton = Skeleton()
        self._lay_out()
        self._connect()
        self._skeleton.start()
        # The page counts for the rail also while it is not seen; a dialog lives only while it is.
        self._watch = poller.watch(
            self._fetch, self._deliver, owner=None if session_id is None else self, every_s=EVERY_S
        )
        self._show_choice()

    def _lay_out(self) -> None:
        self.add_buttons([self.export_button])
        self.buttons.addWidget(self.all_button)
        heading, texts = QHBoxLayout(), QVBoxLayout()
        heading.setSpacing(SPACE_L)
        texts.setSpacing(SPACE_XS)
        texts.addWidget(self.cause_title)
        texts.addWidget(self.advice)
        self.advice.setWordWrap(True)
        heading.addLayout(texts, 1)
        heading.addWidget(self.cause_button, 0, Qt.AlignmentFlag.AlignTop)
        bar = QHBoxLayout()
        bar.setSpacing(SPACE_S)
        for part in (self.selected_button, self.show_button, self.exclude_button):
            bar.addWidget(part)
        bar.addWidget(self.message, 1)
        self.message.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(SPACE_L, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addLayout(heading)
        column.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.table, 1)
        column.addLayout(bar)
        self.more_button.hide()
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setObjectName("failed" if self._session_id is None else "failed-one")
        self.split.setChildrenCollapsible(False)
        self.causes.setMinimumWidth(170)
        self.split.addWidget(self.causes)
        self.split.addWidget(right)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([250, 670])
        self.stack = QStackedWidget()
        for content in (self._skeleton, self._empty, self.split):
            self.stack.addWidget(content)
        self.body.addWidget(self.stack)

    def _connect(self) -> None:
        self._passing.over.connect(self.message.clear)
        self.causes.picked.connect(self._show_cause)
        self.export_button.clicked.connect(self._export)
        self.all_button.wanted.connect(lambda how: self._retry_cause(self.all_button, None, how))
        self.cause_button.wanted.connect(
            lambda how: self._retry_cause(self.cause_button, self.causes.kind, how)
        )
        self.selected_button.wanted.connect(self._retry_selected)
        self.show_button.clicked.connect(self._reveal)
        self.exclude_button.clicked.connect(self._exclude)
        self.more_button.clicked.connect(self._show_more)
        self.table.selectionModel().selectionChanged.connect(self._show_choice)
        self.table.doubleClicked.connect(self._reveal)
        delete = bind(
            self.table, "Exclude the selected pictures", "Delete", self.exclude_button.click
        )
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)

    # What is shown

    @property
    def count(self) -> int:
        """How many pictures failed."""
        return max(self._count, 0)

    def refresh(self) -> None:
        """Ask now."""
        self._watch.now()

    async def _fetch(self) -> tuple[list[FailureGroup], dict[int, str], Outcome | None]:
        retried = self._retried
        outcome = await outcome_of(self._backend, retried) if retried is not None else None
        async with self._backend.db() as db:
            groups = await self._backend.pictures.failure_groups(db, self._session_id)
            names: dict[int, str] = {}
            if groups and self._names_are_old() and self.isVisible():
                self._named_at = time.monotonic()
                sessions = await self._backend.training.list_sessions(db)
                names = full_names(sessions)
        return groups, names, outcome if retried is self._retried else None

    def _names_are_old(self) -> bool:
        late = time.monotonic() - self._named_at > NAMES_EVERY_S
        return self._session_id is None and late

    def _deliver(self, answer: tuple[list[FailureGroup], dict[int, str], Outcome | None]) -> None:
        if self._retrying is not None and not self._retrying.done():
            return  # what is being retried counts as failed no more, and nobody knows of it yet
        groups, names, outcome = answer
        if names:
            self.model.name_sessions(names)
        if outcome is not None:
            self._show_outcome(outcome)
        if self._retried is not None:
            gone = self._kinds - {group.errorKind for group in groups}
            groups = groups + [FailureGroup(errorKind=kind, count=0) for kind in sorted(gone)]
        first = self._groups is None
        more = sum(group.count for group in groups) - self.count
        changed = groups != self._groups
        self._groups = groups
        count = sum(group.count for group in groups)
        if count != self._count:
            self._count = count
            self.count_changed.emit(count)
        if first or changed:
            self._show_groups(first, pushed=more < 0 or not self._reading())
        elif self.model.failing:
            self.model.refresh()

    def _show_outcome(self, outcome: Outcome) -> None:
        assert self._retried is not None
        sentence = f"{outcome.sentence()} {self._retried.refusal()}".strip()
        self._show_message(sentence, passes=not outcome.open)
        self._empty.set_text("No picture failed", outcome.sentence())
        if not outcome.open:
            self._retried = None
            self._kinds.clear()

    def _show_groups(self, first: bool, *, pushed: bool) -> None:
        assert self._groups is not None
        self._skeleton.stop()
        had_focus = self._has_focus()
        self.stack.setCurrentWidget(self.split if self._groups else self._empty)
        for part in (self.export_button, self.all_button):
            part.setVisible(bool(self._groups))
        self.causes.show_groups(self._groups)
        self._show_heading()
        here = self.causes.count_of(self.causes.kind)
        if first:
            self._show_cause(self.causes.kind)
        elif pushed:
            self.more_button.hide()
            self.model.set_count(here)
            self.model.refresh()
        elif here != self.model.rowCount():
            self.more_button.setText(f"{words.count(here - self.model.rowCount())} more failed")
            self.more_button.setVisible(here > self.model.rowCount())
        self._show_choice()
        if had_focus and not self._has_focus():
            (self.causes if self._groups else self).setFocus()  # what had it is gone

    def _has_focus(self) -> bool:
        focused = QApplication.focusWidget()
        return focused is not None and self.isAncestorOf(focused) and focused.isVisible()

    def _reading(self) -> bool:
        """A person has scrolled down or selected something."""
        return self.table.verticalScrollBar().value() > 0 or self.table.selected_count() > 0

    def _show_more(self) -> None:
        self._show_cause(self.causes.kind)

    def _show_cause(self, kind: str | None) -> None:
        self.more_button.hide()
        self.thumbnails.cancel_waiting()
        self.model.show_cause(self._session_id, kind, self.causes.count_of(kind))
        self.table.scrollToTop()
        self._show_heading()
        self._show_choice()

    def _show_heading(self) -> None:
        kind = self.causes.kind
        known = kind_of(kind)
        self.cause_title.setText(title_of(kind))
        if self._retried is not None and not self.causes.count_of(kind):
            self.advice.setText(TRYING)
        elif kind is None:
            self.advice.setText(summary(self._groups or []))
        else:
            self.advice.setText(known.advice if known else "")
        self.cause_button.setVisible(kind is not None)
        here = words.count(self.causes.count_of(kind))
        self._runner.set_text(self.cause_button.button, f"Retry all {here}")

    def _show_choice(self, *_: object) -> None:
        number = self.table.selected_count()
        text = f"Retry {words.count(number)} selected" if number > 1 else "Retry selected"
        self._runner.set_text(self.selected_button.button, text)
        self.selected_button.setEnabled(number > 0)
        self._runner.set_enabled(self.show_button, number == 1)
        self._runner.set_enabled(self.exclude_button, number > 0)
        self.all_button.setEnabled(self.count > 0)

    # What can be done

    def _retry_cause(self, control: RetryButton, kind: str | None, how: str) -> None:
        self._retry(control, lambda: retry_cause(self._backend, self._session_id, kind, how))

    def _retry_selected(self, how: str) -> None:
        ranges = self.table.selected_ranges()

        async def work() -> Retried:
            return await retry_rows(self._backend, await self.model.rows(ranges), how)

        self._retry(self.selected_button, work)

    def _retry(self, control: RetryButton, work: Callable[[], Awaitable[Retried]]) -> None:
        def done(result: Retried) -> None:
            if result.tried:
                self._retried = result
                self._kinds |= {group.errorKind for group in self._groups or ()}
            self._empty.set_text("No picture failed", _EMPTY_TEXT)
            self._did(result.sentence())
            if control is self.selected_button:  # nothing is selected now
                self.table.setFocus()
            elif QApplication.focusWidget() is None:  # the button that was pressed is disabled
                self.causes.setFocus()

        self._retrying = self._runner.run(control.button, work, done=done, busy_text="Starting…")

    def _exclude(self) -> None:
        ranges, number = self.table.selected_ranges(), self.table.selected_count()
        if not number:
            return
        them, they = ("it", "It is") if number == 1 else ("them", "They are")

        async def work() -> int:
            return await exclude_rows(self._backend, await self.model.rows(ranges))

        def done(excluded: int) -> None:
            self._did(f"{words.plural(excluded, 'picture')} excluded.")

        def exclude() -> None:
            self._runner.run(self.exclude_button, work, done=done, busy_text="Excluding…")

        self.question = ask(
            self,
            f"Exclude {words.plural(number, 'picture')}?",
            f"{they} excluded from this and every later session. The files stay as they are, and "
            f"nothing is deleted; searches will just not find {them}.",
            yes="Exclude",
            no="Keep",
            then=exclude,
        )

    def _export(self) -> None:
        save_table(self.window(), "Export failed pictures", self.export_to, "failed-pictures.csv")

    def export_to(self, target: str) -> None:
        """Write the list to this file."""

        def done(number: int) -> None:
            self._show_message(
                f"{words.plural(number, 'line')} written to {words.elide_path(target, 48)}."
            )

        self._runner.run(
            self.export_button,
            lambda: export(self._backend, target, self._session_id),
            done=done,
            busy_text="Exporting…",
        )

    def _reveal(self, *_: object) -> None:
        ranges = self.table.selected_ranges()
        row: JobRow | None = self.model.row(ranges[0][0]) if ranges else None
        if row is not None:
            path = row.path
            self._runner.run(self.show_button, lambda: reveal(path))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._names_are_old():
            QTimer.singleShot(0, self, self._watch.now)  # by the loop, once it runs

    def _did(self, sentence: str) -> None:
        self.table.clearSelection()
        self._show_message(sentence)
        self.refresh()

    def _show_message(self, sentence: str, *, passes: bool = True) -> None:
        self.message.setText(sentence)
        self._passing.begin(passes)


TRYING = "These pictures are being tried again. Those that fail again are listed here."
_EMPTY_TEXT = (
    "Pictures that cannot be read are listed here, each with its cause and what to do about it."
)


def summary(groups: list[FailureGroup]) -> str:
    """How many failed, and how many of them are worth another try."""
    total = sum(group.count for group in groups)
    again = sum(group.count for group in groups if is_transient(group.errorKind))
    message = words.could_not_be_read(total)
    if not again:
        return f"{message}. Choose a cause to see what can be done."
    if again == total:
        return f"{message}, worth another try."
    verb = "is" if again == 1 else "are"
    return f"{message}; {words.count(again)} of them {verb} worth another try."
