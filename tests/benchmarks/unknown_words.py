"""Whether the program tells what it knows from what it does not, over what is indexed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.api.search_schemas import SearchQuery, SearchTerm
from app.services.backend import Backend
from app.worker.probes import PROBES

UNKNOWN = (
    "flibber", "Napoleon", "receipt", "grandma", "interest rate", "Barack Obama", "trombulate",
    "justice", "calculus", "wednesday", "happiness", "my passport number", "Sophie Miller", "xkcd",
    "plornish", "insurance policy", "Beethoven", "theology", "mnbvcx", "economics", "irony",
    "birthday of Peter", "vaccination certificate", "loyalty", "drimple", "Einstein",
    "syntax error", "gossip", "ulrich", "bankruptcy",
)  # fmt: skip
"""Made-up words, abstract ones and names; none of them is a probe."""


class Honesty(NamedTuple):
    """Shares of the words that were asked for."""

    unknown: float
    """Of those that no picture shows, answered as unknown."""
    refused: float
    """Of those that pictures show, answered as unknown."""


async def honesty(backend: Backend, shown: Sequence[str]) -> Honesty:
    """Ask for what no picture shows, and for what pictures do show."""
    assert not set(UNKNOWN) & set(PROBES)
    async with backend.db() as db:
        await backend.search.prepare(db)
    unknown = [not await _known(backend, text) for text in UNKNOWN]
    refused = [not await _known(backend, text) for text in shown]
    return Honesty(sum(unknown) / len(unknown), sum(refused) / len(refused))


async def _known(backend: Backend, text: str) -> bool:
    query = SearchQuery(terms=[SearchTerm(text=text)])
    async with backend.db() as db:
        return (await backend.search.search(db, query, limit=1)).known
