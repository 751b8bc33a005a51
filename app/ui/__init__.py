"""The window: Qt and nothing but Qt."""

from __future__ import annotations

import ctypes
import sys

if sys.version_info < (3, 12) and sys.implementation.name == "cpython":
    # WORKAROUND: every call of a PySide6 6.12.0 function that returns nothing takes one reference
    # from None, which only Python 3.12 made immortal. Before that the process aborts with
    # "deallocating None" after some thousand calls. A count that is never used up is as good.
    # 6.11 has no such fault; remove this when no such release is allowed in pyproject.toml.
    ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
