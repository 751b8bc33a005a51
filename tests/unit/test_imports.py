"""While modules are imported no garbage is looked for, and some are left out; afterwards all is as
before."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.imports import importing, leaving_out


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


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package that imports its module ``heavy``, in which ``weight`` is 9."""
    (tmp_path / "loaded").mkdir()
    (tmp_path / "loaded" / "__init__.py").write_text("from loaded import heavy")
    (tmp_path / "loaded" / "heavy.py").write_text("weight = 9")
    monkeypatch.syspath_prepend(tmp_path)
    yield "loaded"
    for name in ("loaded", "loaded.heavy"):
        sys.modules.pop(name, None)


def test_what_is_left_out_is_empty_and_can_be_had_afterwards(package: str) -> None:
    with leaving_out("loaded.heavy"):
        loaded = importlib.import_module(package)
        assert not hasattr(loaded.heavy, "weight")
    assert not hasattr(loaded, "heavy")
    assert importlib.import_module("loaded.heavy").weight == loaded.heavy.weight == 9


def test_what_is_there_already_is_not_left_out(package: str) -> None:
    loaded = importlib.import_module(package)
    with leaving_out("loaded.heavy"):
        assert importlib.import_module("loaded.heavy") is loaded.heavy
    assert sys.modules["loaded.heavy"].weight == 9


def test_what_was_left_out_can_be_had_where_an_import_fails(package: str) -> None:
    with pytest.raises(ImportError), leaving_out("loaded.heavy"):
        raise ImportError
    assert importlib.import_module("loaded.heavy").weight == 9
