"""Words in the search field that are no description: dates, folders, formats, file names.

``beach 2019``, ``in:Norway``, ``type:heic``, ``before:2010``, ``after:2015-06``, ``name:IMG_12``;
a value with spaces stands in quotes.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

from app.api.library_schemas import LibraryGroup
from app.api.search_schemas import SearchFilter
from app.file_types import NAME_ENDINGS

T = TypeVar("T")
FIRST_PLAIN_YEAR = 1990
"""An earlier number of four digits is more likely a number, unless ``before:`` or so is said."""
_TOKEN = re.compile(
    r"""(?:(?P<key>[a-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"]+)|(?<=:))""", re.IGNORECASE
)
_PERIOD = re.compile(r"(\d{4})(?:-(\d\d?))?(?:-(\d\d?))?", re.ASCII)
_MONTHS = {
    name.casefold(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
}


class Chip(NamedTuple):
    """A filter as it is shown, and where it stands in the field."""

    text: str
    begin: int
    end: int


class Words(NamedTuple):
    """What was typed: a description, and what restricts it."""

    text: str
    chips: list[Chip]
    only: SearchFilter


class Period(NamedTuple):
    """From the first day to the last."""

    first: date
    last: date
    text: str


class _Token(NamedTuple):
    key: str
    value: str
    begin: int
    end: int


def read_words(typed: str, today: date | None = None) -> Words:
    """Tell the description from the filters."""
    tokens = [
        _Token((match["key"] or "").lower(), match["quoted"] or match["plain"] or "", *match.span())
        for match in _TOKEN.finditer(typed)
        if match[0]
    ]
    chips: list[Chip] = []
    found: list[SearchFilter] = []
    words: list[_Token] = []
    for token in tokens:
        keyed = _keyed(token) if token.key else None
        if keyed is None:
            words.append(token)
        elif token.value:
            chips.append(Chip(keyed[0], token.begin, token.end))
            found.append(keyed[1])
    periods, words = _plain_periods(words, (today or date.today()).year)
    if periods:
        chips += [Chip(period.text, begin, end) for period, begin, end in periods]
        first = min(period.first for period, _, _ in periods)
        last = max(period.last for period, _, _ in periods)
        found.append(SearchFilter(takenFrom=first, takenTo=last))
    text = " ".join(typed[token.begin : token.end] for token in words)
    return Words(text, sorted(chips, key=lambda chip: chip.begin), both(*found))


def without(typed: str, chip: Chip) -> str:
    """What is left in the field when a filter is removed."""
    return " ".join((typed[: chip.begin] + " " + typed[chip.end :]).split())


def both(*filters: SearchFilter) -> SearchFilter:
    """A filter that lets through what all of these do; of formats the last ones named count."""
    starts = [item.takenFrom for item in filters if item.takenFrom]
    ends = [item.takenTo for item in filters if item.takenTo]
    return SearchFilter(
        sessionId=_last(item.sessionId for item in filters),
        folder=_last(item.folder for item in filters),
        takenFrom=max(starts, default=None),
        takenTo=min(ends, default=None),
        formats=_last(item.formats for item in filters) or [],
        orientation=_last(item.orientation for item in filters),
        inFolders=[part for item in filters for part in item.inFolders],
        names=[part for item in filters for part in item.names],
    )


def of_group(group: LibraryGroup) -> SearchFilter:
    """A folder or a time of the library as a filter."""
    if group.year is None:
        return SearchFilter(folder=group.folder)
    period = _period(f"{group.year}-{group.month}" if group.month else str(group.year))
    assert period is not None
    return SearchFilter(takenFrom=period.first, takenTo=period.last)


def _last(values: Iterable[T | None]) -> T | None:
    found = [value for value in values if value]
    return found[-1] if found else None


def _keyed(token: _Token) -> tuple[str, SearchFilter] | None:
    """What ``key:value`` means, as a chip's text and a filter; None: it is a word."""
    key, value = token.key, token.value
    if key == "in":
        return f"in {value}", SearchFilter(inFolders=[value])
    if key == "name":
        return f"name {value}", SearchFilter(names=[value])
    if key == "type":
        formats = [known for part in value.split(",") if (known := _format(part))]
        return (
            (" or ".join(formats), SearchFilter(formats=formats)) if formats or not value else None
        )
    period = _period(value)
    if key in ("before", "after") and not value:
        return "", SearchFilter()
    if key == "before" and period:
        return f"before {_day(period.first)}", SearchFilter(takenTo=period.first - timedelta(1))
    if key == "after" and period:
        begin = period.last + timedelta(1)
        return f"from {_day(begin)}", SearchFilter(takenFrom=begin)
    return None


def _format(ending: str) -> str:
    """The format that an ending or a name stands for; empty: none."""
    ending = ending.lower().lstrip(".")
    for name, endings in NAME_ENDINGS.items():
        if ending == name.lower() or ending in endings:
            return name
    return ""


def _plain_periods(
    words: Sequence[_Token], this_year: int
) -> tuple[list[tuple[Period, int, int]], list[_Token]]:
    """Years, months and days among the words, and the words that are left.

    A year alone is a date, and so is one beside a description; several of them and nothing else
    are what somebody looks for in a picture.
    """
    found: list[tuple[Period, int, int]] = []
    left: list[_Token] = []
    at = 0
    while at < len(words):
        one, two = words[at], words[at + 1] if at + 1 < len(words) else None
        month = _MONTHS.get(one.value.casefold()) if not one.key else None
        if month and two and not two.key and _plain_year(two.value, this_year):
            period = _period(f"{two.value}-{month}")
            assert period is not None
            found.append((period, one.begin, two.end))
            at += 2
            continue
        parsed = _period(one.value) if not one.key else None
        if parsed and ("-" in one.value or _plain_year(one.value, this_year)):
            found.append((parsed, one.begin, one.end))
        else:
            left.append(one)
        at += 1
    if len(found) > 1 and not left:
        return [], list(words)
    return found, left


def _plain_year(text: str, this_year: int) -> bool:
    return (
        len(text) == 4
        and text.isascii()
        and text.isdigit()
        and FIRST_PLAIN_YEAR <= int(text) <= this_year
    )


def _period(text: str) -> Period | None:
    """A year, a month or a day; None where it is none."""
    match = _PERIOD.fullmatch(text)
    if match is None or not 1000 <= int(match[1]) <= 9998:
        return None
    year, month, day = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    try:
        if not month:
            return None if match[2] else Period(date(year, 1, 1), date(year, 12, 31), str(year))
        if not day:
            last = date(year, month, calendar.monthrange(year, month)[1])
            return None if match[3] else Period(last.replace(day=1), last, f"{last:%B %Y}")
        only = date(year, month, day)
        return Period(only, only, _day(only))
    except ValueError:
        return None


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
