"""OpenCLIP, imported without what only training needs.

OpenCLIP and timm import torchvision, for preparing pictures, and PyTorch's compiler, for marking
functions that it shall leave alone. Together these take as long as PyTorch itself, and nothing here
uses them: :mod:`app.pictures` prepares pictures, and no model is compiled. OpenCLIP also imports
all of transformers where it is there; its tokenizers are imported once a model needs one.
"""

from __future__ import annotations

import enum
import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

_UNUSED = "torchvision"
_LATER = "transformers"


def import_open_clip() -> Any:
    """The module ``open_clip``."""
    if "open_clip" in sys.modules or _UNUSED in sys.modules:
        return importlib.import_module("open_clip")
    with _stand_in_for_torchvision(), _without_transformers(), _no_compiler():
        open_clip = importlib.import_module("open_clip")
    _have_tokenizers_share_their_words(open_clip.tokenizer)
    return open_clip


def _have_tokenizers_share_their_words(module: Any) -> None:
    """Another tokenizer of OpenCLIP's own reads no file of words again, as they never change."""
    kind, first = module.SimpleTokenizer, module._tokenizer
    read = kind.__init__

    @functools.wraps(read)
    def make(self: Any, *arguments: Any, **options: Any) -> None:
        if arguments or options.keys() - {"context_length"}:
            read(self, *arguments, **options)
        else:
            vars(self).update(vars(first) | options)

    kind.__init__ = make


class _Unused:
    """Stands for a class or function of torchvision; whoever uses it after all is told."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        raise RuntimeError(f"{_UNUSED} was left out when OpenCLIP was imported")


class _InterpolationMode(enum.Enum):
    """The names that torchvision has, of which timm makes tables while it is imported."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class _StandIn(ModuleType):
    InterpolationMode = _InterpolationMode

    def __getattr__(self, name: str) -> type[_Unused]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Unused


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != _UNUSED:
            return None
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


@contextmanager
def _stand_in_for_torchvision() -> Iterator[None]:
    """Whoever imports it within the block gets nothing; later it can be had as usual."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] == _UNUSED]:
            del sys.modules[name]


@contextmanager
def _without_transformers() -> Iterator[None]:
    """Within the block it is as if it were not installed."""
    if _LATER in sys.modules:
        yield
        return
    sys.modules[_LATER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_LATER]


@contextmanager
def _no_compiler() -> Iterator[None]:
    """Marks for PyTorch's compiler do nothing within the block, so that it is not imported."""

    def unmarked(function: Any = None, **_options: Any) -> Any:
        return function if function is not None else _same

    marks = {name: getattr(torch.compiler, name) for name in ("disable", "allow_in_graph")}
    for name in marks:
        setattr(torch.compiler, name, unmarked)
    try:
        yield
    finally:
        for name, mark in marks.items():
            setattr(torch.compiler, name, mark)


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
