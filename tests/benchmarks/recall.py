"""How well the demo model finds drawn pictures of combinations that it never saw."""

from __future__ import annotations

from collections.abc import Sequence

from surroundings import use_drawing_code

from app.config import DEMO_MODEL


def demo_recall() -> float:
    """The share of captions whose own picture ranks first, through the program's own encoder."""
    use_drawing_code()
    import numpy as np
    from demo_recall import Vectors, held_out_recall
    from PIL.Image import Image

    from app.embedding.loading import load_encoder
    from app.pictures.pixels import Orientation, fit

    encoder = load_encoder(DEMO_MODEL)

    def encode_images(pictures: Sequence[Image]) -> Vectors:
        squares = [
            fit(picture, picture.size, Orientation(), encoder.pixels) for picture in pictures
        ]
        return encoder.encode_images(np.stack(squares))

    return held_out_recall(encode_images, encoder.encode_texts)
