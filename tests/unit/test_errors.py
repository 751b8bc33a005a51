from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.api.search_schemas import SearchQuery
from app.api.training_schemas import SessionConfig
from app.errors import first_refused


def test_what_pydantic_refuses_is_named_with_what_it_must_be() -> None:
    with pytest.raises(ValidationError) as refused:
        SessionConfig.model_validate({"batch_size": 0})
    name, requirement = first_refused(refused.value)
    assert name == "batch_size"
    assert requirement.startswith("must be ")


def test_a_refusal_of_our_own_is_told_in_its_words() -> None:
    with pytest.raises(ValidationError) as refused:
        SearchQuery.model_validate({"terms": [{}]})
    name, requirement = first_refused(refused.value)
    assert (name, requirement) == (
        "terms",
        "a term is a text, a path or an asset, exactly one of them",
    )
