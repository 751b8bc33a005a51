"""Fetches the duplicates of the library: their groups, the files of one, and how far a scan is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.printable import printable
from app.ui.pages.pictures.browsed import LibraryPictures, library_tile
from app.ui.pages.pictures.clean_up import CleanUpDialog
from app.ui.pages.pictures.duplicates import KINDS, NONE_FOUND, DuplicatePanel, spare
from app.ui.parts import words
from app.ui.parts.file_dialogs import save_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.api.library_schemas import (
        DuplicateGroup,
        DuplicateKind,
        LibraryPicture,
        Listing,
        ScanStatus,
    )
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller
    from app.ui.pictures.grid import Tile

EVERY_S = 1.0


class DuplicateBrowser(QObject):
    """Shows groups in the panel at the left, and the files of the chosen one at the right."""

    agreed = Signal(object)
    """A CleanUpPlan that is to be carried out."""

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        panel: DuplicatePanel,
        pictures: LibraryPictures,
    ) -> None:
        super().__init__(panel)
        self._backend, self._runner, self._poller = backend, runner, poller
        self._panel, self._pictures = panel, pictures
        self._model_id: int | None = None
        self._active = False
        self._lists_asked = self._groups_asked = 0
        self._shown: tuple[DuplicateKind, Listing] | None = None
        self._scan: ScanStatus | None = None
        self._counts: dict[DuplicateKind, int] = {}
        panel.wanted.connect(self.reload)
        panel.list.picked.connect(self._show_group)
        panel.clean_up_button.clicked.connect(self.clean_up)
        panel.scan.start_button.clicked.connect(self._start_scan)
        panel.scan.stop_button.clicked.connect(self._stop_scan)
        self._watch = poller.watch(
            self._fetch_scan, self._deliver_scan, owner=panel.scan, every_s=EVERY_S
        )

    def show(self, model_id: int | None) -> None:
        """The duplicates are looked at from now on; again: what is shown may be out of date."""
        if not self._active or model_id != self._model_id:
            self._shown = None
        self._model_id, self._active = model_id, True
        self._pictures.want_states(False)
        self.reload()

    def leave(self) -> None:
        """Something else is looked at from now on."""
        self._active = False
        self._pictures.want_states(True)

    def reload(self, *, anew: bool = False) -> None:
        """Read the groups anew; where they are the same, nothing moves.

        Args:
            anew: one of the groups has other files; the list stays where it is.
        """
        self._lists_asked += 1
        number, panel = self._lists_asked, self._panel
        duplicates, model_id = self._backend.library.duplicates, self._model_id

        async def work() -> tuple[dict[DuplicateKind, Listing], int]:
            async with self._backend.db() as db:
                listings = {
                    kind: await duplicates.groups(db, model_id, kind, panel.order) for kind in KINDS
                }
                return listings, await duplicates.spare(db, model_id, panel.kind)

        def done(found: tuple[dict[DuplicateKind, Listing], int]) -> None:
            listings, spare = found
            if number != self._lists_asked or not self._active:
                return
            self._counts = {kind: listing.count for kind, listing in listings.items()}
            self._show_counts()
            shown = (panel.kind, listings[panel.kind])
            if shown != self._shown or anew:
                self._shown = shown
                row = panel.list.currentIndex().row() if anew else 0
                panel.show_groups(self._fetch_groups(*shown), shown[1].count, spare)
                panel.list.mark_row(min(row, shown[1].count - 1))

        self._poller.track(self._runner.run(None, work, done=done))

    def _show_counts(self) -> None:
        looked = self._scan is not None and self._scan.state != "never"
        for kind, number in self._counts.items():
            known = bool(number) or looked or kind == "exact"
            self._panel.show_count(kind, number if known else None)

    def _fetch_groups(self, kind: DuplicateKind, listing: Listing) -> Any:
        async def fetch(offset: int, limit: int) -> Sequence[DuplicateGroup]:
            async with self._backend.db() as db:
                return await self._backend.library.duplicates.page(
                    db, self._model_id, kind, listing, offset, limit
                )

        return fetch

    def _show_group(self, group: DuplicateGroup | None) -> None:
        if not self._active:
            return
        self._pictures.notice.hide()
        kind = self._panel.kind
        if group is None:
            self._pictures.show_title(KINDS[kind][0], "")
            nothing = (NONE_FOUND[kind], "", KINDS[kind][1])
            self._pictures.show_rows(None, 0, nothing=nothing)
            return
        self._groups_asked += 1
        number = self._groups_asked

        async def work() -> list[LibraryPicture]:
            async with self._backend.db() as db:
                return await self._backend.library.duplicates.pictures(
                    db, self._model_id, kind, group.groupId
                )

        def done(pictures: list[LibraryPicture]) -> None:
            if number == self._groups_asked and self._active:
                self._show_pictures(kind, group, pictures)

        self._poller.track(self._runner.run(None, work, done=done))

    def _show_pictures(
        self, kind: DuplicateKind, group: DuplicateGroup, pictures: list[LibraryPicture]
    ) -> None:
        tiles: list[Tile] = [
            library_tile(
                picture,
                printable(os.path.dirname(picture.path)),
                "Best" if place == 0 else "",
            )
            for place, picture in enumerate(pictures)
        ]

        async def fetch(offset: int, limit: int) -> Sequence[Tile]:
            return tiles[offset : offset + limit]

        what = "with the same content" if kind == "exact" else "that look alike"
        noun = "file" if kind == "exact" else "picture"
        self._pictures.show_title(f"{words.plural(len(tiles), noun)} {what}", f"{spare(group)}.")
        self._pictures.show_rows(fetch, len(tiles))

    # Looking for pictures that look alike

    async def _fetch_scan(self) -> tuple[int | None, ScanStatus]:
        model_id = self._model_id
        return model_id, await self._backend.library.duplicates.scan_status(model_id)

    def _deliver_scan(self, fetched: tuple[int | None, ScanStatus]) -> None:
        model_id, scan = fetched
        if model_id != self._model_id:
            return
        ended = self._scan is not None and self._scan.endedAt != scan.endedAt
        self._scan = scan
        self._show_counts()
        self._panel.scan.show_scan(scan)
        self._runner.set_enabled(self._panel.scan.start_button, model_id is not None)
        if ended and scan.state == "done":
            self.reload()

    def _start_scan(self) -> None:
        model_id = self._model_id
        if model_id is not None:
            self._ask(self._panel.scan.start_button, lambda duplicates: duplicates.scan(model_id))

    def _stop_scan(self) -> None:
        model_id = self._model_id
        if model_id is not None:
            self._ask(
                self._panel.scan.stop_button, lambda duplicates: duplicates.stop_scan(model_id)
            )

    def _ask(self, control: Any, what: Any) -> None:
        self._runner.run(
            control,
            lambda: what(self._backend.library.duplicates),
            done=lambda _: self._watch.now(),
        )

    # What is too many

    def clean_up(self) -> CleanUpDialog:
        """Show what would go of the groups of this kind."""
        panel = self._panel
        dialog = CleanUpDialog(
            panel.window(),
            self._backend,
            self._runner,
            self._poller,
            panel.thumbnails,
            self._model_id,
            panel.kind,
        )
        dialog.agreed.connect(self.agreed)
        dialog.open()
        return dialog

    # The list as a file

    def ask_where_to_export(self, control: Any) -> None:
        """Ask for a file, and write the groups of this kind to it."""
        name = "copies.csv" if self._panel.kind == "exact" else "near-duplicates.csv"
        window = self._panel.window()
        save_table(window, "Export duplicates", lambda file: self.export_to(file, control), name)

    def export_to(self, target: str, control: Any) -> None:
        """Write the groups of this kind to a file."""
        kind, model_id = self._panel.kind, self._model_id

        async def work() -> int:
            async with self._backend.db() as db:
                return await self._backend.library.duplicates.export(db, model_id, kind, target)

        def done(number: int) -> None:
            message = f"{words.plural(number, 'line')} written to {words.elide_path(target, 60)}."
            self._pictures.notice.show_message("check-circle", message, passes=True)

        self._runner.run(control, work, done=done, busy_text="Exporting…")
