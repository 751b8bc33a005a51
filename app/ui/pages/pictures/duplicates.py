"""The groups of duplicates at the left of the library, and looking for pictures that look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.printable import printable
from app.ui.pages.pictures.tree import RowList
from app.ui.parts import words
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.drawing import draw_background, draw_text
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.paged_model import NO_PARENT, Index, PagedModel
from app.ui.parts.theme import SPACE_M, SPACE_S, SPACE_XS, font, icon, theme
from app.ui.parts.widgets import CountChip, ProgressBar, button, label, plain_tip
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.tiles import draw_rounded

if TYPE_CHECKING:
    from app.api.library_schemas import DuplicateGroup, DuplicateKind, DuplicateOrder, ScanStatus
    from app.ui.parts.poller import Poller

GROUP_ROLE = int(Qt.ItemDataRole.UserRole) + 1
ITEM_HEIGHT = 64
EDGE = 48
KINDS: dict[DuplicateKind, tuple[str, str]] = {
    "exact": ("Copies", "copy"),
    "similar": ("Near duplicates", "intersect"),
}
ORDERS: tuple[tuple[str, DuplicateOrder], ...] = (
    ("Largest first", "size"),
    ("Newest first", "newest"),
)
WHAT_IT_TAKES = (
    "Every picture is compared with every other. That takes about half a minute for 100,000 "
    "pictures; indexing and searching have priority."
)
"""Measured on two cores with vectors of 512 numbers: 21 to 26 s for 100,000, 44 s for 200,000."""
NONE_FOUND: dict[DuplicateKind, str] = {
    "exact": "No two files have the same content.",
    "similar": "No near duplicates are known.",
}


class GroupModel(PagedModel["DuplicateGroup"]):
    """Groups of duplicates, in pages."""

    def __init__(self, poller: Poller) -> None:
        super().__init__(poller)
        self.kind: DuplicateKind = "exact"

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        group = self.row(index.row())
        if group is None:
            return None
        if role == GROUP_ROLE:
            return group
        if role == Qt.ItemDataRole.DisplayRole:
            return group_title(group, self.kind)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{group_title(group, self.kind)}, {spare(group)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(printable(group.best.path))
        return None


def group_title(group: DuplicateGroup, kind: DuplicateKind) -> str:
    """``3 copies``."""
    if kind == "exact":
        return words.plural(group.pictures, "copy", "copies")
    return words.plural(group.pictures, "picture")


def spare(group: DuplicateGroup) -> str:
    """What the files besides the best one take."""
    others = "other takes" if group.pictures == 2 else "others take"
    return f"The {others} {words.size(group.spare)}"


def total_text(groups: int, spare: int) -> str:
    """``12 groups; all but the best of each take 3.4 GB.``"""
    best = "the best" if groups == 1 else "the best of each"
    return f"{words.plural(groups, 'group')}; all but {best} take {words.size(spare)}."


class GroupList(RowList):
    """Pick a group to see its files."""

    picked = Signal(object)
    """The group that a person chose, or the first one; None where there is none."""

    def __init__(self, model: GroupModel, thumbnails: ThumbnailLoader) -> None:
        super().__init__("Groups of duplicates", ITEM_HEIGHT)
        self.groups = model
        self._notified: int | None = None
        self.setModel(model)
        self.setItemDelegate(_GroupDelegate(self, thumbnails))
        self.selectionModel().currentRowChanged.connect(self._notify_picked)
        model.modelReset.connect(self._begin)  # after the selection has noted it
        model.arrived.connect(self._notify_picked)
        model.arrived.connect(self.viewport().update)
        model.stale.connect(self.viewport().update)
        thumbnails.ready.connect(self.viewport().update)

    def _begin(self) -> None:
        self._notified = None
        if self.model().rowCount():
            self.mark_row(0)
            self._notify_picked()
        else:
            self.picked.emit(None)

    def _notify_picked(self, *_: QModelIndex) -> None:
        group = self.groups.row(max(self.currentIndex().row(), 0))
        if group is not None and group.groupId != self._notified:
            self._notified = group.groupId
            self.picked.emit(group)


class _GroupDelegate(QStyledItemDelegate):
    """The best picture of a group, how many there are, and the room that the others take."""

    def __init__(self, parent: QWidget, thumbnails: ThumbnailLoader) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(160, ITEM_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        group: DuplicateGroup | None = index.data(GROUP_ROLE)
        area = QRect(option.rect).adjusted(0, 1, 0, -1)
        box = QRect(area.left() + SPACE_S, area.top() + 7, EDGE, EDGE)
        left = box.right() + SPACE_M
        text = QRect(left, area.top() + 12, area.right() - SPACE_S - left, 20)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_background(painter, option, area)
        if group is None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("surface-hover"))
            painter.drawRoundedRect(box, SPACE_XS, SPACE_XS)
            painter.drawRoundedRect(text.adjusted(0, 5, -text.width() // 3, -5), 5, 5)
        else:
            self._draw_picture(painter, box, group.best.path)
            draw_text(painter, text, str(index.data()), font("body"), "text")
            text.translate(0, 20)
            draw_text(painter, text, spare(group), font("secondary"), "text-secondary")
        painter.restore()

    def _draw_picture(self, painter: QPainter, box: QRect, path: str) -> None:
        ratio = painter.device().devicePixelRatioF()
        picture = self._thumbnails.get(path, round(EDGE * ratio))
        if picture is None or picture.isNull():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("surface-hover"))
            painter.drawRoundedRect(box, SPACE_XS, SPACE_XS)
            if picture is not None:
                mark = QRect(0, 0, 20, 20)
                mark.moveCenter(box.center())
                icon("image-square", "text-secondary").paint(painter, mark)
            return
        draw_rounded(painter, box, picture, ratio)


class ScanBox(QWidget):
    """Starts a scan for pictures that look alike, shows how far it is, and ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.message = label(WHAT_IT_TAKES, "secondary")
        self.message.setWordWrap(True)
        self.bar = ProgressBar()
        self.start_button = button("Find near duplicates", icon_name="magnifying-glass")
        self.stop_button = button("Stop", icon_name="x")
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button)
        buttons.addWidget(self.stop_button)
        buttons.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_XS, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.message)
        column.addWidget(self.bar)
        column.addLayout(buttons)
        self.bar.setAccessibleName("Comparing pictures")
        self.show_scan(None)

    def show_scan(self, scan: ScanStatus | None) -> None:
        """Show how far it is; None: not known yet."""
        state = scan.state if scan else "never"
        active = state in ("waiting", "running")
        self.message.setText(scan_text(scan) if scan else WHAT_IT_TAKES)
        self.bar.setVisible(scan is not None and active and scan.share > 0)
        if scan is not None and active:
            shown_as = "running" if state == "running" else "paused"
            if scan.share < self.bar.shown:  # it begins anew
                self.bar.reset_to(scan.share, shown_as)
            self.bar.set_progress(scan.share, shown_as)
        self.start_button.setVisible(not active)
        self.stop_button.setVisible(active)
        self.start_button.setText("Find near duplicates" if state == "never" else "Compare again")


