"""OpenCLIP with its own way to prepare pictures, which the program leaves out, see
:mod:`app.embedding.open_clip_import`."""

from __future__ import annotations

import importlib
from typing import Any


def whole_open_clip() -> Any:
    """The module ``open_clip``; only the tests that compare with it wait for all of it."""
    import open_clip.transform
    import torchvision.transforms

    if open_clip.transform.Compose is not torchvision.transforms.Compose:
        importlib.reload(open_clip.transform)  # the program has imported it without torchvision
    return open_clip
