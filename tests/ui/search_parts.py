"""A page of pictures for a test, and a service that can be slow, away or broken."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ledger_rows import add_many, add_session
from page_parts import Parts
from PySide6.QtCore import QSettings

from app.api.search_schemas import (
    SearchFilter,
    SearchHit,
    SearchModel,
    SearchQuery,
    SearchResultPage,
)
from app.errors import AppError
from app.ui.pages.pictures.page import PicturesPage


def hit(number: int, path: str = "", score: float | None = None) -> SearchHit:
    return SearchHit(
        assetId=number,
        path=path or f"/gone/{number:05}.jpg",
        score=0.9 - number / 1_000 if score is None else score,
        size=1_000,
        width=400,
        height=300,
        format="JPEG",
        takenAt=None,
    )


def model(number: int = 1, used: bool = True, vectors: int = 300, **values: Any) -> SearchModel:
    row = {"spec": "builtin", "title": f"Model {number}", "dimension": 8, "pictures": 300}
    return SearchModel(modelId=number, inUse=used, vectors=vectors, **(row | values))


class Service:
    """Answers with the hits it was given; waits, or fails, where a test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[SearchQuery, int]] = []
        self.hits = [hit(number) for number in range(450)]
        self.known = [model()]
        self.error: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.at_once = self.most_at_once = 0
        self.used: list[int] = []
        self.prepared = self.counted_again = 0
        self.knows = True
        self.named_hits: list[SearchHit] = []
        self.likely = 450
        """So many of its hits are likely."""
        self.unused = 0

    async def models(self, db: Any) -> list[SearchModel]:
        return self.known

    async def use(self, db: Any, model_id: int) -> None:
        self.used.append(model_id)
        self.known = [
            item.model_copy(update={"inUse": item.modelId == model_id}) for item in self.known
        ]

    def count_again(self) -> None:
        self.counted_again += 1

    async def prepare(self, db: Any) -> None:
        self.prepared += 1
        raise AppError("The model cannot be loaded.")

    async def search(
        self, db: Any, query: SearchQuery, *, offset: int = 0, limit: int = 200
    ) -> SearchResultPage:
        self.asked.append((query, offset))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go.wait()
        finally:
            self.at_once -= 1
        if self.error is not None:
            raise self.error
        least = -1.0 if query.minScore is None else query.minScore
        found = [item for item in self.hits if item.score >= least]
        likely = found[: self.likely] if query.likelyOnly else found
        after = offset + limit
        return SearchResultPage(
            hits=likely[offset:after],
            nextOffset=after if after < len(likely) else None,
            modelId=1,
            known=self.knows,
            leftOut=after >= len(likely) and len(likely) < len(found),
            unused=self.unused,
        )

    async def named(self, db: Any, text: str, only: SearchFilter) -> list[SearchHit]:
        return [item for item in self.named_hits if text in item.path]

    @property
    def texts(self) -> list[str]:
        """The first term of each question, further pages left out."""
        terms = [query.terms for query, offset in self.asked if not offset]
        return [(some[0].text or "") if some else "" for some in terms]


class Shown:
    """A page of pictures over a :class:`Service`::

    async with Shown(backend, tmp_path) as shown:
        shown.page.field.setText("a red circle")
    """

    def __init__(
        self, backend: Any, tmp_path: Path, service: Any = None, *, pictures: int = 1
    ) -> None:
        if pictures:
            add_many(add_session("Photos", "completed"), pictures)
        self.service = service or Service()
        self.memory = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        self.parts = Parts(backend)
        self.context = self.parts.context(search=self.service)

    async def __aenter__(self) -> Shown:
        await self.parts.__aenter__()
        *_, page = PicturesPage.in_steps(self.context, self.memory)
        assert page is not None
        page.setParent(self.parts.window)
        self.page: PicturesPage = self.parts.show(page)
        self.parts.window.activateWindow()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.service.go.set()
        self.page.search_runner.forget()
        await self.parts.__aexit__(*error)

    @property
    def grid(self) -> Any:
        return self.page.results.grid

    def place(self) -> str:
        """What is seen below the field."""
        page, browser = self.page, self.page.browser
        shown = browser.stack.currentWidget()
        if shown is browser.invitation:
            return "invitation"
        if shown is not browser.split:
            return "loading"
        if browser.right.currentWidget() is browser.pictures:
            return "pictures"
        return "results" if page.results.split.isVisible() else "message"

    def found(self) -> bool:
        """An answer is shown, and no other is awaited."""
        return self.place() in ("results", "message") and not self.page.search_runner.waiting
