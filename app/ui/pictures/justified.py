"""Where the pictures of a grid lie: rows filled edge to edge, every picture in its own shape.

A million pictures are never laid out. They are cut into blocks as they are fetched; where a block
is known only its rows are computed, and until then its height is estimated from how many pictures
it has and where headings fall in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from PySide6.QtCore import QRect

UNKNOWN_ASPECT = 4 / 3
"""Width to height of a picture that nobody has read yet."""
LEAST_ASPECT, MOST_ASPECT = 0.4, 3.5
"""Panoramas do not push everything else away; they are drawn smaller in their place."""
FILLED = 0.75
"""A last row that is filled this far is stretched to the edge."""


class Heading(NamedTuple):
    """What stands above the pictures from a row on."""

    text: str
    pictures: int


class Line(NamedTuple):
    """One row of pictures; its top is counted from the block's."""

    top: int
    height: int
    first: int
    end: int


class Block(NamedTuple):
    """The pictures of one page."""

    lines: list[Line]
    sides: list[tuple[int, int]]
    """Left edge and width of each picture."""
    heads: list[tuple[int, int]]
    """Top and number of each heading."""
    height: int


class JustifiedLayout:
    """Places for the rows of a model.

    Args:
        page: so many pictures are fetched at once, and make one block.
    """

    def __init__(self, page: int) -> None:
        self._page = page
        self._aspects: dict[int, list[float]] = {}
        self._blocks: dict[int, Block] = {}
        self._settled: set[int] = set()
        self._heights: list[int] = []
        self._tops: list[int] | None = None
        self._headings: Sequence[Heading] = ()
        self._starts: list[int] = []
        self.count = 0
        self._width, self._target, self._caption = 800, 180, 0
        self.gap, self.head = 4, 40

    # What there is to lay out

    def forget(self, count: int) -> None:
        """Other pictures, of which nothing is known but their number."""
        self._aspects.clear()
        self._headings, self._starts = (), []
        self.set_count(count)

    def set_count(self, count: int) -> None:
        """More pictures at the end, or fewer."""
        last = min(count, self.count) // self._page
        self.count = count
        for page in [page for page in self._blocks if page >= last]:
            del self._blocks[page]
        self._begin_again()

    def set_headings(self, headings: Sequence[Heading]) -> None:
        """From the top; their numbers of pictures say where each stands."""
        self._headings = headings
        self._starts = [0, *accumulate(item.pictures for item in headings)][:-1]
        self._blocks.clear()
        self._begin_again()

    def set_room(self, width: int, target: int, caption: int) -> None:
        """How wide it is, how high pictures should be, and what is needed below each."""
        if (width, target, caption) != (self._width, self._target, self._caption):
            self._width, self._target, self._caption = max(width, 1), target, caption
            self._blocks.clear()
            self._begin_again()

    def set_aspects(self, page: int, aspects: Sequence[float]) -> bool:
        """The shapes of a page's pictures; whether that moves anything."""
        if self._aspects.get(page) == aspects:
            return False
        self._aspects[page] = list(aspects)
        self._blocks.pop(page, None)
        self._settled.discard(page)
        return True

    def _begin_again(self) -> None:
        self._settled.clear()
        pages = -(-self.count // self._page)
        whole = self._estimate(self._page)
        self._heights = [whole] * pages
        if pages:
            self._heights[-1] = self._estimate(self.count - (pages - 1) * self._page)
        self._tops = None
        cut: dict[int, list[int]] = {}
        for start in self._starts:
            if start < self.count:
                cut.setdefault(start // self._page, []).append(start)
        for page, starts in cut.items():
            first, end = self._rows_of(page)
            ends = [*(starts if starts[0] != first else starts[1:]), end]
            begins = [first, *ends[:-1]]
            runs = sum(self._estimate(b - a) for a, b in zip(begins, ends, strict=True))
            self._heights[page] = runs + len(starts) * self.head
        for page, block in self._blocks.items():
            self._heights[page] = block.height
            self._settled.add(page)

    def _estimate(self, pictures: int) -> int:
        room = self._width + self.gap
        beside = max(room / (self._target * UNKNOWN_ASPECT + self.gap), 1)
        return round(max(pictures / beside, 1)) * (self._target + self._caption + self.gap)

    # Where things are

    @property
    def height(self) -> int:
        """Of everything, as far as it is known."""
        return self._top(len(self._heights))

    def place(self, row: int) -> QRect:
        """A picture with what is below it."""
        page = row // self._page
        block, top = self._block(page), self._top(page)
        line = _line_of(block, row)
        left, width = block.sides[row - page * self._page]
        return QRect(left, top + line.top, width, line.height + self._caption)

    def line(self, row: int) -> Line:
        """The row of pictures that this one is in; its top is counted from the beginning."""
        page = row // self._page
        found = _line_of(self._block(page), row)
        return found._replace(top=found.top + self._top(page))

    def lines(self, top: int, bottom: int) -> Iterator[Line]:
        """Rows of pictures that touch a range of heights."""
        for page in self.pages(top, bottom):
            start = self._top(page)
            for line in self._block(page).lines:
                if start + line.top > bottom:
                    return
                if start + line.top + line.height + self._caption >= top:
                    yield line._replace(top=start + line.top)

    def heads(self, top: int, bottom: int) -> Iterator[tuple[int, Heading]]:
        """Headings that touch a range of heights, with the top of each."""
        for page in self.pages(top - self.head, bottom):
            for at, number in self._block(page).heads:
                at += self._top(page)
                if top - self.head <= at <= bottom:
                    yield at, self._headings[number]

    def heading_at(self, row: int) -> tuple[int, Heading] | None:
        """The number of the heading above a row, and the heading."""
        number = bisect_right(self._starts, row) - 1
        return (number, self._headings[number]) if number >= 0 else None

    def heading_tops(self) -> list[int]:
        """Where each heading stands, at least nearly."""
        found = []
        for start in self._starts:
            page, within = divmod(min(start, max(self.count - 1, 0)), self._page)
            share = within / self._page
            if page in self._blocks:
                top = _line_of(self._blocks[page], page * self._page + within).top - self.head
            else:
                top = int(share * self._heights[page]) if page < len(self._heights) else 0
            found.append(self._top(page) + top)
        return found

    def row_at(self, y: int) -> int:
        """The first picture of the row at a height, or of the next one."""
        if not self.count:
            return 0
        found = next(self.lines(max(y, 0), max(y, 0) + 2 * self._target + self.head), None)
        return found.first if found else self.count - 1

    def beside(self, row: int, line: Line) -> int:
        """The picture of another row that is nearest above or below this one."""
        middle = self.place(row).center().x()
        return min(
            range(line.first, line.end),
            key=lambda other: abs(self.place(other).center().x() - middle),
        )

    def pages(self, top: int, bottom: int) -> range:
        """Blocks that touch a range of heights."""
        tops = self._all_tops()
        first = max(bisect_right(tops, top) - 1, 0)
        last = min(bisect_right(tops, max(bottom, 0)), len(self._heights))
        return range(first, last)

    def settle(self, pages: range) -> bool:
        """Give blocks the heights that they really have; whether that moves anything."""
        moved = False
        for page in pages:
            if page not in self._settled:
                self._settled.add(page)
                height = self._block(page).height
                moved = moved or height != self._heights[page]
                self._heights[page] = height
        if moved:
            self._tops = None
        return moved

    # Blocks

    def _all_tops(self) -> list[int]:
        if self._tops is None:
            self._tops = [0, *accumulate(self._heights)]
        return self._tops

    def _top(self, page: int) -> int:
        return self._all_tops()[page]

    def _rows_of(self, page: int) -> tuple[int, int]:
        return page * self._page, min((page + 1) * self._page, self.count)

    def _block(self, page: int) -> Block:
        block = self._blocks.get(page)
        if block is None:
            block = self._blocks[page] = self._laid_out(page)
        return block

    def _laid_out(self, page: int) -> Block:
        first, end = self._rows_of(page)
        known = self._aspects.get(page, [])
        aspects = [*known, *[UNKNOWN_ASPECT] * (end - first - len(known))]
        lines: list[Line] = []
        sides: list[tuple[int, int]] = []
        heads: list[tuple[int, int]] = []
        number, top, row = bisect_right(self._starts, first) - 1, 0, first
        while row < end:
            following = self._starts[number + 1] if number + 1 < len(self._starts) else self.count
            stop = min(max(following, row + 1), end)
            if number >= 0 and self._starts[number] == row:
                heads.append((top, number))
                top += self.head
            goes_on = stop == end and stop < min(following, self.count)
            for few in self._rows(aspects[row - first : stop - first], goes_on):
                height, some = self._sides(few, fill=goes_on or row + len(few) < stop)
                lines.append(Line(top, height, row, row + len(few)))
                sides += some
                top += height + self._caption + self.gap
                row += len(few)
            number += 1
        return Block(lines, sides, heads, top)

    def _rows(self, aspects: Sequence[float], goes_on: bool) -> Iterator[Sequence[float]]:
        """Cut pictures into rows of about the wanted height.

        Args:
            goes_on: the last row, too, is to be full: more pictures follow in the next block.
        """
        rows: list[Sequence[float]] = []
        row: list[float] = []
        for aspect in aspects:
            before, after = self._fullness(row), self._fullness([*row, aspect])
            if row and after > 1 and after - 1 > 1 - before:  # nearer to full without it
                rows.append(row)
                row = [aspect]
            else:
                row.append(aspect)
            if self._fullness(row) >= 1:
                rows.append(row)
                row = []
        if row and goes_on and self._fullness(row) < FILLED and rows:
            last = [*(rows.pop(-2) if len(rows) > 1 else []), *rows.pop(), *row]
            rows += self._shared(last)
        elif row:
            rows.append(row)
        yield from rows

    def _shared(self, aspects: Sequence[float]) -> list[Sequence[float]]:
        """Rows of about the same fullness."""
        number = min(max(round(self._fullness(aspects)), 1), len(aspects))
        whole, sums = sum(aspects), list(accumulate(aspects))
        cuts = [0]
        for at in range(1, number):
            wanted = whole * at / number
            cut = bisect_right(sums, wanted)
            before = sums[cut - 1] if cut else 0.0
            cuts.append(max(cut + (sums[cut] - wanted < wanted - before), cuts[-1] + 1))
        return [aspects[a:b] for a, b in zip(cuts, [*cuts[1:], len(aspects)], strict=True) if b > a]

    def _fullness(self, aspects: Sequence[float]) -> float:
        """How much of the width pictures fill at the wanted height."""
        if not aspects:
            return 0.0
        return sum(aspects) * self._target / max(self._width - self.gap * (len(aspects) - 1), 1)

    def _sides(self, aspects: Sequence[float], *, fill: bool) -> tuple[int, list[tuple[int, int]]]:
        """The height of a row, and left edge and width of each picture in it."""
        room = max(self._width - self.gap * (len(aspects) - 1), len(aspects))
        full = self._fullness(aspects)
        fill = fill or full >= FILLED
        height = room / sum(aspects) if fill else self._target
        height = min(height, 2 * self._target)
        edges = [0.0, *accumulate(aspect * height for aspect in aspects)]
        if fill and full > 0.5:  # the last one ends at the edge, to the pixel
            edges = [edge * room / edges[-1] for edge in edges]
        lefts = [round(edge) + at * self.gap for at, edge in enumerate(edges)]
        widths = [max(b - a - self.gap, 1) for a, b in pairwise(lefts)]
        return max(round(height), 1), list(zip(lefts, widths, strict=False))


def aspect(width: int | None, height: int | None) -> float:
    """Width to height as it is laid out."""
    if not width or not height:
        return UNKNOWN_ASPECT
    return min(max(width / height, LEAST_ASPECT), MOST_ASPECT)


def _line_of(block: Block, row: int) -> Line:
    at = bisect_right(block.lines, row, key=lambda line: line.first) - 1
    return block.lines[max(at, 0)]
