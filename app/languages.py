"""Whether a model reads the language of a description, as far as that can be told."""

from __future__ import annotations

import unicodedata

from app.embedding.catalogue import is_english, reads_english_only


def is_unread(text: str, spec: str, *, known: bool, language: str) -> bool:
    """Whether a description seems to be in a language that the model does not read.

    Letters of another script than English has are certain. Otherwise a word or two say too little:
    a description counts as one of another language where the model does not know it, and it has
    letters with accents or the person's own language is another one.

    Args:
        text: the description.
        spec: the model; only those that are known to read English alone are judged.
        known: whether any picture looks like it, by the search.
        language: the person's, as ISO 639 writes it.
    """
    if not reads_english_only(spec):
        return False
    letters = [letter for letter in text if letter.isalpha()]
    if any(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters):
        return True
    return not known and (not text.isascii() or not is_english(language))
