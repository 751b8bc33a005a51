"""What decoding and the model cost by themselves: the limit that no pipeline can pass."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

PICTURES = 48
BATCH = 32
BATCHES = 2


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


def forward_cpu_seconds(model: Path) -> dict[str, float]:
    """Seconds of processor time of the model for one picture, by precision.

    Those that the processor computes in only by a detour are left out.
    """
    import numpy as np

    from app.embedding.encoder import DTYPES
    from app.embedding.loading import load_encoder
    from app.embedding.tuning import is_emulated

    exact = load_encoder(str(model), "cpu", "fp32")
    exact.threads = 1  # several wait for each other now and then, which costs time as well
    size = exact.pixels.size
    batch = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    seconds = {}
    for precision in DTYPES:
        if is_emulated(precision):
            continue
        encoder = exact.in_precision(precision)
        encoder.encode_images(batch)
        began = time.process_time()
        for _ in range(BATCHES):
            encoder.encode_images(batch)
        seconds[precision] = (time.process_time() - began) / (BATCH * BATCHES)
    return seconds
