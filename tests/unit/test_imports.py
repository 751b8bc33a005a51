"""While modules are imported no garbage is looked for; afterwards all is as before."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from app.imports import importing


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    yield
    gc.enable()


class Knot:
    """Refers to itself, so that only a search for garbage frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_it_is_not_looked_for_within_and_is_again_afterwards() -> None:
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_where_it_was_not_looked_for_it_is_not_afterwards() -> None:
    gc.disable()
    with importing():
        pass
    assert not gc.isenabled()


def test_it_is_looked_for_again_where_an_import_fails() -> None:
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()


def test_what_came_within_is_never_looked_through_and_what_comes_later_is() -> None:
    with importing():
        kept = weakref.ref(Knot())
    freed = weakref.ref(Knot())
    gc.collect()
    assert kept() is not None
    assert freed() is None
