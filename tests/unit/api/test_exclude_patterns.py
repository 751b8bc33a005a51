"""Patterns mean what they mean in a .gitignore, and what cannot work is refused in words."""

from __future__ import annotations

import pytest

from app.api.exclude_patterns import clean, expressions, from_root


def matches(pattern: str, path: str) -> bool:
    return any(item.search(path) for item in expressions(clean([pattern])))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.png", "a/b.png"),
        ("*.png", "a/B.PNG"),
        ("Exports", "exports/a.jpg"),
        ("Exports/", "2024/Exports/"),
        ("/Exports", "Exports/"),
        ("2024/raw", "2024/raw/"),
        ("2024/**/raw", "2024/05/31/raw/"),
        ("**/raw", "raw/"),
        ("IMG_????.jpg", "a/IMG_1234.jpg"),
        ("#private", "#private/"),
        ("!new", "!new/"),
        ("Erdbeeren", "ERDBEEREN/"),
        ("raw", "two\nlines/raw/"),
        ("caf\udce9", "caf\udce9/"),
    ],
)
def test_what_matches(pattern: str, path: str) -> None:
    assert matches(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.png", "a/b.jpg"),
        ("*.png", "a.png.jpg"),
        ("Exports/", "Exports"),
        ("Exports", "My Exports/"),
        ("/Exports", "2024/Exports/"),
        ("2024/raw", "old/2024/raw/"),
        ("2024/*/raw", "2024/05/31/raw/"),
        ("a.b", "axb"),
    ],
)
def test_what_does_not(pattern: str, path: str) -> None:
    assert not matches(pattern, path)


def test_blanks_and_repetitions_go() -> None:
    assert clean([" *.png ", "", "  ", "*.png", "My Exports/"]) == ["*.png", "My Exports/"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*", "everything"),
        ("**", "everything"),
        ("/", "everything"),
        ("[", "cannot use “\\[”"),
        ("ends with\\", "cannot use"),
        ("x" * 501, "cannot use"),
    ],
)
def test_what_cannot_work_is_refused_in_words(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        clean(["*.png", pattern])


def test_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 200"):
        clean(str(number) for number in range(201))


def test_a_whole_path_counts_from_the_root_on() -> None:
    patterns = ["/ada/Pictures/Exports", "*.png", "/ada/Pictures2/x"]
    assert from_root(patterns, "/ada/Pictures") == ["/Exports", "*.png", "/ada/Pictures2/x"]
    assert from_root(["/Exports"], "/") == ["/Exports"]
