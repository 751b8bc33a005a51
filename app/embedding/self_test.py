"""Whether an engine works here: a process of its own imports it and has the built-in model look.

python -m app engine-test FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from app.config import BUILTIN_MODEL
from app.errors import AppError, first_line


def main(arguments: Sequence[str]) -> int:
    """Try the engine in a folder; 0 where it works, else the last line printed says why not."""
    sys.path.append(arguments[0])
    try:
        import numpy as np

        from app.embedding.loading import load_encoder

        encoder = load_encoder(BUILTIN_MODEL, "auto", "fp32")
        pictures = np.zeros((1, encoder.pixels.size, encoder.pixels.size, 3), np.uint8)
        for vectors in (encoder.encode_images(pictures), encoder.encode_texts(["a test"])):
            if not np.isfinite(vectors).all() or not vectors.any():
                print("the model's answers are no numbers")
                return 1
    except (AppError, ImportError, OSError, RuntimeError) as error:
        print(first_line(error))
        return 1
    print(f"works on {encoder.device_label}")
    return 0
