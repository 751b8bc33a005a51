"""Chips for what a search has besides its text: pictures to be like, things to be without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.api.search_schemas import MAX_TERMS
from app.printable import printable
from app.ui.pages.pictures.terms import SIGNS, WEIGHTS, Term
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.theme import RADIUS, SPACE_S, SPACE_XS, icon, theme
from app.ui.parts.widgets import ElidedLabel, IconLabel, label, plain_tip
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.tiles import EDGE

MAX_CHIPS = MAX_TERMS - 1
HEIGHT = 36
THUMB = 28
NAME_WIDTH = 160
WORDS = {0.5: "Counts half", 1.0: "Counts normally", 2.0: "Counts double"}


class TermChip(QWidget):
    """One term with its weight and a button to remove it."""

    changed = Signal()
    removed = Signal()

    def __init__(self, term: Term, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self.term = term
        self.edit: QLineEdit | None = None
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_S if not term.picture else SPACE_XS, 2, 2, 2)
        row.setSpacing(SPACE_XS)
        self._sign = IconLabel("minus-circle", "failed", 16)
        self._word = label("without", "secondary")
        row.addWidget(self._sign)
        row.addWidget(self._word)
        row.addWidget(_Thumb(term, thumbnails) if term.picture else self._line_edit())
        if term.picture:
            row.addWidget(self._name())
        self.weight_button = QToolButton()
        self.weight_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.weight_button.setMenu(self._menu())
        self.weight_button.setToolTip("How much it counts")
        self.remove_button = QToolButton()
        self.remove_button.setIcon(icon("x", "text-secondary"))
        self.remove_button.setIconSize(QSize(14, 14))
        self.remove_button.setToolTip("Remove (Delete)")
        self.remove_button.clicked.connect(self.removed)
        row.addWidget(self.weight_button)
        row.addWidget(self.remove_button)
        self._show()

    def _line_edit(self) -> QLineEdit:
        self.edit = QLineEdit(self.term.text)
        self.edit.setPlaceholderText("what it should not show")
        self.edit.setAccessibleName("Without")
        self.edit.setFixedWidth(170)
        self.edit.setAcceptDrops(False)
        self.edit.setStyleSheet("border: none; background: transparent; padding: 0px;")
        self.edit.textChanged.connect(lambda text: self._become(replace(self.term, text=text)))
        self.edit.editingFinished.connect(self._leave_if_empty)
        QApplication.instance().focusChanged.connect(self.update)  # type: ignore[union-attr]
        return self.edit

    def _leave_if_empty(self) -> None:
        if not self.term.text.strip():
            self.removed.emit()

    def _name(self) -> QWidget:
        name = ElidedLabel(self.term.name)
        name.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        name.setFixedWidth(min(name.sizeHint().width() + 2, NAME_WIDTH))
        return name

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        for weight in WEIGHTS:
            action = QAction(f"{SIGNS[weight]}  {WORDS[weight]}", menu)
            action.triggered.connect(
                lambda _=False, weight=weight: self._become(replace(self.term, weight=weight))
            )
            menu.addAction(action)
        if self.term.picture:
            menu.addSeparator()
            self._away = QAction("Unlike this picture", menu, checkable=True)
            self._away.toggled.connect(lambda on: self._become(replace(self.term, without=on)))
            self._away.setChecked(self.term.without)
            menu.addAction(self._away)
        return menu

    def _become(self, term: Term) -> None:
        if term != self.term:
            self.term = term
            self._show()
            self.changed.emit()

    def _show(self) -> None:
        without = self.term.without
        self._sign.setVisible(without)
        self._word.setVisible(without)
        kind = "without" if without else "like"
        self._word.setText("unlike" if self.term.picture else kind)
        self.weight_button.setText(SIGNS[self.term.weight])
        name = f"{kind} {self.term.name}"
        self.setAccessibleName(name)
        self.setToolTip(plain_tip(printable(self.term.path or "")))
        self.weight_button.setAccessibleName(f"{WORDS[self.term.weight]}: {name}")
        self.remove_button.setAccessibleName(f"Remove: {name}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = self.edit is not None and self.edit.hasFocus()
        painter.setPen(QPen(theme().color("accent" if focused else "line"), 2 if focused else 1))
        painter.setBrush(theme().color("surface"))
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), RADIUS, RADIUS)


class _Thumb(QWidget):
    """The picture of a chip, or the part that counts: its middle."""

    def __init__(self, term: Term, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self._path, self._region, self._thumbnails = term.path, term.region, thumbnails
        self.setFixedSize(THUMB, THUMB)
        thumbnails.ready.connect(self.update)  # any: a request may have been dropped meanwhile

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        ratio = self.devicePixelRatioF()
        picture = self._thumbnails.get(self._path, round(EDGE * ratio)) if self._path else None
        if picture is None or picture.isNull():
            icon("image-square", "text-secondary").paint(
                painter, self.rect().adjusted(4, 4, -4, -4)
            )
            return
        part = QRect(picture.rect())
        if self._region:
            left, top, right, bottom = self._region
            across, down = picture.width(), picture.height()
            part.setCoords(
                round(left * across), round(top * down), round(right * across), round(bottom * down)
            )
        edge = max(min(part.width(), part.height()), 1)
        middle = QRect(0, 0, edge, edge)
        middle.moveCenter(part.center())
        painter.drawPixmap(self.rect(), picture, middle)


class TermChips(QWidget):
    """All chips of a search; takes no room while there are none."""

    changed = Signal()

    def __init__(self, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self.chips: list[TermChip] = []
        self._flow = FlowLayout(spacing=SPACE_S)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._flow)
        self.hide()

    def terms(self) -> list[Term]:
        """What the chips say, also those that are still empty."""
        return [chip.term for chip in self.chips]

    @property
    def full(self) -> bool:
        """No more are taken."""
        return len(self.chips) >= MAX_CHIPS

    def add(self, term: Term) -> TermChip | None:
        """One more at the end, unless it is there already; None where there is no room."""
        for chip in self.chips:
            if term.picture and _same_picture(chip.term, term):
                return chip
        if self.full:
            return None
        chip = TermChip(term, self._thumbnails)
        chip.changed.connect(self.changed)
        chip.removed.connect(lambda: self.remove(chip))
        self.chips.append(chip)
        self._flow.addWidget(chip)
        chip.show()
        self.show()
        self.updateGeometry()
        self.changed.emit()
        return chip

    def remove(self, chip: TermChip) -> None:
        """Take one away."""
        if chip in self.chips:
            self.chips.remove(chip)
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
            self.setVisible(bool(self.chips))
            self.changed.emit()

    def set_terms(self, terms: Sequence[Term]) -> None:
        """Show these and no others."""
        blocked = self.blockSignals(True)
        for chip in list(self.chips):
            self.remove(chip)
        for term in terms:
            self.add(term)
        self.blockSignals(blocked)
        self.changed.emit()


def _same_picture(one: Term, other: Term) -> bool:
    return (one.path, one.asset_id, one.region) == (other.path, other.asset_id, other.region)
