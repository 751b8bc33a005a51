"""Dialogs that ask for folders and files; they begin where a person keeps pictures."""

from __future__ import annotations

import os
from collections.abc import Callable

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QWidget

Place = QStandardPaths.StandardLocation


def choose_folder(
    parent: QWidget, title: str, then: Callable[[str], object], begin: str = ""
) -> QFileDialog:
    """Ask for a folder, and call ``then`` with it; returns at once.

    Args:
        begin: the folder to show first; where it is gone, what is left of the way to it.
    """
    dialog = QFileDialog(parent, title, nearest(begin) or folder_of(Place.PicturesLocation))
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(then)
    return _opened(dialog)


def choose_files(
    parent: QWidget, title: str, then: Callable[[list[str]], object], names: str
) -> QFileDialog:
    """Ask for files, and call ``then`` with them; returns at once.

    Args:
        names: which files are offered, as Qt writes it: ``Pictures (*.jpg *.png)``.
    """
    dialog = QFileDialog(parent, title, folder_of(Place.PicturesLocation), names)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    dialog.filesSelected.connect(then)
    return _opened(dialog)


def save_table(
    parent: QWidget, title: str, then: Callable[[str], object], name: str
) -> QFileDialog:
    """Ask for a CSV file to write, and call ``then`` with its path; returns at once."""
    return _save(parent, title, then, name, "Table (*.csv)")


def save_text(parent: QWidget, title: str, then: Callable[[str], object], name: str) -> QFileDialog:
    """The same for a text file."""
    return _save(parent, title, then, name, "Text (*.txt)")


def _save(
    parent: QWidget, title: str, then: Callable[[str], object], name: str, kind: str
) -> QFileDialog:
    begin = os.path.join(folder_of(Place.DocumentsLocation), name)
    dialog = QFileDialog(parent, title, begin)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilter(kind)
    dialog.setDefaultSuffix(name.rpartition(".")[2])
    dialog.fileSelected.connect(then)
    return _opened(dialog)


def folder_of(place: Place) -> str:
    """A person's folder of this kind; their home where they have none."""
    folder = QStandardPaths.writableLocation(place)
    return folder if os.path.isdir(folder) else os.path.expanduser("~")


def nearest(folder: str) -> str:
    """The folder, or the nearest one above it that is there; empty where nothing is left of it."""
    while folder and not os.path.isdir(folder):
        above = os.path.dirname(folder)
        folder = "" if above in (folder, os.path.dirname(above)) else above
    return folder


def _opened(dialog: QFileDialog) -> QFileDialog:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog
