"""The loop as most people write it: one picture at a time, each with its own everything."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert
from surroundings import HERE

from app.config import get_settings
from app.db.engine import write_transaction
from app.db.migrate import migrate
from app.db.models import ImageAsset
from app.vectors.embedded import EmbeddedStore
from app.vectors.protocol import VectorPoint

sys.path.append(str(HERE.parent))

PICTURES = 24


def plain_seconds(files: Sequence[Path], model: Path) -> float:
    """Seconds a picture: whole decode, fp32, one upsert and one commit each."""
    import torch
    from PIL import Image
    from whole_open_clip import whole_open_clip

    open_clip = whole_open_clip()
    migrate()
    network, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{model}")
    network.eval()
    store = EmbeddedStore(get_settings().vector_dir)
    some = files[:: max(len(files) // PICTURES, 1)][:PICTURES]
    try:
        store.ensure_collection("plain", network.visual.output_dim)
        began = time.perf_counter()
        for number, file in enumerate(some, 1):
            with Image.open(file) as picture, torch.inference_mode():
                pixels = preprocess(picture.convert("RGB")).unsqueeze(0)
                features = network.encode_image(pixels)
            vector = torch.nn.functional.normalize(features, dim=-1)[0].numpy()
            store.upsert("plain", [VectorPoint(number, vector, {})])
            with write_transaction() as conn:
                conn.execute(
                    insert(ImageAsset).values(
                        path=str(file), folder=str(file.parent), size=0, mtime_ns=0
                    )
                )
        return (time.perf_counter() - began) / len(some)
    finally:
        store.close()
