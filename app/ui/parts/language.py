"""The language that a person uses their computer in."""

from __future__ import annotations

from PySide6.QtCore import QLocale


def person_language() -> str:
    """As ISO 639 writes it, such as ``de``."""
    return next(iter(QLocale.system().uiLanguages()), "en").partition("-")[0]


def language_name(language: str) -> str:
    """``German`` for ``de``."""
    return QLocale.languageToString(QLocale(language).language())
