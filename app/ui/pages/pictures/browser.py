"""Every picture that the program knows, newest first; folders, dates and duplicates beside them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QSettings, Qt, QTimer, Signal
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.api.search_schemas import SearchFilter
from app.ui.pages.pictures.browsed import ORDERS, LibraryPictures, heading_of
from app.ui.pages.pictures.duplicate_browser import DuplicateBrowser
from app.ui.pages.pictures.duplicates import DuplicatePanel
from app.ui.pages.pictures.library_reader import LibraryReader, Overview
from app.ui.pages.pictures.nodes import LibraryNode
from app.ui.pages.pictures.side import GroupSide
from app.ui.parts import words
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import EmptyState, Skeleton

if TYPE_CHECKING:
    from app.api.library_schemas import Listing, PictureState
    from app.ui.pictures.context import PictureContext

GROUPING_KEY = "library/grouping"
ORDER_KEY = "pictures/order"
PANEL_KEY = "pictures/panel"
SOON_MS = 250
"""While somebody types, the ledger is not asked at every letter."""
INVITATION = (
    "No pictures yet",
    "Choose a folder and start a session. From then on, every picture in it is listed here, and "
    "those that are indexed can be found by describing what they show.",
)
NOTHING_MATCHES = ("No picture matches", "Remove a word or a filter to see more.", "funnel")
EVERY_S = 3.0
REST = 20
"""After reading everything anew, so many times as long passes before the next time."""


class LibraryBrowser(QWidget):
    """Groups at the left, their pictures at the right; ``right`` has room for other contents."""

    new_session_wanted = Signal()
    group_changed = Signal()
    """Another folder or time is chosen."""
    group_picked = Signal()
    """Somebody wants to see duplicates."""
    looked = Signal()
    """It is known whether there are pictures."""

    def __init__(
        self,
        context: PictureContext,
        memory: QSettings,
        pictures: LibraryPictures,
        panel: DuplicatePanel,
    ) -> None:
        super().__init__()
        self._runner, self._poller, self._memory = context.runner, context.poller, memory
        self._reader = LibraryReader(context.backend)
        self._overview: Overview | None = None
        self._not_before = 0.0
        self._node: LibraryNode | None = None
        self._listing: Listing | None = None
        self._asked = 0
        self._acting = False
        """Files are somewhere else, and what is shown is about to say so."""
        self._wanted: tuple[str, PictureState] | None = None
        self._only = SearchFilter()
        self._soon = QTimer(self, singleShot=True, interval=SOON_MS)
        self.side = GroupSide(panel)
        self.tabs, self.folders, self.dates = self.side.tabs, self.side.folders, self.side.dates
        self.pictures, self.panel = pictures, panel
        self.duplicates = DuplicateBrowser(
            context.backend, context.runner, context.poller, self.panel, self.pictures
        )
        self.export_button = self.side.export_button
        self.stack, self.right = QStackedWidget(), QStackedWidget()
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self._skeleton = Skeleton()
        self._slow = QTimer(self, singleShot=True, interval=Skeleton.DELAY_MS)
        self.invitation = EmptyState("image-square", *INVITATION, "New session…")
        self._trouble = EmptyState("warning-circle", "The library cannot be shown", "", "Try again")
        self._lay_out()
        self._connect()
        self._recall()
        self._skeleton.start()
        self._watch = self._poller.watch(self._fetch, self._deliver, owner=self, every_s=EVERY_S)

    def _lay_out(self) -> None:
        beside = QWidget()
        self._beside = QVBoxLayout(beside)
        self._beside.addWidget(self.right)
        self.right.addWidget(self.pictures)
        self.split.setObjectName("library")
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.side)
        self.split.addWidget(beside)
        self.split.setStretchFactor(0, 0)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([270, 730])
        for content in (self._skeleton, self.split, self.invitation, self._trouble):
            self.stack.addWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.stack)

    def _connect(self) -> None:
        assert self.invitation.button is not None
        assert self._trouble.button is not None
        self.invitation.button.clicked.connect(self.new_session_wanted)
        self._trouble.button.clicked.connect(self.refresh)
        self.tabs.currentChanged.connect(self._show_grouping)
        for tree in (self.folders, self.dates):
            tree.picked.connect(self._show_node)
        self.pictures.state_picked.connect(self._show_state)
        self.pictures.order_picked.connect(self._show_order)
        self.panel.list.clicked.connect(lambda _index: self.group_picked.emit())
        self._soon.timeout.connect(self._load)
        self.pictures.include_wanted.connect(self._include)
        self.pictures.anew_wanted.connect(self._load)
        self._slow.timeout.connect(self.pictures.show_waiting)
        self.export_button.clicked.connect(
            lambda: self.duplicates.ask_where_to_export(self.export_button)
        )

    def _recall(self) -> None:
        self.side.recall(str(self._memory.value(GROUPING_KEY, "")))
        order = str(self._memory.value(ORDER_KEY, ""))
        self.pictures.set_order(order)
        self._place_side(self._memory.value(PANEL_KEY, "shown") != "hidden")

    # What the page asks for

    def show_side(self, shown: bool) -> None:
        """Show or hide folders, dates and duplicates."""
        self._place_side(shown)
        self._memory.setValue(PANEL_KEY, "shown" if shown else "hidden")

    def _place_side(self, shown: bool) -> None:
        self.side.setVisible(shown)
        self._beside.setContentsMargins(SPACE_S if shown else 0, 0, 0, 0)

    def set_only(self, only: SearchFilter) -> None:
        """List only what this filter lets through, too."""
        if only != self._only:
            self._only = only
            self._soon.start()

    @property
    def has_pictures(self) -> bool | None:
        """Whether there are any; None: not known yet."""
        return None if self._overview is None else bool(self._overview.folders)

    # What there is

    def refresh(self) -> None:
        """Read everything anew."""
        self._overview = None
        self._watch.now()

    def show_pictures(self, folder: str, state: PictureState) -> None:
        """Show the pictures below a folder that are in a state; all folders where it has none."""
        self._wanted = folder, state
        self.tabs.setCurrentIndex(0)
        if self._overview is not None:
            self._show_wanted()

    def _show_wanted(self) -> None:
        if self._wanted is not None:
            (folder, state), self._wanted = self._wanted, None
            self.pictures.set_state(state)
            self.folders.setCurrentIndex(
                self.folders.nodes.index(self.folders.nodes.row_of(folder) or 0, 0)
            )
            self._node = self.folders.chosen()
            self._load()

    async def _fetch(self) -> Overview | None:
        """All groups, or None where nothing can have changed since the last time."""
        before = self._overview
        try:
            mark = await self._reader.mark()
            if before is not None and mark == before.mark:
                return None
            if before is not None and time.monotonic() < self._not_before:
                return None
            begin = time.monotonic()
            overview = await self._reader.overview(mark)
        except Exception:
            if before is None:
                self._skeleton.stop()
                self.stack.setCurrentWidget(self._trouble)
            raise
        self._not_before = time.monotonic() + REST * (time.monotonic() - begin)
        return overview

    def _deliver(self, overview: Overview | None) -> None:
        if overview is None:
            return
        self._overview = overview
        self._skeleton.stop()
        self.stack.setCurrentWidget(self.split if overview.folders else self.invitation)
        before = self._node
        self.folders.show_nodes(overview.folders)
        self.dates.show_nodes(overview.dates)
        tree = self.side.tree()
        if tree is None:
            self.duplicates.show(overview.model_id)
        elif before is not None and self._node is before:  # else another one is read already
            self._node = tree.chosen()
            self._load(quietly=True)
        self._show_wanted()
        self.looked.emit()

    def _show_grouping(self, *_: int) -> None:
        self._memory.setValue(GROUPING_KEY, self.side.grouping)
        if self._overview is None:
            return
        self._asked += 1
        self._node = self._listing = None
        tree = self.side.tree()
        if tree is None:
            self.duplicates.show(self._overview.model_id)
        else:
            self.duplicates.leave()
            self._show_node(tree.chosen())
        self.group_changed.emit()
        if tree is None:
            self.group_picked.emit()

    # The pictures of one group

    def _show_node(self, node: LibraryNode | None) -> None:
        tree = self.side.tree()
        if tree is None or node is not tree.chosen():
            return  # the other tree has changed
        self._node = node
        if node is not None:
            self._load()
        self.group_changed.emit()

    def _show_order(self) -> None:
        self._memory.setValue(ORDER_KEY, self.pictures.order)
        self._load()

    def _show_state(self, state: str) -> None:
        self.pictures.set_state(cast("PictureState", state) or None)
        self._load()

    def show_files(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Files were put into the trash, or are somewhere else.

        Args:
            ranges: rows that they were in, as first and last of each run; none: not in sight.
        """
        if self.side.tree() is not None and self._node is not None:
            self._load(acted=ranges)
        else:
            self.duplicates.reload(anew=True)

    def _load(
        self, *, quietly: bool = False, acted: Sequence[tuple[int, int]] | None = None
    ) -> None:
        """List the pictures of the chosen group.

        Args:
            quietly: what is being looked at stays, and a button offers what is new.
            acted: the place stays, where these rows may be gone.
        """
        node, overview, state = self._node, self._overview, self.pictures.state
        only, order = self._only, self.pictures.order
        if node is None or overview is None or (quietly and self._acting):
            return
        self._acting = acted is not None
        self._asked += 1
        number = self._asked
        if not quietly:
            self._slow.start()
            self.pictures.notice.hide()

        async def work() -> Listing:
            try:
                return await self._reader.listing(overview.model_id, node.group, state, only, order)
            except Exception:
                self._acting = False
                self._slow.stop()
                self.pictures.show_trouble()
                raise

        def done(listing: Listing) -> None:
            if number == self._asked:
                self._slow.stop()
                if acted is None:
                    self._show_listing(node, overview, listing, quietly)
                    return
                self._acting = False
                before, rows = self.pictures.model.rowCount(), sum(b - a + 1 for a, b in acted)
                self.pictures.grid.show_anew(
                    lambda: self._show_listing(node, overview, listing, quietly),
                    acted if before - listing.count == rows else (),
                )
                self._watch.now()  # folders have other numbers

        self._poller.track(self._runner.run(None, work, done=done))

    def _show_listing(
        self, node: LibraryNode, overview: Overview, listing: Listing, quietly: bool
    ) -> None:
        if quietly and listing == self._listing:
            self.pictures.model.refresh()
        elif quietly and self._listing is not None and self.pictures.is_being_read():
            self.pictures.model.refresh()
            self.pictures.anew_button.show()
        else:
            self._listing = listing
            message = words.plural(listing.count, "picture")
            if self._only != SearchFilter():
                message = f"{message} {'matches' if listing.count == 1 else 'match'}"
            if node.group.folder is not None:
                message = f"{message} · {node.hint}"
            self.pictures.show_title(node.heading, message)
            self.pictures.show_rows(
                self._reader.tiles(self._model_id, listing, self.pictures.order),
                listing.count,
                headings=[heading_of(section) for section in listing.sections],
                caption_lines=ORDERS[self.pictures.order][1],
                nothing=None if self._only == SearchFilter() else NOTHING_MATCHES,
            )
        self._count(node, overview)

    def _model_id(self) -> int | None:
        return self._overview.model_id if self._overview else None

    def _count(self, node: LibraryNode, overview: Overview) -> None:
        """Say how many of the group are in each state."""
        number, only = self._asked, self._only

        async def work() -> dict[PictureState, int]:
            return await self._reader.counts(overview.model_id, node.group, only)

        def done(counts: dict[PictureState, int]) -> None:
            if number == self._asked:
                self.pictures.show_counts(counts)

        self._poller.track(self._runner.run(None, work, done=done))

    def _include(self) -> None:
        """Take the excluded ones among the selected pictures back."""
        ranges = self.pictures.grid.selected_ranges()

        async def work() -> int:
            return await self._reader.include(await self.pictures.model.rows(ranges))

        def done(number: int) -> None:
            self._load()
            message = f"{words.plural(number, 'picture')} included again. {HOW_INDEXED}"
            self.pictures.notice.show_message("check-circle", message, passes=True)

        self._runner.run(self.pictures.include_action, work, done=done)


HOW_INDEXED = "An update of its session indexes what is not indexed yet."
