"""ViT-B-32-256 with random weights: as large and as slow as a real one, and nothing to download."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

from surroundings import CACHE

ARCHITECTURE = "ViT-B-32-256"


def random_model() -> Path:
    """A checkpoint folder in OpenCLIP's layout, kept for the next time."""
    folder = CACHE / f"{ARCHITECTURE}-random"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _save(partial)
        partial.rename(folder)
    return folder


def _save(folder: Path) -> None:
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = open_clip.create_model(ARCHITECTURE, pretrained=None)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    known = files("open_clip") / "model_configs" / f"{ARCHITECTURE}.json"
    config = {
        "model_cfg": json.loads(known.read_text(encoding="utf-8")),
        "preprocess_cfg": {
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
