"""OpenCLIP with its own way to prepare pictures, which the program leaves out, see
:mod:`app.embedding.open_clip_import`."""

from __future__ import annotations

import importlib

import open_clip.transform
import torchvision.transforms

if open_clip.transform.Compose is not torchvision.transforms.Compose:
    importlib.reload(open_clip.transform)  # it was imported by the program, without torchvision
