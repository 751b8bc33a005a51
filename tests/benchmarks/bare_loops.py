"""What decoding and the model cost by themselves: the limit that no pipeline can pass."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

PICTURES = 48
BATCH = 32
BATCHES = 4


def decode_cpu_seconds(files: Sequence[Path]) -> float:
    """Seconds of processor time to turn one of these files into the model's square."""
    import numpy as np
    from PIL import Image

    some = files[:: max(len(files) // PICTURES, 1)][:PICTURES]
    began = time.process_time()
    for file in some:
        with Image.open(file) as picture:
            picture.draft("RGB", (512, 512))
            scale = 256 / min(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            small = picture.resize(size, Image.Resampling.BICUBIC)
        left, top = (small.width - 256) // 2, (small.height - 256) // 2
        np.asarray(small.crop((left, top, left + 256, top + 256)))
    return (time.process_time() - began) / len(some)


def forward_cpu_seconds(model: Path) -> float:
    """Seconds of processor time of the model for one picture, in the precision that suits best."""
    import numpy as np

    from app.embedding.loading import load_encoder

    encoder = load_encoder(str(model), "cpu")
    encoder.threads = 1  # several wait for each other now and then, which costs time as well
    size = encoder.pixels.size
    batch = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    encoder.encode_images(batch)
    began = time.process_time()
    for _ in range(BATCHES):
        encoder.encode_images(batch)
    return (time.process_time() - began) / (BATCH * BATCHES)
