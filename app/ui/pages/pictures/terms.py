"""What is looked for: a description, pictures to be like, and what results should be without."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.api.search_schemas import Region, SearchTerm
from app.printable import printable

WEIGHTS = (0.5, 1.0, 2.0)
SIGNS = {0.5: "×½", 1.0: "×1", 2.0: "×2"}


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a search, as a person sees it."""

    text: str = ""
    path: str = ""
    """A picture file; what a picture of the index is called, too."""
    asset_id: int | None = None
    """The picture of the index; it need not be read again, and may even be gone."""
    region: Region | None = None
    """Only this part of the picture file."""
    weight: float = 1.0
    """One of ``WEIGHTS``."""
    without: bool = False

    @property
    def picture(self) -> bool:
        """It is a picture, not a text."""
        return bool(self.path) or self.asset_id is not None

    @property
    def name(self) -> str:
        """Its text, or the name of its file."""
        if self.picture:
            name = printable(os.path.basename(self.path)) or "This picture"
            return f"Part of {name}" if self.region else name
        return " ".join(self.text.split())

    def asked(self) -> SearchTerm:
        """As the service is asked."""
        weight = -self.weight if self.without else self.weight
        if self.asset_id is not None:
            return SearchTerm(assetId=self.asset_id, weight=weight)
        if self.path:
            return SearchTerm(path=self.path, region=self.region, weight=weight)
        text = (
            self.text.strip().encode("utf-8", "ignore").decode()
        )  # half a character may be pasted
        return SearchTerm(text=text, weight=weight)

    def as_json(self) -> dict[str, Any]:
        """What is remembered: a path outlives the number that the ledger gave it."""
        kind = {"path": self.path} if self.path else {"text": self.text.strip()}
        part = {"region": self.region} if self.region else {}
        return {**kind, **part, "weight": self.weight, "without": self.without}


def term_from_json(values: Mapping[str, Any]) -> Term:
    """What :meth:`Term.as_json` gave.

    Raises:
        ValueError: it is something else.
    """
    text, path, weight = values.get("text", ""), values.get("path", ""), values.get("weight")
    if not isinstance(text, str) or not isinstance(path, str) or not text + path:
        raise ValueError("a term needs a text or a path")
    if weight not in WEIGHTS:
        raise ValueError("an unknown weight")
    region = values.get("region")
    if region is not None:
        region = SearchTerm(path=path, region=region).region  # its ValidationError is a ValueError
    return Term(
        text=text, path=path, region=region, weight=weight, without=values.get("without") is True
    )


def describe(terms: Sequence[Term]) -> str:
    """A search in one line: ``red car · like beach.jpg · without people``."""
    return " · ".join(_described(term) for term in terms)


def _described(term: Term) -> str:
    name = f"part of {term.name.removeprefix('Part of ')}" if term.region else term.name
    parts = [name]
    if term.without:
        parts.insert(0, "without")
    elif term.picture:
        parts.insert(0, "like")
    if term.weight != 1:
        parts.append(SIGNS[term.weight])
    return " ".join(parts)
