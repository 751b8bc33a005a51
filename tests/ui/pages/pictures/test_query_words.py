"""Words of the search field that are dates, folders, formats or names."""

from __future__ import annotations

from datetime import date

import pytest

from app.api.library_schemas import LibraryGroup
from app.api.search_schemas import SearchFilter
from app.ui.pages.pictures.query_words import both, of_group, read_words, without

TODAY = date(2026, 5, 1)


def year(number: int) -> SearchFilter:
    return SearchFilter(takenFrom=date(number, 1, 1), takenTo=date(number, 12, 31))


@pytest.mark.parametrize(
    ("typed", "text", "only", "chips"),
    [
        ("a red circle", "a red circle", SearchFilter(), []),
        ("red -night", "red -night", SearchFilter(), []),
        ("beach 2019", "beach", year(2019), ["2019"]),
        ("2019", "", year(2019), ["2019"]),
        ("2026", "", year(2026), ["2026"]),
        ("2027", "2027", SearchFilter(), []),
        ("route 1950", "route 1950", SearchFilter(), []),
        ("2018 2019", "2018 2019", SearchFilter(), []),
        ("in:Norway", "", SearchFilter(inFolders=["Norway"]), ["in Norway"]),
        ('cat in:"New York"', "cat", SearchFilter(inFolders=["New York"]), ["in New York"]),
        ('in:"New Yo', "", SearchFilter(inFolders=["New Yo"]), ["in New Yo"]),
        ("in:", "", SearchFilter(), []),
        ("type:heic dog", "dog", SearchFilter(formats=["HEIF"]), ["HEIF"]),
        ("TYPE:.JPG,png", "", SearchFilter(formats=["JPEG", "PNG"]), ["JPEG or PNG"]),
        ("type:xyz", "type:xyz", SearchFilter(), []),
        ("name:IMG_12", "", SearchFilter(names=["IMG_12"]), ["name IMG_12"]),
        (
            "before:2010",
            "",
            SearchFilter(takenTo=date(2009, 12, 31)),
            ["before 1 January 2010"],
        ),
        ("before:", "", SearchFilter(), []),
        ("before:yesterday", "before:yesterday", SearchFilter(), []),
        ("after:2015-06", "", SearchFilter(takenFrom=date(2015, 7, 1)), ["from 1 July 2015"]),
        ("after:2015-02-28", "", SearchFilter(takenFrom=date(2015, 3, 1)), ["from 1 March 2015"]),
        (
            "june 2019 beach",
            "beach",
            SearchFilter(takenFrom=date(2019, 6, 1), takenTo=date(2019, 6, 30)),
            ["June 2019"],
        ),
        (
            "2019-06-15",
            "",
            SearchFilter(takenFrom=date(2019, 6, 15), takenTo=date(2019, 6, 15)),
            ["15 June 2019"],
        ),
        ("2019-13-40", "2019-13-40", SearchFilter(), []),
        ("may", "may", SearchFilter(), []),
        ("12:30 http://x", "12:30 http://x", SearchFilter(), []),
        ('say "hello world"', 'say "hello world"', SearchFilter(), []),
        ("", "", SearchFilter(), []),
    ],
)
def test_filters_are_told_from_the_description(
    typed: str, text: str, only: SearchFilter, chips: list[str]
) -> None:
    words = read_words(typed, TODAY)
    assert (words.text, words.only) == (text, only)
    assert [chip.text for chip in words.chips] == chips


def test_a_chip_takes_its_own_words_out_of_the_field() -> None:
    typed = 'dog in:"New York" 2019 on a beach'
    folder, when = read_words(typed, TODAY).chips
    assert without(typed, folder) == "dog 2019 on a beach"
    assert without(typed, when) == 'dog in:"New York" on a beach'


def test_two_filters_let_through_what_both_do() -> None:
    one = SearchFilter(takenFrom=date(2019, 1, 1), takenTo=date(2020, 1, 1), names=["a"])
    other = SearchFilter(takenFrom=date(2019, 6, 1), names=["b"], formats=["PNG"], sessionId=3)
    assert both(one, other) == SearchFilter(
        takenFrom=date(2019, 6, 1),
        takenTo=date(2020, 1, 1),
        names=["a", "b"],
        formats=["PNG"],
        sessionId=3,
    )
    assert both() == SearchFilter()


def test_a_folder_or_a_time_of_the_library_is_a_filter() -> None:
    assert of_group(LibraryGroup(folder="/p")) == SearchFilter(folder="/p")
    assert of_group(LibraryGroup(year=2024)) == year(2024)
    february = SearchFilter(takenFrom=date(2024, 2, 1), takenTo=date(2024, 2, 29))
    assert of_group(LibraryGroup(year=2024, month=2)) == february
