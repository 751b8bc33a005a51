"""Whether a description is in a language that the model reads."""

from __future__ import annotations

import pytest

from app.embedding.catalogue import RECOMMENDED, RECOMMENDED_FOR_OTHERS, recommended
from app.languages import is_unread


@pytest.mark.parametrize(
    ("text", "known", "language", "unread"),
    [
        ("собака", True, "en", True),  # whatever the model makes of it
        ("犬", True, "en", True),
        ("a dog on a beach", True, "de", False),
        ("invoice", False, "en", False),  # English, and not known
        ("Hund", False, "de", True),
        ("Hund", False, "en", False),  # nobody can tell
        ("Mädchen", False, "en", True),
        ("café", True, "en", False),
        ("1999", False, "", False),
    ],
)
def test_what_a_model_of_english_does_not_read(
    text: str, known: bool, language: str, unread: bool
) -> None:
    assert is_unread(text, RECOMMENDED.spec, known=known, language=language) is unread
    assert not is_unread(text, RECOMMENDED_FOR_OTHERS.spec, known=known, language=language)
    assert not is_unread(text, "/a/folder", known=known, language=language)


@pytest.mark.parametrize(
    ("language", "choice"),
    [
        ("en", RECOMMENDED),
        ("en_GB", RECOMMENDED),
        ("en-US", RECOMMENDED),
        ("", RECOMMENDED),
        ("C", RECOMMENDED),
        ("de", RECOMMENDED_FOR_OTHERS),
        ("ja_JP", RECOMMENDED_FOR_OTHERS),
    ],
)
def test_the_recommended_model_follows_the_language(language: str, choice: object) -> None:
    assert recommended(language) is choice
