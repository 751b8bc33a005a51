"""Which duplicates would go into the trash, seen before any goes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import shiboken6
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.api.library_schemas import CleanUpPlan, DuplicateKind, KeepRule, KnownFile, LibraryPicture
from app.printable import printable
from app.ui.parts import words
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.fitting import fit_size
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from app.ui.parts.widgets import ElidedLabel, EmptyState, Skeleton, button, label
from app.ui.pictures.act_words import WHERE_IT_GOES
from app.ui.pictures.grid import PictureGrid, Tile, TileModel
from app.ui.pictures.justified import Heading

if TYPE_CHECKING:
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.paged_model import Fetch
    from app.ui.parts.poller import Poller
    from app.ui.pictures.thumbnails import ThumbnailLoader

SIZE = QSize(980, 720)
PICTURE_HEIGHT = 150
RULES: tuple[tuple[str, KeepRule], ...] = (
    ("The best", "best"),
    ("The largest file", "largest"),
    ("The oldest", "oldest"),
    ("The one in a folder…", "folder"),
)
WHY: dict[KeepRule, str] = {
    "best": "Most pixels, then the largest file, then the best name.",
    "largest": "Of equal files, the best.",
    "oldest": "By when it was taken, or else when its file was written.",
    "folder": "Groups with no picture in this folder stay as they are.",
}


class CleanUpDialog(QDialog):
    """Choose what is kept in each group, and see what would go."""

    agreed = Signal(object)
    """The :class:`CleanUpPlan` that was seen."""

    def __init__(
        self,
        parent: QWidget,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        thumbnails: ThumbnailLoader,
        model_id: int | None,
        kind: DuplicateKind,
    ) -> None:
        super().__init__(parent)
        self._backend, self._runner, self._poller = backend, runner, poller
        self._model_id, self._kind = model_id, kind
        self._asked = 0
        self._folder = ""
        self._rule: KeepRule = "best"
        self.plan = CleanUpPlan(())
        self.setWindowTitle("Clean up duplicates")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.rule_box = ChoiceBox()
        self.rule_box.setAccessibleName("Keep in each group")
        for text, _ in RULES:
            self.rule_box.addItem(text)
        self.why = ElidedLabel(role="secondary")
        self.model = TileModel(poller)
        self.grid = PictureGrid(self.model, thumbnails, caption_lines=2)
        self.model.setParent(self.grid)
        self.grid.set_picture_height(PICTURE_HEIGHT)
        self.nothing = EmptyState("check-circle", "")
        self.skeleton = Skeleton()
        self.stack = QStackedWidget()
        self.total, self.where = ElidedLabel(role="section"), ElidedLabel(role="secondary")
        self.yes_button = button("Move to trash", "danger", "trash")
        self.no_button = button("Cancel", "primary")
        self._lay_out()
        self.rule_box.activated.connect(self._choose_rule)
        self.yes_button.clicked.connect(self._agree)
        self.finished.connect(self._end)
        self.no_button.clicked.connect(self.reject)
        self.no_button.setDefault(True)
        self.yes_button.setAutoDefault(False)
        fit_size(self, SIZE)
        self.make_plan()

    def _lay_out(self) -> None:
        top, bottom, texts = QHBoxLayout(), QHBoxLayout(), QVBoxLayout()
        top.setSpacing(SPACE_M)
        top.addWidget(label("Keep in each group"))
        top.addWidget(self.rule_box)
        top.addWidget(self.why, 1)
        for part in (self.skeleton, self.grid, self.nothing):
            self.stack.addWidget(part)
        texts.setSpacing(0)
        texts.addWidget(self.total)
        texts.addWidget(self.where)
        bottom.setSpacing(SPACE_S)
        bottom.addLayout(texts, 1)
        bottom.addWidget(self.yes_button)
        bottom.addWidget(self.no_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        column.setSpacing(SPACE_L)
        column.addLayout(top)
        column.addWidget(self.stack, 1)
        column.addLayout(bottom)

    # Which are kept

    def _choose_rule(self, at: int) -> None:
        rule = RULES[at][1]
        if rule != "folder":
            self.keep_by(rule)
            return
        self.rule_box.setCurrentIndex([key for _, key in RULES].index(self._rule))
        choose_folder(
            self, "Keep those in…", lambda folder: self.keep_by("folder", folder), self._folder
        )

    def keep_by(self, rule: KeepRule, folder: str = "") -> None:
        """Have another picture of each group kept."""
        self._rule, self._folder = rule, folder or self._folder
        self.rule_box.setCurrentIndex([key for _, key in RULES].index(rule))
        self.make_plan()

    def make_plan(self) -> None:
        """See anew what would go."""
        self._asked += 1
        number, rule, folder = self._asked, self._rule, self._folder
        why = WHY[rule]
        self.why.set_text(f"{printable(folder)}. {why}" if rule == "folder" else why)
        self.yes_button.setEnabled(False)
        self.total.set_text("Looking…")
        self.where.set_text("")
        if not self.model.rowCount():
            self.skeleton.start()
            self.stack.setCurrentWidget(self.skeleton)
        self.grid.set_dimmed(True)

        async def work() -> _Shown:
            async with self._backend.db() as db:
                plan = await self._backend.clean_up.plan(
                    db, self._model_id, self._kind, rule, folder
                )
            return await asyncio.to_thread(_shown, plan)

        def done(shown: _Shown) -> None:
            if number == self._asked and shiboken6.isValid(self):
                self._show(shown)

        self._poller.track(self._runner.run(None, work, done=done))

    def _end(self, _result: int) -> None:
        """Nothing more is read."""
        self._asked += 1
        self.model.set_source(None, 0)

    def _show(self, shown: _Shown) -> None:
        self.plan = plan = shown.plan
        self.skeleton.stop()
        self.grid.set_dimmed(False)
        files = shown.files
        self.model.set_source(self._fetch(files, shown.kept), len(files))
        self.grid.set_headings(shown.headings)
        self.stack.setCurrentWidget(self.grid if files else self.nothing)
        title, text = nothing_goes(plan)
        self.nothing.set_text(title, text)
        self.total.set_text(total_text(plan) if files else "")
        self.where.set_text(where_text(plan) if files else "")
        self.yes_button.setText(f"Move {words.plural(plan.going, 'file')} to the trash")
        self.yes_button.setVisible(bool(files))
        self.yes_button.setEnabled(True)

    def _fetch(self, files: Sequence[KnownFile], kept: set[int]) -> Fetch[Tile]:
        async def fetch(offset: int, limit: int) -> Sequence[Tile]:
            some = files[offset : offset + limit]
            async with self._backend.db() as db:
                found = await self._backend.clean_up.page(db, self._model_id, some)
            pictures = {picture.assetId: picture for picture in found}
            return [
                _tile(file, pictures.get(file.asset_id), offset + at in kept)
                for at, file in enumerate(some)
            ]

        return fetch

    def _agree(self) -> None:
        plan = self.plan
        self.accept()
        self.agreed.emit(plan)


class _Shown(NamedTuple):
    """A plan, and what is seen of it."""

    plan: CleanUpPlan
    files: list[KnownFile]
    kept: set[int]
    """Rows of those that are kept."""
    headings: list[Heading]


def _shown(plan: CleanUpPlan) -> _Shown:
    return _Shown(
        plan,
        [file for group in plan.groups for file in group],
        {0, *accumulate(len(group) for group in plan.groups)},
        [_heading(group) for group in plan.groups],
    )


def _heading(group: Sequence[KnownFile]) -> Heading:
    return Heading(printable(os.path.basename(group[0].path)), len(group))


def _tile(file: KnownFile, picture: LibraryPicture | None, kept: bool) -> Tile:
    folder = printable(os.path.dirname(file.path))
    return Tile(
        file.asset_id,
        file.path,
        f"{printable(os.path.basename(file.path))}\n{folder}",
        "kept" if kept else "going",
        words.size(file.size),
        picture.width if picture else None,
        picture.height if picture else None,
    )


def total_text(plan: CleanUpPlan) -> str:
    """``12 files go, 48 MB; 8 are kept``."""
    verb, are = ("goes" if plan.going == 1 else "go"), ("is" if len(plan.groups) == 1 else "are")
    files = words.plural(plan.going, "file")
    return f"{files} {verb}, {words.size(plan.bytes)}; {words.count(len(plan.groups))} {are} kept."


def where_text(plan: CleanUpPlan) -> str:
    """What becomes of them, and of the groups that the rule says nothing of."""
    text = WHERE_IT_GOES.format("it" if plan.going == 1 else "them")
    if plan.untouched:
        stay = "stays" if plan.untouched == 1 else "stay"
        text = f"{words.plural(plan.untouched, 'group')} {stay} as before. {text}"
    return text


def nothing_goes(plan: CleanUpPlan) -> tuple[str, str]:
    """Title and text where no file would go."""
    if plan.untouched:
        return ("No group has a picture in this folder", "Choose another folder, or another rule.")
    return ("There are no duplicates", "")
