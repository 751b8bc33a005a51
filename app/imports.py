"""Imports without a search for garbage, and without what nobody needs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

FOR_TRACING = "torch._meta_registrations"
"""What PyTorch's compiler knows of shapes; with all that it imports, a quarter of PyTorch."""


@contextmanager
def importing() -> Iterator[None]:
    """Collect no garbage within the block, and never look through what it has brought.

    Modules are no garbage, but make Python look for some again and again, which takes a sixth of
    the time that a worker needs to start.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_collecting:
            gc.enable()


@contextmanager
def leaving_out(name: str) -> Iterator[None]:
    """Whoever imports the module of a package within the block gets an empty one; later it can be
    had as usual."""
    if name in sys.modules:
        yield
        return
    empty = sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        if sys.modules[name] is empty:
            del sys.modules[name]
            package, _, last = name.rpartition(".")
            if package in sys.modules:
                vars(sys.modules[package]).pop(last, None)
