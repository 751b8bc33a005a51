"""Rows of pictures from edge to edge: widths, headings, blocks that become known."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui.pictures.justified import Heading, JustifiedLayout, aspect

PAGE = 20
WIDTH, TARGET = 800, 150


def laid_out(
    *aspects: float, headings: list[int] | None = None, caption: int = 0
) -> JustifiedLayout:
    layout = JustifiedLayout(PAGE)
    layout.set_room(WIDTH, TARGET, caption)
    layout.forget(len(aspects))
    if headings:
        layout.set_headings([Heading(str(at), number) for at, number in enumerate(headings)])
    for page in range(-(-len(aspects) // PAGE)):
        layout.set_aspects(page, aspects[page * PAGE : (page + 1) * PAGE])
    layout.settle(range(-(-len(aspects) // PAGE)))
    return layout


shapes = st.lists(st.floats(0.4, 3.5), min_size=1, max_size=70)


@given(shapes)
def test_pictures_keep_their_shape_their_order_and_the_edges(aspects: list[float]) -> None:
    layout = laid_out(*aspects)
    lines = list(layout.lines(0, layout.height))
    assert [row for line in lines for row in range(line.first, line.end)] == list(
        range(len(aspects))
    )
    for line in lines:
        places = [layout.place(row) for row in range(line.first, line.end)]
        assert places[0].left() == 0
        assert places[-1].right() < WIDTH
        assert all(b.left() - a.right() - 1 == layout.gap for a, b in itertools.pairwise(places))
        for row, place in zip(range(line.first, line.end), places, strict=True):
            assert place.width() == pytest.approx(aspects[row] * place.height(), abs=2.5)
        if line is not lines[-1]:
            full = places[-1].right() + 1 == WIDTH
            assert full or line.height == 2 * TARGET  # a single tall one stays that high
    for above, below in itertools.pairwise(lines):
        assert above.top + above.height < below.top


def test_rows_are_about_as_high_as_they_should_be() -> None:
    chosen = random.Random(1)
    aspects = [chosen.choice((0.67, 0.75, 1, 1.33, 1.5, 1.78)) for _ in range(400)]
    layout = laid_out(*aspects)
    heights = [line.height for line in layout.lines(0, layout.height)]
    assert all(0.65 * TARGET < height < 1.6 * TARGET for height in heights)


def test_a_last_row_that_is_not_full_stays_at_the_left() -> None:
    layout = laid_out(1.5, 1.5)
    assert layout.place(1).height() == TARGET
    assert layout.place(1).right() < WIDTH - 100


def test_each_heading_begins_a_row_and_has_room() -> None:
    layout = laid_out(*[1.5] * 50, headings=[3, 30, 17], caption=18)
    heads = list(layout.heads(0, layout.height))
    assert [heading.text for _, heading in heads] == ["0", "1", "2"]
    for (top, _), first in zip(heads, (0, 3, 33), strict=True):
        assert layout.place(first).left() == 0
        assert layout.place(first).top() == top + layout.head
        if first:
            assert layout.place(first - 1).bottom() < top
    assert [number for number, _ in (layout.heading_at(row) for row in (0, 2, 3, 49))] == [
        0,
        0,
        1,
        2,
    ]
    assert layout.heading_tops() == [top for top, _ in heads]


def test_where_a_block_ends_within_a_month_its_last_row_is_full() -> None:
    layout = laid_out(*[1.37] * 47)
    for page in (1, 2):
        assert layout.place(page * PAGE - 1).right() + 1 == WIDTH


def test_what_is_not_known_is_estimated_and_then_put_right() -> None:
    layout = JustifiedLayout(PAGE)
    layout.set_room(WIDTH, TARGET, 0)
    layout.forget(1_000)
    guessed = layout.height
    assert guessed == pytest.approx(1_000 * TARGET * 4 / 3 * (TARGET + 4) / WIDTH, rel=0.1)
    assert layout.set_aspects(0, [0.5] * PAGE)
    assert not layout.set_aspects(0, [0.5] * PAGE)
    assert layout.settle(range(1))
    assert layout.height < guessed
    assert layout.place(PAGE).top() < guessed / 50


def test_a_million_pictures_are_placed_at_once() -> None:
    layout = JustifiedLayout(200)
    layout.forget(1_000_000)
    layout.set_headings([Heading(str(month), 4_000) for month in range(250)])
    middle = layout.height // 2
    row = layout.row_at(middle)
    assert abs(row - 500_000) < 5_000
    assert len(layout._blocks) < 5
    layout.settle(range(4_999, 5_000))
    assert layout.place(999_999).bottom() < layout.height


def test_up_and_down_find_the_nearest_picture() -> None:
    layout = laid_out(*[1.5] * 12)
    line = layout.line(0)
    below = layout.line(line.end)
    for row in range(line.first, line.end):
        other = layout.beside(row, below)
        assert below.first <= other < below.end
        assert abs(layout.place(other).center().x() - layout.place(row).center().x()) < 120


def test_shapes_are_kept_within_reason() -> None:
    assert aspect(None, 3) == aspect(0, 0) == pytest.approx(4 / 3)
    assert aspect(300, 200) == 1.5
    assert aspect(10_000, 100) == 3.5
    assert aspect(1, 1_000) == 0.4