def scan_text(scan: ScanStatus) -> str:
    """How far a scan is, or how it ended, in a sentence or two."""
    done = f"Comparing pictures: {int(scan.share * 100)} %"
    if scan.state == "running":
        return done
    if scan.state == "waiting" and scan.error:
        return f"{scan.error} The comparison then continues on its own."
    if scan.state == "waiting":
        if scan.share > 0:
            return f"{done}. It continues once nothing else has to be done."
        return "This starts once nothing else has to be done."
    if scan.state == "failed":
        return f"The comparison failed {words.ago(scan.endedAt)}. {scan.error} See the log."
    if scan.state == "stopped":
        return f"Stopped {words.ago(scan.endedAt)}. What was found before is kept."
    if scan.state == "done":
        return f"All pictures were compared {words.ago(scan.endedAt)}."
    return WHAT_IT_TAKES


class DuplicatePanel(QWidget):
    """Which kind of duplicates, in which order, and the list of their groups."""

    wanted = Signal()
    """Another kind or order is to be shown."""

    def __init__(self, poller: Poller, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self.model = GroupModel(poller)
        self.thumbnails = thumbnails
        self.list = GroupList(self.model, thumbnails)
        self.model.setParent(self.list)
        self.scan = ScanBox()
        self.order_box = ChoiceBox()
        self.chips = {kind: CountChip(kind, word) for kind, (word, _) in KINDS.items()}
        self.nothing = label("", "secondary")
        self.total = label(role="secondary")
        self.total.setWordWrap(True)
        self.clean_up_button = button("Clean up…", icon_name="trash")
        self.rows = QStackedWidget()
        self._kinds = QButtonGroup(self)
        self._lay_out()
        self.chips["exact"].setChecked(True)
        self._kinds.idClicked.connect(self._pick_kind)
        self.order_box.currentIndexChanged.connect(lambda _at: self.wanted.emit())
        for part in (self.scan, self.clean_up_button):
            part.hide()

    def _lay_out(self) -> None:
        kinds = QWidget()
        line = FlowLayout(kinds)
        for number, (kind, (word, icon_name)) in enumerate(KINDS.items()):
            chip = self.chips[kind]
            chip.setIcon(icon(icon_name, "text-secondary"))
            chip.setToolTip(word)
            self._kinds.addButton(chip, number)
            line.addWidget(chip)
        for text, _ in ORDERS:
            self.order_box.addItem(text)
        self.order_box.setAccessibleName("Order of the groups")
        self.nothing.setWordWrap(True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.nothing.setContentsMargins(SPACE_XS, SPACE_S, 0, 0)
        self.rows.addWidget(self.list)
        self.rows.addWidget(self.nothing)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(kinds)
        column.addWidget(self.scan)
        column.addWidget(self.total)
        column.addWidget(self.clean_up_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.order_box)
        column.addWidget(self.rows, 1)

    @property
    def kind(self) -> DuplicateKind:
        """The kind that is shown."""
        return self.model.kind

    @property
    def order(self) -> DuplicateOrder:
        """The order that is chosen."""
        return ORDERS[self.order_box.currentIndex()][1]

    def show_count(self, kind: DuplicateKind, number: int | None) -> None:
        """How many groups of a kind there are; None: nobody has looked for them yet."""
        self.chips[kind].set_count(number)
        if number is not None:
            groups = words.plural(number, "group")
            self.chips[kind].setAccessibleName(f"{groups}: {KINDS[kind][0]}")

    def show_groups(self, fetch: Any, count: int, spare: int) -> None:
        """Show groups, from the first one on.

        Args:
            spare: bytes that all but the best of each take together.
        """
        self.total.setVisible(count > 0)
        self.clean_up_button.setVisible(count > 0)
        self.total.setText(total_text(count, spare))
        self.rows.setCurrentWidget(self.list if count else self.nothing)
        self.nothing.setText(NONE_FOUND[self.kind])
        self.order_box.setVisible(count > 1)
        self.model.set_source(fetch, count)

    def _pick_kind(self, number: int) -> None:
        self.model.kind = list(KINDS)[number]
        self.scan.setVisible(self.kind == "similar")
        self.wanted.emit()
