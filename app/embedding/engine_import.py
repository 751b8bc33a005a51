"""PyTorch and OpenCLIP, imported without what only training needs; to be imported before them.

PyTorch imports rules for tensors without content, which its compiler needs. OpenCLIP and timm
import torchvision, for preparing pictures, and that compiler, for marking functions that it shall
leave alone. Together these take as long as the rest, and nothing here uses them:
:mod:`app.pictures` prepares pictures, and no model is compiled. OpenCLIP also imports all of timm
and of transformers where they are there; here it gets them once a model needs them.
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

_RULES = "torch._meta_registrations"
_COMPILER = "torch._dynamo"
_PREPARING = "torchvision"
_LATER = ("timm", "transformers")


def import_torch() -> Any:
    """The module ``torch``."""
    if sys.modules.get("torch") is None:
        with _stand_in_for(_RULES):
            importlib.import_module("torch")
        sys.meta_path.insert(0, _RulesFirst())
    return sys.modules["torch"]


def import_open_clip() -> Any:
    """The module ``open_clip``."""
    if "open_clip" in sys.modules or _PREPARING in sys.modules:
        return importlib.import_module("open_clip")
    with _stand_in_for(_PREPARING), _without(*_LATER), _no_compiler():
        open_clip = importlib.import_module("open_clip")
    _add_timm_when_needed(importlib.import_module("open_clip.timm_model"))
    return open_clip


def _add_timm_when_needed(adapter: Any) -> None:
    """Have the class of OpenCLIP that makes towers of timm's import it when the first is made."""
    make = adapter.TimmModel.__init__

    @functools.wraps(make)
    def make_with_timm(*arguments: Any, **options: Any) -> None:
        if adapter.timm is None:
            with _stand_in_for(_PREPARING), _no_compiler():
                timm = importlib.import_module("timm")
            layers = timm.layers
            adapter.RotAttentionPool2d = layers.RotAttentionPool2d
            adapter.AbsAttentionPool2d = layers.AttentionPool2d
            adapter.Mlp, adapter.to_2tuple = layers.Mlp, layers.to_2tuple
            adapter.timm = timm
        make(*arguments, **options)

    adapter.TimmModel.__init__ = make_with_timm


class _RulesFirst(MetaPathFinder):
    """Imports the rules before the compiler: its modules rely on finding them there."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == _COMPILER:
            sys.meta_path.remove(self)
            importlib.import_module(_RULES)
        return None


class _Unused:
    """Stands for a class or function of torchvision; whoever uses it after all is told."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        raise RuntimeError(f"{_PREPARING} was left out when OpenCLIP was imported")


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
    def __init__(self, left_out: str) -> None:
        self._left_out = left_out

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_of(name, self._left_out):
            return None
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


def _is_of(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@contextmanager
def _stand_in_for(left_out: str) -> Iterator[None]:
    """Whoever imports this module within the block gets nothing; later it can be had as usual."""
    if left_out in sys.modules:
        yield
        return
    finder = _Finder(left_out)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_of(name, left_out)]:
            del sys.modules[name]
        parent, _, last = left_out.rpartition(".")
        if (package := sys.modules.get(parent)) is not None:
            vars(package).pop(last, None)


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Within the block it is as if these were not installed, where nobody has imported them."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


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


torch = import_torch()
