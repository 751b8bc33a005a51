"""The program's one style sheet, filled with the colours of a theme."""

from __future__ import annotations

import re

_SHEET = """
QWidget { color: @text; }
QMainWindow, QDialog, QMessageBox { background: @background; }
QToolTip {
    color: @background; background: @text; border: none; padding: 4px 8px;
}

/* Buttons: one look, four kinds. The border is there in every state, so that nothing moves. */
QPushButton {
    min-height: 18px; padding: 5px 13px; border-radius: 6px;
    border: 1px solid @control-line; background: @surface; color: @text;
}
QPushButton:hover { background: @surface-hover; }
QPushButton:pressed, QPushButton:checked { background: @surface-pressed; }
QPushButton:disabled { color: @text-disabled; border-color: @line; background: transparent; }
QPushButton[kind="primary"] {
    background: @accent; border-color: @accent; color: @on-accent; font-weight: 600;
}
QPushButton[kind="primary"]:hover { background: @accent-hover; border-color: @accent-hover; }
QPushButton[kind="primary"]:disabled {
    background: @surface-hover; border-color: @surface-hover; color: @text-disabled;
}
QPushButton[kind="danger"] { color: @failed; border-color: @failed; }
QPushButton[kind="danger"]:disabled { color: @text-disabled; border-color: @line; }
QPushButton[kind="quiet"] { border-color: transparent; background: transparent; }
QPushButton[kind="quiet"]:hover { background: @surface-hover; }
QPushButton[kind="quiet"]:pressed, QPushButton[kind="quiet"]:checked {
    background: @surface-pressed;
}
QPushButton[kind="quiet"]:disabled { border-color: transparent; }
QPushButton[kind="chip"] { padding: 4px 11px; border-color: @line; }
QPushButton[kind="chip"]:checked { background: @selected; border-color: @accent; }
QPushButton[kind="chip"]:focus { padding: 3px 10px; }
QPushButton:focus, QPushButton[kind="quiet"]:focus, QPushButton[kind="danger"]:focus {
    border: 2px solid @accent; padding: 4px 12px;
}
QPushButton[kind="primary"]:focus {
    border: 2px solid @text; padding: 4px 12px;
}
QPushButton::menu-indicator { image: none; width: 0px; }
QToolButton {
    border: 1px solid transparent; border-radius: 6px; padding: 5px; background: transparent;
}
QToolButton:hover { background: @surface-hover; }
QToolButton:pressed, QToolButton:checked { background: @surface-pressed; }
QToolButton:focus { border: 2px solid @accent; padding: 4px; }
QToolButton[kind="rail"] { padding: 4px 2px; color: @text-secondary; }
QToolButton[kind="rail"]:checked { background: @surface-hover; color: @text; }
QToolButton[kind="rail"]:disabled { color: @text-disabled; }
QToolButton[kind="rail"]:focus { padding: 3px 1px; }
QToolButton:disabled { color: @text-disabled; }

/* Inputs */
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {
    background: @surface; border: 1px solid @control-line; border-radius: 6px;
    padding: 5px 9px; selection-background-color: @accent; selection-color: @on-accent;
}
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox { min-height: 18px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QComboBox:focus { border: 2px solid @accent; padding: 4px 8px; }
/* Qt gives a number's box three pixels more than the others */
QSpinBox, QDoubleSpinBox { padding-top: 4px; padding-bottom: 3px; }
QSpinBox:focus, QDoubleSpinBox:focus { padding-top: 3px; padding-bottom: 2px; }
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {
    color: @text-disabled; border-color: @line; background: transparent;
}
QLineEdit[invalid="true"] { border: 2px solid @failed; padding: 4px 8px; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit {
    min-height: 0px; padding: 0px; border: none; background: transparent;
}
QComboBox { combobox-popup: 0; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow { image: url(theme:@scheme/caret-down.svg); width: 14px; height: 14px; }
QComboBox QAbstractItemView {
    background: @surface; border: 1px solid @control-line; padding: 0px; outline: none;
}
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button,
QDoubleSpinBox::down-button { border: none; width: 20px; background: transparent; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {
    image: url(theme:@scheme/caret-up.svg); width: 12px; height: 12px;
}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {
    image: url(theme:@scheme/caret-down.svg); width: 12px; height: 12px;
}
QCheckBox, QRadioButton { spacing: 8px; min-height: 24px; background: transparent; }
QCheckBox:disabled, QRadioButton:disabled { color: @text-disabled; }
QCheckBox::indicator, QTreeView::indicator, QTableView::indicator, QListView::indicator {
    width: 16px; height: 16px; border: 1px solid @control-line; border-radius: 4px;
    background: @surface;
}
QCheckBox::indicator:checked, QTreeView::indicator:checked, QTableView::indicator:checked,
QListView::indicator:checked {
    background: @accent; border-color: @accent; image: url(theme:@scheme/check.svg);
}
QCheckBox::indicator:indeterminate, QTreeView::indicator:indeterminate {
    background: @accent; border-color: @accent; image: url(theme:@scheme/minus.svg);
}
QCheckBox::indicator:focus { border: 2px solid @accent; }
QCheckBox::indicator:checked:focus, QCheckBox::indicator:indeterminate:focus {
    border: 2px solid @text;
}
QCheckBox::indicator:disabled { border-color: @line; background: transparent; }
QRadioButton::indicator {
    width: 16px; height: 16px; border: 1px solid @control-line; border-radius: 9px;
    background: @surface;
}
QRadioButton::indicator:checked { border: 5px solid @accent; width: 8px; height: 8px; }
QRadioButton:focus { color: @accent; }

/* Lists, tables, trees */
QAbstractItemView {
    background: @surface; alternate-background-color: @surface; border: none; outline: none;
    selection-background-color: @selected; selection-color: @text; gridline-color: @line;
}
QTableView::item, QTreeView::item, QListView::item { padding: 0px 8px; border: none; }
QTreeView::item, QListView::item { height: 32px; }
QTableView::item:hover, QTreeView::item:hover, QListView::item:hover {
    background: @surface-hover;
}
QTableView::item:selected, QTreeView::item:selected, QListView::item:selected {
    background: @selected; color: @text;
}
QTableView:focus, QTreeView:focus, QListView:focus { border: 1px solid @accent; }
QListView[kind="grid"]:focus { border: none; }
QHeaderView { background: @surface; border: none; }
QHeaderView::section {
    background: @surface; color: @text-secondary; padding: 0px 11px; min-height: 31px;
    text-align: left;
    border: none; border-bottom: 1px solid @line; font-weight: 400;
}
QHeaderView::section:hover { color: @text; }
QTableCornerButton::section { background: @surface; border: none; }
QTreeView::branch { background: transparent; }
QTreeView::branch:has-children:closed { image: url(theme:@scheme/caret-right.svg); }
QTreeView::branch:has-children:open { image: url(theme:@scheme/caret-down.svg); }

/* Scroll bars: a thumb and nothing else */
QScrollBar:vertical { width: 12px; background: transparent; margin: 0px; }
QScrollBar:horizontal { height: 12px; background: transparent; margin: 0px; }
QScrollBar::handle {
    background: @control-line; border-radius: 3px; border: none;
}
QScrollBar::handle:vertical { min-height: 32px; margin: 2px 3px; }
QScrollBar::handle:horizontal { min-width: 32px; margin: 3px 2px; }
QScrollBar::handle:hover { background: @text-secondary; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0px; height: 0px; border: none; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; }
QScrollArea { border: none; background: transparent; }
QScrollArea > QWidget > QWidget { background: transparent; }

/* Tabs, menus, splitters, sliders */
QTabWidget::pane { border: none; border-top: 1px solid @line; }
QTabBar::tab {
    padding: 7px 12px; color: @text-secondary; border: none;
    border-bottom: 2px solid transparent; background: transparent;
}
QTabBar::tab:hover { color: @text; }
QTabBar::tab:selected { color: @text; border-bottom-color: @accent; }
QTabBar::tab:focus { color: @accent; }
QMenuBar { background: @background; padding: 2px 8px; }
QMenuBar::item { padding: 5px 9px; border-radius: 6px; background: transparent; }
QMenuBar::item:selected { background: @surface-hover; }
QMenu { background: @surface; border: 1px solid @control-line; padding: 4px; }
QMenu::item { padding: 6px 28px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: @surface-hover; }
QMenu::item:disabled { color: @text-disabled; }
QMenu::separator { height: 1px; background: @line; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }
QSplitter::handle { background: @line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QSplitter::handle:hover { background: @accent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: @control-line; }
QSlider::sub-page:horizontal { border-radius: 2px; background: @accent; }
QSlider::handle:horizontal {
    width: 14px; height: 14px; margin: -6px 0px; border-radius: 8px;
    background: @surface; border: 1px solid @control-line;
}
QSlider::handle:horizontal:focus { border: 2px solid @accent; width: 12px; height: 12px; }

/* Text by its role, and the few surfaces there are */
QLabel { background: transparent; }
QLabel[tone="secondary"] { color: @text-secondary; }
QLabel[tone="failed"] { color: @failed; }
QLabel[tone="paused"] { color: @paused; }
QLabel[tone="completed"] { color: @completed; }
QLabel:disabled { color: @text-disabled; }
QFrame[kind="line"] { background: @line; border: none; }
QFrame[kind="popup"] { background: @surface; border: 1px solid @control-line; }
*[surface="true"] { background: @surface; }
*[surface="background"] { background: @background; }
QPlainTextEdit[kind="log"] {
    background: @surface; border: none; padding: 8px 12px; color: @text;
}
"""


def style_sheet(scheme: str, tokens: dict[str, str]) -> str:
    """The sheet with every ``@name`` replaced; images are looked for in ``theme:<scheme>``."""
    values = tokens | {"scheme": scheme}
    return re.sub(r"@([a-z-]+)", lambda match: values[match[1]], _SHEET)
