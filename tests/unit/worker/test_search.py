"""What becomes of a query, without a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.api.search_schemas import SearchTerm
from app.errors import AppError
from app.queue.questions import FindRequest
from app.worker import search


@pytest.fixture(autouse=True)
def model_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_term_vector", lambda *_: np.array([1.0, 0.0], np.float32))


def refusal(*terms: SearchTerm) -> str:
    store: Any = None
    with pytest.raises(AppError) as refused:
        search._query_vector(store, "demo", "c", terms)
    return refused.value.message


def test_the_same_on_both_sides_is_named_as_the_cause_only_where_it_is() -> None:
    same = refusal(SearchTerm(text="A  circle"), SearchTerm(text="a circle", weight=-1))
    assert same == "What to find and what to exclude are the same."
    picture = refusal(SearchTerm(assetId=3), SearchTerm(assetId=3, weight=-1))
    assert picture == same
    others = refusal(SearchTerm(text="circle"), SearchTerm(text="round thing", weight=-1))
    assert "To this model" in others


VECTORS = {
    asset_id: np.array(vector, np.float32)
    for asset_id, vector in {1: (1.0, 0.0), 2: (0.0, 1.0), 3: (0.6, 0.8)}.items()
}


class Store:
    """Has a vector for some pictures."""

    def vectors(self, _collection: str, asset_ids: list[int]) -> dict[int, Any]:
        return {one: VECTORS[one] for one in asset_ids if one in VECTORS}


def moved(*, text: bool, liked: tuple[int, ...], disliked: tuple[int, ...] = ()) -> Any:
    store: Any = Store()
    terms = [SearchTerm(text="circle")] if text else []  # whose vector is (1, 0)
    request = FindRequest(
        model="demo",
        collection="c",
        terms=terms,
        liked=list(liked),
        disliked=list(disliked),
        limit=1,
    )
    return search._moved(store, request)


def unit(x: float, y: float) -> Any:
    return pytest.approx(np.array([x, y]) / np.hypot(x, y), abs=1e-6)


def test_thumbs_move_a_query_as_rocchio_has_it() -> None:
    assert moved(text=True, liked=()) == (unit(1, 0), 0)
    assert moved(text=True, liked=(2,)) == (unit(1, 0.75), 0)
    assert moved(text=True, liked=(2, 3)) == (unit(1 + 0.75 * 0.3, 0.75 * 0.9), 0)
    assert moved(text=True, liked=(2,), disliked=(3,)) == (
        unit(1 - 0.15 * 0.6, 0.75 - 0.15 * 0.8),
        0,
    )


def test_without_a_query_pictures_are_like_those_with_a_thumb() -> None:
    assert moved(text=False, liked=(2, 3)) == (unit(0.3, 0.9), 0)
    assert moved(text=False, liked=(2,), disliked=(1,)) == (unit(-0.15, 0.75), 0)


def test_pictures_that_a_model_does_not_know_do_not_count_and_are_counted() -> None:
    assert moved(text=True, liked=(2, 77), disliked=(78,)) == (unit(1, 0.75), 2)
    with pytest.raises(AppError, match="None of the pictures to be like is indexed"):
        moved(text=False, liked=(77,), disliked=(1,))
