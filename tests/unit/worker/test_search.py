"""What becomes of a query, without a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.api.search_schemas import SearchTerm
from app.errors import AppError
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
