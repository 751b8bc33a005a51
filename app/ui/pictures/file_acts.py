"""What can be done with the files of the pictures that are selected, and its undoing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QMimeDatabase, QObject, QSettings, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.api.file_schemas import ActProgress, ActResult, ChosenFile, FileActKind
from app.ui.parts import words
from app.ui.parts.confirm import ask
from app.ui.parts.file_dialogs import choose_folder, choose_program, save_file
from app.ui.parts.programs import DesktopProgram, installed_programs, open_with
from app.ui.parts.theme import icon
from app.ui.pictures.act_words import (
    file_name,
    folder_name,
    interrupted,
    outcome,
    trash_question,
    under_way,
)
from app.ui.pictures.actions import SHORTCUTS
from app.ui.pictures.contact_sheet import write_contact_sheet
from app.ui.pictures.grid import PictureGrid
from app.ui.pictures.viewer import PictureViewer

if TYPE_CHECKING:
    from app.api.library_schemas import CleanUpPlan
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.pictures.act_bar import ActBar

FOLDER_KEY = "files/folder"
ASKED_KEY = "files/trash-asked"
MOST_OPENED = 50
"""Files that a program is handed at once."""
EXPORTS = (
    ("List as CSV…", "pictures.csv", "Table (*.csv)"),
    ("List as JSON…", "pictures.json", "JSON (*.json)"),
    ("Contact sheet as PDF…", "contact-sheet.pdf", "PDF (*.pdf)"),
)

Work = Callable[[list[ChosenFile], ActProgress], Awaitable[ActResult]]


class Chosen(NamedTuple):
    """Pictures that a person chose, from the question to the act."""

    grid: PictureGrid
    ranges: list[tuple[int, int]]
    """First and last row of each run."""

    @property
    def number(self) -> int:
        """How many pictures."""
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def text(self) -> str:
        """``12 pictures``."""
        return words.plural(self.number, "picture")


class FileActs(QObject):
    """Copy or move to a folder, trash, open with, export; and undo.

    Args:
        page: where *Undo* works; it is asked for dialogs, too.
        grids: what pictures are selected in; the one that is seen counts.
    """

    changed = Signal(object, object)
    """An ActResult, and the rows that were acted on: files are somewhere else now, or there are
    more of them."""

    def __init__(
        self,
        page: QWidget,
        backend: Backend,
        runner: ActionRunner,
        bar: ActBar,
        memory: QSettings,
        grids: Sequence[PictureGrid],
    ) -> None:
        super().__init__(page)
        self._page, self._backend, self._runner = page, backend, runner
        self._bar, self._memory, self._grids = bar, memory, grids
        self._busy = False
        self._programs: list[DesktopProgram] = []
        self._done: list[ActResult] = []
        """What can be undone, the last act last."""
        self._settling, self._settled = asyncio.Lock(), False
        self._unsaid = ""
        """Of an act of the last run, while one of this run is shown."""
        self.open_with = self._action("Open &with", "app-window")
        self.copy_to = self._action("Copy to &folder…", "folder-plus")
        self.move_to = self._action("Move to fol&der…", "folder-simple")
        self.export = self._action("&Export", "export")
        self.trash = self._action("Move to &trash", "trash")
        self.undo = self._action("&Undo", "arrow-u-up-left")
        self.all = (self.copy_to, self.move_to, self.open_with, self.export, self.trash)
        self._programs_menu, self._exports_menu = QMenu(page), QMenu(page)
        self.open_with.setMenu(self._programs_menu)
        self.export.setMenu(self._exports_menu)
        for text, name, kinds in EXPORTS:
            entry = self._exports_menu.addAction(text)
            entry.triggered.connect(
                lambda _=False, name=name, kinds=kinds: self._ask_where_to_export(name, kinds)
            )
        self._connect()

    def _connect(self) -> None:
        self.copy_to.triggered.connect(lambda: self._ask_for_folder("Copy", self.copy))
        self.move_to.triggered.connect(lambda: self._ask_for_folder("Move", self.move))
        self.trash.triggered.connect(self._ask_about_trash)
        self.undo.triggered.connect(self._undo)
        self._bar.undo_wanted.connect(self._undo)
        self._programs_menu.aboutToShow.connect(self._offer_programs)
        for grid in self._grids:
            line = QAction(grid)
            line.setSeparator(True)
            grid.set_actions((line, *self.all, self.undo))
            grid.selectionModel().selectionChanged.connect(self.look)
            grid.tiles.modelReset.connect(self.look)
        self._page.addAction(self.undo)
        self.look()

    def _action(self, text: str, icon_name: str) -> QAction:
        action = QAction(icon(icon_name), text, self)
        name = text.replace("&", "").removesuffix("…")
        shortcut = SHORTCUTS.get(name, "")
        action.setIconText(name)
        action.setToolTip(f"{name} ({shortcut})" if shortcut else name)
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
        return action

    @property
    def grid(self) -> PictureGrid:
        """Where pictures are selected."""
        return next((grid for grid in self._grids if grid.isVisible()), self._grids[0])

    def chosen(self) -> Chosen:
        """What is acted on."""
        return Chosen(self.grid, self.grid.acted_ranges())

    def look(self, *_: object) -> None:
        """Offer what can be done now; also to be called when another grid is seen."""
        some = self.grid.selectionModel().hasSelection()
        for action in self.all:
            action.setEnabled(some and not self._busy)
        self.undo.setEnabled(bool(self._done) and not self._busy)

    # Questions first

    def _ask_for_folder(self, verb: str, then: Callable[[str, Chosen], None]) -> None:
        chosen = self.chosen()

        def picked(folder: str) -> None:
            self._memory.setValue(FOLDER_KEY, folder)
            then(folder, chosen)

        begin = str(self._memory.value(FOLDER_KEY, ""))
        choose_folder(self._page.window(), f"{verb} {chosen.text} to…", picked, begin)

    def _ask_about_trash(self) -> None:
        chosen = self.chosen()
        if self._memory.value(ASKED_KEY, "") == "no":
            self.move_to_trash(chosen)
            return
        title, text = trash_question(chosen.number)

        def agreed() -> None:
            if dialog.again.isChecked():
                self._memory.setValue(ASKED_KEY, "no")
            self.move_to_trash(chosen)

        no = "Keep it" if chosen.number == 1 else "Keep them"
        dialog = ask(
            self._page, title, text, yes="Move to trash", no=no, then=agreed, may_skip=True
        )

    # What is done

    def copy(self, folder: str, chosen: Chosen | None = None) -> None:
        """Copy the files of pictures into a folder; of those selected, where none are named."""

        async def work(files: list[ChosenFile], progress: ActProgress) -> ActResult:
            async with self._backend.db() as db:
                return await self._backend.files.copy(db, files, folder, progress)

        self._run("copy", chosen or self.chosen(), work, folder)

    def move(self, folder: str, chosen: Chosen | None = None) -> None:
        """Move them into a folder."""

        async def work(files: list[ChosenFile], progress: ActProgress) -> ActResult:
            async with self._backend.db() as db:
                return await self._backend.files.move(db, files, folder, progress)

        self._run("move", chosen or self.chosen(), work, folder)

    def move_to_trash(self, chosen: Chosen | None = None) -> None:
        """Put them into the trash."""

        async def work(files: list[ChosenFile], progress: ActProgress) -> ActResult:
            async with self._backend.db() as db:
                return await self._backend.files.trash(db, files, progress)

        self._run("trash", chosen or self.chosen(), work)

    def clean_up(self, plan: CleanUpPlan) -> None:
        """Put the duplicates of a plan into the trash."""

        async def act(progress: ActProgress) -> ActResult:
            async with self._backend.db() as db:
                return await self._backend.clean_up.carry_out(db, plan, progress)

        self._start(under_way("trash", plan.going), act)

    def _undo(self) -> None:
        if self._busy or not self._done:
            return
        last = self._done[-1]

        async def act(progress: ActProgress) -> ActResult:
            async with self._backend.db() as db:
                return await self._backend.files.undo(db, last.act, progress)

        self._start(f"Undoing: {words.plural(len(last.done), 'picture')}", act)

    def _run(self, kind: FileActKind, chosen: Chosen, work: Work, folder: str = "") -> None:
        async def act(progress: ActProgress) -> ActResult:
            tiles = await chosen.grid.tiles.rows(chosen.ranges)
            return await work([ChosenFile(tile.asset_id, tile.path) for tile in tiles], progress)

        if chosen.ranges:
            self._start(under_way(kind, chosen.number, folder), act, chosen.ranges)

    def _start(
        self,
        sentence: str,
        act: Callable[[ActProgress], Awaitable[ActResult]],
        ranges: Sequence[tuple[int, int]] = (),
    ) -> None:
        if self._busy:
            return
        progress = ActProgress()

        async def work() -> ActResult:
            try:
                await self.settle_interrupted()
                return await act(progress)
            finally:
                self._end(progress)

        self._begin(sentence, progress)
        self._runner.run(None, work, done=lambda result: self._finish(result, ranges))

    def _begin(self, sentence: str, progress: ActProgress) -> None:
        self._set_busy(True)
        self._bar.show_progress(sentence, progress)

    def _end(self, progress: ActProgress) -> None:
        progress.stop.set()  # where the window is closing, the thread ends after this block
        self._bar.end()
        self._set_busy(False)

    async def settle_interrupted(self) -> None:
        """Look once what became of files that an act had begun with when the program ended, and say
        so; before anything new begins."""
        async with self._settling:
            if not self._settled:
                async with self._backend.db() as db:
                    found = await self._backend.files.settle_interrupted(db)
                self._settled = True
                self._unsaid = " ".join(map(interrupted, found))
                if found and not self._busy:
                    self._tell("", found[-1])

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self.look()

    def _finish(self, result: ActResult, ranges: Sequence[tuple[int, int]]) -> None:
        if result.undoes:
            if not result.left:  # what could not be undone now cannot be later on
                self._done.pop()
        elif result.can_undo:
            self._done.append(result)
        self.look()
        self._tell(outcome(result), result)
        for viewer in self._page.window().findChildren(PictureViewer):
            if viewer.isVisible():  # it covers the bar
                viewer.note.setText(self._bar.text.text())
        if result.done:
            self.changed.emit(result, list(ranges))

    def _tell(self, sentence: str, result: ActResult) -> None:
        earlier, self._unsaid = self._unsaid, ""
        self._bar.show_outcome(
            f"{earlier} {sentence}".strip(),
            good=not (result.failed or result.left),
            can_undo=result.can_undo,
            failed=list(result.failed),
            passes=not earlier,
        )

    # Other programs

    def _offer_programs(self) -> None:
        """List the programs for the first selected picture, and read the list anew."""
        self._show_programs()

        def done(found: list[DesktopProgram]) -> None:
            if found != self._programs:
                self._programs = found
                self._show_programs()

        self._runner.run(None, lambda: asyncio.to_thread(installed_programs), done=done)

    def _show_programs(self) -> None:
        tile = self.grid.current_tile()
        kinds = QMimeDatabase()
        mode = QMimeDatabase.MatchMode.MatchExtension
        kind = kinds.mimeTypeForFile(tile.path, mode).name() if tile is not None else ""
        menu = self._programs_menu
        menu.clear()
        for program in self._programs:
            if kind in program.kinds:
                entry = menu.addAction(program.name.replace("&", "&&"))
                entry.triggered.connect(lambda _=False, program=program: self.open_in(program))
        if not menu.isEmpty():
            menu.addSeparator()
        other = menu.addAction("Another program…")
        other.triggered.connect(
            lambda: choose_program(self._page.window(), "Open with…", self.open_in)
        )

    def open_in(self, program: DesktopProgram | str) -> None:
        """Have a program open the selected pictures."""
        chosen = self.chosen()
        if chosen.number > MOST_OPENED:
            self._bar.show_outcome(
                f"Select up to {MOST_OPENED} pictures to open them in another program.", good=False
            )
            return

        async def work() -> None:
            tiles = await chosen.grid.tiles.rows(chosen.ranges)
            await asyncio.to_thread(open_with, program, [tile.path for tile in tiles])

        self._runner.run(None, work)

    # Lists and sheets

    def _ask_where_to_export(self, name: str, kinds: str) -> None:
        chosen = self.chosen()
        save_file(
            self._page.window(),
            f"Export {chosen.text}",
            lambda target: self.export_to(target, chosen),
            name,
            kinds,
        )

    def export_to(self, target: str, chosen: Chosen | None = None) -> None:
        """Write pictures to a file, a contact sheet or else a list; those that are selected, where
        none are named."""
        grid, ranges = chosen or self.chosen()
        progress = ActProgress()

        async def work() -> int:
            try:
                tiles = await grid.tiles.rows(ranges)
                if target.lower().endswith(".pdf"):
                    paths = [tile.path for tile in tiles]
                    return await asyncio.to_thread(write_contact_sheet, paths, target, progress)
                async with self._backend.db() as db:
                    ids = [tile.asset_id for tile in tiles]
                    return await self._backend.pictures.export(db, ids, target)
            finally:
                self._end(progress)

        def done(number: int) -> None:
            if number:  # else it was stopped
                where = f"{file_name(target)} in {folder_name(os.path.dirname(target))}"
                self._bar.show_outcome(f"{words.plural(number, 'picture')} written to {where}.")

        self._begin(f"Exporting to {file_name(target)}", progress)
        self._runner.run(None, work, done=done)
